"""The XML files of a synthetic product, filled from templates.

They have the elements that ESA's schemas ask for. What no reader of detected images uses is
a constant, or an empty list: antenna patterns, replicas, Doppler centroids, attitudes.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.plan import ProductName, heading_deg
from seaice_data.synthetic.products.look_up_tables import (
    BETA_NOUGHT,
    Calibration,
    Noise,
    incidence,
)
from seaice_data.synthetic.products.sub_swaths import SubSwaths

if TYPE_CHECKING:
    from jinja2 import Environment

IPF = "003.52"
"""Version of ESA's processor that the files are modelled on."""

_INTERVAL_S = 6.004712e-3  # from line to line

_EARTH_KM, _ALTITUDE_KM = 6371.0, 709.6  # such that angles and ranges are real ones

_LIGHT_KM_S = 299_792.458

_ORBIT_S = 98.6 * 60

_INCLINATION_SINE = 0.98984

_FIRST_ORBIT = {"S1A": 73, "S1B": 27}  # of their cycles of 175 orbits


class Clock(NamedTuple):
    """Times of the lines."""

    first: datetime
    interval_s: float

    def at(self, line: float) -> str:
        """Return the time of a line as the files write it."""
        time = self.first + timedelta(seconds=line * self.interval_s)
        return f"{time:%Y-%m-%dT%H:%M:%S.%f}"


class Point(NamedTuple):
    """A tie point."""

    line: int
    pixel: int
    latitude: float
    longitude: float
    incidence_deg: float
    height_m: float = 0.0

    @property
    def elevation_deg(self) -> float:
        """Angle at the satellite, from nadir."""
        sine = math.sin(math.radians(self.incidence_deg))
        return math.degrees(math.asin(sine * _EARTH_KM / (_EARTH_KM + _ALTITUDE_KM)))

    @property
    def slant_range_time(self) -> float:
        """Seconds to the point and back."""
        elevation = math.radians(self.elevation_deg)
        between = math.radians(self.incidence_deg) - elevation
        return 2 * _EARTH_KM * math.sin(between) / math.sin(elevation) / _LIGHT_KM_S


class State(NamedTuple):
    """Where the satellite is, in coordinates that turn with the Earth."""

    time: str
    position_m: tuple[float, ...]
    velocity_m_s: tuple[float, ...]


class Orbit(NamedTuple):
    """What the files say about the orbit."""

    direction: str
    heading_deg: float
    relative: int
    cycle: int
    ascending_node: str
    since_node_s: float
    """From there to the first line."""

    states: tuple[State, ...]


class ProductFile(NamedTuple):
    """A file of the product, as its manifest lists it."""

    path: str
    schema: str
    polarisation: str
    n_bytes: int
    md5: str

    @property
    def id(self) -> str:
        """Name in the manifest."""
        stem = self.path.rsplit("/", 1)[-1].rsplit(".", 1)[0].replace("-", "")
        return f"product{stem}" if self.schema == "s1Level1ProductSchema" else stem

    @property
    def mime_type(self) -> str:
        """Kind of the file."""
        return "text/xml" if self.path.endswith(".xml") else "application/octet-stream"


class _GainVector(NamedTuple):
    """A calibration vector as it is written."""

    line: int
    pixel: Iterable[int]
    sigma_nought: FloatArray
    beta_nought: FloatArray
    gamma: FloatArray


@dataclass(frozen=True, slots=True)
class Annotations:
    """All that the XML files of a scene have in common."""

    scene: Observation
    swaths: SubSwaths
    clock: Clock
    points: tuple[Point, ...]

    @property
    def name(self) -> ProductName:
        """What the name of the product says."""
        return self.scene.plan.product

    def product(self, polarisation: str, mean_dn: float, std_dn: float) -> str:
        """Return the annotation of an image."""
        width = self.swaths.shape[1]
        middle = incidence(self.scene, self.swaths.shape[0] / 2, np.array([width // 2]))
        return self._render(
            "annotation.xml",
            polarisation,
            orbit=find_orbit(self.scene, self.clock),
            points=self.points,
            bounds=self.swaths.bounds(),
            incidence_deg=float(middle[0]),
            mean_dn=mean_dn,
            std_dn=std_dn,
        )

    def calibration(self, polarisation: str, calibration: Calibration) -> str:
        """Return the calibration of an image."""
        vectors = [
            _GainVector(
                vector.line,
                vector.samples,
                vector.values,
                np.full(vector.values.shape, BETA_NOUGHT),
                vector.values * np.sqrt(np.cos(np.radians(angle))),
            )
            for vector, angle in zip(
                calibration.vectors, calibration.incidence_deg, strict=True
            )
        ]
        return self._render("calibration.xml", polarisation, calibration=vectors)

    def noise(self, polarisation: str, noise: Noise) -> str:
        """Return the noise of an image."""
        return self._render("noise.xml", polarisation, noise=noise)

    def interference(self, polarisation: str) -> str:
        """Return the report about radio interference, of which there is none."""
        return self._render("rfi.xml", polarisation)

    def manifest(self, files: list[ProductFile]) -> str:
        """Return the list of all files."""
        last, width = self.swaths.shape[0] - 1, self.swaths.shape[1] - 1
        corners = {(point.line, point.pixel): point for point in self.points}
        return self._render(
            "manifest.xml",
            "",
            files=files,
            ipf=IPF,
            orbit=find_orbit(self.scene, self.clock),
            corners=[
                corners[place] for place in ((last, 0), (last, width), (0, width), (0, 0))
            ],
        )

    def _render(self, template: str, polarisation: str, **values: Any) -> str:
        text: str = (
            _environment()
            .get_template(template)
            .render(
                name=self.name,
                clock=self.clock,
                shape=self.swaths.shape,
                swaths=self.swaths,
                polarisation=polarisation,
                number="002" if polarisation == "HV" else "001",
                **values,
            )
        )
        return text


def make_clock(name: ProductName, n_lines: int) -> Clock:
    """Return the times of the lines, such that they agree with the name to the second."""
    stop_s = (name.stop - name.start).total_seconds()
    lasts_s = min((n_lines - 1) * _INTERVAL_S, stop_s + 0.98)
    start_s = min(max(stop_s + 0.5 - lasts_s, 0.01), 0.99)
    return Clock(name.start + timedelta(seconds=start_s), lasts_s / (n_lines - 1))


def tie_points(scene: Observation) -> tuple[Point, ...]:
    """Return the tie points, line by line."""
    ties = scene.ties
    return tuple(
        Point(
            int(line),
            int(sample),
            float(ties.latitude[i, j]),
            float((ties.longitude[i, j] + 180) % 360 - 180),
            float(ties.incidence[i, j]),
        )
        for i, line in enumerate(ties.lines)
        for j, sample in enumerate(ties.samples)
    )


def find_orbit(scene: Observation, clock: Clock) -> Orbit:
    """Return the orbit from which the scene is seen on the right, on a sphere."""
    plan, name = scene.plan, scene.plan.product
    heading = (heading_deg(plan) + 180) % 360 - 180
    cycle, relative = divmod(name.orbit - _FIRST_ORBIT[name.satellite], 175)
    sine = math.sin(math.radians(float(scene.ties.latitude[0, 0]))) / _INCLINATION_SINE
    angle = math.asin(min(max(sine, -1.0), 1.0))
    turn = angle if plan.ascending else math.pi - angle
    since_node_s = turn / (2 * math.pi) * _ORBIT_S
    node = clock.first - timedelta(seconds=since_node_s)
    return Orbit(
        "Ascending" if plan.ascending else "Descending",
        heading,
        relative + 1,
        cycle + 1,
        f"{node:%Y-%m-%dT%H:%M:%S.%f}",
        since_node_s,
        tuple(_states(scene, clock)),
    )


def _states(scene: Observation, clock: Clock) -> Iterable[State]:
    """Yield states of the satellite every ten seconds, from a minute before the scene."""
    latitude, longitude = np.radians(scene.ties.latitude), np.radians(scene.ties.longitude)
    flat = np.cos(latitude)
    places = np.stack(
        [flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)]
    )
    near = places[:, 0, 0]
    along = places[:, -1, 0] - near
    along -= (along @ near) * near
    along /= np.linalg.norm(along)
    # Nadir is to the left of the near edge, at right angles to the flight.
    angle = float(scene.ties.incidence[0, 0])
    away = math.radians(angle - Point(0, 0, 0.0, 0.0, angle).elevation_deg)
    nadir = math.cos(away) * near + math.sin(away) * np.cross(near, along)
    lasts_s = clock.interval_s * (scene.plan.raw_shape[0] - 1)
    for second in range(-60, int(lasts_s) + 70, 10):
        turn = 2 * math.pi * second / _ORBIT_S
        radius, speed = 1000 * (_EARTH_KM + _ALTITUDE_KM), 2 * math.pi / _ORBIT_S
        position = radius * (math.cos(turn) * nadir + math.sin(turn) * along)
        velocity = radius * speed * (math.cos(turn) * along - math.sin(turn) * nadir)
        time = clock.first + timedelta(seconds=second)
        yield State(
            f"{time:%Y-%m-%dT%H:%M:%S.%f}",
            tuple(position.tolist()),
            tuple(velocity.tolist()),
        )


def _environment() -> "Environment":
    from jinja2 import (
        Environment,
        PackageLoader,
        StrictUndefined,
    )  # late: only for products

    environment = Environment(
        loader=PackageLoader("seaice_data.synthetic.products"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["whole"] = lambda values: " ".join(
        str(int(value)) for value in values
    )
    environment.filters["seven_digits"] = lambda values: " ".join(
        f"{v:.6e}" for v in values
    )
    environment.filters["sixteen_digits"] = lambda value: f"{value:.15e}"
    return environment

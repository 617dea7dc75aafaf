"""Plans of synthetic scenes: where, when and how large; names and tie points.

- ``plan_scenes`` spreads scenes over the regions and months of the AI4Arctic dataset;
- ``ScenePlan`` decides everything about a scene: equal plans give equal files;
- ``tie_points`` places a scene on the Earth, ``swath_position`` the Earth in a swath.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray
from seaice_data.errors import SettingsError
from seaice_data.settings import nearest
from seaice_data.synthetic.regions import REGIONS, Region

N_TIE_POINTS = 21
"""Tie points along each axis."""

SMALLEST_SIZE = 100
"""Nominal pixels below which a scene has no room for ice, coast and 2 km cells."""

LARGEST_SIZE = 9000
"""Nominal pixels above which a raw file would be larger than any scene of Sentinel-1."""

MOST_SCENES = 10_000

SMALLEST_HEIGHT = 25
"""Pixels of one 2 km cell."""

SWATH_SIZE = 10_400
"""Lines and samples of 40 m in a whole scene, 416 km; smaller scenes are sections of it."""

MONTH_WEIGHTS = (35, 31, 31, 39, 41, 34, 41, 65, 71, 51, 37, 37)
"""Scenes of the training set in January, February and so on."""

# Steps of an additive sequence in two dimensions: however many scenes are taken, they
# cover months and regions evenly, and scene k does not depend on their number.
_MONTH_STEP = 0.7548776662466927

_REGION_STEP = 0.5698402909980532

_EARTH_RADIUS_KM = 6371.0

_RAW_KM = 0.04

_INCLINATION_COSINE = -0.1423  # of the Sentinel-1 orbit, 98.18 degrees


class ProductName(NamedTuple):
    """What the name of a Sentinel-1 product says."""

    satellite: str
    """``S1A`` or ``S1B``."""

    start: datetime
    """Second in which the acquisition starts."""

    stop: datetime
    """Second in which it ends."""

    orbit: int
    """Absolute orbit number."""

    data_take: int

    check: int
    """What makes the name unique: a checksum of the manifest."""

    def __str__(self) -> str:
        """Return the name."""
        return (
            f"{self.satellite}_EW_GRDM_1SDH_{_stamp(self.start)}_{_stamp(self.stop)}"
            f"_{self.orbit:06d}_{self.data_take:06X}_{self.check:04X}"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ScenePlan:
    """Everything that decides a synthetic scene; equal plans give equal files."""

    seed: int
    """Random seed of the scene."""

    region: str
    """Key of ``REGIONS``; decides the ice service too."""

    acquired: datetime
    """Time of the first line, with a time zone; fractions of a second are ignored."""

    height: int
    """Lines of 80 m."""

    width: int
    """Samples of 80 m."""

    is_test: bool = False
    """Whether the ready-to-train version keeps its charts in a file of their own."""

    ascending: bool = True
    """Whether the satellite flies north: latitude grows with the line."""

    def __post_init__(self) -> None:
        """Reject a plan that no scene can follow."""
        if self.region not in REGIONS:
            raise SettingsError(
                f"unknown region {self.region!r}", hint=nearest(self.region, REGIONS)
            )
        if self.acquired.tzinfo is None:
            raise SettingsError(f"time {self.acquired} has no time zone")
        if self.width < SMALLEST_SIZE or self.height < SMALLEST_HEIGHT:
            raise SettingsError(
                f"a scene has at least {SMALLEST_HEIGHT} lines and {SMALLEST_SIZE} "
                f"samples, got {self.height} x {self.width}"
            )

    @property
    def id(self) -> str:
        """Scene id: time and ice service, ``20180607T184326_dmi``."""
        return f"{_stamp(self.acquired)}_{self.service}"

    @property
    def service(self) -> Literal["cis", "dmi"]:
        """Ice service that makes the chart."""
        return REGIONS[self.region].service

    @property
    def raw_shape(self) -> tuple[int, int]:
        """Lines and samples of 40 m; an odd last one is lost in the ready version."""
        odd = self.rng(0).integers(0, 2, size=2)
        return 2 * self.height + int(odd[0]), 2 * self.width + int(odd[1])

    @property
    def swath_shape(self) -> tuple[int, int]:
        """Lines and samples of 40 m in the whole scene that this is a section of."""
        height, width = self.raw_shape
        return max(height, SWATH_SIZE), max(width, SWATH_SIZE)

    @property
    def product(self) -> ProductName:
        """What the name of the Sentinel-1 product says."""
        rng = self.rng(1)
        start = self.acquired.replace(microsecond=0)
        stop = start + timedelta(seconds=max(1, round(self.height / 85)))
        orbit, take, check = rng.integers((20000, 0x20000, 0), (40000, 0x60000, 0x10000))
        satellite = f"S1{'AB'[int(rng.integers(0, 2))]}"
        return ProductName(satellite, start, stop, int(orbit), int(take), int(check))

    @property
    def upstream_id(self) -> str:
        """Name of the Sentinel-1 product."""
        return str(self.product)

    @property
    def chart_name(self) -> str:
        """Name of the ice chart, valid at the next whole ten minutes."""
        utc = self.acquired.astimezone(UTC)
        valid = utc + timedelta(minutes=10 - utc.minute % 10, seconds=-utc.second)
        if self.service == "cis":
            return f"cis_{self.region}_{valid:%Y%m%dT%H%MZ}_pl_a"
        return f"dmi_{valid:%Y%m%d%H%M}_{self.region}_RIC"

    @property
    def raw_name(self) -> str:
        """File name of the raw version."""
        return f"{self.upstream_id}_icechart_{self.chart_name}.nc"

    def rng(self, *stream: int) -> np.random.Generator:
        """Return the generator of one stream of random numbers; streams are independent."""
        return np.random.default_rng((self.seed, *stream))

    def image_direction(self, azimuth_deg: float) -> tuple[float, float]:
        """Return the unit vector of an azimuth, along lines and samples."""
        turn = np.deg2rad(azimuth_deg - heading_deg(self))
        return float(np.cos(turn)), float(np.sin(turn))


@dataclass(frozen=True, slots=True, eq=False)
class RawTiePoints:
    """The coarse geolocation grid of a scene, in raw lines and samples."""

    lines: FloatArray
    """Shape ``(21,)``."""

    samples: FloatArray
    """Shape ``(21,)``."""

    latitude: FloatArray
    """Degrees north, shape ``(line, sample)``."""

    longitude: FloatArray
    """Degrees east, shape ``(line, sample)``."""

    incidence: FloatArray
    """Degrees, shape ``(line, sample)``."""


def plan_scenes(
    n_scenes: int, size: int | tuple[int, int], seed: int, first: int = 0
) -> tuple[ScenePlan, ...]:
    """Plan scenes that differ in place, season, size and role.

    Every fifth scene is a test scene, every twelfth is short unless all are shorter than
    half of their width. Heights are about `size`, widths about 1.04 times as much, and
    neither is a multiple of 2 or 5.

    Parameters
    ----------
    n_scenes
        Number of scenes, 1 to 10 000.
    size
        Nominal pixels of 80 m along a side, or height and width, 100 to 9000 each; a real
        scene has about 5000. A smaller scene is a smaller area: 1000 pixels are 80 km.
    seed
        Random seed, at least 0. Scene k depends on k, `size` and `seed` alone.
    first
        Number of the first scene, at least 0, to plan scenes in batches.

    Raises
    ------
    SettingsError
        If `n_scenes`, `size`, `seed` or `first` is too small or too large.

    Examples
    --------
    >>> [plan.id for plan in plan_scenes(3, 300, seed=1)]
    ['20180805T092653_dmi', '20200515T212730_dmi', '20180112T232807_cis']
    """
    if n_scenes < 1:
        raise SettingsError(f"at least 1 scene can be planned, got {n_scenes}")
    if first < 0:
        raise SettingsError(f"the first scene must be at least 0, got {first}")
    if first + n_scenes > MOST_SCENES:
        raise SettingsError(
            f"at most {MOST_SCENES} scenes can be planned, got {first + n_scenes}"
        )
    sides = (size, size) if isinstance(size, int) else size
    for side in sides:
        if side < SMALLEST_SIZE:
            raise SettingsError(f"size must be at least {SMALLEST_SIZE} pixels, got {side}")
        if side > LARGEST_SIZE:
            raise SettingsError(f"size must be at most {LARGEST_SIZE} pixels, got {side}")
    if seed < 0:
        raise SettingsError(f"seed must be at least 0, got {seed}")
    numbers = range(first, first + n_scenes)
    return tuple(_plan_scene(number, sides, seed) for number in numbers)


def heading_deg(plan: ScenePlan) -> float:
    """Return the direction of flight in the middle of the scene, degrees from north."""
    cosine = np.cos(np.deg2rad(REGIONS[plan.region].latitude))
    # Limited, because the track turns west close to the pole; this keeps maps of it simple.
    ascending = np.rad2deg(np.arcsin(max(_INCLINATION_COSINE / cosine, -0.7)))
    return float(ascending if plan.ascending else 180 - ascending)


def swath_middle(plan: ScenePlan) -> tuple[float, float]:
    """Return latitude and longitude of the middle of the whole swath.

    Distances from it are true, on a sphere of 6371 km (azimuthal equidistant projection).
    """
    centre, middle = _centre(plan)
    return float(np.rad2deg(centre)), middle


def tie_points(plan: ScenePlan, start: tuple[int, int]) -> RawTiePoints:
    """Return position and incidence angle of 21 x 21 points of a scene.

    Parameters
    ----------
    plan
        The scene.
    start
        Line and sample of the whole swath at which the scene begins.
    """
    lines, samples = map(_tie_positions, plan.raw_shape)
    swath = plan.swath_shape
    along, across = lines + start[0], samples + start[1]
    latitude, longitude = earth_position(plan, along, across)
    near, far = plan.rng(2).uniform((18.6, 46.0), (19.6, 47.0))
    share = across / (swath[1] - 1)
    # The ground range per degree grows outwards, so the angle bends downwards.
    angle = near + (far - near) * share + 2.4 * share * (1 - share)
    incidence = angle + 0.05 * (along / (swath[0] - 1))[:, None]
    return RawTiePoints(lines, samples, latitude, longitude, incidence)


def earth_position(
    plan: ScenePlan, lines: FloatArray, samples: FloatArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return latitude and longitude of raw lines x samples of the whole swath."""
    height, width = plan.swath_shape
    along, across = (lines - height / 2) * _RAW_KM, (samples - width / 2) * _RAW_KM
    return _on_earth(plan, along, across)


def swath_position(
    plan: ScenePlan, latitude: FloatArray, longitude: FloatArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return raw line and sample of places, counted from the first of the whole swath.

    Places of any shape, in degrees; positions outside the swath are continued.
    """
    # Azimuthal equidistant projection: true distances from the middle.
    centre, middle = _centre(plan)
    north = np.deg2rad(latitude)
    east = np.deg2rad(longitude - middle)
    to_east = np.cos(north) * np.sin(east)
    to_north = np.cos(centre) * np.sin(north)
    to_north = to_north - np.sin(centre) * np.cos(north) * np.cos(east)
    up = np.sin(centre) * np.sin(north) + np.cos(centre) * np.cos(north) * np.cos(east)
    km = _EARTH_RADIUS_KM * np.arctan2(np.hypot(to_east, to_north), up)
    azimuth = np.arctan2(to_east, to_north) - np.deg2rad(heading_deg(plan))
    height, width = plan.swath_shape
    return (
        km * np.cos(azimuth) / _RAW_KM + height / 2,
        km * np.sin(azimuth) / _RAW_KM + width / 2,
    )


def _plan_scene(number: int, sides: tuple[int, int], seed: int) -> ScenePlan:
    rng = np.random.default_rng((seed, number))
    start = np.random.default_rng(seed).uniform(size=2)
    month = _pick(MONTH_WEIGHTS, start[0] + number * _MONTH_STEP) + 1
    weights = [region.weight for region in REGIONS.values()]
    region = list(REGIONS)[_pick(weights, start[1] + number * _REGION_STEP)]
    ascending = bool(rng.integers(0, 2))
    is_short = number % 12 == 8 and 2 * sides[0] >= sides[1]
    share = rng.uniform(0.25, 0.33) if is_short else rng.uniform(0.97, 1.03)
    height = _awkward_size(share * sides[0])
    return ScenePlan(
        seed=int(rng.integers(0, 2**32)),
        region=region,
        acquired=_pass_time(rng, number, month, REGIONS[region], ascending),
        height=max(height, SMALLEST_HEIGHT),
        width=_awkward_size(rng.uniform(1.03, 1.06) * sides[1]),
        is_test=number % 5 == 2,
        ascending=ascending,
    )


def _pick(weights: Sequence[int], position: float) -> int:
    """Return the weight, by number, that contains a position on the circle of weights."""
    shares = np.cumsum(weights) / np.sum(weights)
    return int(np.searchsorted(shares, position % 1.0, side="right"))


def _awkward_size(value: float) -> int:
    """Return a size near `value`, not divisible by 2 or 5, with 21 distinct tie points."""
    size = round(value)
    while not (size % 2 and size % 5 and np.diff(_tie_positions(2 * size)).all()):
        size += 1
    return size


def _pass_time(
    rng: np.random.Generator, number: int, month: int, region: Region, ascending: bool
) -> datetime:
    """Return a time at which Sentinel-1 passes: about six o'clock in local solar time."""
    year, day = int(rng.integers(2018, 2022)), int(rng.integers(1, 29))
    hour = round((18 if ascending else 6) - region.longitude / 15) % 24
    # 37 and 3600 have no common divisor: the first 3600 scenes get different seconds.
    second = (37 * number + 1613) % 3600
    return datetime(year, month, day, hour, tzinfo=UTC) + timedelta(seconds=second)


def _tie_positions(n_pixels: int) -> FloatArray:
    """Return the tie points along a raw axis; the last interval is shorter."""
    step = -(-n_pixels // (N_TIE_POINTS - 1))
    return np.minimum(np.arange(N_TIE_POINTS, dtype=np.float64) * step, n_pixels - 1)


def _on_earth(
    plan: ScenePlan, along_km: FloatArray, across_km: FloatArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return latitude and longitude of distances from the middle of the scene."""
    centre, middle = _centre(plan)
    heading = np.deg2rad(heading_deg(plan))
    along, across = along_km[:, None] / _EARTH_RADIUS_KM, across_km / _EARTH_RADIUS_KM
    north = along * np.cos(heading) - across * np.sin(heading)
    east = along * np.sin(heading) + across * np.cos(heading)
    # Inverse azimuthal equidistant projection: true distances from the middle.
    arc = np.maximum(np.hypot(north, east), 1e-12)
    sine = np.cos(arc) * np.sin(centre) + north * np.sin(arc) * np.cos(centre) / arc
    turned = np.arctan2(
        east * np.sin(arc),
        arc * np.cos(centre) * np.cos(arc) - north * np.sin(centre) * np.sin(arc),
    )
    return np.rad2deg(np.arcsin(sine)), middle + np.rad2deg(turned)


def _centre(plan: ScenePlan) -> tuple[float, float]:
    """Return the middle of the swath: latitude in radians, longitude in degrees."""
    region = REGIONS[plan.region]
    shift = plan.rng(3).uniform(-1, 1, size=2)
    latitude = np.deg2rad(region.latitude + 1.2 * shift[0])
    return float(latitude), float(region.longitude + 2.5 * shift[1])


def _stamp(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y%m%dT%H%M%S}"

"""Write what AMSR2 sees of a synthetic scene as JAXA's level 1 swaths, L1R and L1B.

A pass is a great circle. The antenna turns about the vertical and looks forward: scans are
arcs of a cone, 10 km apart, with 486 points of the horns A and B (5 km apart, B 15 km
behind A) and 243 of the other frequencies, over 150 degrees or 1600 km. Samples are taken
from the fields of the scene. Beyond its borders the fields go on with the slope that they
have there, and level off after 20 km.

If there are two passes, the border of the one nearer in time cuts the scene, so that a
part of it is seen by the other one only.
"""

import io
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.grid import CELL_PIXELS
from seaice_data.synthetic.ai4arctic.netcdf import passes
from seaice_data.synthetic.fields import blur
from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.plan import ScenePlan, heading_deg, swath_position
from seaice_data.system.files import file_errors, replacing

N_POINTS = 486
"""Points of a scan of 89 GHz; the other frequencies have half as many."""

SCAN_S = 1.5

_EARTH_KM = 6371.0
_SCAN_KM = 10.1
_CONE = np.radians(7.5)  # seen from the centre of the Earth
_HORN_B_KM = 15.0
_HALF_SCAN = np.radians(75.0)
_MARGIN_KM = 250.0  # of a pass, before and after the scene
_CELL_KM = 2.0
_RAW_PER_CELL = 2 * CELL_PIXELS
_BEYOND = 10  # cells

_EPOCH = datetime(1993, 1, 1, tzinfo=UTC)
_LEAP_SECONDS = {2012: 8, 2013: 8, 2014: 8, 2015: 9, 2016: 9}  # later: 10

# Parameters A1 and A2 as in files of 2012.
COREGISTRATION: Mapping[str, tuple[float, float]] = {
    "6": (1.16934, -0.03576),
    "7": (0.86160, -0.04742),
    "10": (1.04596, -0.20515),
    "18": (1.08919, 0.01587),
    "23": (1.08342, -0.06023),
    "36": (0.80741, 0.05469),
}
"""Where a low frequency sees, by its name: turns in distances between points of horn A."""

# Footprints of the synthetic radiometer in kilometres, by frequency in GHz.
_FOOTPRINTS_KM = {6.9: 46, 7.3: 46, 10.7: 32, 18.7: 18, 23.8: 15, 36.5: 9, 89.0: 4}

# Groups of L1R: their footprint, and the frequencies that have it. Higher ones are
# resampled to it.
_GROUPS = {
    "res06": (46, (6.9, 7.3)),
    "res10": (32, (10.7,)),
    "res23": (18, (18.7, 23.8)),
    "res36": (9, (36.5,)),
}


class Pass(NamedTuple):
    """The geometry of a pass."""

    nadir: FloatArray
    """Unit vector below the satellite in the scan that sees the middle of the scene."""

    forward: FloatArray
    """Unit vector of its direction there."""

    track: FloatArray
    """Angles along the track of all scans; 0 is that scan."""

    density: int = 1
    """Scans and points where the instrument has one."""

    def points(self, horn: str) -> FloatArray:
        """Return unit vectors, shape ``(scan, point, 3)``."""
        ahead_km = _HORN_B_KM / self.density
        cone = _CONE - (ahead_km / _EARTH_KM if horn == "B" else 0.0)
        turn = np.linspace(-_HALF_SCAN, _HALF_SCAN, N_POINTS * self.density)[:, None]
        right = np.cross(self.forward, self.nadir)
        along = self.track[:, None, None]
        below = np.cos(along) * self.nadir + np.sin(along) * self.forward
        ahead = np.cos(along) * self.forward - np.sin(along) * self.nadir
        side: FloatArray = np.cos(turn) * ahead + np.sin(turn) * right
        return np.asarray(np.cos(cone) * below + np.sin(cone) * side)


def write_swaths(folder: Path, scene: Observation, *, density: int = 1) -> tuple[Path, ...]:
    """Write the AMSR2 passes over a scene as ``amsr2/*.h5`` and ``amsr2-l1b/*.h5``.

    Parameters
    ----------
    folder
        Where to write; both folders are made.
    scene
        The scene, after its `bands` have been made.
    density
        Samples along and across a scan where the instrument takes one: what is wrong in
        denser swaths is not due to the distance between samples.

    Returns
    -------
    tuple of Path
        The files: L1R and L1B of each pass.

    Raises
    ------
    SceneError
        If a file cannot be written.
    """
    fields = {
        name: field for name, field in scene.cells().items() if name.startswith("btemp_")
    }
    delays = passes(scene.plan)
    first = min(delays.values(), key=abs)
    paths = []
    for name, delay in delays.items():
        shape = pass_over(scene, cuts=len(delays) > 1 and delay == first, density=density)
        for level, sub in (("R", "amsr2"), ("B", "amsr2-l1b")):
            path = folder / sub / f"{name}_L1SG{level}TBR_2220220.h5"
            content = _content(scene, shape, fields, path.stem, delay)
            with file_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                with replacing(path) as new:
                    new.write_bytes(content)
            paths.append(path)
    return tuple(paths)


def pass_over(scene: Observation, *, cuts: bool = False, density: int = 1) -> Pass:
    """Return a pass that sees a scene.

    Parameters
    ----------
    scene
        The scene.
    cuts
        Whether the border of the swath goes through the scene.
    density
        See `write_swaths`.
    """
    plan, ties = scene.plan, scene.ties
    corners = _vectors(ties.latitude, ties.longitude)
    middle = corners.mean(axis=(0, 1))
    middle /= np.linalg.norm(middle)
    if cuts:
        border = np.arcsin(np.sin(_CONE) * np.sin(_HALF_SCAN))
        inside = 0.1 * plan.raw_shape[1] * 0.04 / _EARTH_KM
        turn = np.arcsin(np.sin(border - inside) / np.sin(_CONE))
    else:
        turn = np.radians(plan.rng(71).uniform(-35, 35))
    # Descending: from the direction of an ascending orbit, mirrored in the equator.
    ascending = heading_deg(plan) if plan.ascending else 180 - heading_deg(plan)
    bearing = np.radians(180 - ascending)
    north = np.array([0.0, 0.0, 1.0]) - middle[2] * middle
    north /= np.linalg.norm(north)
    east = np.cross(north, middle)
    away = np.cos(bearing + turn) * north + np.sin(bearing + turn) * east
    nadir = np.cos(_CONE) * middle - np.sin(_CONE) * away
    # The direction from there to the middle, turned back to that of the flight.
    there = np.cos(_CONE) * away + np.sin(_CONE) * middle
    forward = np.cos(turn) * there + np.sin(turn) * np.cross(nadir, there)
    across = np.arcsin(np.clip(corners @ np.cross(forward, nadir), -1, 1))
    behind = np.arccos(np.clip(np.cos(_CONE) / np.cos(across), -1, 1))
    along = np.arctan2(corners @ forward, corners @ nadir) - behind
    begin, end = along.min(), along.max()
    step = _SCAN_KM / density / _EARTH_KM
    margin = _MARGIN_KM / _EARTH_KM
    numbers = np.arange(np.floor((begin - margin) / step), (end + margin) / step)
    return Pass(nadir, forward, numbers * step, density)


def _content(
    scene: Observation,
    shape: Pass,
    fields: Mapping[str, FloatArray],
    name: str,
    delay: float,
) -> bytes:
    """Return the bytes of a file."""
    import h5py  # late: takes 0.1 s

    plan = scene.plan
    stop = max(1, round(plan.height / 85))
    seen = plan.acquired.astimezone(UTC) + timedelta(seconds=stop / 2 + delay)
    seconds = shape.track / (_SCAN_KM / _EARTH_KM) * SCAN_S
    leaps = _LEAP_SECONDS.get(seen.year, 10)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for key, text in _attributes(name, plan, seen, seconds).items():
            file.attrs[key] = [text]
        file["Scan Time"] = (seen - _EPOCH).total_seconds() + leaps + seconds
        _describe(file["Scan Time"], 1.0, "sec")
        for horn in "AB":
            places = _degrees(shape.points(horn))
            for word, degrees in zip(("Latitude", "Longitude"), places, strict=True):
                key = f"{word} of Observation Point for 89{horn}"
                file[key] = degrees.astype(np.float32)
                _describe(file[key], 1.0, "deg")
        bands = _resampled if "L1SGR" in name else _observed
        for key, kelvin in bands(scene, shape, fields).items():
            file[f"Brightness Temperature ({key})"] = np.round(kelvin * 100).astype("u2")
            _describe(file[f"Brightness Temperature ({key})"], 0.01, "K")
    return buffer.getvalue()


def _observed(
    scene: Observation, shape: Pass, fields: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """Return the channels of L1B: each frequency as it was seen."""
    bands = {}
    points = shape.points("A")
    for frequency, own in _FOOTPRINTS_KM.items():
        for p in "HV":
            field = fields[_variable(frequency, p)]
            if own == _FOOTPRINTS_KM[89.0]:
                for horn in "AB":
                    at = shape.points(horn)
                    bands[f"89.0GHz-{horn},{p}"] = _sampled(scene, field, at)
            else:
                at = _turned(points, *COREGISTRATION[f"{int(frequency)}"])
                bands[f"{frequency}GHz,{p}"] = _sampled(scene, field, at)
    return bands


def _resampled(
    scene: Observation, shape: Pass, fields: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """Return the channels of L1R: each frequency in the groups with larger footprints."""
    bands = {}
    points = shape.points("A")[:, ::2]
    for group, (footprint, members) in _GROUPS.items():
        for frequency, own in _FOOTPRINTS_KM.items():
            if frequency < members[0]:
                continue
            for p in "HV":
                field = fields[_variable(frequency, p)]
                if frequency not in members:
                    wider = np.sqrt(footprint**2 - own**2)
                    field = blur(field, wider / 2.355 / _CELL_KM)
                bands[f"{group},{frequency}GHz,{p}"] = _sampled(scene, field, points)
    for horn in "AB":
        for p in "HV":
            field = fields[_variable(89.0, p)]
            key = f"original,89GHz-{horn},{p}"
            bands[key] = _sampled(scene, field, shape.points(horn))
    return bands


def _variable(frequency: float, polarisation: str) -> str:
    return f"btemp_{frequency}{polarisation.lower()}".replace(".", "_")


def _sampled(scene: Observation, field: FloatArray, points: FloatArray) -> FloatArray:
    """Interpolate a field of cells at places; beyond the scene, continue it."""
    positions = swath_position(scene.plan, *_degrees(points))
    line, sample = (
        p - first for p, first in zip(positions, scene.surface.nodes.start, strict=True)
    )
    wide = np.pad(field, _BEYOND, mode="reflect", reflect_type="odd")
    wide = np.clip(wide, min(field.min(), 60), max(field.max(), 300))
    # The first raw line of a cell is half a cell before its centre.
    y, x = (
        np.clip((at + 0.5) / _RAW_PER_CELL - 0.5 + _BEYOND, 0, n - 1.001)
        for at, n in zip((line, sample), wide.shape, strict=True)
    )
    i, j = y.astype(np.intp), x.astype(np.intp)
    y, x = y - i, x - j
    above = wide[i, j] * (1 - x) + wide[i, j + 1] * x
    below = wide[i + 1, j] * (1 - x) + wide[i + 1, j + 1] * x
    return np.asarray(above * (1 - y) + below * y)


def _turned(points: FloatArray, a1: float, a2: float) -> FloatArray:
    """Return where a low frequency sees, from the points of horn A.

    The first of two points is turned about the pole of their great circle, and then about
    the axis at right angles to both (formula of Rodrigues).
    """
    first, second = points[:, 0::2], points[:, 1::2]
    pole = np.cross(first, second)
    pole /= np.linalg.norm(pole, axis=-1, keepdims=True)
    angle = np.arccos(np.clip(np.sum(first * second, axis=-1), -1, 1))
    along = _rotated(first, pole, a1 * angle)
    return _rotated(along, np.cross(along, pole), a2 * angle)


def _rotated(vectors: FloatArray, axis: FloatArray, angle: FloatArray) -> FloatArray:
    """Rotate vectors about unit axes that are at right angles to them."""
    angle = angle[..., None]
    return np.asarray(np.cos(angle) * vectors + np.sin(angle) * np.cross(axis, vectors))


def _vectors(latitude: FloatArray, longitude: FloatArray) -> FloatArray:
    up, east = np.radians(latitude), np.radians(longitude)
    flat = np.cos(up)
    return np.stack([flat * np.cos(east), flat * np.sin(east), np.sin(up)], axis=-1)


def _degrees(vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def _describe(dataset: Any, scale: float, unit: str) -> None:
    dataset.attrs["SCALE FACTOR"] = np.array([scale], np.float32)
    dataset.attrs["UNIT"] = [unit]


def _attributes(
    name: str, plan: ScenePlan, seen: datetime, seconds: FloatArray
) -> dict[str, str]:
    """Return attributes of a file; JAXA writes all as text."""
    begin, end = (seen + timedelta(seconds=float(s)) for s in (seconds[0], seconds[-1]))
    orbit = str(int(plan.rng(72).integers(3000, 60000)))
    parameters = {
        f"CoRegistrationParameter{kind}": ",".join(
            f"{band}G-{values[k]:.5f}" for band, values in COREGISTRATION.items()
        )
        for k, kind in enumerate(("A1", "A2"))
    }
    return {
        "ProductName": "AMSR2-L1R" if "L1SGR" in name else "AMSR2-L1B",
        "GranuleID": name,
        "PlatformShortName": "GCOM-W1",
        "SensorShortName": "AMSR2",
        "NumberOfScans": str(len(seconds)),
        "OverlapScans": "0",
        "ObservationStartDateTime": _time(begin),
        "ObservationEndDateTime": _time(end),
        "OrbitDirection": "Descending",
        "StartOrbitNumber": orbit,
        "StopOrbitNumber": orbit,
    } | parameters


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"

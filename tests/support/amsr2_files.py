"""Small AMSR2 files whose samples are on a plain grid, to check numbers by eye."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from support.swaths import EARTH_M, swath, vectors

from seaice_data.arrays import FloatArray
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_data.ingest.frame import Frame

ACQUIRED = datetime(2019, 4, 8, 12, 0, tzinfo=UTC)

Field = Callable[[FloatArray, FloatArray], FloatArray]
"""Kelvin at kilometres north and east of the middle."""

LOW = ("6.9", "7.3", "10.7", "18.7", "23.8", "36.5")

GROUPS = {
    "res06": LOW,
    "res10": ("10.7", "18.7", "23.8", "36.5", "89.0"),
    "res23": ("18.7", "23.8", "36.5", "89.0"),
    "res36": ("36.5", "89.0"),
}

OWN_GROUP = {
    "6.9": "res06",
    "7.3": "res06",
    "10.7": "res10",
    "18.7": "res23",
    "23.8": "res23",
    "36.5": "res36",
}


def frame_at(
    latitude: float = 75.0,
    longitude: float = -60.0,
    size: tuple[int, int] = (500, 500),
    acquired: datetime = ACQUIRED,
) -> Frame:
    """Return the frame of a scene that took 20 s; 500 pixels are 20 cells, 40 km."""
    grid = Grid(*size, 80.0)
    return Frame(
        grid, swath(latitude, longitude, grid), acquired, acquired + timedelta(seconds=20)
    )


def frame_of(scene: Any) -> Frame:
    """Return the frame of a synthetic scene."""
    plan, ties = scene.plan, scene.ties
    points = TiePoints(
        ties.latitude, ties.longitude, (ties.lines - 0.5) / 2, (ties.samples - 0.5) / 2
    )
    stop = timedelta(seconds=max(1, round(plan.height / 85)))
    grid = Grid(plan.height, plan.width, 80.0)
    return Frame(grid, points, plan.acquired, plan.acquired + stop)


def tai93(time: datetime) -> float:
    """Return the seconds since 1993 that a file has; ten leap seconds from 2017 on."""
    return (time - datetime(1993, 1, 1, tzinfo=UTC)).total_seconds() + 10


def write_swath(
    path: Path,
    field: Field | float = 250.0,
    *,
    latitude: float = 75.0,
    longitude: float = -60.0,
    seen: datetime = ACQUIRED + timedelta(seconds=10),
    level: str = "L1R",
    east_km: float = 0.0,
    scale: float = 0.01,
    others_k: float = 99.0,
    n_scans: int = 41,
    granule: str | None = "GW1AM2_201904081215_123D_L1SGRTBR_2220220",
    parameters: tuple[str, str] = ("", ""),
) -> Path:
    """Write scans of 82 points, 10 km apart to the south, points 5 km apart to the east.

    The middle scan sees the middle at `seen`; horn B sees 5 km north of horn A. Low
    frequencies of L1B are measured at the points of horn A with even numbers, which is
    where parameters 1 and 0 put them; those of L1R at the odd ones. Channels of L1R that
    are not to be taken have `others_k`.
    """
    value: Field = field if callable(field) else lambda y, x: np.full_like(y + x, field)
    y = 10.0 * ((n_scans - 1) / 2 - np.arange(n_scans)[:, None])
    x = 5.0 * (np.arange(82) - 40.5) + east_km
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        if granule is not None:
            file.attrs["GranuleID"] = [granule]
        for kind, text in zip(("A1", "A2"), parameters, strict=True):
            names = ("6", "7", "10", "18", "23", "36")
            default = "1.00000" if kind == "A1" else "-0.00000"
            text = text or ",".join(f"{name}G-{default}" for name in names)
            file.attrs[f"CoRegistrationParameter{kind}"] = [text]
        middle = (n_scans - 1) / 2
        file["Scan Time"] = tai93(seen) + 1.5 * (np.arange(n_scans) - middle)
        for horn, north in (("A", 0.0), ("B", 5.0)):
            for word, degrees in zip(
                ("Latitude", "Longitude"),
                _places(latitude, longitude, y + north, x),
                strict=True,
            ):
                key = f"{word} of Observation Point for 89{horn}"
                file[key] = degrees.astype(np.float32)
        for p in "HV":
            original = "original,89GHz" if level == "L1R" else "89.0GHz"
            for horn, north in (("A", 0.0), ("B", 5.0)):
                _put(file, f"{original}-{horn},{p}", value(y + north, x), scale)
            if level == "L1B":
                for frequency in LOW:
                    _put(file, f"{frequency}GHz,{p}", value(y, x[1::2]), scale)
                continue
            for group, frequencies in GROUPS.items():
                for frequency in frequencies:
                    own = OWN_GROUP.get(frequency) == group
                    kelvin = value(y, x[::2])
                    kelvin = kelvin if own else np.full_like(kelvin, others_k)
                    _put(file, f"{group},{frequency}GHz,{p}", kelvin, scale)
    return path


def _places(
    latitude: float, longitude: float, y: FloatArray, x: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return places at kilometres from a middle, on the plane that touches there."""
    here = vectors(latitude, longitude)
    east = np.array([-np.sin(np.radians(longitude)), np.cos(np.radians(longitude)), 0])
    north = np.cross(here, east)
    y, x = np.broadcast_arrays(y, x)
    at = here * EARTH_M / 1000 + y[..., None] * north + x[..., None] * east
    x, y, z = np.moveaxis(at, -1, 0)
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def _put(file: h5py.File, key: str, kelvin: FloatArray, scale: float) -> None:
    dataset = file.create_dataset(
        f"Brightness Temperature ({key})", data=np.round(kelvin / scale).astype("u2")
    )
    dataset.attrs["SCALE FACTOR"] = np.array([scale], np.float32)
    dataset.attrs["UNIT"] = ["K"]

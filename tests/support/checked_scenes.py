"""Small ready-to-train scenes in which all that is inferred is so, or one thing is not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import numpy as np
from scipy.ndimage import gaussian_filter

from seaice_data.channels import CHANNELS, Group, find_channel
from seaice_data.geolocation import tie_point_positions
from seaice_data.grid import cell_centres
from seaice_data.zones import distance_zones

SHAPE = (602, 647)
LAND = 70
"""Columns of land."""

Arrays = dict[str, np.ndarray]
Alter = Callable[[Arrays], None]

LINES, SAMPLES = "lines", "samples"


def heading_deg(ascending: bool) -> float:
    """Return the direction of Sentinel-1 at 70 degrees north."""
    north = float(np.rad2deg(np.arcsin(-0.1423 / np.cos(np.deg2rad(70)))))
    return north if ascending else 180 - north


def write_checked(
    folder: Path,
    number: int,
    *,
    shape: tuple[int, int] = SHAPE,
    ascending: bool = True,
    axes: tuple[str, str] = (SAMPLES, LINES),
    is_rotated: bool = True,
    shift: float = 0,
    positions: Callable[[int], np.ndarray] = tie_point_positions,
    alter: Alter | None = None,
    attributes: dict[str, object] | None = None,
) -> Path:
    """Write a scene.

    Two scenes with numbers 2 k and 2 k + 1 have the same place, almost the same time, and
    the same wind.

    Parameters
    ----------
    folder
        Where to write.
    number
        Decides what is random.
    shape
        Pixels along y and x.
    ascending
        Whether the satellite flies north.
    axes
        Directions in which positive u and v blow.
    is_rotated
        If not, u blows to the east and v to the north.
    shift
        Pixels from the centre of a cell to where its brightness is measured.
    positions
        Positions of tie points along an axis, by its length.
    alter
        Called with the variables before they are written.
    attributes
        Global attributes that differ.
    """
    rng, heading = np.random.default_rng(number), heading_deg(ascending)
    ice = _standardised(gaussian_filter(rng.normal(size=shape), 20, mode="wrap"))
    km = np.broadcast_to(((np.arange(shape[1]) - LAND + 1) * 0.08), shape)
    zone = distance_zones(km.astype(np.float32))
    zone[0] += np.where(zone[0] > 1, 0.25, 0)
    at = np.ix_(*(_nearest(cell_centres(n // 25) + shift, n) for n in shape))
    brightness = _standardised(gaussian_filter(ice, 21))[at]
    arrays: Arrays = {
        "nersc_sar_primary": 0.5 * ice + rng.normal(0, 0.1, ice.shape),
        "nersc_sar_secondary": 0.7 * ice + rng.normal(0, 0.1, ice.shape),
        "sar_incidenceangle": np.broadcast_to(np.linspace(-1.7, 1.6, shape[1]), shape),
        "SIC": (5 + 3 * ice).round().clip(0, 10),
        "distance_map": (zone - find_channel("distance_map").mean)
        / find_channel("distance_map").std,
    }
    arrays["SOD"] = np.where(arrays["SIC"] > 0, 1 + arrays["SIC"] // 4, 0)
    arrays["FLOE"] = np.where(arrays["SIC"] > 0, 1 + arrays["SIC"] // 3, 0)
    is_land = zone == 0
    for name, values in arrays.items():
        fill = 255 if name in ("SIC", "SOD", "FLOE") else 0
        if name != "distance_map":
            values = np.where(is_land, fill, values)
        arrays[name] = values.astype(np.uint8 if fill else np.float32)
    for channel in CHANNELS:
        if channel.group == Group.AMSR2:
            noise = rng.normal(0, 0.1, brightness.shape)
            arrays[str(channel.variable)] = (brightness + noise).astype(np.float32)
        elif channel.group == Group.ERA5:
            noise = gaussian_filter(rng.normal(size=brightness.shape), 3)
            arrays[str(channel.variable)] = noise.astype(np.float32)
    wind = _wind(number // 2, heading, axes if is_rotated else None, shape)
    for values, name in zip(wind, ("u10m", "v10m"), strict=True):
        channel = find_channel(name)
        arrays[f"{name}_rotated"] = ((values - channel.mean) / channel.std).astype("f4")
    north, east = _on_ground(heading, *(positions(n) for n in shape), shape)
    arrays["sar_grid2d_latitude"] = 70 + north / 111.19
    latitude = np.deg2rad(arrays["sar_grid2d_latitude"])
    arrays["sar_grid2d_longitude"] = -55 + east / (111.19 * np.cos(latitude))
    if alter:
        alter(arrays)
    acquired = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=10 * (number // 2))
    stamp = f"{acquired + timedelta(hours=number % 2):%Y%m%dT%H%M%S}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stamp}_dmi_prep.nc"
    with h5py.File(path, "w") as file:
        file.attrs["scene_id"] = path.name
        file.attrs["original_id"] = (
            f"S1A_EW_{stamp}_{stamp}_1F75_icechart_dmi_202001010000_North_RIC.nc"
        )
        file.attrs.update(attributes or {})
        for name, values in arrays.items():
            file[name] = values
    return path


def _wind(
    seed: int, heading: float, axes: tuple[str, str] | None, pixels: tuple[int, int]
) -> tuple[np.ndarray, ...]:
    """Return u and v of a wind that turns but does not spread, mostly from the north."""
    rng = np.random.default_rng(seed)
    centres = [cell_centres(n // 25) for n in pixels]
    north, east = _on_ground(heading, *centres, pixels)
    shape = north.shape
    to_east, to_north = np.zeros(shape), np.full(shape, -6 + rng.normal(0, 2))
    to_east += rng.normal(0, 3)
    for _ in range(4):
        wave_y, wave_x = rng.normal(0, 0.15, 2)  # per km
        phase = wave_y * north + wave_x * east + rng.uniform(0, 2 * np.pi)
        to_east -= 8 * wave_y * np.cos(phase)
        to_north += 8 * wave_x * np.cos(phase)
    if axes is None:
        return to_east, to_north
    angle = np.deg2rad(heading)
    along = {
        LINES: to_east * np.sin(angle) + to_north * np.cos(angle),
        SAMPLES: to_east * np.cos(angle) - to_north * np.sin(angle),
    }
    return tuple(
        (-1 if axis.startswith("-") else 1) * along[axis.removeprefix("-")] for axis in axes
    )


def _on_ground(
    heading: float, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return kilometres north and east of the middle, for pixels of 80 m."""
    angle = np.deg2rad(heading)
    along, across = (rows - shape[0] / 2)[:, None] * 0.08, (columns - shape[1] / 2) * 0.08
    return (
        along * np.cos(angle) - across * np.sin(angle),
        along * np.sin(angle) + across * np.cos(angle),
    )


def _standardised(plane: np.ndarray) -> np.ndarray:
    return np.asarray((plane - plane.mean()) / plane.std())


def _nearest(positions: np.ndarray, n_pixels: int) -> np.ndarray:
    return positions.round().astype(int).clip(0, n_pixels - 1)

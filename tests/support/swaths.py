"""Tie points of swaths anywhere on a sphere, and distances on it."""

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid

EARTH_M = 6_371_000.0


def swath(
    latitude: float,
    longitude: float,
    grid: Grid,
    *,
    heading: float = 195.0,
    n_points: tuple[int, int] = (21, 21),
) -> TiePoints:
    """Return tie points around a place in the middle; rows are parts of great circles.

    `heading` is the direction in which the lines follow each other, clockwise from north.
    """
    lines, samples = (
        np.linspace(0, n - 1, k) for n, k in zip(grid.shape, n_points, strict=True)
    )
    here = vectors(latitude, longitude)
    east = np.array([-np.sin(np.radians(longitude)), np.cos(np.radians(longitude)), 0])
    north = np.cross(here, east)
    turn = np.radians(heading)
    down = np.cos(turn) * north + np.sin(turn) * east
    # Not mirrored: seen from above, x is to the left of y, which points down.
    across = np.cross(here, down)
    along_y, along_x = (
        (at - (n - 1) / 2) * grid.pixel_spacing_m / EARTH_M
        for at, n in zip((lines, samples), grid.shape, strict=True)
    )
    spine = np.cos(along_y)[:, None] * here + np.sin(along_y)[:, None] * down
    points = np.cos(along_x)[:, None] * spine[:, None] + np.sin(along_x)[:, None] * across
    x, y, z = np.moveaxis(points, -1, 0)
    up, east = np.arctan2(z, np.hypot(x, y)), np.arctan2(y, x)
    return TiePoints(np.degrees(up), np.degrees(east), lines, samples)


def vectors(latitude: FloatArray | float, longitude: FloatArray | float) -> FloatArray:
    """Return unit vectors, along a new last axis."""
    up, east = np.radians(latitude), np.radians(longitude)
    flat = np.cos(up)
    return np.stack([flat * np.cos(east), flat * np.sin(east), np.sin(up)], axis=-1)


def distance_m(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the length of the great circle between unit vectors, in metres."""
    chord: FloatArray = np.linalg.norm(a - b, axis=-1)
    return 2 * EARTH_M * np.arcsin(chord / 2)

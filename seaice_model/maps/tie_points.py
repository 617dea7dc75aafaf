"""Tie points of maps as CF requires them: on pixels, including the first and the last."""

import numpy as np

from seaice_data.arrays import FloatArray, IntArray
from seaice_data.geolocation import TiePoints, unrolled
from seaice_data.grid import Grid

_MOST_LATITUDE = 90.0
_MOST_LONGITUDE = 540.0  # 180, and once around the Earth


def on_pixels(tie_points: TiePoints, grid: Grid) -> TiePoints:
    """Move tie points to the centres of their nearest pixels, as CF requires.

    The first and last pixel of each axis have one, so that no pixel is outside.
    """
    lines = _whole_positions(tie_points.lines, grid.height)
    samples = _whole_positions(tie_points.samples, grid.width)
    return TiePoints(
        latitude=tie_points.latitudes(lines, samples),
        # Readers interpolate longitudes like any number, so they must not wrap around.
        longitude=unrolled(tie_points.longitudes(lines, samples)),
        lines=lines,
        samples=samples,
    )


def check_tie_points(points: TiePoints) -> None:
    """Reject tie points that differ in shape or do not span a surface.

    Raises
    ------
    ValueError
        If they do; the message says what is wrong.
    """
    shape = (len(points.lines), len(points.samples))
    if points.latitude.shape != shape or points.longitude.shape != shape:
        raise ValueError("its tie points differ in shape")
    if min(shape) < 2:
        raise ValueError(f"{shape[0]} x {shape[1]} tie points cannot place pixels")


def check_places(points: TiePoints, shape: tuple[int, int]) -> None:
    """Reject tie points on pixels (see `on_pixels`) that cannot place the pixels of a map.

    Raises
    ------
    ValueError
        If they cannot; the message says why.
    """
    _check_positions("tie_y_index", points.lines, shape[0])
    _check_positions("tie_x_index", points.samples, shape[1])
    _check_degrees("latitude", points.latitude, _MOST_LATITUDE)
    _check_degrees("longitude", points.longitude, _MOST_LONGITUDE)


def _check_positions(name: str, positions: FloatArray, n_pixels: int) -> None:
    """Reject pixels of tie points that do not increase from end to end of an axis."""
    if len(positions) < 2:
        raise ValueError(f"{name!r} must contain at least two pixels")
    first, last = positions[[0, -1]]
    if (first, last) != (0, n_pixels - 1):
        raise ValueError(
            f"{name!r} must run from 0 to {n_pixels - 1}, got {first:g} to {last:g}"
        )
    # Not `<= 0`: NaN is not a step either.
    if (is_wrong := ~(np.diff(positions) > 0)).any():
        at = int(np.flatnonzero(is_wrong)[0])
        raise ValueError(
            f"{name!r} must increase, got {positions[at + 1]:g} after {positions[at]:g}"
        )


def _check_degrees(name: str, degrees: FloatArray, most: float) -> None:
    if (is_wrong := ~(np.abs(degrees) <= most)).any():
        raise ValueError(
            f"{name!r} must be from -{most:g} to {most:g}, got {degrees[is_wrong][0]:g}"
        )


def _whole_positions(positions: FloatArray, n_pixels: int) -> FloatArray:
    whole: IntArray = np.clip(np.rint(positions).astype(np.int64), 0, n_pixels - 1)
    return np.unique([0, *whole, n_pixels - 1]).astype(np.float64)

"""Latitudes and longitudes of pixels, interpolated between the tie points of a scene.

- ``TiePoints.places`` gives exact positions: it interpolates vectors, which works at the
  pole and at the date line.
- ``unit_vectors`` turns degrees into such vectors.
- ``TiePoints.latitudes`` and ``longitudes`` interpolate degrees. This defines the inputs of
  networks, which have learned from them. Between tie points 20 km apart they are
  100 m off at 83 degrees north, and hundreds of kilometres next to the pole.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray

Degrees = TypeVar("Degrees", float, FloatArray)


@dataclass(frozen=True, slots=True)
class TiePoints:
    """The coarse geolocation grid of a scene."""

    latitude: FloatArray
    """Degrees north, shape ``(line, sample)``."""

    longitude: FloatArray
    """Degrees east, shape ``(line, sample)``."""

    lines: FloatArray
    """Positions of the rows of points along y, in 80 m pixels."""

    samples: FloatArray
    """Positions of the columns of points along x, in 80 m pixels."""

    def places(
        self, rows: FloatArray, columns: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return latitudes, and longitudes from -180 to 180, at pixel positions.

        Unit vectors are interpolated bilinearly: the places between two points are on the
        great circle through them.

        Returns
        -------
        tuple
            Degrees, each of shape ``(rows, columns)``, float64.

        Examples
        --------
        >>> across_the_pole = np.array([[0.0, 180.0], [0.0, 180.0]])
        >>> ends = np.array([0.0, 2.0])
        >>> points = TiePoints(np.full((2, 2), 89.0), across_the_pole, ends, ends)
        >>> points.places(np.array([1.0]), np.array([1.0]))[0]
        array([[90.]])
        """
        vectors = unit_vectors(self.latitude, self.longitude)
        x, y, z = (
            tie_point_plane(values, self.lines, self.samples, rows, columns)
            for values in np.moveaxis(vectors, -1, 0)
        )
        return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))

    def latitudes(self, rows: FloatArray, columns: FloatArray) -> FloatArray:
        """Return latitudes at pixel positions, shape ``(rows, columns)``."""
        return tie_point_plane(self.latitude, self.lines, self.samples, rows, columns)

    def longitudes(self, rows: FloatArray, columns: FloatArray) -> FloatArray:
        """Return longitudes from -180 to 180 at pixel positions."""
        points = unrolled(self.longitude)
        plane = tie_point_plane(points, self.lines, self.samples, rows, columns)
        return wrapped(plane)


def wrapped(degrees: Degrees) -> Degrees:
    """Return longitudes or turns from -180, included, to 180, excluded.

    Examples
    --------
    >>> wrapped(190.0), wrapped(180.0), wrapped(-180.0)
    (-170.0, -180.0, -180.0)
    """
    return (degrees + 180) % 360 - 180


def unit_vectors(latitude: FloatArray, longitude: FloatArray) -> NDArray[np.float64]:
    """Return unit vectors of places in degrees, float64, along a new last axis.

    For geodetic degrees, those of maps, they are perpendicular to the ellipsoid.

    Examples
    --------
    >>> unit_vectors(np.array([0.0, 90.0]), np.array([90.0, 0.0])).round(6)
    array([[0., 1., 0.],
           [0., 0., 1.]])
    """
    up = np.radians(np.asarray(latitude, np.float64))
    east = np.radians(np.asarray(longitude, np.float64))
    level = np.cos(up)
    return np.stack([level * np.cos(east), level * np.sin(east), np.sin(up)], axis=-1)


def unrolled(longitude: FloatArray) -> FloatArray:
    """Continue a plane of longitudes beyond 180 or -180 where it crosses the date line.

    Examples
    --------
    >>> unrolled(np.array([[179.0, -179.0], [178.0, -178.0]]))
    array([[179., 181.],
           [178., 182.]])
    """
    along_x = np.unwrap(longitude, period=360, axis=1)
    return np.asarray(np.unwrap(along_x, period=360, axis=0))


def tie_point_plane(
    values: FloatArray,
    lines: FloatArray,
    samples: FloatArray,
    rows: FloatArray,
    columns: FloatArray,
) -> FloatArray:
    """Interpolate tie points bilinearly; beyond the outermost ones, continue the slope.

    Parameters
    ----------
    values
        Shape ``(line, sample)``, at least two points along each axis.
    lines, samples
        Positions of the points along y and x, increasing.
    rows, columns
        Positions to interpolate to, along y and x, in the same coordinates.

    Returns
    -------
    FloatArray
        Shape ``(rows, columns)``, float64.

    Examples
    --------
    >>> points = np.array([[70.0, 70.0], [80.0, 80.0]])
    >>> ends = np.array([0.0, 100.0])
    >>> tie_point_plane(points, ends, ends, np.array([25.0, 110.0]), np.array([0.0]))
    array([[72.5],
           [81. ]])
    """
    y = np.clip(np.searchsorted(lines, rows, side="right"), 1, len(lines) - 1) - 1
    x = np.clip(np.searchsorted(samples, columns, side="right"), 1, len(samples) - 1) - 1
    weight_y = ((rows - lines[y]) / (lines[y + 1] - lines[y]))[:, np.newaxis]
    weight_x = (columns - samples[x]) / (samples[x + 1] - samples[x])
    along_y = values[y] * (1 - weight_y) + values[y + 1] * weight_y
    plane: FloatArray = along_y[:, x] * (1 - weight_x) + along_y[:, x + 1] * weight_x
    return plane


def tie_point_positions(n_pixels: int, n_points: int = 21) -> FloatArray:
    """Return the positions of the tie points of a ready-to-train scene along an axis.

    Ready-to-train files do not contain them; raw files do. On the 40 m grid the points
    are ``ceil(n / 20)`` apart, the last one on the last pixel, so the last interval is
    shorter. Each 80 m pixel covers two 40 m pixels. If there are too few pixels for a
    last interval, the points are spread evenly.

    Examples
    --------
    >>> tie_point_positions(5003)[[0, 1, 19, 20]]
    array([-2.50000e-01,  2.50250e+02,  4.75925e+03,  5.00225e+03])
    """
    n_raw = 2 * n_pixels
    step = -(-n_raw // (n_points - 1))
    raw = np.append(np.arange(n_points - 1, dtype=np.float64) * step, n_raw - 1)
    if raw[-1] <= raw[-2]:
        raw = np.linspace(0, n_raw - 1, n_points)
    return (raw - 0.5) / 2

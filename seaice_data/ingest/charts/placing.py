"""Where places on the Earth are in a scene: the inverse of `TiePoints.places`.

All is computed with unit vectors, so that poles and the date line are places like any
other.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray
from seaice_data.errors import SceneError
from seaice_data.grid import row_bands
from seaice_data.ingest.frame import Frame

Floats = NDArray[np.float64]

_MARGIN = 4.0  # pixels around a scene in which places are still found
_TOLERANCE = 1e-3  # pixels
_MOST_STEPS = 40
_AT_ONCE = 50_000  # places; more would leave the processor's cache
_BLOCK = 64  # pixels: their area is that of a flat quadrilateral to 1e-6

# Ellipsoid of WGS 84: half its larger axis in kilometres, and its eccentricity squared.
_RADIUS_KM = 6378.137
_ECCENTRICITY_2 = 6.694379990141317e-3


def unit_vectors(latitude: FloatArray, longitude: FloatArray) -> Floats:
    """Return unit vectors of places in degrees, along a new last axis."""
    up, east = np.radians(latitude), np.radians(longitude)
    flat = np.cos(up)
    return np.stack([flat * np.cos(east), flat * np.sin(east), np.sin(up)], axis=-1)


class Placing:
    """Finds places in a scene.

    Places are first projected to a plane that touches the Earth in the middle of the scene
    (stereographic, in radii of the Earth), in which polygons can be cut along `outline`.
    Far away from the scene the plane is still in order, but pixel positions are not.

    Parameters
    ----------
    frame
        The scene.
    """

    def __init__(self, frame: Frame) -> None:
        points = frame.tie_points
        self._lines = np.asarray(points.lines, np.float64)
        self._samples = np.asarray(points.samples, np.float64)
        self._vectors = unit_vectors(points.latitude, points.longitude)
        self._middle = _unit(self._vectors.mean(axis=(0, 1)))
        # Any direction that is not along the vector to the middle will do.
        aside = np.eye(3)[np.abs(self._middle).argmin()]
        self._x_axis = _unit(np.cross(aside, self._middle))
        self._y_axis = np.cross(self._middle, self._x_axis)
        self._frame = frame
        self._guess = self._fitted()

    def plane(self, vectors: FloatArray) -> Floats:
        """Return the coordinates of unit vectors in the plane, shape ``(..., 2)``."""
        # The place opposite to the scene is at infinity; here it is very far away.
        scale = 2 / np.maximum(1 + vectors @ self._middle, 1e-9)
        return np.stack(
            [scale * (vectors @ self._x_axis), scale * (vectors @ self._y_axis)], axis=-1
        )

    def outline(self) -> Floats:
        """Return a closed line around the scene, a few pixels outside, in the plane."""
        height, width = self._frame.grid.shape
        rows = _with_ends(self._lines, height)
        columns = _with_ends(self._samples, width)
        latitude, longitude = self._frame.tie_points.places(rows, columns)
        edge = self.plane(unit_vectors(latitude, longitude))
        sides = (edge[0, :-1], edge[:-1, -1], edge[-1, :0:-1], edge[:0:-1, 0], edge[0, :1])
        return np.concatenate(sides)

    def positions(self, plane: FloatArray) -> Floats:
        """Return the pixel positions of points within `outline`: x, then y.

        Parameters
        ----------
        plane
            Shape ``(point, 2)``, from `plane`.

        Raises
        ------
        SceneError
            If the tie points do not say where a point is.
        """
        found = np.empty((len(plane), 2))
        for part in row_bands(len(plane), _AT_ONCE):
            found[part] = self._solved(np.asarray(plane[part], np.float64))
        return found

    def _fitted(self) -> Floats:
        """Fit rows and columns as linear functions of the plane: where to begin."""
        x, y = np.moveaxis(self.plane(self._vectors), -1, 0)
        terms = np.stack([np.ones(x.size), x.ravel(), y.ravel()], axis=-1)
        rows, columns = np.meshgrid(self._lines, self._samples, indexing="ij")
        both = np.stack([rows.ravel(), columns.ravel()], axis=-1)
        return np.asarray(np.linalg.lstsq(terms, both, rcond=None)[0])

    def _solved(self, plane: Floats) -> Floats:
        """Find positions by Newton's method; each step uses the cell it has come to."""
        target = self._on_earth(plane)
        # Two directions across the target: at the solution the place has no part in them.
        first = self._x_axis - (target @ self._x_axis)[:, None] * target
        second = np.cross(target, first)
        row, column = (self._guess[0] + plane @ self._guess[1:]).T
        for _ in range(_MOST_STEPS):
            i, down, height = _cells(self._lines, row)
            j, along, width = _cells(self._samples, column)
            corner, below = self._vectors[i, j], self._vectors[i + 1, j]
            right, across = self._vectors[i, j + 1], self._vectors[i + 1, j + 1]
            per_column = (right - corner) * (1 - down) + (across - below) * down
            per_row = (below - corner) * (1 - along) + (across - right) * along
            place = corner + (below - corner) * down + per_column * along
            a, b = _dot(first, per_row), _dot(first, per_column)
            c, d = _dot(second, per_row), _dot(second, per_column)
            e, f = _dot(first, place), _dot(second, place)
            determinant = a * d - b * c
            row_step = (b * f - d * e) / determinant * height
            column_step = (c * e - a * f) / determinant * width
            row, column = row + row_step, column + column_step
            furthest = np.maximum(np.abs(row_step), np.abs(column_step)).max(initial=0)
            if furthest < _TOLERANCE:
                return np.stack([column, row], axis=-1)
        raise SceneError(
            "the tie points of the scene do not say where a polygon is: they are disordered"
        )

    def _on_earth(self, plane: Floats) -> Floats:
        """Return the unit vectors of points of the plane."""
        square = (plane**2).sum(axis=1, keepdims=True) / 4
        flat = plane[:, :1] * self._x_axis + plane[:, 1:] * self._y_axis
        return np.asarray((flat + (1 - square) * self._middle) / (1 + square))


def pixel_areas(frame: Frame) -> Iterator[tuple[slice, Floats]]:
    """Yield bands of rows with the area of a pixel in each column, in square kilometres.

    Areas are those on the ellipsoid, taken from blocks of 64 x 64 pixels; all rows of a
    band have the same.
    """
    height, width = frame.grid.shape
    columns = np.append(np.arange(0, width, _BLOCK), width)
    for rows in row_bands(height, _BLOCK):
        edges = np.array([rows.start, rows.stop]) - 0.5
        corners = _on_ellipsoid_km(*frame.tie_points.places(edges, columns - 0.5))
        one, other = corners[1, 1:] - corners[0, :-1], corners[1, :-1] - corners[0, 1:]
        block = np.linalg.norm(np.cross(one, other), axis=-1) / 2
        n_columns = np.diff(columns)
        pixel = block / ((rows.stop - rows.start) * n_columns)
        yield rows, pixel.repeat(n_columns)


def _on_ellipsoid_km(latitude: FloatArray, longitude: FloatArray) -> Floats:
    """Return places on the ellipsoid in kilometres from the centre of the Earth."""
    vectors = unit_vectors(latitude, longitude)
    normal = _RADIUS_KM / np.sqrt(1 - _ECCENTRICITY_2 * vectors[..., 2:] ** 2)
    return np.asarray(normal * vectors * np.array([1, 1, 1 - _ECCENTRICITY_2]))


def _with_ends(points: Floats, n_pixels: int) -> Floats:
    """Return the positions of tie points within an axis, and both ends beyond it."""
    first, last = -0.5 - _MARGIN, n_pixels - 0.5 + _MARGIN
    inner = points[(points > first) & (points < last)]
    return np.concatenate([[first], inner, [last]])


def _cells(points: Floats, positions: Floats) -> tuple[NDArray[np.intp], Floats, Floats]:
    """Return the interval of each position, how far into it, and its length."""
    interval = np.searchsorted(points, positions, side="right") - 1
    interval = interval.clip(0, len(points) - 2)
    length = points[interval + 1] - points[interval]
    share = (positions - points[interval]) / length
    return interval, share[:, None], length


def _unit(vector: Floats) -> Floats:
    return np.asarray(vector / np.linalg.norm(vector))


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", a, b))

"""Regular grids of latitudes and longitudes, and bilinear interpolation on the sphere.

- ``EarthGrid`` is the grid of a field in a file, in whatever order and range;
- ``Corners`` knows which part of it a scene needs, and the weights of the four points
  around each place. Only that part is read.

Vectors are interpolated in space (x, y, z), not as their components towards east and north,
which turn around at the pole.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np

from seaice_data.arrays import FloatArray, IntArray, Mask
from seaice_data.geolocation import wrapped

Direction = Literal["east", "north"]
"""Which way the component of a vector points at each point of the grid."""

Reading = Callable[[slice, slice], FloatArray]
"""Returns rows x columns of a field, in the order of its file."""

_TURN = 360.0
_SAME_DEG = 1e-6  # places closer than this are the same
_LONGEST_AXIS = 100_000


class EarthGrid:
    """A grid whose rows have one latitude each, and whose columns one longitude.

    Parameters
    ----------
    latitude
        Degrees north, rising or falling; not necessarily evenly spaced.
    longitude
        Degrees east, in any range, rising or falling. A grid that goes around the Earth is
        cyclic: there is no gap between its last column and its first.

    Raises
    ------
    ValueError
        If they are not such a grid.
    """

    def __init__(self, latitude: FloatArray, longitude: FloatArray) -> None:
        latitude, longitude = (
            np.asarray(axis, dtype=np.float64) for axis in (latitude, longitude)
        )
        for name, axis in (("latitudes", latitude), ("longitudes", longitude)):
            if axis.ndim != 1 or not 2 <= axis.size <= _LONGEST_AXIS:
                raise ValueError(f"a grid needs 2 or more {name}, not {axis.shape}")
            if not np.isfinite(axis).all():
                raise ValueError(f"some {name} are not numbers")
        self.shape = latitude.size, longitude.size
        self._rows_fall, self._latitude = _rising(latitude, "latitudes")
        if np.abs(latitude).max() > 90 + _SAME_DEG:
            raise ValueError(f"a latitude is {np.abs(latitude).max():g} degrees")
        unrolled = np.unwrap(longitude, period=_TURN)
        self._columns_fall, self._longitude = _rising(unrolled, "longitudes")
        width = self._longitude[-1] - self._longitude[0]
        if width > _TURN + _SAME_DEG:
            raise ValueError(f"longitudes are {width:g} degrees wide")
        if width > _TURN - _SAME_DEG:  # the last column is the first once more
            self._longitude = self._longitude[:-1]
        steps = np.diff(self._longitude)
        rest = _TURN - (self._longitude[-1] - self._longitude[0])
        self.is_cyclic = bool(steps.size and rest <= 1.01 * steps.max())
        self._poles = self._missing_poles()

    @property
    def extent(self) -> str:
        """Where the grid is, in words."""
        south, north = self._latitude[[0, -1]]
        west, east = _round_trip(self._longitude[[0, -1]])
        longitudes = "all longitudes" if self.is_cyclic else f"{west:g} to {east:g} east"
        return f"{south:g} to {north:g} north, {longitudes}"

    def covers(self, latitude: FloatArray, longitude: FloatArray) -> bool:
        """Return whether all places are between points of the grid."""
        south, north = self._ends()
        is_inside = (latitude >= south - _SAME_DEG) & (latitude <= north + _SAME_DEG)
        if not self.is_cyclic:
            width = self._longitude[-1] - self._longitude[0]
            is_inside &= self._eastwards(longitude) <= width + _SAME_DEG
        return bool(is_inside.all())

    def corners(self, latitude: FloatArray, longitude: FloatArray) -> "Corners":
        """Return the points around places that the grid covers, in degrees."""
        south, north = self._poles
        rows = np.concatenate([[-90.0] * south, self._latitude, [90.0] * north])
        columns = self._longitude - self._longitude[0]
        if self.is_cyclic:
            columns = np.append(columns, _TURN)
        row, down = _split(rows, latitude)
        column, right = _split(columns, self._eastwards(longitude))
        return Corners(self, (row - south, column), (down, right))

    def points(self, rows: IntArray, columns: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return latitudes and longitudes of rows and columns, counted in rising order."""
        return self._latitude[rows], self._longitude[columns]

    def read(self, reading: Reading, rows: slice, columns: slice) -> FloatArray:
        """Read rows x columns, counted and returned in rising order."""
        n_rows, n_columns = self.shape
        block = reading(
            _in_file(rows, n_rows, falls=self._rows_fall),
            _in_file(columns, n_columns, falls=self._columns_fall),
        )
        return block[:: -1 if self._rows_fall else 1, :: -1 if self._columns_fall else 1]

    @property
    def n_rows(self) -> int:
        """Number of different latitudes."""
        return self._latitude.size

    @property
    def n_columns(self) -> int:
        """Number of different longitudes."""
        return self._longitude.size

    def _ends(self) -> tuple[float, float]:
        south, north = self._poles
        return (
            -90.0 if south else float(self._latitude[0]),
            90.0 if north else float(self._latitude[-1]),
        )

    def _missing_poles(self) -> tuple[bool, bool]:
        """Return whether the rows around the Earth end a step before the poles."""
        if not self.is_cyclic:
            return False, False
        step = 1.01 * np.diff(self._latitude).max()
        south, north = self._latitude[[0, -1]]
        return bool(0 < 90 + south <= step), bool(0 < 90 - north <= step)

    def _eastwards(self, longitude: FloatArray) -> FloatArray:
        """Return degrees from the first column, 0 to 360."""
        degrees = (longitude - self._longitude[0]) % _TURN
        return np.where(degrees > _TURN - _SAME_DEG, 0.0, degrees)


class Corners:
    """The four points of a grid around each of many places, and their weights.

    Made by `EarthGrid.corners`.
    """

    def __init__(
        self,
        grid: EarthGrid,
        first: tuple[IntArray, IntArray],
        after: tuple[FloatArray, FloatArray],
    ) -> None:
        row, column = first
        self._grid = grid
        self._after = after
        # Row -1, and the one after the last, are poles that the file does not contain.
        top, bottom = int(row.min()), int(row.max()) + 1
        self._has_poles = top < 0, bottom >= grid.n_rows
        self._rows = slice(max(top, 0), min(bottom + 1, grid.n_rows))
        self._row = row - top
        used = np.zeros(grid.n_columns, dtype=bool)
        used[column] = used[(column + 1) % grid.n_columns] = True
        if any(self._has_poles):
            used[:] = True
        self._columns = _pieces(used, is_cyclic=grid.is_cyclic)
        numbers = np.concatenate([np.arange(c.start, c.stop) for c in self._columns])
        place = np.empty(grid.n_columns, dtype=np.intp)
        place[numbers] = np.arange(numbers.size)
        self._left, self._right = place[column], place[(column + 1) % grid.n_columns]
        self._points = grid.points(np.arange(grid.n_rows)[self._rows], numbers)

    def interpolate(self, reading: Reading) -> FloatArray:
        """Return a field at the places, NaN where a point with any weight is NaN."""
        return self._weigh(self._read(reading)[..., np.newaxis])[..., 0]

    def interpolate_vector(self, reading: Reading, direction: Direction) -> FloatArray:
        """Return a component of a vector field as vectors in space, with an axis more.

        The sum over both components is the vector (x, y, z) at the place.
        """
        latitude, longitude = np.deg2rad(self._points[0])[:, None], self._points[1]
        axis = axis_vectors(latitude, np.deg2rad(longitude), direction)
        return self._weigh(self._read(reading)[..., np.newaxis] * axis)

    def _read(self, reading: Reading) -> FloatArray:
        pieces = [self._grid.read(reading, self._rows, c) for c in self._columns]
        return np.concatenate(pieces, axis=1, dtype=np.float64)

    def _weigh(self, block: FloatArray) -> FloatArray:
        """Return the weighted means of corners; `block` has an axis more, for parts."""
        south, north = self._has_poles
        first, last = block[:1], block[-1:]
        block = np.concatenate([_pole(first)] * south + [block] + [_pole(last)] * north)
        down, right = self._after
        total = np.zeros((*down.shape, block.shape[-1]))
        for row, weight_y in ((self._row, 1 - down), (self._row + 1, down)):
            for column, weight_x in ((self._left, 1 - right), (self._right, right)):
                weight = (weight_y * weight_x)[..., np.newaxis]
                # NaN beside a place that is exactly on a point has no part in it.
                with np.errstate(invalid="ignore", over="ignore"):
                    total += np.where(weight == 0, 0.0, weight * block[row, column])
        return total


def _pole(row: FloatArray) -> FloatArray:
    """Return a row at the pole: what the nearest row around it means."""
    return np.broadcast_to(row.mean(axis=1, keepdims=True), row.shape)


def axis_vectors(
    latitude: FloatArray, longitude: FloatArray, direction: Direction
) -> FloatArray:
    """Return unit vectors towards east or north at places in radians, as (..., x, y, z).

    Examples
    --------
    >>> axis_vectors(np.zeros(()), np.zeros(()), "east").tolist()
    [-0.0, 1.0, 0.0]
    """
    latitude, longitude = np.broadcast_arrays(latitude, longitude)
    if direction == "east":
        parts = (-np.sin(longitude), np.cos(longitude), np.zeros(latitude.shape))
    else:
        tilt = -np.sin(latitude)
        parts = (tilt * np.cos(longitude), tilt * np.sin(longitude), np.cos(latitude))
    return np.stack(parts, axis=-1)


def _rising(axis: FloatArray, name: str) -> tuple[bool, FloatArray]:
    """Return whether an axis falls, and the axis in rising order."""
    falls = bool(axis[-1] < axis[0])
    axis = axis[::-1] if falls else axis
    if not (np.diff(axis) > 0).all():
        raise ValueError(f"{name} neither rise nor fall from one to the next")
    return falls, axis


def _split(points: FloatArray, places: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the point before each place, and how far after it the place is, 0 to 1."""
    before = np.clip(np.searchsorted(points, places, side="right") - 1, 0, points.size - 2)
    after = (places - points[before]) / (points[before + 1] - points[before])
    return before, after.clip(0, 1)


def _in_file(part: slice, n: int, *, falls: bool) -> slice:
    """Return where a part of an axis in rising order is in the file."""
    return slice(n - part.stop, n - part.start) if falls else part


def _pieces(used: Mask, *, is_cyclic: bool) -> list[slice]:
    """Return the part of an axis that is used: two pieces if it goes beyond the end."""
    numbers = np.flatnonzero(used)
    if not is_cyclic or used.all():
        return [slice(int(numbers[0]), int(numbers[-1]) + 1)]
    gaps = np.diff(numbers, append=numbers[0] + used.size)
    last = int(gaps.argmax())  # the part ends where the largest gap begins
    stop = int(numbers[last]) + 1
    start = int(numbers[(last + 1) % numbers.size])
    if start < stop:
        return [slice(start, stop)]
    return [slice(start, used.size), slice(0, stop)]


def _round_trip(longitude: FloatArray) -> FloatArray:
    """Return longitudes from -180 to 180, both ends included."""
    return np.where(np.abs(longitude) <= 180, longitude, wrapped(longitude))

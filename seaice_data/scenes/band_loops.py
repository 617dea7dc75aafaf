"""Compiled loops over bands of scenes in physical units, each one pass over memory.

They bring 40 m pixels to 80 m, interpolate angles, paint polygons and mask what is not
valid.
"""

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray, Mask, Values
from seaice_data.system.compiled import compiled, inlined

_UNKNOWN = (np.float16, np.longdouble, np.uint64)
"""Types that a file may have, and compiled loops do not know."""


def in_known_type(values: Values) -> Values:
    """Return values in a type that compiled loops know, in the order of this machine."""
    native = values.dtype.newbyteorder("=")
    wanted = np.dtype(np.float64) if native in map(np.dtype, _UNKNOWN) else native
    return values.astype(wanted, copy=False)


@compiled
def mean_of_four(
    values: Values, mean: np.float32, std: np.float32, means: FloatArray
) -> bool:
    """Average 2 x 2 pixels, and standardise the means.

    Parameters
    ----------
    values
        Shape ``(2 y, at least 2 x)``.
    mean, std
        Subtracted from the mean of four; divides the difference.
    means
        Result, float32, shape ``(y, x)``; NaN where one of the four is.

    Returns
    -------
    bool
        False if a result is infinite or NaN.
    """
    height, width = means.shape
    four, zero, found = np.float32(4), np.float32(0), np.uint8(0)
    for y in range(height):
        upper, lower = values[2 * y], values[2 * y + 1]
        for x in range(width):
            left = upper[2 * x] + lower[2 * x]
            right = upper[2 * x + 1] + lower[2 * x + 1]
            value = (np.float32(left + right) / four - mean) / std
            means[y, x] = value
            found |= np.uint8(0) if value - value == zero else np.uint8(1)
    return bool(found == 0)


@compiled
def paint_polygons(
    ids: Values,
    ratio: int,
    classes: ChartArray,
    is_listed: Mask,
    charts: ChartArray,
    first: IntArray,
) -> int:
    """Paint the polygons under blocks of pixels: the highest of their classes.

    Parameters
    ----------
    ids
        Polygon ids, shape ``(ratio y, at least ratio x)``; NaN means no polygon.
    ratio
        Pixels along one side of a block.
    classes, is_listed
        Classes by polygon id, and whether there is such a polygon; see
        `PolygonTable.by_id`.
    charts
        Result, shape ``(chart, y, x)``.
    first
        Result, int32, shape ``(y, x)``: the upper left id of each block, -1 where there is
        no polygon.

    Returns
    -------
    int
        Place in `ids`, flat, of an id that is not listed; -1 if there is none.
    """
    height, width = first.shape
    none = len(classes) - 1
    differs = np.empty(ratio * width, np.uint8)
    for y in range(height):
        top = y * ratio
        _compare(ids[top : top + ratio], differs)
        x = 0
        while x < width:
            left = x * ratio
            value = ids[top, left]
            at, is_one = _row_of(value, is_listed), True
            sic = sod = floe = np.uint8(0)
            for row in range(top, top + ratio):
                for column in range(left, left + ratio):
                    other = _row_of(ids[row, column], is_listed)
                    if other < 0:
                        return int(row * ids.shape[1] + column)
                    is_one &= other == at
                    sic = max(sic, classes[other, 0])
                    sod = max(sod, classes[other, 1])
                    floe = max(floe, classes[other, 2])
            start, x = x, x + 1
            column = x * ratio
            while is_one and column < ratio * width and not differs[column]:
                column += 1
            x = max(x, column // ratio)
            charts[0, y, start:x] = sic
            charts[1, y, start:x] = sod
            charts[2, y, start:x] = floe
            first[y, start:x] = -1 if at == none else at
    return -1


@compiled
def _compare(rows: Values, differs: ChartArray) -> None:
    """Find the columns with another id than the one before them in the first row."""
    differs[:] = 0
    first, n_columns = rows[0], len(differs)
    for y in range(len(rows)):
        row = rows[y]
        for x in range(1, n_columns):
            a, b = row[x], first[x - 1]
            is_same = (a == b) | ((a != a) & (b != b))
            differs[x] |= np.uint8(0) if is_same else np.uint8(1)


@inlined
def _row_of(value: float, is_listed: Mask) -> int:
    """Return the row of an id in the look-up tables; the last one for NaN, -1 for none."""
    none = len(is_listed) - 1
    if value != value:
        return none
    if not 0 <= value < none or value != int(value) or not is_listed[int(value)]:
        return -1
    return int(value)


@compiled
def interpolate_angles(
    along_y: FloatArray,
    starts: IntArray,
    weights: FloatArray,
    mean: float,
    std: float,
    plane: FloatArray,
) -> None:
    """Interpolate tie points along x, and standardise the result.

    Parameters
    ----------
    along_y
        Angles at the positions of the tie points along x, shape ``(y, sample)``, float64.
    starts
        First column of each interval between two tie points, and the end of the last one.
    weights
        Weight of the tie point at the end of its interval, for each column, float64.
    mean, std
        Subtracted from an angle; divides the difference.
    plane
        Result, float32, shape ``(y, x)``.
    """
    for y in range(len(plane)):
        for k in range(len(starts) - 1):
            before, after = along_y[y, k], along_y[y, k + 1]
            for x in range(starts[k], starts[k + 1]):
                angle = before * (1 - weights[x]) + after * weights[x]
                plane[y, x] = (angle - mean) / std


@compiled
def mask_invalid(
    planes: FloatArray,
    sic: ChartArray,
    sod: ChartArray,
    floe: ChartArray,
    ids: IntArray,
    fill: int,
    is_charted: bool,
) -> None:
    """Set what is not valid to fill: 0 in SAR, 255 in charts, -1 in polygon ids.

    A pixel is valid if the first two planes have no NaN, and the first chart, if there is
    one, has a class.

    Parameters
    ----------
    planes
        float32, shape ``(4, y, x)``; the first three are changed.
    sic, sod, floe
        Charts, shape ``(y, x)``; changed.
    ids
        int32, shape ``(y, x)``; changed.
    fill
        Marks pixels of charts without a class.
    is_charted
        Whether there is a chart.
    """
    _, height, width = planes.shape
    zero, no_class, no_polygon = np.float32(0), np.uint8(fill), np.int32(-1)
    for y in range(height):
        hh, hv, angle = planes[0, y], planes[1, y], planes[2, y]
        first, second, third, ids_of_row = sic[y], sod[y], floe[y], ids[y]
        for x in range(width):
            is_valid = (hh[x] == hh[x]) & (hv[x] == hv[x])
            is_valid &= (not is_charted) | (first[x] != no_class)
            hh[x] = hh[x] if is_valid else zero
            hv[x] = hv[x] if is_valid else zero
            angle[x] = angle[x] if is_valid else zero
            first[x] = first[x] if is_valid else no_class
            second[x] = second[x] if is_valid else no_class
            third[x] = third[x] if is_valid else no_class
            ids_of_row[x] = ids_of_row[x] if is_valid else no_polygon

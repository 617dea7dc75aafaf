"""Move planes between the SAR grid, coarser grids and the 2 km grid.

- ``downscale`` shrinks SAR planes, which are continuous: average of the valid pixels.
- ``downscale_chart`` shrinks charts, which are classes: most frequent, never an average.
- ``pick`` shrinks either by taking single pixels, as the reference implementation does.
- ``interpolate`` brings planes on a coarse grid to any positions: bilinear;
  ``interpolate_nearest`` takes the nearest value instead.
"""

from typing import TypeVar

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.charts import CHART_FILL
from seaice_data.errors import RecipeError

Plane = TypeVar("Plane", FloatArray, ChartArray, IntArray)
Labels = TypeVar("Labels", ChartArray, IntArray)


def downscale(planes: FloatArray, ratio: int) -> FloatArray:
    """Average blocks of ``ratio`` x ``ratio`` pixels into one.

    Only valid pixels count; a block is NaN only when all its pixels are. Rows and columns
    that do not fill a last block are dropped.

    Parameters
    ----------
    planes
        Shape ``(..., y, x)``, any unit; NaN marks fill.
    ratio
        Pixels along one side of a block, at least 1.

    Returns
    -------
    FloatArray
        Shape ``(..., y // ratio, x // ratio)``, in the unit and type of `planes`.

    Raises
    ------
    RecipeError
        If `ratio` is below 1 or no block fits into the plane.

    Notes
    -----
    Ratio 10 turns 80 m pixels into 800 m ones (Chen et al. 2024, section 3.2).

    Examples
    --------
    >>> downscale(np.array([[1, 3], [np.nan, 5]], dtype=np.float32), 2)
    array([[3.]], dtype=float32)
    """
    if ratio == 1:
        return planes
    height, width = _blocks(planes.shape[-2:], ratio)
    planes = planes[..., : height * ratio, : width * ratio]
    total = _block_sum(planes, ratio)
    # Filled blocks are few: only where a sum is NaN do the valid pixels get counted.
    if np.isnan(total).any():
        valid = ~np.isnan(planes)
        count = _block_sum(valid.astype(planes.dtype), ratio)
        total = _block_sum(np.where(valid, planes, 0), ratio)
        with np.errstate(invalid="ignore"):
            return np.asarray(total / count)
    return total / (ratio * ratio)


def downscale_chart(chart: Labels, ratio: int, fill: int = CHART_FILL) -> Labels:
    """Reduce blocks of ``ratio`` x ``ratio`` pixels to their most frequent class.

    Only valid pixels count. A block is fill when fewer than half of its pixels are valid;
    when classes are equally frequent the lowest wins. Rows and columns that do not fill a
    last block are dropped.

    Parameters
    ----------
    chart
        Classes, or other whole numbers that name things; shape ``(y, x)``.
    ratio
        Pixels along one side of a block, at least 1.
    fill
        Marks pixels that do not count.

    Returns
    -------
    array
        Shape ``(y // ratio, x // ratio)``, in the type of `chart`.

    Raises
    ------
    RecipeError
        If `ratio` is below 1 or no block fits into the plane.

    Examples
    --------
    >>> downscale_chart(np.array([[4, 9, 9], [255, 9, 9]], dtype=np.uint8), 2)
    array([[9]], dtype=uint8)
    """
    if ratio == 1:
        return chart
    height, width = _blocks(chart.shape, ratio)
    chart = chart[: height * ratio, : width * ratio]
    rows = chart.reshape(height, ratio, width * ratio)
    lowest = rows.min(axis=1).reshape(height, width, ratio).min(axis=2)
    highest = rows.max(axis=1).reshape(height, width, ratio).max(axis=2)
    # Most blocks hold one class; only the mixed ones are counted class by class.
    coarse: Labels = lowest
    mixed_y, mixed_x = np.nonzero(lowest != highest)
    blocks = chart.reshape(height, ratio, width, ratio)[mixed_y, :, mixed_x, :]
    blocks = blocks.reshape(mixed_y.size, ratio * ratio)
    coarse[mixed_y, mixed_x] = _most_frequent(blocks, fill)
    return coarse


def pick(planes: Plane, rows: IntArray, columns: IntArray) -> Plane:
    """Take the pixels at `rows` and `columns`, shape ``(..., rows, columns)``.

    Examples
    --------
    >>> pick(np.arange(12.0).reshape(3, 4), np.array([0, 2]), np.array([1]))
    array([[1.],
           [9.]])
    """
    return planes[..., rows[:, np.newaxis], columns]


def interpolate(
    planes: FloatArray,
    at: tuple[FloatArray, FloatArray],
    to: tuple[FloatArray, FloatArray],
) -> FloatArray:
    """Interpolate planes bilinearly between the centres of their pixels.

    A position outside the outermost centres takes the value at the edge. Next to fill the
    valid neighbours share the weight; the result is NaN where there is none.

    Parameters
    ----------
    planes
        Shape ``(..., y, x)``, any unit; NaN marks fill.
    at
        Where the pixels of `planes` lie, along y and along x, in increasing order.
    to
        Positions wanted, along y and along x, in the same coordinates as `at`.

    Returns
    -------
    FloatArray
        Shape ``(..., to y, to x)``, in the unit and type of `planes`.

    Examples
    --------
    >>> cells, row = np.array([[0.0, 10.0]]), np.zeros(1)
    >>> interpolate(cells, (row, np.array([12.0, 37.0])), (row, np.array([24.5])))
    array([[5.]])
    """
    y, x = _brackets(at[0], to[0]), _brackets(at[1], to[1])
    invalid = np.isnan(planes)
    if not invalid.any():
        return _blend(planes, y, x)
    weight = _blend((~invalid).astype(planes.dtype), y, x)
    total = _blend(np.where(invalid, 0, planes), y, x)
    return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)


def interpolate_nearest(
    planes: FloatArray,
    at: tuple[FloatArray, FloatArray],
    to: tuple[FloatArray, FloatArray],
) -> FloatArray:
    """Take the pixel of `planes` nearest to each position; arguments as `interpolate`.

    Half way between two pixels the lower one is taken.
    """
    nearest = []
    for axis in (0, 1):
        lower, upper, weight = _brackets(at[axis], to[axis])
        nearest.append(np.where(weight > 0.5, upper, lower))
    return pick(planes, nearest[0], nearest[1])


def _blocks(shape: tuple[int, ...], ratio: int) -> tuple[int, int]:
    """Return how many whole blocks fit along y and x."""
    if ratio < 1:
        raise RecipeError(f"ratio must be at least 1, got {ratio}")
    height, width = shape[0] // ratio, shape[1] // ratio
    if height == 0 or width == 0:
        raise RecipeError(f"no block of ratio {ratio} fits into {shape[0]} x {shape[1]}")
    return height, width


def _block_sum(planes: FloatArray, ratio: int) -> FloatArray:
    """Sum blocks, rows first: adding whole rows runs at the speed of memory."""
    *lead, n_y, n_x = planes.shape
    rows = planes.reshape(*lead, n_y // ratio, ratio, n_x).sum(axis=-2)
    columns: FloatArray = rows.reshape(*lead, n_y // ratio, n_x // ratio, ratio).sum(
        axis=-1
    )
    return columns


def _most_frequent(blocks: Labels, fill: int) -> Labels:
    """Return the most frequent valid label of each row of `blocks`, or fill."""
    n_blocks, n_pixels = blocks.shape
    # Labels become small numbers, fill the last of them, so that all are counted at once.
    labels = np.unique(blocks)
    labels = np.append(labels[labels != fill], np.array(fill, blocks.dtype))
    keys = np.searchsorted(labels[:-1], blocks.ravel())
    keys = np.where(blocks.ravel() == fill, len(labels) - 1, keys)
    keys += np.repeat(np.arange(n_blocks) * len(labels), n_pixels)
    counts = np.bincount(keys, minlength=n_blocks * len(labels))
    counts = counts.reshape(n_blocks, len(labels))
    winner = labels[counts[:, :-1].argmax(axis=1)] if len(labels) > 1 else labels[:1]
    return np.where(2 * counts[:, -1] > n_pixels, np.array(fill, blocks.dtype), winner)


Brackets = tuple[IntArray, IntArray, FloatArray]
"""Lower pixel, upper pixel and weight of the upper one, for each position of an axis."""


def _brackets(at: FloatArray, to: FloatArray) -> Brackets:
    """Find the pixels on either side of each position."""
    upper = np.clip(np.searchsorted(at, to, side="right"), 1, max(len(at) - 1, 1))
    lower = upper - 1
    upper = np.minimum(upper, len(at) - 1)  # a single pixel is its own neighbour
    gap = np.where(upper > lower, at[upper] - at[lower], 1.0)
    return lower, upper, np.clip((to - at[lower]) / gap, 0.0, 1.0)


def _blend(planes: FloatArray, y: Brackets, x: Brackets) -> FloatArray:
    """Mix the four neighbours of each position, one axis after the other."""
    weight_y = y[2][:, np.newaxis].astype(planes.dtype)
    weight_x = x[2].astype(planes.dtype)
    rows = planes[..., y[0], :] * (1 - weight_y) + planes[..., y[1], :] * weight_y
    mixed: FloatArray = rows[..., x[0]] * (1 - weight_x) + rows[..., x[1]] * weight_x
    return mixed

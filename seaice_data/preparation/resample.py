"""Move planes between the SAR grid, coarser grids and the 2 km grid.

`blocks` does what is done to every pixel of a scene: it averages SAR, votes on charts and
blends cells of 2 km that have no gap.

- ``downscale_chart`` shrinks planes of any labels, such as polygon ids, to the most
  frequent one, never to an average; ``blocks.vote_blocks`` does the same to classes.
- ``to_power`` and ``to_decibel`` change the scale of SAR before and after averaging;
- ``pick`` shrinks any plane by taking single pixels, as the official code does.
- ``interpolate`` interpolates planes on a coarse grid to any positions, bilinearly;
  ``interpolate_nearest`` takes the nearest value instead.
"""

from typing import TypeVar

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray, Mask
from seaice_data.charts import CHART_FILL
from seaice_data.errors import RecipeError

Plane = TypeVar("Plane", FloatArray, ChartArray, IntArray, Mask)
Labels = TypeVar("Labels", ChartArray, IntArray)


def downscale_chart(chart: Labels, ratio: int, fill: int = CHART_FILL) -> Labels:
    """Reduce blocks of ``ratio`` x ``ratio`` pixels to their most frequent class.

    Only valid pixels count. A block is fill when fewer than half of its pixels are valid;
    when classes are equally frequent the lowest wins. Rows and columns that do not fill a
    last block are dropped.

    Parameters
    ----------
    chart
        Classes, or other whole numbers used as labels; shape ``(y, x)``.
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
    # Most blocks have one class; only the mixed ones are counted class by class.
    coarse: Labels = lowest
    mixed_y, mixed_x = np.nonzero(lowest != highest)
    blocks = chart.reshape(height, ratio, width, ratio)[mixed_y, :, mixed_x, :]
    blocks = blocks.reshape(mixed_y.size, ratio * ratio)
    coarse[mixed_y, mixed_x] = _most_frequent(blocks, fill)
    return coarse


def to_power(planes: FloatArray, stds: FloatArray, is_fill: Mask) -> None:
    """Turn standardised decibels into backscatter relative to its mean, in place.

    Parameters
    ----------
    planes
        float32, shape ``(k, y, x)``.
    stds
        Standard deviation of each plane in dB.
    is_fill
        Where they are fill, which becomes 0; shape ``(y, x)``.

    Examples
    --------
    >>> planes = np.array([[[-1.0, 1.0, 9.0]]], dtype=np.float32)
    >>> to_power(planes, np.array([10.0]), planes[0] == 9)
    >>> planes.round(4)
    array([[[ 0.1, 10. ,  0. ]]], dtype=float32)
    """
    for plane, std in zip(planes, stds, strict=True):
        plane *= np.float32(std * np.log(10) / 10)
        with np.errstate(over="ignore"):  # infinite values are found with the averages
            np.exp(plane, out=plane)
        plane[is_fill] = 0


def to_decibel(planes: FloatArray, stds: FloatArray) -> None:
    """Undo `to_power`, in place."""
    for plane, std in zip(planes, stds, strict=True):
        np.log(plane, out=plane)
        plane /= np.float32(std * np.log(10) / 10)


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

    A position outside the outermost centres gets the value at the edge. Next to fill, the
    valid neighbours share the weight; the result is NaN where there is none.

    Parameters
    ----------
    planes
        Shape ``(..., y, x)``, any unit; NaN marks fill.
    at
        Positions of the pixels of `planes`, along y and along x, increasing.
    to
        Positions to interpolate to, along y and along x, in the same coordinates as `at`.

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
    y, x = brackets(at[0], to[0]), brackets(at[1], to[1])
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

    Halfway between two pixels, the lower one is taken.
    """
    nearest = []
    for axis in (0, 1):
        lower, upper, weight = brackets(at[axis], to[axis])
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


def _most_frequent(blocks: Labels, fill: int) -> Labels:
    """Return the most frequent valid label of each row of `blocks`, or fill."""
    n_blocks, n_pixels = blocks.shape
    labels, keys = _numbered(blocks, fill)
    # Each block has its own range of keys, so that all labels are counted at once.
    keys += np.arange(n_blocks, dtype=keys.dtype)[:, np.newaxis] * len(labels)
    counts = np.bincount(keys.ravel(), minlength=n_blocks * len(labels))
    counts = counts.reshape(n_blocks, len(labels))
    winner = labels[counts[:, :-1].argmax(axis=1)] if len(labels) > 1 else labels[:1]
    return np.where(2 * counts[:, -1] > n_pixels, np.array(fill, blocks.dtype), winner)


def _numbered(blocks: Labels, fill: int) -> tuple[Labels, IntArray]:
    """Return the labels that occur, fill last, and the index of each pixel's label."""
    labels = np.unique(blocks)
    labels = np.append(labels[labels != fill], np.array(fill, blocks.dtype))
    keys = np.searchsorted(labels[:-1], blocks)
    return labels, np.where(blocks == fill, len(labels) - 1, keys)


Brackets = tuple[IntArray, IntArray, FloatArray]
"""Lower pixel, upper pixel and weight of the upper one, for each position of an axis."""


def brackets(at: FloatArray, to: FloatArray) -> Brackets:
    """Find the pixels on either side of each position, and the weight of the upper one."""
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

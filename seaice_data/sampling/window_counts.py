"""Count valid pixels and classes in every window of a scene, in sums that move with it.

Each step down adds one row to the sums of the columns and subtracts another; each step to
the right does the same with columns and the sums of the window. So a window costs the same,
whatever its size.
"""

from typing import Any

import numpy as np

from seaice_data.arrays import ChartArray, IntArray
from seaice_data.charts import CHART_FILL
from seaice_data.system.compiled import compiled

_FILL = CHART_FILL


@compiled
def _add_row(
    charts: ChartArray, y: int, step: int, chart: int, valid: IntArray, classes: IntArray
) -> None:
    """Add a row of pixels to the sums of the columns, `step` times."""
    for x in range(charts.shape[1]):
        for position in range(charts.shape[2]):
            if charts[y, x, position] != _FILL:
                valid[x, position] += step
        value = charts[y, x, chart]
        if value < classes.shape[1]:
            classes[x, value] += step


@compiled
def _move(left: int, size: int, columns: IntArray, sums: IntArray) -> None:
    """Move the sums of a window by one column, to `left`."""
    width = columns.shape[0]
    if left == 0:
        sums[:] = 0
        for x in range(min(size, width)):
            for k in range(sums.size):
                sums[k] += columns[x, k]
        return
    for k in range(sums.size):
        sums[k] += columns[left + size - 1, k] - columns[left - 1, k]


@compiled
def _holds(sums: IntArray, least: IntArray) -> Any:
    enough = True
    for k in range(sums.size):
        enough &= sums[k] >= least[k]
    return enough


@compiled
def count_rows(
    charts: ChartArray,
    size: int,
    least: IntArray,
    chart: int,
    allowed: IntArray,
    pixels: IntArray,
    valid_pixels: IntArray,
) -> None:
    """Count the windows of each row with enough valid pixels, and the classes in them.

    Parameters
    ----------
    charts
        Classes, shape ``(y, x, chart)``; 255 is fill.
    size
        Pixels along one side of a window.
    least
        Valid pixels of each chart that a window needs.
    chart
        Position of the chart whose classes are counted.
    allowed
        Zeros, shape ``(row of windows,)``; receives the number of windows.
    pixels
        Zeros, shape ``(row of windows, class)``; receives the sums of pixels over these
        windows.
    valid_pixels
        Zeros, shape ``(chart,)``; receives the sums of valid pixels over all of them.
    """
    height, width, n_charts = charts.shape
    valid = np.zeros((width, n_charts), np.int64)
    classes = np.zeros((width, pixels.shape[1]), np.int64)
    in_window = np.zeros(n_charts, np.int64)
    of_class = np.zeros(pixels.shape[1], np.int64)
    for y in range(min(size, height)):
        _add_row(charts, y, 1, chart, valid, classes)
    for top in range(allowed.size):
        if top > 0:
            _add_row(charts, top - 1, -1, chart, valid, classes)
            _add_row(charts, top + size - 1, 1, chart, valid, classes)
        for left in range(max(width - size, 0) + 1):
            _move(left, size, valid, in_window)
            _move(left, size, classes, of_class)
            if _holds(in_window, least):
                allowed[top] += 1
                for k in range(n_charts):
                    valid_pixels[k] += in_window[k]
                for k in range(of_class.size):
                    pixels[top, k] += of_class[k]


@compiled
def weigh_row(
    charts: ChartArray,
    size: int,
    least: IntArray,
    chart: int,
    index: int,
    top: int,
    weights: IntArray,
) -> None:
    """Weigh each window of one row; other arguments are those of `count_rows`.

    Parameters
    ----------
    index
        Class whose pixels are the weight, or -1: each window that may be sampled weighs 1.
    top
        Row of the windows.
    weights
        Zeros, one per window of the row; receives the weights.
    """
    height, width, n_charts = charts.shape
    valid = np.zeros((width, n_charts), np.int64)
    classes = np.zeros((width, max(index, 0) + 1), np.int64)
    in_window = np.zeros(n_charts, np.int64)
    of_class = np.zeros(classes.shape[1], np.int64)
    for y in range(top, min(top + size, height)):
        _add_row(charts, y, 1, chart, valid, classes)
    for left in range(weights.size):
        _move(left, size, valid, in_window)
        _move(left, size, classes, of_class)
        if _holds(in_window, least):
            weights[left] = 1 if index < 0 else of_class[index]

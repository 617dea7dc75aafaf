"""Cut patches by an affine map to the scene: crop, flips, rotation and scale in one pass.

The map takes row ``i`` and column ``j`` of a patch to ``(y, x)`` in its scene; whole
numbers are centres of pixels. Charts are always taken from the nearest pixel, and inputs
and charts by the same map: classes stay on the pixels that they describe.

- ``cut_nearest`` copies the bits of the nearest pixel;
- ``cut_bilinear`` weighs the four pixels around each place. Fill has no weight: the weights
  of the valid pixels are scaled to sum to one. If the nearest pixel is fill, so is the
  place: borders stay where `cut_nearest` has them and where the charts end.

Most of the time is spent waiting for memory: along a row of a turned patch, each pixel is
in another row of the scene. So a first loop over the row prefetches all its pixels, and a
second one finds them in the cache. Channels are moved eight at a time. Half precision is
passed as its 16 bits, because numba has no float16 on CPUs.
"""

from typing import Any

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.charts import CHART_FILL
from seaice_data.system.compiled import compiled
from seaice_data.system.instructions import (
    copy_eight,
    narrowed,
    prefetch,
    weigh_eight,
    weigh_one,
    widened,
)


@compiled
def _fill_pixel(
    out_inputs: FloatArray,
    to: Any,
    n_channels: int,
    fill: Any,
    out_charts: ChartArray,
    to_charts: Any,
    n_charts: int,
) -> None:
    for c in range(n_channels):
        out_inputs[to + np.uint64(c)] = fill
    for c in range(n_charts):
        out_charts[to_charts + np.uint64(c)] = CHART_FILL


@compiled
def cut_nearest(
    inputs: FloatArray,
    charts: ChartArray,
    origin: IntArray,
    bounds: IntArray,
    affine: FloatArray,
    runs: IntArray,
    wind: IntArray,
    turn: FloatArray,
    box: IntArray,
    fill: Any,
    out_inputs: FloatArray,
    out_charts: ChartArray,
) -> None:
    """Fill a box of a patch from the nearest pixels.

    Parameters
    ----------
    inputs, charts
        Planes of the scene or of a part of it, ``(y, x, channel)`` and ``(y, x, chart)``.
    origin
        Row and column in the scene of their first pixel.
    bounds
        First and last row, first and last column (last ones excluded) in the scene that
        pixels may come from; the rest is fill.
    affine
        ``(y, x) = affine @ (i, j, 1)``, shape ``(2, 3)``.
    runs
        Runs of adjacent channels, one per row: first in the patch, first in the scene,
        number of channels.
    wind
        Components to turn, one per row: channel in the patch, channels of u and v in the
        scene (the same in each row).
    turn
        For each of them, what u and v are multiplied by, and what is added.
    box
        First and last row, first and last column (last ones excluded) of the patch.
    fill
        Stored number that marks fill.
    out_inputs, out_charts
        The patch to fill.
    """
    _, width, n_stored = inputs.shape
    _, size, n_channels = out_inputs.shape
    n_charts = charts.shape[2]
    source, classes = inputs.reshape(inputs.size), charts.reshape(charts.size)
    out, out_classes = (
        out_inputs.reshape(out_inputs.size),
        out_charts.reshape(out_charts.size),
    )
    # Read once: the compiler must assume that writing the patch changes them.
    y_i, y_j, y_0 = affine[0, 0], affine[0, 1], affine[0, 2]
    x_i, x_j, x_0 = affine[1, 0], affine[1, 1], affine[1, 2]
    top, bottom, left, right = bounds[0], bounds[1], bounds[2], bounds[3]
    origin_y, origin_x = origin[0], origin[1]
    pixels = np.empty(size, np.int64)
    for i in range(box[0], box[1]):
        for j in range(box[2], box[3]):
            y = int(np.floor(y_0 + y_i * i + y_j * j + 0.5))
            x = int(np.floor(x_0 + x_i * i + x_j * j + 0.5))
            if y < top or y >= bottom or x < left or x >= right:
                pixels[j] = -1
                continue
            pixels[j] = (y - origin_y) * width + x - origin_x
            first = np.uint64(pixels[j] * n_stored)
            prefetch(source, first)
            prefetch(source, first + np.uint64(n_stored - 1))
            prefetch(classes, np.uint64(pixels[j] * n_charts))
        for j in range(box[2], box[3]):
            # Unsigned: numba would count negative positions from the end.
            to = np.uint64((i * size + j) * n_channels)
            to_charts = np.uint64((i * size + j) * n_charts)
            if pixels[j] < 0:
                _fill_pixel(out, to, n_channels, fill, out_classes, to_charts, n_charts)
                continue
            pixel = np.uint64(pixels[j] * n_stored)
            for r in range(runs.shape[0]):
                run_to, run = to + np.uint64(runs[r, 0]), pixel + np.uint64(runs[r, 1])
                n = runs[r, 2]
                if n < 8:
                    for c in range(n):
                        out[run_to + np.uint64(c)] = source[run + np.uint64(c)]
                    continue
                for c in range(0, n, 8):
                    # The last eight overlap the previous eight unless the number is a
                    # multiple of 8.
                    k = np.uint64(min(c, n - 8))
                    copy_eight(source, run + k, out, run_to + k)
            if wind.shape[0]:
                u = widened(source[pixel + np.uint64(wind[0, 1])])
                v = widened(source[pixel + np.uint64(wind[0, 2])])
                for w in range(wind.shape[0]):
                    turned = turn[w, 0] * u + turn[w, 1] * v + turn[w, 2]
                    out[to + np.uint64(wind[w, 0])] = narrowed(turned, fill)
            pixel_charts = np.uint64(pixels[j] * n_charts)
            for c in range(n_charts):
                out_classes[to_charts + np.uint64(c)] = classes[pixel_charts + np.uint64(c)]


@compiled
def cut_bilinear(
    inputs: FloatArray,
    charts: ChartArray,
    origin: IntArray,
    bounds: IntArray,
    affine: FloatArray,
    runs: IntArray,
    wind: IntArray,
    turn: FloatArray,
    box: IntArray,
    fill: Any,
    out_inputs: FloatArray,
    out_charts: ChartArray,
) -> None:
    """Fill a box of a patch from the four pixels around each place; see `cut_nearest`."""
    nothing, one = np.float32(0), np.float32(1)
    _, width, n_stored = inputs.shape
    _, size, n_channels = out_inputs.shape
    n_charts = charts.shape[2]
    source, classes = inputs.reshape(inputs.size), charts.reshape(charts.size)
    out, out_classes = (
        out_inputs.reshape(out_inputs.size),
        out_charts.reshape(out_charts.size),
    )
    # Read once: the compiler must assume that writing the patch changes them.
    y_i, y_j, y_0 = affine[0, 0], affine[0, 1], affine[0, 2]
    x_i, x_j, x_0 = affine[1, 0], affine[1, 1], affine[1, 2]
    top, bottom, left, right = bounds[0], bounds[1], bounds[2], bounds[3]
    origin_y, origin_x = origin[0], origin[1]
    for i in range(box[0], box[1]):
        for j in range(box[2], box[3]):
            y = int(np.floor(y_0 + y_i * i + y_j * j))
            x = int(np.floor(x_0 + x_i * i + x_j * j))
            if top <= y < bottom and left <= x < right:
                pixel = (y - origin_y) * width + x - origin_x
                below = min(pixel + width, (bottom - origin_y - 1) * width)
                for row in (pixel, below):
                    prefetch(source, np.uint64(row * n_stored))
                    prefetch(source, np.uint64((row + 1) * n_stored))
                prefetch(classes, np.uint64(pixel * n_charts))
        for j in range(box[2], box[3]):
            y = y_0 + y_i * i + y_j * j
            x = x_0 + x_i * i + x_j * j
            near_y, near_x = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
            to = np.uint64((i * size + j) * n_channels)
            to_charts = np.uint64((i * size + j) * n_charts)
            if near_y < top or near_y >= bottom or near_x < left or near_x >= right:
                _fill_pixel(out, to, n_channels, fill, out_classes, to_charts, n_charts)
                continue
            y0, x0 = int(np.floor(y)), int(np.floor(x))
            dy, dx = np.float32(y - y0), np.float32(x - x0)
            # Neighbours beyond the bounds have no weight, like fill.
            upper = one - dy if y0 >= top else nothing
            lower = dy if y0 + 1 < bottom else nothing
            former = one - dx if x0 >= left else nothing
            latter = dx if x0 + 1 < right else nothing
            above = (max(y0, top) - origin_y) * width
            below = (min(y0 + 1, bottom - 1) - origin_y) * width
            before = max(x0, left) - origin_x
            after = min(x0 + 1, right - 1) - origin_x
            near_pixel = (near_y - origin_y) * width + near_x - origin_x
            a = np.uint64((above + before) * n_stored)
            b = np.uint64((above + after) * n_stored)
            c = np.uint64((below + before) * n_stored)
            d = np.uint64((below + after) * n_stored)
            near = np.uint64(near_pixel * n_stored)
            places = (a, b, c, d, near)
            weights = (upper * former, upper * latter, lower * former, lower * latter)
            for r in range(runs.shape[0]):
                run_to, n = to + np.uint64(runs[r, 0]), runs[r, 2]
                if n < 8:
                    for m in range(n):
                        k = np.uint64(runs[r, 1] + m)
                        value = weigh_one(source, places, k, weights)
                        out[run_to + np.uint64(m)] = narrowed(value, fill)
                    continue
                for m in range(0, n, 8):
                    # The last eight overlap the previous eight unless the number is a
                    # multiple of 8.
                    at = min(m, n - 8)
                    k = np.uint64(runs[r, 1] + at)
                    weigh_eight(source, places, k, weights, out, run_to + np.uint64(at))
            if wind.shape[0]:
                u = weigh_one(source, places, np.uint64(wind[0, 1]), weights)
                v = weigh_one(source, places, np.uint64(wind[0, 2]), weights)
                for w in range(wind.shape[0]):
                    turned = turn[w, 0] * u + turn[w, 1] * v + turn[w, 2]
                    out[to + np.uint64(wind[w, 0])] = narrowed(turned, fill)
            pixel_charts = np.uint64(near_pixel * n_charts)
            for m in range(n_charts):
                out_classes[to_charts + np.uint64(m)] = classes[pixel_charts + np.uint64(m)]


@compiled
def cut_polygons(
    positions: IntArray,
    bounds: IntArray,
    affine: FloatArray,
    box: IntArray,
    first: int,
    out: IntArray,
) -> None:
    """Fill a box of a patch with the polygons of the pixels that charts come from.

    Parameters
    ----------
    positions
        Position of the polygon of each pixel of the scene, counted from 1; 0 is none.
    bounds, affine, box
        As in `cut_nearest`.
    first
        Added to positions, except to 0.
    out
        The patch to fill, shape ``(y, x)``.
    """
    y_i, y_j, y_0 = affine[0, 0], affine[0, 1], affine[0, 2]
    x_i, x_j, x_0 = affine[1, 0], affine[1, 1], affine[1, 2]
    top, bottom, left, right = bounds[0], bounds[1], bounds[2], bounds[3]
    for i in range(box[0], box[1]):
        for j in range(box[2], box[3]):
            y = int(np.floor(y_0 + y_i * i + y_j * j + 0.5))
            x = int(np.floor(x_0 + x_i * i + x_j * j + 0.5))
            position = 0
            if top <= y < bottom and left <= x < right:
                position = positions[y, x]
            out[i, j] = position + first if position else 0

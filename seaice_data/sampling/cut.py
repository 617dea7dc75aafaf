"""Follow a map from patch to scene: crop, flips, rotation and scale in one pass.

The map takes row ``i`` and column ``j`` of a patch to ``(y, x)`` in its scene; whole
numbers are centres of pixels. Charts are always taken from the nearest pixel, and inputs
and charts by the same map: what lies under a class is what it was drawn from.

- ``cut_nearest`` copies the bits of the nearest pixel;
- ``cut_bilinear`` weighs the four around. Fill has no weight: the weights of the valid ones
  are made to sum to one again. Where the nearest pixel is fill the place is fill, so that
  borders stay where `cut_nearest` has them and where the charts end.

What takes time is waiting for memory: along a row of a turned patch each pixel lies in
another row of the scene. So a first loop over the row asks for all its pixels, and a second
one finds them in the cache. Channels are moved by eights. Half precision comes as its 16
bits, because numba does not take float16 for numbers.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.charts import CHART_FILL
from seaice_data.system.compiled import compiled, inlined
from seaice_data.system.instructions import instruction, narrowed, widened

# ---- what numba has no words for, in those of its compiler (LLVM)

_Loop = Callable[..., Any]
_declare = cast("_Loop", cgutils.get_or_insert_function)

_EIGHT = 8
_FLOAT, _HALF = ir.FloatType(), ir.HalfType()
_FLOATS, _HALVES = ir.VectorType(_FLOAT, _EIGHT), ir.VectorType(_HALF, _EIGHT)
_INT = ir.IntType(32)


@instruction
def _ask_for(_context: Any, array: Any, position: Any) -> Any:
    """Let the processor fetch what lies at a position of an array."""

    def write(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = builder.bitcast(
            _place(target, builder, signature.args[0], *args), cgutils.voidptr_t
        )
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, _INT, _INT, _INT])
        fetch = _declare(builder.module, kind, "llvm.prefetch.p0")
        builder.call(fetch, [place, _INT(0), _INT(3), _INT(1)])  # read, keep, data
        return target.get_dummy_value()

    return types.void(array, position), write


@instruction
def _copy_eight(_context: Any, source: Any, a: Any, out: Any, to: Any) -> Any:
    """Copy eight numbers."""

    def write(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        value = _load_eight(target, builder, kinds[0], args[0], args[1])
        _store_eight(target, builder, value, kinds[2], args[2], args[3])
        return target.get_dummy_value()

    return types.void(source, a, out, to), write


@instruction
def _weigh_eight(
    _context: Any,
    source: Any,
    a: Any,
    b: Any,
    c: Any,
    d: Any,
    near: Any,
    weight_a: Any,
    weight_b: Any,
    weight_c: Any,
    weight_d: Any,
    out: Any,
    to: Any,
) -> Any:
    """Weigh eight numbers from each of four positions, as `_weighed` does one."""

    def write(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind, numbers = signature.args[0], []
        for place in args[1:6]:
            number = _load_eight(target, builder, kind, args[0], place)
            is_half = number.type == _HALVES
            numbers.append(builder.fpext(number, _FLOATS) if is_half else number)
        weights = [_spread(builder, weight) for weight in args[6:10]]
        result = _write_weighing(builder, numbers, weights)
        if kind.dtype == types.uint16:
            result = builder.fptrunc(result, _HALVES)
        _store_eight(target, builder, result, signature.args[10], args[10], args[11])
        return target.get_dummy_value()

    positions, w = (a, b, c, d, near), (weight_a, weight_b, weight_c, weight_d)
    return types.void(source, *positions, *w, out, to), write


@instruction
def _weighed(
    _context: Any,
    a: Any,
    b: Any,
    c: Any,
    d: Any,
    near: Any,
    weight_a: Any,
    weight_b: Any,
    weight_c: Any,
    weight_d: Any,
) -> Any:
    """Weigh four numbers without those that are fill; fill if the nearest is."""

    def write(_target: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _write_weighing(builder, args[:5], args[5:])

    numbers, w = (a, b, c, d, near), (weight_a, weight_b, weight_c, weight_d)
    return types.float32(*numbers, *w), write


def _write_weighing(builder: Any, numbers: Any, weights: Any) -> Any:
    """Write the weighing of floats, or of vectors of them."""
    *numbers, near = numbers
    nothing = ir.Constant(near.type, 0.0 if near.type == _FLOAT else [0.0] * _EIGHT)
    shares, values = [], []
    for number, weight in zip(numbers, weights, strict=True):
        is_valid = builder.fcmp_ordered("ord", number, number)  # not NaN
        shares.append(builder.select(is_valid, weight, nothing))
        weighted = builder.fmul(weight, number)
        values.append(builder.select(is_valid, weighted, nothing))
    share, value = (
        builder.fadd(builder.fadd(x[0], x[1]), builder.fadd(x[2], x[3]))
        for x in (shares, values)
    )
    is_valid = builder.fcmp_ordered("ord", near, near)
    return builder.select(is_valid, builder.fdiv(value, share), near)


def _place(target: Any, builder: Any, kind: Any, array: Any, position: Any) -> Any:
    """Return the pointer to a position of an array."""
    data = target.make_array(kind)(target, builder, array).data
    return builder.gep(data, [position])


def _eight_at(target: Any, builder: Any, kind: Any, array: Any, position: Any) -> Any:
    place = _place(target, builder, kind, array, position)
    eight = _HALVES if kind.dtype == types.uint16 else _FLOATS
    return builder.bitcast(place, eight.as_pointer()), kind.dtype.bitwidth // 8


def _load_eight(target: Any, builder: Any, kind: Any, array: Any, position: Any) -> Any:
    place, align = _eight_at(target, builder, kind, array, position)
    return builder.load(place, align=align)


def _store_eight(
    target: Any, builder: Any, value: Any, kind: Any, array: Any, position: Any
) -> None:
    place, align = _eight_at(target, builder, kind, array, position)
    builder.store(value, place, align=align)


def _spread(builder: Any, value: Any) -> Any:
    """Return eight times the same number."""
    nothing = ir.Constant(_FLOATS, ir.Undefined)
    first = builder.insert_element(nothing, value, _INT(0))
    zeros = ir.Constant(ir.VectorType(_INT, _EIGHT), [0] * _EIGHT)
    return builder.shuffle_vector(first, nothing, zeros)


# ---- the loops


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


@inlined
def _weigh_one(source: FloatArray, channel: int, places: Any, weights: Any) -> Any:
    """Weigh a channel of pixels that begin at `places`: four around, and the nearest."""
    k = np.uint64(channel)
    a, b, c, d, near = places
    return _weighed(
        widened(source[a + k]),
        widened(source[b + k]),
        widened(source[c + k]),
        widened(source[d + k]),
        widened(source[near + k]),
        *weights,
    )


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
        pixels may come from; what lies beyond is fill.
    affine
        ``(y, x) = affine @ (i, j, 1)``, shape ``(2, 3)``.
    runs
        Channels that lie side by side, one run a row: first in the patch, first in the
        scene, number.
    wind
        Components to turn, one a row: channel in the patch, channels of u and v in the
        scene (the same in each row).
    turn
        For each of them, what u and v are multiplied by, and what is added.
    box
        First and last row, first and last column (last ones excluded) of the patch.
    fill
        Stored number that marks fill.
    out_inputs, out_charts
        The patch.
    """
    _, width, n_stored = inputs.shape
    _, size, n_channels = out_inputs.shape
    n_charts = charts.shape[2]
    source, classes = inputs.reshape(inputs.size), charts.reshape(charts.size)
    out, out_classes = (
        out_inputs.reshape(out_inputs.size),
        out_charts.reshape(out_charts.size),
    )
    # Read once: for all the compiler knows, writing the patch could change them.
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
            _ask_for(source, first)
            _ask_for(source, first + np.uint64(n_stored - 1))
            _ask_for(classes, np.uint64(pixels[j] * n_charts))
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
                    # The last eight may be copied in part for the second time.
                    k = np.uint64(min(c, n - 8))
                    _copy_eight(source, run + k, out, run_to + k)
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
    # Read once: for all the compiler knows, writing the patch could change them.
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
                    _ask_for(source, np.uint64(row * n_stored))
                    _ask_for(source, np.uint64((row + 1) * n_stored))
                _ask_for(classes, np.uint64(pixel * n_charts))
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
            # Neighbours beyond the bounds weigh nothing, as fill does.
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
                        value = _weigh_one(source, runs[r, 1] + m, places, weights)
                        out[run_to + np.uint64(m)] = narrowed(value, fill)
                    continue
                for m in range(0, n, 8):
                    # The last eight may be computed in part for the second time.
                    at = min(m, n - 8)
                    k = np.uint64(runs[r, 1] + at)
                    _weigh_eight(
                        source, a + k, b + k, c + k, d + k, near + k, *weights,
                        out, run_to + np.uint64(at),
                    )  # fmt: skip
            if wind.shape[0]:
                u = _weigh_one(source, wind[0, 1], places, weights)
                v = _weigh_one(source, wind[0, 2], places, weights)
                for w in range(wind.shape[0]):
                    turned = turn[w, 0] * u + turn[w, 1] * v + turn[w, 2]
                    out[to + np.uint64(wind[w, 0])] = narrowed(turned, fill)
            pixel_charts = np.uint64(near_pixel * n_charts)
            for m in range(n_charts):
                out_classes[to_charts + np.uint64(m)] = classes[pixel_charts + np.uint64(m)]

"""Follow a map from patch to scene: crop, flips, rotation and scale in one pass.

The map takes row ``i`` and column ``j`` of a patch to ``(y, x)`` in its scene; whole
numbers are centres of pixels. Charts are always taken from the nearest pixel, and inputs
and charts by the same map: what lies under a class is what it was drawn from.

- ``cut_nearest`` copies the bits of the nearest pixel;
- ``cut_bilinear`` weighs the four around. Fill has no weight: the weights of the valid ones
  are made to sum to one again. Where the nearest pixel is fill the place is fill, so that
  borders stay where `cut_nearest` has them and where the charts end.

Half precision comes as its 16 bits, because numba does not take float16 for numbers.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.charts import CHART_FILL
from seaice_data.compiled import compiled

_CHART_FILL = np.uint8(CHART_FILL)

_Loop = Callable[..., Any]
_instruction = cast("Callable[[_Loop], _Loop]", intrinsic)
"""Makes a function of numba's compiler one that compiled loops can call."""


@_instruction
def _widened(_context: Any, value: Any) -> Any:
    """Return a stored number as float32."""
    if value == types.uint16:

        def from_half(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            half = builder.bitcast(args[0], ir.HalfType())
            return builder.fpext(half, ir.FloatType())

        return types.float32(types.uint16), from_half
    return types.float32(types.float32), _unchanged


@_instruction
def _narrowed(_context: Any, value: Any, like: Any) -> Any:  # noqa: ARG001 - typed as such
    """Return a float32 as it is stored, in the type of `like`, rounded to nearest even."""
    if like == types.uint16:

        def to_half(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            half = builder.fptrunc(args[0], ir.HalfType())
            return builder.bitcast(half, ir.IntType(16))

        return types.uint16(types.float32, types.uint16), to_half
    return types.float32(types.float32, types.float32), _unchanged


def _unchanged(_context: Any, _builder: Any, _signature: Any, args: Any) -> Any:
    return args[0]


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
        scene.
    turn
        For each of them, what u and v are multiplied by, and what is added.
    box
        First and last row, first and last column (last ones excluded) of the patch.
    fill
        Stored number that marks fill.
    out_inputs, out_charts
        The patch.
    """
    for i in range(box[0], box[1]):
        for j in range(box[2], box[3]):
            y = int(np.floor(affine[0, 2] + affine[0, 0] * i + affine[0, 1] * j + 0.5))
            x = int(np.floor(affine[1, 2] + affine[1, 0] * i + affine[1, 1] * j + 0.5))
            to, to_charts = out_inputs[i, j], out_charts[i, j]
            if y < bounds[0] or y >= bounds[1] or x < bounds[2] or x >= bounds[3]:
                to[:] = fill
                to_charts[:] = _CHART_FILL
                continue
            pixel = inputs[y - origin[0], x - origin[1]]
            for r in range(runs.shape[0]):
                first_to, first = runs[r, 0], runs[r, 1]
                for c in range(runs[r, 2]):
                    to[first_to + c] = pixel[first + c]
            for w in range(wind.shape[0]):
                u, v = _widened(pixel[wind[w, 1]]), _widened(pixel[wind[w, 2]])
                turned = turn[w, 0] * u + turn[w, 1] * v + turn[w, 2]
                to[wind[w, 0]] = _narrowed(turned, fill)
            pixel_charts = charts[y - origin[0], x - origin[1]]
            for c in range(to_charts.size):
                to_charts[c] = pixel_charts[c]


@compiled
def _between(
    a: FloatArray,
    b: FloatArray,
    c: FloatArray,
    d: FloatArray,
    near: FloatArray,
    weight_a: Any,
    weight_b: Any,
    weight_c: Any,
    weight_d: Any,
    channel: int,
) -> Any:
    """Weigh one channel of four pixels."""
    nothing = np.float32(0)
    value_a, value_b = _widened(a[channel]), _widened(b[channel])
    value_c, value_d = _widened(c[channel]), _widened(d[channel])
    nearest = _widened(near[channel])
    # A number equals itself, NaN does not.
    is_a, is_b = value_a == value_a, value_b == value_b
    is_c, is_d = value_c == value_c, value_d == value_d
    weight = ((weight_a if is_a else nothing) + (weight_b if is_b else nothing)) + (
        (weight_c if is_c else nothing) + (weight_d if is_d else nothing)
    )
    total = (
        (weight_a * value_a if is_a else nothing)
        + (weight_b * value_b if is_b else nothing)
    ) + (
        (weight_c * value_c if is_c else nothing)
        + (weight_d * value_d if is_d else nothing)
    )
    return total / weight if nearest == nearest else nearest


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
    for i in range(box[0], box[1]):
        for j in range(box[2], box[3]):
            y = affine[0, 2] + affine[0, 0] * i + affine[0, 1] * j
            x = affine[1, 2] + affine[1, 0] * i + affine[1, 1] * j
            near_y, near_x = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
            to, to_charts = out_inputs[i, j], out_charts[i, j]
            if (
                near_y < bounds[0]
                or near_y >= bounds[1]
                or near_x < bounds[2]
                or near_x >= bounds[3]
            ):
                to[:] = fill
                to_charts[:] = _CHART_FILL
                continue
            y0, x0 = int(np.floor(y)), int(np.floor(x))
            dy, dx = np.float32(y - y0), np.float32(x - x0)
            # Neighbours beyond the bounds weigh nothing, as fill does.
            upper = one - dy if y0 >= bounds[0] else nothing
            lower = dy if y0 + 1 < bounds[1] else nothing
            left = one - dx if x0 >= bounds[2] else nothing
            right = dx if x0 + 1 < bounds[3] else nothing
            above = max(y0, bounds[0]) - origin[0]
            below = min(y0 + 1, bounds[1] - 1) - origin[0]
            before = max(x0, bounds[2]) - origin[1]
            after = min(x0 + 1, bounds[3] - 1) - origin[1]
            a, b = inputs[above, before], inputs[above, after]
            c, d = inputs[below, before], inputs[below, after]
            near = inputs[near_y - origin[0], near_x - origin[1]]
            weights = (upper * left, upper * right, lower * left, lower * right)
            for r in range(runs.shape[0]):
                first_to, first = runs[r, 0], runs[r, 1]
                for k in range(runs[r, 2]):
                    value = _between(a, b, c, d, near, *weights, first + k)
                    to[first_to + k] = _narrowed(value, fill)
            for w in range(wind.shape[0]):
                u = _between(a, b, c, d, near, *weights, wind[w, 1])
                v = _between(a, b, c, d, near, *weights, wind[w, 2])
                turned = turn[w, 0] * u + turn[w, 1] * v + turn[w, 2]
                to[wind[w, 0]] = _narrowed(turned, fill)
            pixel_charts = charts[near_y - origin[0], near_x - origin[1]]
            for k in range(to_charts.size):
                to_charts[k] = pixel_charts[k]

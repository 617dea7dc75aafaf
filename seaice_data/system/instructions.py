"""Instructions of the processor that numba cannot express, written in LLVM.

They work on half precision and on vectors of eight numbers, and prefetch memory. Numba has
no float16 on CPUs: halves are passed as their 16 bits.

Each instruction is followed by its plain twin, the same in numba. The twin documents what
the instruction does, tests check that both agree, and it can replace the instruction if a
later LLVM drops it. A comment says how much faster the instruction is, measured on one core
(AMD EPYC); the last three in the loops of `seaice_data.sampling.cut`, on turned patches of
256 x 256 float16 pixels and 31 channels.
"""

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from seaice_data.arrays import FloatArray
from seaice_data.system.compiled import inlined

_Loop = Callable[..., Any]
_instruction = cast("Callable[[_Loop], _Loop]", intrinsic)
_declare = cast("_Loop", cgutils.get_or_insert_function)
_unpack = cast("_Loop", cgutils.unpack_tuple)

_EIGHT = 8
_FLOAT, _HALF, _INT = ir.FloatType(), ir.HalfType(), ir.IntType(32)
_FLOATS, _HALVES = ir.VectorType(_FLOAT, _EIGHT), ir.VectorType(_HALF, _EIGHT)


# 65 times as fast as its twin, which converts one number at a time.
@_instruction
def widened(_context: Any, value: Any) -> Any:
    """Return a stored number as float32."""
    if value == types.uint16:

        def from_half(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            half = builder.bitcast(args[0], _HALF)
            return builder.fpext(half, _FLOAT)

        return types.float32(types.uint16), from_half
    return types.float32(types.float32), _unchanged


@inlined
def plain_widened(bits: Any) -> Any:
    """Return a half as float32; see `widened`."""
    sign = np.float32(-1) if bits & 0x8000 else np.float32(1)
    exponent, fraction = (bits >> 10) & 0x1F, bits & 0x3FF
    if exponent == 0x1F:
        return sign * np.float32(np.nan if fraction else np.inf)
    if exponent == 0:
        return sign * np.float32(math.ldexp(fraction, -24))
    return sign * np.float32(math.ldexp(fraction + 0x400, exponent - 25))


# 100 times as fast as its twin.
@_instruction
def narrowed(_context: Any, value: Any, like: Any) -> Any:  # noqa: ARG001 - typed as such
    """Return a float32 as it is stored, in the type of `like`, rounded to nearest even."""
    if like == types.uint16:

        def to_half(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            half = builder.fptrunc(args[0], _HALF)
            return builder.bitcast(half, ir.IntType(16))

        return types.uint16(types.float32, types.uint16), to_half
    return types.float32(types.float32, types.float32), _unchanged


@inlined
def plain_narrowed(value: Any, like: Any) -> Any:  # noqa: ARG001 - as `narrowed`
    """Return a float32 as a half; see `narrowed`."""
    sign = 0x8000 if math.copysign(1.0, value) < 0 else 0
    size = abs(value)
    if np.isnan(size):
        return np.uint16(sign | 0x7E00)
    if size >= 65520:  # rounds to more than the largest half
        return np.uint16(sign | 0x7C00)
    # Steps between halves of this size: 2**-24 for the smallest ones and for zero.
    step = max(math.frexp(size)[1] - 11, -24) if size else -24
    n_steps = int(np.rint(math.ldexp(size, -step)))
    return np.uint16(sign | (((step + 24) << 10) + n_steps))


# With its twin `cut_nearest` takes 2.1 times as long, `cut_bilinear` 1.5 times as long
# where the scene is not in the cache.
@_instruction
def prefetch(_context: Any, array: Any, position: Any) -> Any:
    """Let the processor fetch a position of an array ahead of its use."""

    def write(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = builder.bitcast(
            _place(target, builder, signature.args[0], *args), cgutils.voidptr_t
        )
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, _INT, _INT, _INT])
        fetch = _declare(builder.module, kind, "llvm.prefetch.p0")
        builder.call(fetch, [place, _INT(0), _INT(3), _INT(1)])  # read, keep, data
        return target.get_dummy_value()

    return types.void(array, position), write


@inlined
def plain_prefetch(array: Any, position: Any) -> None:
    """Do nothing: the processor waits when it gets there; see `prefetch`."""


# With its twin `cut_nearest` takes 1.5 times as long.
@_instruction
def copy_eight(_context: Any, source: Any, a: Any, out: Any, to: Any) -> Any:
    """Copy eight numbers."""

    def write(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        value = _load_eight(target, builder, kinds[0], args[0], args[1])
        _store_eight(target, builder, value, kinds[2], args[2], args[3])
        return target.get_dummy_value()

    return types.void(source, a, out, to), write


@inlined
def plain_copy_eight(source: FloatArray, a: Any, out: FloatArray, to: Any) -> None:
    """Copy eight numbers; see `copy_eight`."""
    for k in range(_EIGHT):
        out[to + np.uint64(k)] = source[a + np.uint64(k)]


# With its twin `cut_bilinear` takes 8 times as long.
@_instruction
def weigh_eight(
    _context: Any, source: Any, places: Any, k: Any, weights: Any, out: Any, to: Any
) -> Any:
    """Weigh eight numbers of each of four pixels, and write them; as `weigh_one` does one.

    Parameters
    ----------
    source
        Array that the numbers are in.
    places
        Positions where four pixels begin, and the nearest of them.
    k
        First of the eight, counted from where a pixel begins.
    weights
        Weights of the four pixels.
    out, to
        Array and position to write to.
    """

    def write(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind, numbers = signature.args[0], []
        for place in _unpack(builder, args[1], 5):
            position = builder.add(place, args[2])
            number = _load_eight(target, builder, kind, args[0], position)
            is_half = number.type == _HALVES
            numbers.append(builder.fpext(number, _FLOATS) if is_half else number)
        each = [_spread(builder, w) for w in _unpack(builder, args[3], 4)]
        result = _write_weighing(builder, numbers, each)
        if kind.dtype == types.uint16:
            result = builder.fptrunc(result, _HALVES)
        _store_eight(target, builder, result, signature.args[4], args[4], args[5])
        return target.get_dummy_value()

    return types.void(source, places, k, weights, out, to), write


@inlined
def plain_weigh_eight(
    source: FloatArray, places: Any, k: Any, weights: Any, out: FloatArray, to: Any
) -> None:
    """Weigh eight numbers of each of four pixels; see `weigh_eight`."""
    for m in range(_EIGHT):
        value = weigh_one(source, places, k + np.uint64(m), weights)
        out[to + np.uint64(m)] = narrowed(value, out[to + np.uint64(m)])


@inlined
def weigh_one(source: FloatArray, places: Any, k: Any, weights: Any) -> Any:
    """Weigh number `k` of four pixels without those that are fill; fill if the nearest is.

    Weights of those that are not fill are scaled to sum to one.
    """
    nothing = np.float32(0)
    a, b = widened(source[places[0] + k]), widened(source[places[1] + k])
    c, d = widened(source[places[2] + k]), widened(source[places[3] + k])
    near = widened(source[places[4] + k])
    has_a, has_b, has_c, has_d = a == a, b == b, c == c, d == d  # not NaN
    upper = (weights[0] * a if has_a else nothing) + (weights[1] * b if has_b else nothing)
    lower = (weights[2] * c if has_c else nothing) + (weights[3] * d if has_d else nothing)
    share_upper = (weights[0] if has_a else nothing) + (weights[1] if has_b else nothing)
    share_lower = (weights[2] if has_c else nothing) + (weights[3] if has_d else nothing)
    value, share = upper + lower, share_upper + share_lower
    return value / share if near == near else near


def _write_weighing(builder: Any, numbers: Any, weights: Any) -> Any:
    """Write the weighing of vectors of floats."""
    *numbers, near = numbers
    nothing = ir.Constant(_FLOATS, [0.0] * _EIGHT)
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


def _unchanged(_context: Any, _builder: Any, _signature: Any, args: Any) -> Any:
    return args[0]

"""Half precision in compiled loops, by the instructions of the processor.

Numba does not take float16 for numbers: halves come and go as their 16 bits.
"""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_Loop = Callable[..., Any]
instruction = cast("Callable[[_Loop], _Loop]", intrinsic)
"""Makes a function of numba's compiler one that compiled loops can call."""


@instruction
def widened(_context: Any, value: Any) -> Any:
    """Return a stored number as float32."""
    if value == types.uint16:

        def from_half(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            half = builder.bitcast(args[0], ir.HalfType())
            return builder.fpext(half, ir.FloatType())

        return types.float32(types.uint16), from_half
    return types.float32(types.float32), _unchanged


@instruction
def narrowed(_context: Any, value: Any, like: Any) -> Any:  # noqa: ARG001 - typed as such
    """Return a float32 as it is stored, in the type of `like`, rounded to nearest even."""
    if like == types.uint16:

        def to_half(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            half = builder.fptrunc(args[0], ir.HalfType())
            return builder.bitcast(half, ir.IntType(16))

        return types.uint16(types.float32, types.uint16), to_half
    return types.float32(types.float32, types.float32), _unchanged


def _unchanged(_context: Any, _builder: Any, _signature: Any, args: Any) -> Any:
    return args[0]

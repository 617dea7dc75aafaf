"""Loops over pixels in Python, compiled to machine code when first called.

They replace array operations that would take several passes over memory. A compiled
function takes arrays and numbers, allocates little, and writes its result to an array that
is passed in. It runs without the interpreter's lock, so that threads can share the work.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

_CONFIG: Any = numba.config
_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """Compile a function at its first call, and keep the result for later processes.

    Where no folder can be written, as in a container without a home, each process compiles
    again. Division by zero gives what IEEE 754 says, as in numpy.

    Examples
    --------
    >>> import numpy as np
    >>> @compiled
    ... def add_up(values: np.ndarray) -> float:
    ...     total = 0.0
    ...     for value in values:
    ...         total += value
    ...     return total
    >>> add_up(np.array([1.0, 2.0]))
    3.0
    """
    try:
        compiling = _jit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # numba finds no folder to keep the result in
        compiling = _jit(nogil=True, error_model="numpy")(function)
    return cast("_Function", compiling)


def inlined(function: _Function) -> _Function:
    """Inline a function into the compiled functions that call it.

    A call from the innermost loop costs a tenth of the loop's speed.

    Examples
    --------
    >>> @inlined
    ... def square(value: float) -> float:
    ...     return value * value
    >>> @compiled
    ... def add_squares(a: float, b: float) -> float:
    ...     return square(a) + square(b)
    >>> add_squares(3.0, 4.0)
    25.0
    """
    return cast("_Function", _jit(inline="always", error_model="numpy")(function))


def _jit(**options: Any) -> Callable[[Callable[..., object]], Any]:
    """Compile also with ``NUMBA_DISABLE_JIT``, which is for code without intrinsics."""

    def decorate(function: Callable[..., object]) -> Any:
        before, _CONFIG.DISABLE_JIT = _CONFIG.DISABLE_JIT, 0
        try:
            return numba.njit(**options)(function)
        finally:
            _CONFIG.DISABLE_JIT = before

    return decorate

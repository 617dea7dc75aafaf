"""Memory of batches, handed out again when nobody uses it any more.

The system gives large memory to a process page by page, cleared, when it is first written.
For patches that are only copied this takes as long as the copying itself.
"""

import sys
from math import prod
from typing import Self

import numpy as np
from numpy.typing import DTypeLike

from seaice_data.arrays import Values

_LEAST_BYTES = 2**20
_N_KEPT = 6
"""Three large arrays of two batches: a loop holds the last one while the next is made."""


class BatchMemory:
    """Memory for batches of a sampler; memory in use is never handed out.

    Python knows whether it is in use: it counts references to the memory, by views of it,
    by tensors that share it, by buffers. Up to six arrays are kept.
    """

    def __init__(self) -> None:
        self._kept: list[Values] = []

    def __reduce__(self) -> tuple[type[Self], tuple[()]]:
        """Copy nothing: another process has memory of its own."""
        return (type(self), ())

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Values:
        """Return an array of any content that shares no memory with an array in use."""
        n_bytes = prod(shape) * np.dtype(dtype).itemsize
        if n_bytes < _LEAST_BYTES:
            return np.empty(shape, dtype)
        for _ in range(_N_KEPT):
            try:
                owner = self._kept.pop(0)  # no other thread finds it until it is in use
            except IndexError:
                break
            is_idle = sys.getrefcount(owner) == _IDLE and owner.nbytes == n_bytes
            array = owner.view(dtype).reshape(shape) if is_idle else None
            self._kept.append(owner)
            if array is not None:
                return array
        owner = np.empty(n_bytes, np.uint8)
        self._kept = [*self._kept[1 - _N_KEPT :], owner]
        return owner.view(dtype).reshape(shape)


def _count_references() -> int:
    """Return how many references Python counts to an object that one variable holds."""
    kept: list[object] = [object()]
    owner = kept.pop(0)
    return sys.getrefcount(owner)


_IDLE = _count_references()

"""Keep the memory of a process the same from scene to scene.

malloc keeps what was freed, in each thread, and hands it out again in other pieces: a
process that prepares scene after scene would grow by 70 MB.

- ``large_array`` takes memory that goes back to the system when the array is freed;
- ``give_back`` returns what malloc keeps;
- ``can_map`` asks whether a disk lets files be mapped into memory.
"""

import ctypes
import logging
import math
import mmap
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

log = logging.getLogger(__name__)


def large_array(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array of zeros in memory of its own.

    Examples
    --------
    >>> large_array((2, 3), np.uint8)
    array([[0, 0, 0],
           [0, 0, 0]], dtype=uint8)
    """
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    if sys.platform == "win32":
        return np.frombuffer(mmap.mmap(-1, n_bytes), dtype).reshape(shape)
    memory = mmap.mmap(-1, n_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        # Pages of 2 MB: to touch 100 MB of small ones for the first time costs 60 ms.
        with suppress(OSError):  # advice, which some kernels do not know
            memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype).reshape(shape)


def give_back() -> None:
    """Return freed memory to the system; takes milliseconds, does nothing without glibc."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def can_map(path: Path) -> bool:
    """Whether a file, which must not be empty, can be mapped: not on each network disk.

    Raises
    ------
    OSError
        If it cannot be opened.
    """
    with path.open("rb") as file:
        try:
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ).close()
        except OSError as error:
            log.info("%s: files are read, since they cannot be mapped: %s", path, error)
            return False
    return True

"""Let this process keep the memory that it has freed, for the next batch.

A training step asks for the same gigabytes again and again. The C library gives large
blocks back to the system at once, which then clears every page anew: a third of a step on
CPUs. Only speed depends on this, never a result.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # names of mallopt(3)
_KEPT = {_TRIM_THRESHOLD: 2**31 - 1, _MMAP_MAX: 0}
_AS_USUAL = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_MAX: 65536}


@contextmanager
def kept_pages() -> Iterator[bool]:
    """Keep freed memory in this process; give it back at the end.

    Tells whether that is possible: it needs the C library of GNU, on Linux.
    """
    library = _gnu_library()
    if library is None:
        yield False
        return
    for name, value in _KEPT.items():
        library.mallopt(name, value)
    try:
        yield True
    finally:
        for name, value in _AS_USUAL.items():
            library.mallopt(name, value)
        library.malloc_trim(0)


def _gnu_library() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None

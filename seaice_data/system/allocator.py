"""Let this process keep the memory that it frees, or return it to the system at once.

A training step asks for the same gigabytes again and again. The C library returns large
blocks to the system at once, which then has to clear every page again: a third of a step on
CPUs. Scenes to predict differ in size, though, and memory kept from one does not fit the
next: a process would grow by hundreds of megabytes. Only speed and memory depend on this,
never a result.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # names of mallopt(3)
_KEPT = {_TRIM_THRESHOLD: 2**31 - 1, _MMAP_MAX: 0}
_PLANE_BYTES = 16 * 10**6  # a plane at 80 m has 25 MB
_AS_USUAL = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_MAX: 65536}


@contextmanager
def kept_pages() -> Iterator[bool]:
    """Keep freed memory in this process; give it back at the end.

    Yields whether that is possible: it needs the GNU C library, on Linux.
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


def return_pages() -> None:
    """From now on return the memory of planes to the system when they are freed.

    Without this, the C library keeps any block up to the largest that was ever freed. It
    needs the GNU C library, and does nothing elsewhere.
    """
    if (library := _gnu_library()) is not None:
        library.mallopt(_MMAP_THRESHOLD, _PLANE_BYTES)


def _gnu_library() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None

"""Keep the memory of a process the same from scene to scene, or keep what it has freed.

malloc keeps freed memory in each thread, and reuses it in other pieces: a process
that prepares scene after scene would grow by 70 MB. Scenes to predict differ in size, and
memory kept from one does not fit the next. A training step, in contrast, needs the same
gigabytes again and again: large blocks would be returned to the system, which has to clear
every page before it grants them again, a third of a step on CPUs. Only speed and memory
depend on all this, never a result.

- ``large_array`` takes memory that goes back to the system when the array is freed;
- ``give_back`` returns what malloc keeps;
- ``return_pages`` makes the C library return planes at once;
- ``kept_pages`` makes it keep everything for a while;
- ``can_map`` checks whether files on a disk can be mapped into memory.

When memory runs out, ``out_of_memory_errors`` says what needed it.
"""

import ctypes
import errno
import logging
import math
import mmap
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from seaice_data.errors import SceneError

log = logging.getLogger(__name__)

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # names of mallopt(3)
_KEPT = {_TRIM_THRESHOLD: 2**31 - 1, _MMAP_MAX: 0}
_PLANE_BYTES = 16 * 10**6  # a plane at 80 m has 25 MB
_AS_USUAL = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_MAX: 65536}


class _Keepers:
    """How many `kept_pages` have not ended: settings of malloc are those of the process."""

    lock = threading.Lock()
    n = 0


@contextmanager
def out_of_memory_errors(what: str) -> Iterator[None]:
    """Turn a lack of memory into a `SceneError`: other scenes may need less.

    Parameters
    ----------
    what
        The scene or file that needs too much memory; the message begins with it.

    Examples
    --------
    >>> with out_of_memory_errors("scene 20180607T184326_dmi"):
    ...     raise MemoryError
    Traceback (most recent call last):
    seaice_data.errors.SceneError: scene 20180607T184326_dmi: not enough memory
    """
    try:
        yield
    except MemoryError as error:
        size = f": {error}" if str(error) else ""
        raise SceneError(f"{what}: not enough memory{size}") from error
    except OSError as error:
        if error.errno != errno.ENOMEM:  # which mmap raises
            raise
        raise SceneError(f"{what}: not enough memory") from error


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
        # Pages of 2 MB: touching 100 MB of small pages for the first time costs 60 ms.
        with suppress(OSError):  # a hint, which some kernels do not know
            memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype).reshape(shape)


def give_back() -> None:
    """Return freed memory to the system; takes milliseconds, does nothing without glibc."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def can_map(path: Path) -> bool:
    """Return whether a file, not an empty one, can be mapped; some network disks refuse.

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


@contextmanager
def kept_pages() -> Iterator[bool]:
    """Keep freed memory in this process; give it back when the last that keeps it ends.

    Yields whether that is possible: it needs the GNU C library, on Linux.
    """
    library = _gnu_library()
    if library is None:
        yield False
        return
    with _Keepers.lock:
        _Keepers.n += 1
        for name, value in _KEPT.items():
            library.mallopt(name, value)
    try:
        yield True
    finally:
        with _Keepers.lock:
            _Keepers.n -= 1
            if not _Keepers.n:
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

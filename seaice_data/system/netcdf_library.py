"""The netCDF library, used by one thread at a time.

It has no lock of its own: two threads that use it at once crash the process, whatever files
they use. So all calls of netCDF4 are made within ``one_at_a_time``. h5py has a lock. Python
also calls it to close forgotten datasets, in whichever thread it collects garbage: not
while ``one_at_a_time`` is held.

Importing this module takes 0.1 s: import it late.
"""

import gc
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

# HDF5 reads this once, when it is loaded. It would refuse to write to disks without locks;
# the folders that files are written in have a lock instead, where there are locks.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")

import netCDF4  # after that: see above
import numpy as np

_POLL_S = 1e-4

_collector: int | None = None  # the thread that is collecting garbage


def _note_collector(phase: str, _about: dict[str, int]) -> None:
    global _collector
    _collector = threading.get_ident() if phase == "start" else None


gc.callbacks.append(_note_collector)


class _OneAtATime:
    """A lock for threads, within which Python collects no garbage by itself."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._was_collecting = False

    def acquire(self) -> None:
        """Wait for other threads, and for a collection in one of them."""
        while not self._entered():
            time.sleep(_POLL_S)

    def _entered(self) -> bool:
        """Enter, unless another thread is collecting: what it closes may need the lock."""
        self._lock.acquire()
        self._depth += 1
        if self._depth == 1:
            self._was_collecting = gc.isenabled()
            gc.disable()
            if _collector not in (None, threading.get_ident()):
                self.release()
                return False
        return True

    def release(self) -> None:
        """Let others continue."""
        self._depth -= 1
        if self._depth == 0 and self._was_collecting:
            gc.enable()
        self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


one_at_a_time = _OneAtATime()
"""Held during every call of netCDF4, and not while h5py is called: it has a lock too."""

if hasattr(os, "register_at_fork"):  # no process starts in the middle of a call
    os.register_at_fork(
        before=one_at_a_time.acquire,
        after_in_parent=one_at_a_time.release,
        after_in_child=one_at_a_time.release,
    )


def open_dataset(
    path: Path, mode: Literal["r", "w"] = "r", content: bytes | None = None
) -> netCDF4.Dataset:
    """Open a file whose name may be any bytes, or its content instead.

    Raises
    ------
    OSError, RuntimeError
        If it cannot be opened.
    """
    name = os.fsencode(path.absolute()).decode("latin-1")  # absolute: never taken for a URL
    with one_at_a_time:
        return netCDF4.Dataset(name, mode, encoding="latin-1", memory=content)


def set_attributes(
    owner: "netCDF4.Dataset | netCDF4.Variable[Any]", attributes: Mapping[str, Any]
) -> None:
    """Set attributes of an open file or variable; text is written as characters, in UTF-8.

    netCDF4 would write text that is not ASCII as strings. The classic formats do not have
    strings, and NCO and CDO cannot append to them.
    """
    for name, value in attributes.items():
        is_text = isinstance(value, str)
        owner.setncattr(name, np.bytes_(value.encode()) if is_text else value)


@contextmanager
def disk_errors(part: Path) -> Iterator[None]:
    """Raise why a new file cannot be written as an `OSError`; netCDF does not say why.

    The file is emptied then, because HDF5 may keep it open, although it is useless.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not str(error).startswith("NetCDF:"):
            raise
        try:
            with part.open("ab") as file:
                file.write(bytes(2**20))
        except OSError as reason:
            raise reason from error
        finally:
            with suppress(OSError):
                os.truncate(part, 0)
        raise

"""Hidden folders to write to; whole files and folders then move to their places.

The next process removes what a killed one left there: a folder is locked while it is
written to, and named after its machine, because locks may not work across a network disk.
"""

import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from seaice_data.system.locks import lock

HIDDEN = ".seaice"
"""How the names of such folders begin, if they are beside the files to write."""

_NAME = re.compile(r".+\.(?P<host>[^.]+)\.[0-9a-f]{12}")
_ABANDONED_S = 24 * 3600.0


@contextmanager
def staged(folder: Path, prefix: str = HIDDEN) -> Iterator[Path]:
    """Yield a new folder in `folder` to write to; what remains in it is removed.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    with reserved(folder, prefix) as place:
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


@contextmanager
def reserved(folder: Path, prefix: str = HIDDEN) -> Iterator[Path]:
    """Yield a new folder as `staged` does; the caller removes it.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    place = folder / f"{prefix}.{_host()}.{uuid.uuid4().hex[:12]}"
    held = None
    while held is None:  # again, if another process tidied up in between
        place.mkdir()
        held = _hold(place)
    try:
        yield place
    finally:
        if held >= 0:
            os.close(held)


def drop_abandoned(places: Iterable[Path]) -> None:
    """Remove those folders that `staged` made for processes that are dead."""
    for place in places:
        if is_abandoned(place):
            shutil.rmtree(place, ignore_errors=True)


def _host() -> str:
    return socket.gethostname().replace(".", "-")


def _hold(place: Path) -> int | None:
    """Lock a folder for as long as this process lives; None if it is gone."""
    if os.name != "posix":  # elsewhere folders cannot be opened
        return -1
    try:
        held = os.open(place, os.O_RDONLY)
    except FileNotFoundError:
        return None
    lock(held, wait=True)
    if place.exists():
        return held
    os.close(held)
    return None


def is_abandoned(place: Path) -> bool:
    """Return whether the process for which `reserved` made a folder is dead.

    A live process on this machine has a lock on its folder; folders of other machines
    count as abandoned after a day.
    """
    try:
        named = _NAME.fullmatch(place.name)
        if named is None or not place.is_dir():
            return False
        if os.name == "posix" and named["host"] == _host():
            folder = os.open(place, os.O_RDONLY)
            try:
                if lock(folder):
                    return True
            finally:
                os.close(folder)
        return time.time() - place.stat().st_mtime > _ABANDONED_S
    except (BlockingIOError, FileNotFoundError, PermissionError):
        return False  # in use, just moved to its place, or another user's

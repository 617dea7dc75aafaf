"""Files that are whole or absent, whatever happens while they are written.

``replacing`` writes a whole file, ``naming`` names the file in errors such as a full disk,
``file_errors`` turns errors of a scene's file into a `SceneError`, ``alone_in`` keeps a
second process out of a folder, ``claimed`` shares work by lock files.

They build on locks of open files and folders (``lock``), which end with the process that
took them, and on hidden folders to write to (``staged``). Locks are advisory: only
processes that also take the lock are kept out. Systems and file systems without locks grant
them to everybody. Hidden folders are locked while they are written to, and named after
their machine, because locks may not work across a network disk: the next process removes
what a killed one left there.
"""

import errno
import logging
import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from seaice_data.errors import SceneError

log = logging.getLogger(__name__)

HIDDEN = ".seaice"
"""How the names of hidden folders begin, if they are beside the files to write."""

_NAME = re.compile(r".+\.(?P<host>[^.]+)\.[0-9a-f]{12}")
_ABANDONED_S = 24 * 3600.0


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; put the file in the place of `path` if all went well.

    The file reaches the disk before it gets its name, so that a power cut leaves the old
    file or the new one. After an error there is no trace of the new one. What killed
    processes left in this folder is removed too.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name, "log.txt")
    >>> with replacing(path) as new:
    ...     _ = new.write_text("whole")
    >>> path.read_text()
    'whole'
    >>> folder.cleanup()
    """
    drop_abandoned(path.parent.glob(f"{HIDDEN}.*"))
    with naming(path, path.parent / HIDDEN), staged(path.parent) as place:
        new = place / path.name
        yield new
        with new.open("rb+") as stream:
            os.fsync(stream.fileno())
        new.replace(path)
    _sync_folder(path.parent)


@contextmanager
def naming(path: Path, *others: Path) -> Iterator[None]:
    """Name `path` in system errors that name no file, or one that begins with `others`.

    Python names a file that it cannot open, but not one that it cannot write.

    Examples
    --------
    >>> with naming(Path("log.txt")):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    OSError: [Errno 28] No space left on device: 'log.txt'
    """
    try:
        yield
    except OSError as error:
        named = str(error.filename or path)
        is_ours = named == str(path) or named.startswith(tuple(map(str, others)))
        if error.errno is None or not is_ours:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn system errors about a scene's file into a `SceneError` that names the file.

    Examples
    --------
    >>> with file_errors(Path("scene.nc")):
    ...     raise OSError(5, "Input/output error")
    Traceback (most recent call last):
    seaice_data.errors.SceneError: 'scene.nc': Input/output error
    """
    try:
        yield
    except OSError as error:
        raise SceneError(f"{str(path)!r}: {error.strerror or error}") from None


@contextmanager
def alone_in(folder: Path) -> Iterator[bool]:
    """Yield whether this process is alone in `folder`; meanwhile, others get False.

    A system or file system without locks keeps nobody out. Killed processes release it.
    """
    if os.name != "posix":
        yield True
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield try_lock(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def claimed(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Yield whether this process has the lock on a file, which is created and stays.

    Unlike a folder, a file can be locked on network disks too, by processes of several
    machines. File systems without locks grant it to everybody. Killed processes release it.

    Parameters
    ----------
    path
        The file; nothing is written to it.
    wait
        Whether to wait until another process releases it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield try_lock(descriptor, wait=wait)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make the new name durable, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(descriptor: int, *, alone: bool = True, wait: bool = False) -> bool:
    """Lock an open file or folder until it is closed; false where there are no locks.

    Parameters
    ----------
    descriptor
        The open file or folder. One opened to be read can be locked on local disks; network
        disks need a file that is open for writing.
    alone
        Whether to keep out everybody, or only processes that must be alone.
    wait
        Whether to wait until others release it.

    Raises
    ------
    BlockingIOError
        If another process has a lock that excludes this one, and `wait` is false.
    """
    if os.name != "posix":
        return False
    import fcntl  # only on such systems

    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    try:
        fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno == errno.EACCES:  # what some network disks raise if it is taken
            raise BlockingIOError(error.errno, error.strerror) from error
        # Disks without locks report that in many ways, even by errors without a name.
        log.info("the file system has no locks: %s", error)
        return False
    return True


def try_lock(descriptor: int, *, wait: bool = False) -> bool:
    """Lock an open file or folder for this process alone; false if another one has it."""
    try:
        lock(descriptor, wait=wait)
    except BlockingIOError:
        return False
    return True


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

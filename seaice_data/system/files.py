"""Files that are whole or absent, whatever happens while they are written.

``replacing`` writes a whole file, ``naming`` names the file in errors such as a full disk,
``file_errors`` turns errors of a scene's file into a `SceneError`, ``alone_in`` keeps a
second process out of a folder, ``claimed`` shares work by lock files.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seaice_data.errors import SceneError
from seaice_data.system.locks import try_lock
from seaice_data.system.staging import HIDDEN, drop_abandoned, staged


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
        raise SceneError(f"{str(path)!r}: {error.strerror or error}") from error


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

"""Turn errors of libraries and the system in reading netCDF files into `SceneError`."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seaice_data.errors import SceneError

_BROKEN = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError)
"""What h5py and netCDF4 raise when they cannot read something."""

_OPENING = "Unable to synchronously open file "

_ERRNO = re.compile(r"\berrno = (\d+), error message = ")  # as HDF5 writes it


@contextmanager
def netcdf_errors(path: Path, what: str = "it as netCDF") -> Iterator[None]:
    """Turn errors of libraries and the system into a `SceneError` with the cause, if known.

    Parameters
    ----------
    path
        The file that is read.
    what
        What is read from it, for the message.

    Raises
    ------
    SceneError
        In place of errors of the system, of HDF5 and of the netCDF library.
    """
    try:
        yield
    except FileNotFoundError:
        gone = "a link to a file that is gone" if path.is_symlink() else "no such file"
        raise SceneError(f"{str(path)!r}: {gone}") from None
    except _BROKEN as error:
        reason, hint = _cause(error)
        raise unreadable(path, what, reason, hint) from None


def unreadable(path: Path, what: str, reason: str, hint: str | None) -> SceneError:
    """Return the error for a part of a file that cannot be read."""
    return SceneError(f"{str(path)!r}: cannot read {what}: {reason}", hint=hint)


def _cause(error: Exception) -> tuple[str, str | None]:
    """Return why something cannot be read, and what to do if that is certain."""
    number = getattr(error, "errno", None)
    if match := _ERRNO.search(str(error)):
        number = int(match[1])
    if number in (errno.EACCES, errno.EPERM):
        hint = "this user needs permission to read the file and to enter its folder"
        return "permission denied", hint
    if number is not None and number > 0:  # errors of the netCDF library are negative
        return os.strerror(number), None
    # The text may contain names from the file.
    text = str(getattr(error, "strerror", None) or error)
    text = "".join(c if c.isprintable() else " " for c in text)
    reason = " ".join(text.split()) or type(error).__name__
    if reason.startswith(_OPENING):
        reason = reason.removeprefix(_OPENING).strip("()")
    elif isinstance(error, KeyError):  # whose text is in quotes
        reason = reason.strip("\"'")
    if "file signature not found" in reason:
        return "not an HDF5 file", None
    if "truncated file" in reason:
        return reason, "the file is truncated; fetch it again"
    return reason, "the file may be damaged; fetch it again"

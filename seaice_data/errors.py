"""Every error that the project raises on purpose.

Each carries a message (what is wrong, with the values that show it) and, where it helps,
a hint (what to do). The command line prints both; nothing else is caught there. In a
traceback the hint is a note below the message. Work on many scenes continues after an error
in one, which becomes a `Failure` of the report.

An error that says all that its cause says is raised ``from None``, so that a traceback is
short; the cause is its ``__context__``.
"""

import errno
from dataclasses import dataclass

_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EROFS, errno.EDQUOT})


def is_of_disk(error: BaseException) -> bool:
    """Return whether an error, or its cause, is of a disk on which nothing can be written.

    All further work would fail for the same reason.

    Examples
    --------
    >>> is_of_disk(OSError(errno.ENOSPC, "No space left on device"))
    True
    >>> is_of_disk(OSError(errno.EACCES, "Permission denied"))
    False
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _DISK_ERRORS:
            return True
        cause = cause.__cause__ or cause.__context__
    return False


class SeaIceError(Exception):
    """An error that the user can fix.

    Parameters
    ----------
    message
        What is wrong: lower case, no full stop, names in quotes.
    hint
        What to do about it.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        if hint:
            self.add_note(f"hint: {hint}")

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the hint when the error travels between processes."""
        return (_rebuild, (type(self), str(self), self.hint))


def _rebuild(kind: type[SeaIceError], message: str, hint: str | None) -> SeaIceError:
    return kind(message, hint=hint)


@dataclass(frozen=True, slots=True)
class Failure:
    """An item that failed while others were processed."""

    name: str
    """The scene, file, map or run that failed: an id, or a path as the user gave it."""

    reason: str
    """What is wrong with it."""

    hint: str | None = None
    """What to do about it."""

    @classmethod
    def of(cls, name: object, error: SeaIceError) -> "Failure":
        """Return the failure of `name`, with the message and hint of `error`."""
        return cls(str(name), str(error), error.hint)


class SettingsError(SeaIceError):
    """A setting is unknown, of the wrong type, or cannot work."""


class RecipeError(SettingsError):
    """A recipe that no store can follow."""


class SceneError(SeaIceError):
    """A netCDF file is not a whole AI4Arctic scene."""


class StoreError(SeaIceError):
    """A store is missing, was not made by seaice, or does not fit the request."""


class DamageError(StoreError):
    """Something in a store is not as it was written, and so cannot be read."""


class ExportError(SeaIceError):
    """Patches cannot be written as files of another format."""


class ForeignFileError(SeaIceError):
    """A file that seaice did not write is in the way."""


class DownloadError(SeaIceError):
    """A file cannot be downloaded, or is not what its server lists."""


class PlotError(SeaIceError):
    """A figure cannot be plotted or written; the data that it shows are not affected."""

"""Files say which version of seaice wrote them: ``seaice 0.3.0``.

A later version may write what this one does not know. Readers then report the version
rather than damage.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from seaice_data.errors import SeaIceError

_SOFTWARE = re.compile(r"seaice (\d{1,9}(?:\.\d{1,9}){0,3})(?!\d)", re.ASCII)


@contextmanager
def naming_version(kind: type[SeaIceError], where: str, software: object) -> Iterator[None]:
    """Say in errors about a file if a later version of seaice wrote it.

    Parameters
    ----------
    kind
        Error to raise in that case.
    where
        Path of the file, or of the store.
    software
        What the file says about its writer.

    Raises
    ------
    SeaIceError
        Of `kind`, for any error about the file if a later version wrote it. Otherwise the
        error is raised unchanged.
    """
    try:
        yield
    except (SeaIceError, KeyError, TypeError, AttributeError, ValueError) as error:
        if (found := _later_version(software)) is None:
            raise
        reason = f"{error} is missing" if type(error) is KeyError else str(error)
        raise kind(
            f"{where!r} was written by seaice {found}, which is later than this one, "
            f"{version('seaice')}: {reason}",
            hint=f"read it with seaice {found} or later",
        ) from error


def _later_version(software: object) -> str | None:
    """Return the version of a later writer; None if it is not later, or not known.

    Examples
    --------
    >>> _later_version("seaice 99.1.dev3+g12"), _later_version("seaice 0.1.0")
    ('99.1', None)
    """
    written, ours = (
        _SOFTWARE.match(text) for text in (str(software), f"seaice {version('seaice')}")
    )
    if written is None or ours is None or _numbers(written[1]) <= _numbers(ours[1]):
        return None
    return written[1]


def _numbers(release: str) -> list[int]:
    numbers = [int(part) for part in release.split(".")]
    return numbers + [0] * (4 - len(numbers))

"""Errors of the disk, and of the libraries that write files, as a `MapError`."""

from collections.abc import Iterator
from contextlib import contextmanager

from seaice_data.texts import printable
from seaice_model.errors import MapError


@contextmanager
def write_errors(what: str) -> Iterator[None]:
    """Turn errors of writing a file into a `MapError`.

    Parameters
    ----------
    what
        What is written, and where to, for messages: ``map 'maps/a.nc'``.

    Raises
    ------
    MapError
        If something cannot be written.

    Examples
    --------
    >>> with write_errors("map 'a.nc'"):
    ...     raise OSError(28, "No space left on device", "/tmp/x")
    Traceback (most recent call last):
    seaice_model.errors.MapError: cannot write map 'a.nc': No space left on device
    """
    try:
        yield
    except (OSError, RuntimeError) as error:  # those of netCDF and GDAL are runtime errors
        said = error.strerror if isinstance(error, OSError) else None
        # GDAL quotes whole SQL statements before the reason.
        reason = printable(" ".join(str(said or error).split())).rpartition(" failed: ")[2]
        raise MapError(f"cannot write {what}: {reason}") from error

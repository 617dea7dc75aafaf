"""Packages that only some commands need: extras of the installation."""

from collections.abc import Iterator
from contextlib import contextmanager

from seaice_data.errors import SeaIceError
from seaice_data.texts import printable, shortened


@contextmanager
def extra(name: str, kind: type[SeaIceError]) -> Iterator[None]:
    """Import packages of an extra within this; also as a decorator.

    Parameters
    ----------
    name
        The extra, as ``pip`` knows it.
    kind
        Class of the error.

    Raises
    ------
    SeaIceError
        Of class `kind`, if a package is not installed, or cannot be loaded because a
        library that it needs is missing.

    Examples
    --------
    >>> with extra("geo", SeaIceError):
    ...     import no_such_package
    Traceback (most recent call last):
    seaice_data.errors.SeaIceError: the extra `geo` cannot be loaded: No module named ...
    """
    try:
        yield
    except (ImportError, OSError, RuntimeError) as error:
        words = shortened(printable(" ".join(str(error).split()))) or type(error).__name__
        raise kind(
            f"the extra `{name}` cannot be loaded: {words}",
            hint=f"install it with `pip install 'seaice[{name}]'`",
        ) from error

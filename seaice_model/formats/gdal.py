"""GDAL, PROJ and GEOS: the data that they need, and all of their errors.

Three packages bring them along: rasterio, pyogrio and pyproj (GEOS: shapely).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from seaice_data.texts import printable
from seaice_model.errors import MapError

_PACKAGES = ("rasterio", "pyogrio", "pyproj", "shapely", "geopandas")
_GEO_HINT = "install it with `pip install 'seaice[geo]'`"
_VARIABLES = ("PROJ_DATA", "PROJ_LIB", "GDAL_DATA", "GDAL_DRIVER_PATH")


@contextmanager
def geo_libraries() -> Iterator[None]:
    """Use GDAL, PROJ and GEOS; also as a decorator.

    Wheels contain the data of their libraries. Variables such as ``PROJ_LIB`` that another
    installation has set would replace these by data of another version, and are ignored
    here. A rasterio from conda or from the system has no data of its own, and follows the
    variables.

    Raises
    ------
    MapError
        For any error of these libraries. Errors of seaice are passed on.
    """
    aside = {}
    if _has_own_data():
        aside = {name: os.environ.pop(name) for name in _VARIABLES if name in os.environ}
    try:
        errors = _errors()
        try:
            yield
        except MemoryError as error:
            raise MapError("there is not enough memory") from error
        except errors as error:
            raise MapError(f"GDAL says: {_in_words(error)}") from error
    finally:
        os.environ.update(aside)


def check_packages() -> None:
    """Make sure that the extra ``geo`` can be used.

    Raises
    ------
    MapError
        If one of its packages is not installed, or cannot be loaded.
    """
    for name in _PACKAGES:
        if find_spec(name) is None:
            raise MapError(f"the package {name!r} is not installed", hint=_GEO_HINT)
    with geo_libraries():  # imports them
        pass


def _in_words(error: BaseException) -> str:
    return printable(" ".join(str(error).split())) or type(error).__name__


def _has_own_data() -> bool:
    found = find_spec("rasterio")
    places = (found and found.submodule_search_locations) or ()
    return any((Path(place) / "proj_data").is_dir() for place in places)


def _errors() -> tuple[type[BaseException], ...]:
    """Import the libraries; return everything that they raise.

    Runtime errors are those of pyogrio and pyproj.
    """
    try:
        import pyogrio._err  # late: an extra
        import rasterio._err
        import rasterio.errors
        import shapely.errors
    except (ImportError, OSError) as error:  # OSError: a library that it needs is missing
        raise MapError(f"the extra `geo` cannot be loaded: {_in_words(error)}") from error
    return (
        OSError, RuntimeError, rasterio.errors.RasterioError, rasterio.errors.CRSError,
        rasterio.errors.DriverRegistrationError, rasterio._err.CPLE_BaseError,
        pyogrio._err.CPLE_BaseError, shapely.errors.ShapelyError,
    )  # fmt: skip

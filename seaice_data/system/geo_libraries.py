"""GDAL, PROJ and GEOS: the data that they need, and all of their errors.

Three packages bring them along: rasterio, pyogrio and pyproj (GEOS: shapely).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from seaice_data.arrays import FloatArray, IntArray
from seaice_data.errors import SeaIceError
from seaice_data.system.extras import extra
from seaice_data.texts import printable, shortened

_VARIABLES = ("PROJ_DATA", "PROJ_LIB", "GDAL_DATA", "GDAL_DRIVER_PATH")


@contextmanager
def geo_libraries(kind: type[SeaIceError], package: str, words: str = "") -> Iterator[None]:
    """Use GDAL, PROJ and GEOS; also as a decorator.

    Wheels contain the data of their libraries. Variables such as ``PROJ_LIB`` that another
    installation has set would replace these by data of another version, and are ignored
    here. A rasterio from conda or from the system has no data of its own, and follows the
    variables.

    Parameters
    ----------
    kind
        Class of the errors.
    package
        The extra that installs them.
    words
        What cannot be done, at the beginning of messages.

    Raises
    ------
    SeaIceError
        Of class `kind`, for any error of these libraries. Errors of seaice are passed on.
    """
    aside = {}
    if _has_own_data():
        aside = {name: os.environ.pop(name) for name in _VARIABLES if name in os.environ}
    try:
        with extra(package, kind):
            errors = _errors()
        try:
            yield
        except MemoryError as error:
            begin = f"{words}: " if words else ""
            raise kind(f"{begin}there is not enough memory") from error
        except errors as error:
            # The cause of an error of rasterio is what GDAL says.
            said = _in_words(error.__cause__ or error)
            raise kind(f"{words or 'GDAL says'}: {said}") from error
    finally:
        os.environ.update(aside)


def control_points(
    rows: FloatArray | IntArray,
    columns: FloatArray | IntArray,
    x: FloatArray,
    y: FloatArray,
) -> list[Any]:
    """Return ground control points: where pixels are, as rasterio takes them.

    Parameters
    ----------
    rows, columns
        Pixels, shapes ``(row,)`` and ``(column,)``; 0 is the centre of the first one, whose
        corner GDAL counts from.
    x, y
        Where the centres of all pairs are, shape ``(row, column)``.
    """
    from rasterio.control import GroundControlPoint  # late: an extra

    return [
        GroundControlPoint(
            row=float(row) + 0.5,
            col=float(column) + 0.5,
            x=float(x[i, j]),
            y=float(y[i, j]),
        )
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
    ]


def _in_words(error: BaseException) -> str:
    words = (isinstance(error, OSError) and error.strerror) or str(error)
    return shortened(printable(" ".join(words.split()))) or type(error).__name__


def _has_own_data() -> bool:
    found = find_spec("rasterio")
    places = (found and found.submodule_search_locations) or ()
    return any((Path(place) / "proj_data").is_dir() for place in places)


def _errors() -> tuple[type[BaseException], ...]:
    """Import the libraries; return everything that they raise.

    Runtime errors are those of pyogrio and pyproj.
    """
    import pyogrio._err  # late: an extra
    import pyproj.exceptions  # noqa: F401 - its errors are runtime errors
    import rasterio._err
    import rasterio.errors
    import shapely.errors

    return (
        OSError, RuntimeError, rasterio.errors.RasterioError, rasterio.errors.CRSError,
        rasterio.errors.DriverRegistrationError, rasterio._err.CPLE_BaseError,
        pyogrio._err.CPLE_BaseError, shapely.errors.ShapelyError,
    )  # fmt: skip

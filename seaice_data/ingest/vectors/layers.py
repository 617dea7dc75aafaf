"""Layers of polygons in vector files, read with GDAL through pyogrio."""

import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray
from seaice_data.errors import SceneError
from seaice_data.system.geo_libraries import geo_libraries
from seaice_data.texts import printable, shortened

Shapes = NDArray[np.object_]
"""Geometries of shapely."""

_ARCHIVE_ERRORS = (
    EOFError, NotImplementedError, UnicodeError, zlib.error, zipfile.BadZipFile,
    tarfile.TarError,
)  # fmt: skip


@contextmanager
def vector_errors(words: str) -> Iterator[None]:
    """Use GDAL, PROJ and GEOS; their errors, and those of archives, become ours.

    Parameters
    ----------
    words
        Begin of the messages: what cannot be read.

    Raises
    ------
    SceneError
        For any error of a file, an archive or a library; if the extra ``ingest`` cannot be
        loaded.
    """
    with geo_libraries(SceneError, "ingest", words), warnings.catch_warnings():
        # GDAL warns of what has no effect on polygons and codes, such as measures.
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", UserWarning)
        try:
            yield
        except _ARCHIVE_ERRORS as error:
            reason = printable(" ".join(str(error).split())) or type(error).__name__
            raise SceneError(f"{words}: {shortened(reason)}") from None


def layers_of(file: Path, shown: str) -> list[tuple[str, str]]:
    """Return the name of each layer of a file, and the kind of its geometries if any.

    Raises
    ------
    SceneError
        If a part of a shapefile is missing or cut off; messages call the file `shown`.
    """
    import pyogrio  # late: an extra

    _check_shapefile(file, shown)
    return [(str(name), str(kind or "")) for name, kind in pyogrio.list_layers(file)]


def may_have_polygons(kind: str) -> bool:
    """Return whether there may be polygons in a layer of a kind.

    Examples
    --------
    >>> [may_have_polygons(kind) for kind in ("MultiPolygon Z", "Unknown", "Point", "")]
    [True, True, False, False]
    """
    return "Polygon" in kind or kind.startswith(("Unknown", "Geometry"))


def read_layer(
    file: Path, layer: str | None, shown: str, **options: Any
) -> tuple[dict[str, Any], Shapes, Sequence[NDArray[Any]]]:
    """Return the description of a layer, its shapes, and the values of its fields.

    Parameters
    ----------
    file
        A vector file of any format.
    layer
        Name of the layer; None for the first.
    shown
        What messages call it.
    options
        Of ``pyogrio.raw.read``.

    Raises
    ------
    SceneError
        If its reference system cannot be read, or a shapefile is cut off.
    """
    import pyogrio  # late: an extra
    import shapely

    with _known_system(shown):
        _check_shapefile(file, shown)
        meta, _, wkb, values = pyogrio.raw.read(file, layer=layer, **options)
    shapes = np.empty(0, object) if wkb is None else np.asarray(shapely.from_wkb(wkb))
    return meta, shapes, values


def describe_layer(file: Path, layer: str, shown: str) -> dict[str, Any]:
    """Return what pyogrio says of a layer without reading it, its extent included.

    Raises
    ------
    SceneError
        As `read_layer`.
    """
    import pyogrio  # late: an extra

    with _known_system(shown):
        about: dict[str, Any] = pyogrio.read_info(
            file, layer=layer, force_total_bounds=True
        )
    return about


def reference_system(text: str | None, extent: FloatArray, shown: str) -> Any:
    """Return the reference system of a layer (pyproj).

    Parameters
    ----------
    text
        What the file says; None for nothing. Then it is WGS 84 if the coordinates can only
        be in degrees: in metres the whole layer would be smaller than a kilometre.
    extent
        West, south, east and north of the layer.
    shown
        What messages call it.

    Raises
    ------
    SceneError
        If it is not known.
    """
    import pyproj  # late: an extra

    if text:
        system = pyproj.CRS.from_user_input(text)
        if system.axis_info:
            return system
        raise SceneError(f"{shown}: its reference system {system.name!r} has no axes")
    left, bottom, right, top = extent
    if -180.01 <= left < right <= 360.01 and -90 <= bottom < top <= 90:
        return pyproj.CRS.from_epsg(4326)
    raise SceneError(
        f"{shown} does not say its coordinate reference system, and its coordinates "
        f"({left:g} to {right:g}, {bottom:g} to {top:g}) are not in degrees",
        hint="give it one: a shapefile by its .prj file, with the same name",
    )


@contextmanager
def _known_system(shown: str) -> Iterator[None]:
    try:
        yield
    except UnboundLocalError:  # of pyogrio, which cannot parse it
        raise SceneError(
            f"{shown}: its coordinate reference system cannot be read",
            hint="get the file, or the .prj file of a shapefile, again",
        ) from None


def _check_shapefile(file: Path, shown: str) -> None:
    """Reject a shapefile whose parts are cut off: GDAL reads polygons and codes as null."""
    if file.suffix.lower() != ".shp":
        return
    beside = [part for part in file.parent.iterdir() if part.stem == file.stem]
    if ".shx" not in {part.suffix.lower() for part in beside}:
        raise SceneError(
            f"{shown} has no .shx file with the same name",
            hint="a shapefile is several files: keep them together",
        )
    for part in beside:
        ending = part.suffix.lower()
        if ending not in (".shp", ".shx", ".dbf"):
            continue
        with part.open("rb") as stream:
            header = stream.read(32).ljust(32, b"\0")
        if ending == ".dbf":  # records, after a header
            n_records, n_header, n_record = struct.unpack("<IHH", header[4:12])
            n_needed = n_header + n_records * n_record
        else:
            n_needed = 2 * struct.unpack(">I", header[24:28])[0]
        n_bytes = part.stat().st_size
        if n_bytes < max(n_needed, 32):
            raise SceneError(
                f"{shown} is cut off: its {ending} file has {n_bytes} of "
                f"{max(n_needed, 32)} bytes"
            )

"""Ice charts in files: shapefiles, GeoPackages, and the archives that services publish.

GeoJSON and FlatGeobuf are read, too: `seaice convert` writes them.

``find_charts`` lists the charts in a file or folder without reading them, ``read_polygons``
reads one. What a file is, is decided by its first bytes, not by its name.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seaice_data.errors import SceneError
from seaice_data.ingest.vectors.archives import ENDINGS, Archive, is_archive
from seaice_data.ingest.vectors.layers import (
    layers_of,
    may_have_polygons,
    read_layer,
    reference_system,
    vector_errors,
)
from seaice_data.scenes.listing import visible_files
from seaice_data.system.files import file_errors
from seaice_data.texts import printable, shortened

_SHAPEFILE = b"\x00\x00\x27\x0a"
_GEOPACKAGE = b"SQLite format 3\x00"
_FLATGEOBUF = b"fgb\x03fgb"
_GEOJSON = ".geojson"  # its first bytes are those of any JSON
_FORMS = (
    "a chart is a shapefile, a GeoPackage, GeoJSON, FlatGeobuf, or a zip or tar file with "
    "one of them"
)
_WHOLE = (".gpkg", ".fgb", _GEOJSON)  # files of a single part

# Year, month and day; hour and perhaps minute and second after T, or directly.
_DAY = r"(?<!\d)((?:19|20)\d\d)(-?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])"
_HOUR = r"[Tt]?([01]\d|2[0-3])(?:([0-5]\d)(?:[0-5]\d)?)?"
_TIMES = (
    re.compile(rf"{_DAY}{_HOUR}(?!\d)", re.ASCII),
    re.compile(rf"{_DAY}(?!\d)", re.ASCII),
)


class NoChartError(SceneError):
    """Something that can be read, but is not an ice chart."""


@dataclass(frozen=True, slots=True)
class ChartFile:
    """A chart that has not been read yet."""

    path: Path
    """The file that the user has: the archive, if the chart is in one."""

    members: tuple[str, ...]
    """Where it is in an archive, in an archive of that archive, and so on."""

    layer: str | None
    """Its layer in a GeoPackage that has several."""

    name: str
    """Name of the layer, or of the file without ending."""

    time: datetime | None
    """When it was valid, UTC, if a name says so: noon for a day without an hour."""

    @property
    def shown(self) -> str:
        """What to call it in messages."""
        place = "/".join([str(self.path), *self.members])
        return repr(place) + (f", layer {self.layer!r}" if self.layer else "")


@dataclass(frozen=True, slots=True, eq=False)
class ChartPolygons:
    """The polygons of a chart as they are in its file."""

    shapes: NDArray[Any]
    """Polygons and multipolygons (shapely), some of them perhaps empty."""

    crs: Any
    """Their coordinate reference system (pyproj)."""

    fields: Mapping[str, NDArray[Any]]
    """Values of each field, names in capitals."""


def time_in(name: str) -> datetime | None:
    """Return the time in the name of a chart, UTC; noon if it has no hour.

    Examples
    --------
    >>> time_in("cis_SGRDREA_20201102T1800Z_pl_a").isoformat()
    '2020-11-02T18:00:00+00:00'
    >>> time_in("dmi_201801241947_NorthEast_RIC").isoformat()
    '2018-01-24T19:47:00+00:00'
    >>> time_in("arctic_20201102").isoformat(), time_in("2020-11-02T06Z").isoformat()
    ('2020-11-02T12:00:00+00:00', '2020-11-02T06:00:00+00:00')
    >>> time_in("chart_20209902"), time_in("chart_20200231"), time_in("eastern_arctic")
    (None, None, None)
    """
    for pattern in _TIMES:
        for match in pattern.finditer(name):
            year, _, month, day, hour, minute = (*match.groups(), "12", "0")[:6]
            with suppress(ValueError):  # the 31st of a shorter month
                time = datetime(int(year), int(month), int(day), int(hour), tzinfo=UTC)
                return time.replace(minute=int(minute or 0))
    return None


def find_charts(path: Path, scratch: Path) -> tuple[ChartFile, ...]:
    """List the charts in a file, or in a folder and below it.

    Links are followed, hidden files and folders left out. In a folder, files that contain
    no chart are passed over.

    Parameters
    ----------
    path
        A file or a folder.
    scratch
        An empty folder, for archives in archives.

    Raises
    ------
    SceneError
        If there is nothing at `path`, a file cannot be read, or there is no chart.
    """
    if not path.exists():
        raise SceneError(f"no chart at {str(path)!r}")
    if not (path.is_dir() or path.is_file()):  # a pipe would block
        raise SceneError(f"{str(path)!r} is not a regular file")
    with file_errors(path):
        files = (
            tuple(p for p in visible_files(path) if p.is_file())
            if path.is_dir()
            else (path,)
        )
    found: tuple[ChartFile, ...] = ()
    for file in files:
        with chart_errors(repr(str(file))):
            found += tuple(_listed(file, file, (), scratch))
    if not found:
        raise SceneError(f"{str(path)!r} contains no ice chart", hint=_FORMS)
    return found


def read_polygons(chart: ChartFile, scratch: Path) -> ChartPolygons:
    """Read a chart; `scratch` is a folder to unpack archives to.

    Raises
    ------
    SceneError
        If it cannot be read, or does not say where it is.
    NoChartError
        If it has no polygons, or no field ``CT``.
    """
    with chart_errors(chart.shown):
        import shapely  # late: an extra

        file = _unpacked(chart, scratch)
        meta, found, values = read_layer(file, chart.layer, chart.shown)
        fields = _fields([str(name) for name in meta["fields"]], values)
        if "CT" not in fields:
            names = shortened(", ".join(map(printable, fields))) or "no fields"
            raise NoChartError(
                f"{chart.shown}: not an ice chart in SIGRID-3: it has no field 'CT' "
                f"(total concentration), but {names}"
            )
        shapes = np.array([_polygonal(shape) for shape in found], object)
        if shapely.is_empty(shapes).all():
            raise NoChartError(f"{chart.shown}: it has no polygon")
        extent = shapely.total_bounds(shapes)
        crs = reference_system(meta["crs"], extent, f"{chart.shown}: the chart")
        return ChartPolygons(shapes, crs, fields)


def _fields(names: list[str], values: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return fields by names in capitals; a name that was in capitals prevails."""
    order = sorted(range(len(names)), key=lambda i: names[i].isupper())
    return {names[i].upper(): np.asarray(values[i], object) for i in order}


def _polygonal(shape: Any) -> Any:
    """Return the polygons of a shape; nothing of lines and points."""
    import shapely  # late: an extra

    if shape is None:
        return shapely.Polygon()
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    return shapely.MultiPolygon(parts) if parts else shapely.Polygon()


def _listed(
    file: Path, path: Path, members: tuple[str, ...], scratch: Path
) -> Iterator[ChartFile]:
    """Yield the charts in a file, which is at `members` in the file of the user."""
    with file.open("rb") as stream:
        start = stream.read(16)
    stem = Path(members[-1] if members else path.name).name
    if start.startswith(_SHAPEFILE) and stem.lower().endswith(".shp"):
        yield _chart(path, members, None, Path(stem).stem)
    elif start.startswith(_GEOPACKAGE):
        layers = [
            name
            for name, kind in layers_of(file, repr(str(file)))
            if may_have_polygons(kind)
        ]
        for layer in layers:
            name = layer if len(layers) > 1 else Path(stem).stem
            yield _chart(path, members, layer, name)
    elif start.startswith(_FLATGEOBUF) or (
        start.lstrip().startswith(b"{") and stem.lower().endswith(_GEOJSON)
    ):
        yield _chart(path, members, None, Path(stem).stem)
    elif is_archive(file):
        with Archive(file) as archive:
            for member in archive.names:
                ending = PurePosixPath(member).suffix.lower()
                if ending == ".shp":
                    name = PurePosixPath(member).stem
                    yield _chart(path, (*members, member), None, name)
                elif ending in _WHOLE or member.lower().endswith(ENDINGS):
                    inner = archive.extract(member, scratch)
                    yield from _listed(inner, path, (*members, member), scratch)


def _chart(path: Path, members: tuple[str, ...], layer: str | None, name: str) -> ChartFile:
    names = (layer or "", name, *reversed(members), path.name)
    times = (time_in(PurePosixPath(each).name) for each in names)
    time = next((found for found in times if found), None)
    return ChartFile(path, members, layer, printable(name), time)


def _unpacked(chart: ChartFile, scratch: Path) -> Path:
    """Return the file of a chart, out of its archives."""
    file = chart.path
    for member in chart.members:
        with Archive(file) as archive:
            file = archive.extract(member, scratch)
    return file


def chart_errors(shown: str) -> AbstractContextManager[None]:
    """Turn errors of files, archives and libraries into a `SceneError` about a chart."""
    return vector_errors(f"{shown}: cannot read the chart")

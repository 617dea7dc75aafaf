"""Ice charts in files: shapefiles, GeoPackages, and the archives that services publish.

``find_charts`` lists the charts in a file or folder without reading them, ``read_polygons``
reads one. What a file is, is decided by its first bytes, not by its name.
"""

import re
import shutil
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seaice_data.errors import SceneError
from seaice_data.system.files import file_errors
from seaice_data.texts import printable, shortened

_SHAPEFILE = b"\x00\x00\x27\x0a"
_GEOPACKAGE = b"SQLite format 3\x00"
_ZIP = b"PK\x03\x04"
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_MOST_BYTES = 2 * 10**9  # of a file in an archive: charts have a few million
_FORMS = "a chart is a shapefile, a GeoPackage, or a zip or tar file with one of them"

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
        files = tuple(_files_below(path)) if path.is_dir() else (path,)
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
    import shapely  # late: an extra

    with chart_errors(chart.shown):
        file = _unpacked(chart, scratch)
        if file.suffix.lower() == ".shp":
            _check_shapefile(file, chart.shown)
        meta, wkb, values = _contents(file, chart)
        fields = _fields([str(name) for name in meta["fields"]], values)
        if "CT" not in fields:
            names = shortened(", ".join(map(printable, fields))) or "no fields"
            raise NoChartError(
                f"{chart.shown}: not an ice chart in SIGRID-3: it has no field 'CT' "
                f"(total concentration), but {names}"
            )
        shapes = np.array([_polygonal(shape) for shape in shapely.from_wkb(wkb)], object)
        if shapely.is_empty(shapes).all():
            raise NoChartError(f"{chart.shown}: it has no polygon")
        return ChartPolygons(shapes, _crs(meta["crs"], chart, shapes), fields)


def _contents(
    file: Path, chart: ChartFile
) -> tuple[dict[str, Any], NDArray[Any], Sequence[NDArray[Any]]]:
    """Return the description, the shapes and the values of the fields of a file."""
    import pyogrio  # late: an extra

    try:
        meta, _, wkb, values = pyogrio.raw.read(file, layer=chart.layer)
    except UnboundLocalError as error:  # of pyogrio, which cannot parse it
        raise SceneError(
            f"{chart.shown}: its coordinate reference system cannot be read",
            hint="get the chart, or the .prj file of its shapefile, again",
        ) from error
    return meta, np.array([], object) if wkb is None else wkb, values


def _fields(names: list[str], values: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return fields by names in capitals; a name that was in capitals prevails."""
    order = sorted(range(len(names)), key=lambda i: names[i].isupper())
    return {names[i].upper(): np.asarray(values[i], object) for i in order}


def _check_shapefile(file: Path, shown: str) -> None:
    """Reject a shapefile whose parts are cut off: GDAL reads polygons and codes as null."""
    for part in file.parent.iterdir():
        ending = part.suffix.lower()
        if part.stem != file.stem or ending not in (".shp", ".shx", ".dbf"):
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
                f"{shown}: the chart is cut off: its {ending} file has {n_bytes} of "
                f"{max(n_needed, 32)} bytes"
            )


def _polygonal(shape: Any) -> Any:
    """Return the polygons of a shape; nothing of lines and points."""
    import shapely  # late: an extra

    if shape is None:
        return shapely.Polygon()
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    return shapely.MultiPolygon(parts) if parts else shapely.Polygon()


def _crs(text: str | None, chart: ChartFile, shapes: NDArray[Any]) -> Any:
    """Return a reference system; without one WGS 84, if the chart must be in degrees."""
    import pyproj  # late: an extra
    import shapely

    if text:
        return pyproj.CRS.from_user_input(text)
    left, bottom, right, top = shapely.total_bounds(shapes)
    # In metres the whole chart would be smaller than a kilometre.
    if -180.01 <= left < right <= 360.01 and -90 <= bottom < top <= 90:
        return pyproj.CRS.from_epsg(4326)
    raise SceneError(
        f"{chart.shown}: the chart does not say its coordinate reference system, and its "
        f"coordinates ({left:g} to {right:g}, {bottom:g} to {top:g}) are not in degrees",
        hint="give the chart one: a shapefile by its .prj file, with the same name",
    )


def _files_below(folder: Path, seen: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Yield the files in a folder and below it, hidden ones left out."""
    real = folder.resolve()
    if real in seen:  # a link to a folder above
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _files_below(path, seen | {real})
        elif path.is_file():
            yield path


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
        layers = _polygon_layers(file)
        for layer in layers:
            name = layer if len(layers) > 1 else Path(stem).stem
            yield _chart(path, members, layer, name)
    elif start.startswith(_ZIP) or tarfile.is_tarfile(file):
        with _Archive(file) as archive:
            for member in archive.names:
                ending = PurePosixPath(member).suffix.lower()
                if ending == ".shp":
                    name = PurePosixPath(member).stem
                    yield _chart(path, (*members, member), None, name)
                elif ending == ".gpkg" or member.lower().endswith(_ARCHIVES):
                    inner = archive.extract(member, scratch)
                    yield from _listed(inner, path, (*members, member), scratch)


def _chart(path: Path, members: tuple[str, ...], layer: str | None, name: str) -> ChartFile:
    names = (layer or "", name, *reversed(members), path.name)
    times = (time_in(PurePosixPath(each).name) for each in names)
    time = next((found for found in times if found), None)
    return ChartFile(path, members, layer, printable(name), time)


def _polygon_layers(file: Path) -> list[str]:
    """Return the layers of a GeoPackage that may have polygons."""
    import pyogrio  # late: an extra

    return [
        str(name)
        for name, kind in pyogrio.list_layers(file)
        if kind is not None
        and ("Polygon" in kind or kind.startswith(("Unknown", "Geometry")))
    ]


def _unpacked(chart: ChartFile, scratch: Path) -> Path:
    """Return the file of a chart, out of its archives."""
    file = chart.path
    for member in chart.members:
        with _Archive(file) as archive:
            file = archive.extract(member, scratch)
    return file


class _Archive:
    """A zip or tar file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zip = None if tarfile.is_tarfile(path) else zipfile.ZipFile(path)
        self._tar = tarfile.open(path) if self._zip is None else None  # noqa: SIM115
        if self._zip:
            sizes = {item.filename: item.file_size for item in self._zip.infolist()}
        else:
            assert self._tar is not None  # noqa: S101 - one of the two
            sizes = {item.name: item.size for item in self._tar if item.isfile()}
        self._sizes = sizes
        self.names = [name for name in sizes if not _is_hidden(name)]

    def __enter__(self) -> "_Archive":
        return self

    def __exit__(self, *_: object) -> None:
        for archive in (self._zip, self._tar):
            if archive is not None:
                archive.close()

    def extract(self, member: str, scratch: Path) -> Path:
        """Return a copy of a member; the parts of a shapefile stay together."""
        place = scratch / f"{len(list(scratch.iterdir()))}"
        place.mkdir()
        suffix = PurePosixPath(member).suffix
        copies = {member.lower(): f"chart{suffix.lower()}"}
        if suffix.lower() == ".shp":
            stem = member.removesuffix(suffix).lower()
            copies = {f"{stem}{part}": f"chart{part}" for part in _PARTS}
        wanted = {
            name: copies[name.lower()] for name in self.names if name.lower() in copies
        }
        for name, copy in wanted.items():
            if self._sizes[name] > _MOST_BYTES:
                raise SceneError(
                    f"{str(self._path)!r}: {printable(name)!r} has {self._sizes[name]} "
                    "bytes, which is too large for a chart"
                )
            with self._open(name) as source, (place / copy).open("wb") as target:
                shutil.copyfileobj(source, target)
        return place / wanted[member]

    def _open(self, name: str) -> Any:
        if self._zip:
            return self._zip.open(name)
        assert self._tar is not None  # noqa: S101 - one of the two
        return self._tar.extractfile(name)


def _is_hidden(member: str) -> bool:
    parts = PurePosixPath(member).parts
    return any(
        part.startswith((".", "__MACOSX")) for part in parts if part not in (".", "/")
    )


@contextmanager
def chart_errors(shown: str) -> Iterator[None]:
    """Turn errors of files, archives and libraries into a `SceneError` about a chart."""
    try:
        import pyogrio._err  # late: an extra
        import pyogrio.errors
        import pyproj.exceptions
        import rasterio  # noqa: F401 - needed later
        import shapely.errors
    except ImportError as error:
        raise SceneError(
            f"charts need the package {error.name or error!s}",
            hint="install it with `pip install 'seaice[ingest]'`",
        ) from error
    errors = (
        OSError, EOFError, RuntimeError, NotImplementedError, UnicodeError, zlib.error,
        zipfile.BadZipFile, tarfile.TarError, pyogrio.errors.DataSourceError,
        pyogrio.errors.DataLayerError, pyogrio._err.CPLE_BaseError,
        pyproj.exceptions.ProjError, shapely.errors.ShapelyError,
    )  # fmt: skip
    try:
        with warnings.catch_warnings():
            # GDAL warns of what has no effect on codes and outlines, such as measures.
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.simplefilter("ignore", UserWarning)
            yield
    except errors as error:
        reason = shortened(printable(" ".join(str(error).split()))) or type(error).__name__
        raise SceneError(f"{shown}: cannot read the chart: {reason}") from error

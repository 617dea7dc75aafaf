"""Maps in other formats: predicted once, written as often as needed.

- ``tif``: GeoTIFF, one file per chart, in a map projection, with names and colours;
- ``uncertainty``: GeoTIFF of uncertainty and flags;
- ``grid``: CF netCDF on the grid of a map projection;
- ``gpkg``, ``shp``, ``geojson``, ``fgb``, ``parquet``: polygons with egg codes;
- ``nc``: netCDF with latitude, longitude and uncertainty at every pixel, for programs that
  do not interpolate tie points, such as GDAL and QGIS;
- ``submission``: all maps in one file, as the AutoICE challenge requires.

The charts of ice services in a store can be converted as well, for comparison.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from seaice_data.display import Displayed
from seaice_data.errors import SeaIceError
from seaice_data.store.group import is_store
from seaice_data.store.stored_scene import StoredScene
from seaice_data.system.extras import extra
from seaice_data.system.ownership import (
    CHARTS,
    GEOPACKAGE,
    POLYGONS,
    STYLE,
    is_marked,
    refuse_foreign,
)
from seaice_data.system.workers import Progress
from seaice_model.errors import MapError
from seaice_model.formats.geotiff import (
    geotiff_names,
    uncertainty_names,
    write_geotiff,
    write_uncertainty,
)
from seaice_model.formats.polygons import n_bytes_of, polygon_names, write_polygons
from seaice_model.formats.projected_grid import write_grid
from seaice_model.formats.projection import DEGREES, check_projection
from seaice_model.formats.raster import check_spacing
from seaice_model.formats.service_charts import ServiceChart, charted_scenes, service_chart
from seaice_model.formats.submission import write_submission
from seaice_model.formats.vector_files import PolygonFormat
from seaice_model.maps.listing import GRID, PIXELS, SUBMISSION, find_maps
from seaice_model.maps.netcdf import describe, read_netcdf, write_pixels
from seaice_model.maps.netcdf_writer import write_errors

RasterFormat = Literal["tif", "uncertainty", "grid"]
"""Formats on the pixels of a map projection."""

PlacedFormat = RasterFormat | PolygonFormat | Literal["nc"]
"""Formats of one map each."""

MapFormat = PlacedFormat | Literal["submission"]
"""All formats."""


@dataclass(frozen=True, slots=True)
class ConvertFailure:
    """A map that was not written in a format, and why."""

    scene: str
    """Name of its file, without the suffix; that of a submission with it."""

    kind: PlacedFormat | None
    """The format; None if the map could not be written in any."""

    reason: str
    """What is wrong."""

    hint: str | None
    """What to do about it."""


@dataclass(frozen=True, slots=True, repr=False)
class ConvertReport(Displayed):
    """What `convert_maps` did."""

    written: tuple[Path, ...]
    """Files written."""

    kept: tuple[Path, ...]
    """Files that existed and were left as they are."""

    failed: tuple[ConvertFailure, ...]
    """What was left out: a format of a map, or a map."""

    elapsed_s: float
    """Seconds in all."""

    n_without_charts: int = 0
    """Scenes of a store that have no chart of an ice service, and so no files."""

    @property
    def n_bytes(self) -> int:
        """Size of the files written."""
        return sum(path.stat().st_size for path in self.written)


@dataclass(frozen=True, slots=True)
class _Settings:
    """How maps are written."""

    crs: str
    spacing_m: float | None
    max_kb: float | None
    min_area_km2: float | None
    overwrite: bool


@dataclass(frozen=True, slots=True)
class _Source:
    """A map to convert, not read yet."""

    name: str
    """What messages call it."""

    stem: Callable[[], str]
    """Return the prefix of the names of its files."""

    read: Callable[[], ServiceChart]
    """Read it."""


@dataclass(frozen=True, slots=True)
class _Done:
    """What was done so far; see `ConvertReport`."""

    written: list[Path]
    kept: list[Path]
    failed: list[ConvertFailure]


def convert_maps(
    maps_path: str | Path,
    out: str | Path,
    formats: Sequence[MapFormat],
    *,
    crs: str = "EPSG:3413",
    spacing_m: float | None = None,
    max_kb: float | None = None,
    min_area_km2: float | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ConvertReport:
    """Write the maps of a folder, or the charts of ice services in a store.

    Each format of each map is written on its own: a failure does not stop the others. Files
    that exist are kept, whatever their settings, so an interrupted call continues when it
    is repeated. If only some files of a format exist, or polygons are larger than `max_kb`,
    all are written again, unless seaice did not write them.

    Parameters
    ----------
    maps_path
        A map, or a folder of them; or a store, whose scenes with charts are written as
        ``<scene>_chart``, in the formats of polygons, ``tif`` and ``grid``.
    out
        Folder for the files, made if needed.
    formats
        What to write. A submission needs all maps: a bad map stops it, and so does a
        submission that exists.
    crs
        Any projection in metres that PROJ knows; for polygons ``EPSG:4326``, too. GeoJSON
        is always in longitude and latitude.
    spacing_m
        Side of a pixel of a GeoTIFF or a grid in metres, at most the length of the map;
        that of the map if not given.
    max_kb
        Largest size of the polygons of a map in kilobytes.
    min_area_km2
        Polygons below about this area are merged into their surroundings.
    overwrite
        Replace files that exist.
    progress
        Called after each map: maps done, maps in all, the scene.

    Raises
    ------
    MapError
        If there are no maps, the projection is unknown or not one for the formats, the
        spacing is not finite and above 0, an extra cannot be used, `out` cannot be made, a
        submission file is in the way, or only a submission was requested and it cannot be
        written.
    StoreError
        If a store cannot be read.
    """
    out, start = Path(out), time.perf_counter()
    placed = [kind for kind in dict.fromkeys(formats) if kind != "submission"]
    settings = _Settings(crs, spacing_m, max_kb, min_area_km2, overwrite)
    paths: list[Path] = []
    n_without = 0
    if _is_store(maps_path):
        _check_chart_formats(formats)
        scenes, n_without = charted_scenes(str(maps_path))
        sources = [_source_of_scene(scene) for scene in scenes]
    else:
        path = Path(maps_path)
        paths = [path] if path.is_file() else find_maps(path)
        sources = [_source_of_map(path) for path in paths]
    _check_settings(placed, settings)
    with write_errors(f"maps to {str(out)!r}"):
        out.mkdir(parents=True, exist_ok=True)
    if "submission" in formats and not overwrite:
        _refuse(out / SUBMISSION)
    done = _Done([], [], [])
    seen: dict[str, str] = {}
    for n_done, source in enumerate(sources if placed else (), start=1):
        _convert(source, out, placed, settings, seen, done)
        if progress is not None:
            progress(n_done, len(sources), Path(source.name).stem)
    if "submission" in formats:
        try:
            write_submission(paths, out / SUBMISSION, progress)
            done.written.append(out / SUBMISSION)
        except SeaIceError as error:
            if not placed:
                raise
            done.failed.append(ConvertFailure(SUBMISSION, None, str(error), error.hint))
    return ConvertReport(
        tuple(done.written),
        tuple(done.kept),
        tuple(done.failed),
        time.perf_counter() - start,
        n_without,
    )


def _convert(
    source: _Source,
    out: Path,
    placed: Sequence[PlacedFormat],
    settings: _Settings,
    seen: dict[str, str],
    done: _Done,
) -> None:
    """Write a map in all formats that are not there yet; add what is done to `done`."""
    name = Path(source.name).stem
    try:
        stem = _stem_of(source, seen)
        files = {kind: _files(out, stem, kind) for kind in placed}
        todo = {
            kind
            for kind in placed
            if settings.overwrite or not _is_there(files[kind], kind, settings.max_kb)
        }
        # A map of which every file exists is not read.
        chart = source.read() if todo else None
        seen[stem] = source.name
    except SeaIceError as error:
        done.failed.append(ConvertFailure(name, None, str(error), error.hint))
        return
    for kind in placed:
        if chart is None or kind not in todo:
            done.kept.extend(files[kind])
            continue
        try:
            _refuse_foreign(files[kind], kind, overwrite=settings.overwrite)
            done.written.extend(_write(chart, out, kind, settings))
        except SeaIceError as error:
            done.failed.append(ConvertFailure(name, kind, str(error), error.hint))


def _is_store(path: str | Path) -> bool:
    """Return whether a path or a URL names a store, not maps."""
    return "://" in str(path) or (Path(path).is_dir() and is_store(str(path)))


def _check_settings(placed: Sequence[PlacedFormat], settings: _Settings) -> None:
    """Reject settings that do not suit the formats, before anything is written."""
    if any(kind in get_args(RasterFormat) for kind in placed):
        check_projection(settings.crs)
    elif any(kind != "nc" for kind in placed):
        check_projection(settings.crs, in_degrees=True)
    if "parquet" in placed:
        with extra("parquet", MapError):
            import pyarrow as pa  # noqa: F401 - whether it is installed
    if settings.spacing_m is not None:
        check_spacing(settings.spacing_m)


def _check_chart_formats(formats: Sequence[MapFormat]) -> None:
    """Reject formats that charts of ice services do not have."""
    for kind in ("nc", "uncertainty", "submission"):
        if kind in formats:
            raise MapError(
                f"charts of ice services cannot be written as {kind!r}",
                hint="polygons, tif and grid are possible; others need a folder of maps",
            )


def _source_of_map(path: Path) -> _Source:
    def read() -> ServiceChart:
        return ServiceChart(read_netcdf(path), None)

    return _Source(str(path), lambda: str(describe(path).scene), read)


def _source_of_scene(scene: StoredScene) -> _Source:
    return _Source(
        str(scene.id), partial(str, f"{scene.id}_chart"), partial(service_chart, scene)
    )


def _refuse(path: Path) -> None:
    """Refuse to replace a file."""
    if path.exists():
        raise MapError(
            f"there is a file at {str(path)!r}", hint="replace it with --overwrite"
        )


def _stem_of(source: _Source, seen: Mapping[str, str]) -> str:
    """Return the prefix of the names of files; refuse a second map of a scene."""
    stem = source.stem()
    if stem in seen:
        raise MapError(
            f"scene {stem!r} has two maps: {seen[stem]!r} and {source.name!r}",
            hint="their files would have the same names: convert one to another folder",
        )
    return stem


def _files(out: Path, stem: str, kind: PlacedFormat) -> tuple[Path, ...]:
    """Return the files of a complete set."""
    names: tuple[str, ...]
    if kind == "nc":
        names = (f"{stem}{PIXELS}",)
    elif kind == "grid":
        names = (f"{stem}{GRID}",)
    elif kind == "tif":
        names = geotiff_names(stem)
    elif kind == "uncertainty":
        names = uncertainty_names(stem)
    else:
        names = polygon_names(stem, kind)
    return tuple(out / name for name in names)


def _refuse_foreign(files: Sequence[Path], kind: PlacedFormat, *, overwrite: bool) -> None:
    """Refuse to replace files of a set that seaice did not write."""
    # Of a shapefile only what is written first has a mark.
    if not overwrite and kind == "shp":
        metadata, table = (files[-1].with_suffix(suffix) for suffix in (".xml", ".dbf"))
        if is_marked(metadata, CHARTS) or is_marked(table, POLYGONS):
            return
    marks = () if kind in ("shp", "nc", "grid") else CHARTS
    for path in files:
        special = {".qml": STYLE, ".gpkg": GEOPACKAGE}
        refuse_foreign(path, special.get(path.suffix, marks), overwrite=overwrite)


def _is_there(files: Sequence[Path], kind: PlacedFormat, max_kb: float | None) -> bool:
    """Return whether a set is complete and, if it is of polygons, small enough."""
    # One by one: a killed call may have left some of them.
    if not all(path.exists() for path in files):
        return False
    if kind not in get_args(PolygonFormat) or max_kb is None:
        return True
    sizes = [(path.name, path.stat().st_size) for path in files]
    return n_bytes_of(sizes) <= 1000 * max_kb


def _write(
    chart: ServiceChart, out: Path, kind: PlacedFormat, settings: _Settings
) -> Sequence[Path]:
    """Write a map in one format; return its files."""
    chart_map, crs, spacing_m = chart.chart_map, settings.crs, settings.spacing_m
    if kind == "tif":
        return write_geotiff(chart_map, out, crs=crs, spacing_m=spacing_m)
    if kind == "uncertainty":
        return write_uncertainty(chart_map, out, crs=crs, spacing_m=spacing_m)
    if kind == "grid":
        (path,) = _files(out, chart_map.stem, kind)
        write_grid(chart_map, path, crs=crs, spacing_m=spacing_m)
        return (path,)
    if kind == "nc":
        (path,) = _files(out, chart_map.stem, kind)
        write_pixels(chart_map, path)
        return (path,)
    report = write_polygons(
        chart_map,
        out,
        kind=kind,
        crs=DEGREES if kind == "geojson" else crs,
        max_kb=settings.max_kb,
        min_area_km2=settings.min_area_km2,
        egg_codes=chart.egg_codes,
    )
    return report.paths

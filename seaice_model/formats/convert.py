"""Maps in other formats: predicted once, written as often as needed.

- ``tif``: GeoTIFF, one file per chart, warped to a polar stereographic projection;
- ``gpkg`` and ``shp``: polygons with egg codes;
- ``nc``: netCDF with latitude, longitude and uncertainty at every pixel, for programs that
  do not interpolate tie points, such as GDAL and QGIS;
- ``submission``: all maps in one file, as the AutoICE challenge requires.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seaice_data.display import Displayed
from seaice_data.errors import SeaIceError
from seaice_data.system.ownership import (
    GEOPACKAGE,
    GEOTIFF,
    POLYGONS,
    is_marked,
    refuse_foreign,
)
from seaice_data.system.workers import Progress
from seaice_model.errors import MapError
from seaice_model.formats.geotiff import check_spacing, geotiff_names, write_geotiff
from seaice_model.formats.polygons import polygon_names, write_polygons
from seaice_model.formats.projection import check_projection
from seaice_model.formats.submission import write_submission
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.listing import find_maps
from seaice_model.maps.netcdf import describe, read_netcdf, write_pixels
from seaice_model.maps.netcdf_writer import write_errors

PlacedFormat = Literal["tif", "gpkg", "shp", "nc"]
MapFormat = PlacedFormat | Literal["submission"]

SUBMISSION = "submission.nc"
"""Name of the submission file in the folder of the converted maps."""


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

    @property
    def n_bytes(self) -> int:
        """Size of the files written."""
        return sum(path.stat().st_size for path in self.written)


def convert_maps(
    maps_path: str | Path,
    out: str | Path,
    formats: Sequence[MapFormat],
    *,
    crs: str = "EPSG:3413",
    spacing_m: float | None = None,
    max_kb: float | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ConvertReport:
    """Write the maps of a folder in other formats.

    Each format of each map is written on its own: a failure does not stop the others. Files
    that exist are kept, whatever their settings, so an interrupted call continues when it
    is repeated. If only some files of a format exist, or polygons are larger than `max_kb`,
    all are written again, unless seaice did not write them.

    Parameters
    ----------
    maps_path
        A map, or a folder of them.
    out
        Folder for the files, made if needed.
    formats
        What to write. A submission needs all maps: a bad map stops it, and so does a
        submission that exists.
    crs
        Projection of GeoTIFF and polygons.
    spacing_m
        Side of a pixel of a GeoTIFF in metres, at most the length of the map; that of the
        map if not given.
    max_kb
        Largest size of the polygons of a map in kilobytes.
    overwrite
        Replace files that exist.
    progress
        Called after each map: maps done, maps in all, the scene.

    Raises
    ------
    MapError
        If there are no maps, the projection is unknown, the spacing is not finite and above
        0, the extra ``geo`` cannot be used, `out` cannot be made, a submission file is in
        the way, or only a submission was requested and it cannot be written.
    """
    maps_path, out = Path(maps_path), Path(out)
    start = time.perf_counter()
    paths = [maps_path] if maps_path.is_file() else find_maps(maps_path)
    placed = [kind for kind in dict.fromkeys(formats) if kind != "submission"]
    if any(kind != "nc" for kind in placed):
        check_projection(crs)
    if spacing_m is not None:
        check_spacing(spacing_m)
    with write_errors(f"maps to {str(out)!r}"):
        out.mkdir(parents=True, exist_ok=True)
    if "submission" in formats and not overwrite:
        _refuse(out / SUBMISSION)
    written: list[Path] = []
    kept: list[Path] = []
    failed: list[ConvertFailure] = []
    seen: dict[str, Path] = {}
    for n_done, path in enumerate(paths if placed else (), start=1):
        try:
            scene = _scene_of(path, seen)
            todo = [
                kind
                for kind in placed
                if overwrite or not _is_there(_files(out, scene, kind), kind, max_kb)
            ]
            # A map of which every file exists is not read.
            chart_map = read_netcdf(path) if todo else None
            seen[scene] = path
        except SeaIceError as error:
            failed.append(ConvertFailure(path.stem, None, str(error), error.hint))
        else:
            for kind in placed:
                if chart_map is None or kind not in todo:
                    kept += _files(out, scene, kind)
                    continue
                try:
                    _refuse_foreign(_files(out, scene, kind), kind, overwrite=overwrite)
                    written += _write(chart_map, out, kind, crs, spacing_m, max_kb)
                except SeaIceError as error:
                    failed.append(ConvertFailure(path.stem, kind, str(error), error.hint))
        if progress is not None:
            progress(n_done, len(paths), path.stem)
    if "submission" in formats:
        try:
            write_submission(paths, out / SUBMISSION, progress)
            written.append(out / SUBMISSION)
        except SeaIceError as error:
            if not placed:
                raise
            failed.append(ConvertFailure(SUBMISSION, None, str(error), error.hint))
    return ConvertReport(
        tuple(written), tuple(kept), tuple(failed), time.perf_counter() - start
    )


def _refuse(path: Path) -> None:
    """Refuse to replace a file."""
    if path.exists():
        raise MapError(
            f"there is a file at {str(path)!r}", hint="replace it with --overwrite"
        )


def _scene_of(path: Path, seen: Mapping[str, Path]) -> str:
    """Return the scene of a map; refuse a second map of a scene."""
    scene = describe(path).scene
    if scene in seen:
        raise MapError(
            f"scene {scene!r} has two maps: {str(seen[scene])!r} and {str(path)!r}",
            hint="their files would have the same names: convert one to another folder",
        )
    return scene


def _files(out: Path, scene: str, kind: PlacedFormat) -> tuple[Path, ...]:
    """Return the files of a complete set."""
    if kind == "nc":
        names: tuple[str, ...] = (f"{scene}_pixels.nc",)
    else:
        names = geotiff_names(scene) if kind == "tif" else polygon_names(scene, kind)
    return tuple(out / name for name in names)


def _refuse_foreign(files: Sequence[Path], kind: PlacedFormat, *, overwrite: bool) -> None:
    """Refuse to replace files of a set that seaice did not write."""
    # Only the table of a shapefile has a mark; it is written first.
    if (
        not overwrite
        and kind == "shp"
        and is_marked(files[0].with_suffix(".dbf"), POLYGONS)
    ):
        return
    marks = {"tif": GEOTIFF, "gpkg": GEOPACKAGE}.get(kind, ())
    for path in files:
        refuse_foreign(path, marks, overwrite=overwrite)


def _is_there(files: Sequence[Path], kind: PlacedFormat, max_kb: float | None) -> bool:
    """Return whether a set is complete and, if it is of polygons, small enough."""
    # One by one: a killed call may have left some of them.
    if not all(path.exists() for path in files):
        return False
    n_bytes = sum(path.stat().st_size for path in files)
    return kind in ("tif", "nc") or max_kb is None or n_bytes <= 1000 * max_kb


def _write(
    chart_map: ChartMap,
    out: Path,
    kind: PlacedFormat,
    crs: str,
    spacing_m: float | None,
    max_kb: float | None,
) -> Sequence[Path]:
    if kind == "nc":
        (path,) = _files(out, chart_map.scene, kind)
        write_pixels(chart_map, path)
        return (path,)
    if kind == "tif":
        return write_geotiff(chart_map, out, crs=crs, spacing_m=spacing_m)
    return write_polygons(chart_map, out, kind=kind, crs=crs, max_kb=max_kb).paths

"""Maps in the formats of others: predicted once, written as often as wanted.

- ``tif``: GeoTIFF, one file a chart, warped to a polar stereographic projection;
- ``gpkg`` and ``shp``: polygons with egg codes;
- ``submission``: all maps in one file, as the AutoICE challenge wants it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seaice_data.errors import SeaIceError
from seaice_model.errors import MapError
from seaice_model.geotiff import write_geotiff
from seaice_model.maps import ChartMap, find_maps, read_netcdf
from seaice_model.polygons import write_polygons
from seaice_model.projection import check_projection
from seaice_model.sources import Failure
from seaice_model.submission import write_submission

MapFormat = Literal["tif", "gpkg", "shp", "submission"]

SUBMISSION = "submission.nc"
"""Name of the submission file in the folder of the converted maps."""


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """What `convert_maps` did."""

    written: tuple[Path, ...]
    """Files written."""

    failed: tuple[Failure, ...]
    """Maps left out."""

    elapsed_s: float
    """Seconds in all."""


def convert_maps(
    maps_path: Path,
    out: Path,
    formats: Sequence[MapFormat],
    *,
    crs: str = "EPSG:3413",
    spacing_m: float | None = None,
    max_kb: float | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> ConvertReport:
    """Write the maps of a folder in other formats; a bad map does not stop the others.

    Parameters
    ----------
    maps_path
        A map, or a folder of them.
    out
        Folder for the files, made if needed.
    formats
        What to write. A submission wants all maps: a bad one stops it.
    crs
        Projection of GeoTIFF and polygons.
    spacing_m
        Side of a pixel of a GeoTIFF in metres; that of the map if not given.
    max_kb
        Largest size of the polygons of a map in kilobytes.
    overwrite
        Replace files that are there; else they are left, and the map is among the failed.
    progress
        Told after each map: maps done, maps in all, the scene.

    Raises
    ------
    MapError
        If there are no maps, the projection is unknown, the extra ``geo`` is not
        installed, `out` cannot be made, or a submission is in the way or cannot be written.
    """
    start = time.perf_counter()
    paths = [maps_path] if maps_path.is_file() else find_maps(maps_path)
    placed = [kind for kind in formats if kind != "submission"]
    if placed:
        check_projection(crs)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MapError(
            f"cannot write to {str(out)!r}: {error.strerror or error}"
        ) from error
    if "submission" in formats and not overwrite:
        _refuse(out / SUBMISSION)
    written: list[Path] = []
    failed: list[Failure] = []
    for n_done, path in enumerate(paths if placed else (), start=1):
        try:
            chart_map = read_netcdf(path)
            for kind in placed:
                if not overwrite:
                    _refuse(out / _known_by(chart_map, kind))
                written += _write(chart_map, out, kind, crs, spacing_m, max_kb)
        except SeaIceError as error:
            failed.append(Failure(path.stem, str(error), error.hint))
        if progress is not None:
            progress(n_done, len(paths), path.stem)
    if "submission" in formats:
        write_submission(paths, out / SUBMISSION, progress)
        written.append(out / SUBMISSION)
    return ConvertReport(tuple(written), tuple(failed), time.perf_counter() - start)


def _refuse(path: Path) -> None:
    """Refuse to replace a file."""
    if path.exists():
        raise MapError(
            f"there is a file at {str(path)!r}", hint="replace it by --overwrite"
        )


def _known_by(chart_map: ChartMap, kind: MapFormat) -> str:
    """Return the name of the file by which one knows that a map has been written."""
    return f"{chart_map.scene}{'_FLOE' if kind == 'tif' else ''}.{kind}"


def _write(
    chart_map: ChartMap,
    out: Path,
    kind: MapFormat,
    crs: str,
    spacing_m: float | None,
    max_kb: float | None,
) -> Sequence[Path]:
    if kind == "tif":
        return write_geotiff(chart_map, out, crs=crs, spacing_m=spacing_m)
    if kind == "submission":
        raise ValueError("a submission holds all maps")
    return write_polygons(chart_map, out, kind=kind, crs=crs, max_kb=max_kb).paths

"""`seaice convert`: maps in other file formats."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from seaice_data.texts import agreeing, counted

from ..console import Progress, note, say, say_json, seconds, with_hint
from ..options import AsJson, above_zero


class Format(StrEnum):
    """File formats of maps."""

    tif = "tif"
    uncertainty = "uncertainty"
    grid = "grid"
    gpkg = "gpkg"
    shp = "shp"
    geojson = "geojson"
    fgb = "fgb"
    parquet = "parquet"
    nc = "nc"
    submission = "submission"


_CRS = "EPSG:3413"


def convert(
    maps: Annotated[
        str,
        typer.Argument(
            help="Folder of maps, or one map; or a store, for the charts of ice services"
        ),
    ],
    to: Annotated[
        list[Format],
        typer.Option(
            help="tif (GeoTIFF), uncertainty (GeoTIFF, with flags), grid (netCDF on a map "
            "projection), gpkg, shp, geojson, fgb or parquet (polygons with egg codes), nc "
            "(netCDF with latitude and longitude of every pixel), submission (file of the "
            "AutoICE challenge); repeatable"
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the files")] = Path("charts"),
    crs: Annotated[
        str,
        typer.Option(
            help="Projection in metres, such as EPSG:3413, EPSG:3995 or EPSG:32633; for "
            "polygons EPSG:4326 as well"
        ),
    ] = _CRS,
    spacing: Annotated[
        float | None,
        typer.Option(
            callback=above_zero,
            help="Pixel spacing of tif, uncertainty and grid in metres; if not given, that "
            "of the map",
        ),
    ] = None,
    max_kb: Annotated[
        float | None,
        typer.Option(
            callback=above_zero,
            help="Simplify the polygons of each map to at most this size in kB",
        ),
    ] = None,
    min_area: Annotated[
        float | None,
        typer.Option(
            callback=above_zero,
            help="Merge polygons below about this area in km2 into their surroundings",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing files")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write maps, or the charts in a store, in other formats.

    GeoTIFFs (one file per chart: SIC in percent, SOD and FLOE as classes, 254 on land, 255
    where there are no data; names and colours of classes inside and beside them), grids
    and polygons with the fields of SIGRID-3 are in a map projection and need the extra geo,
    parquet the extra of this name. GeoJSON is in longitude and latitude. GDAL and QGIS use
    the latitudes and longitudes of --to nc to place its files; software that follows the
    CF conventions can place the maps themselves. A submission file has a class at every
    pixel, also on land, because the challenge scores some land pixels; an existing one is
    replaced only with --overwrite. Other existing files are kept, so run the same command
    again to continue after an interruption or to add a format; polygons larger than
    --max-kb are written again. --crs, --spacing and --min-area apply to new files only.
    Maps that cannot be written in a format are listed at the end and do not stop the
    others. Nothing that is written is an official ice chart.

    Example: seaice convert maps/ --to tif --to gpkg --max-kb 200 --out charts/
    """
    from seaice_model.formats.convert import convert_maps

    with Progress("maps") as progress:
        report = convert_maps(
            maps,
            out,
            [kind.value for kind in to],
            crs=crs,
            spacing_m=spacing,
            max_kb=max_kb,
            min_area_km2=min_area,
            overwrite=overwrite,
            progress=progress,
        )
    for failure in report.failed:
        what = f"{failure.scene} as {failure.kind}" if failure.kind else failure.scene
        note(f"left out: {what}: {with_hint(failure.reason, failure.hint)}")
    if report.kept and (spacing is not None or min_area is not None or crs != _CRS):
        note(
            f"note: {counted(len(report.kept), 'existing file')} "
            f"{agreeing(len(report.kept), 'is', 'are')} kept; --crs, --spacing and "
            "--min-area do not change them; replace them with --overwrite"
        )
    if n := report.n_without_charts:
        note(f"left out: {counted(n, 'scene')} without a chart of an ice service")
    if as_json:
        say_json(
            {
                "files": [str(path) for path in report.written],
                "bytes": report.n_bytes,
                "kept": [str(path) for path in report.kept],
                "failed": [
                    {"map": f.scene, "format": f.kind, "reason": f.reason}
                    for f in report.failed
                ],
                "without_charts": report.n_without_charts,
                "elapsed_s": round(report.elapsed_s, 3),
            }
        )
    else:
        say(
            f"{counted(len(report.written), 'file')} written to {out}, "
            f"{report.n_bytes / 1000:.0f} kB, "
            f"{len(report.kept)} kept, {len(report.failed)} left out, "
            f"in {seconds(report.elapsed_s)}"
        )
    if report.failed:
        raise typer.Exit(1)

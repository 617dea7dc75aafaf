"""`seaice convert`: maps in other file formats."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from seaice_data.texts import counted

from ..console import Progress, note, say, say_json, seconds, with_hint
from ..options import AsJson, above_zero


class Format(StrEnum):
    """File formats of maps."""

    tif = "tif"
    gpkg = "gpkg"
    shp = "shp"
    nc = "nc"
    submission = "submission"


class Projection(StrEnum):
    """Polar stereographic projections."""

    nsidc = "EPSG:3413"
    arctic = "EPSG:3995"


def convert(
    maps: Annotated[Path, typer.Argument(help="Folder of maps, or one map")],
    to: Annotated[
        list[Format],
        typer.Option(
            help="tif (GeoTIFF), gpkg or shp (polygons with egg codes), nc (netCDF with "
            "latitude and longitude of every pixel), submission (file of the AutoICE "
            "challenge); repeatable"
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the files")] = Path("charts"),
    crs: Annotated[
        Projection, typer.Option(help="Projection of GeoTIFF and polygons")
    ] = Projection.nsidc,
    spacing: Annotated[
        float | None,
        typer.Option(
            callback=above_zero,
            help="Pixel spacing of GeoTIFFs in metres; if not given, that of the map",
        ),
    ] = None,
    max_kb: Annotated[
        float | None,
        typer.Option(
            callback=above_zero,
            help="Simplify the polygons of each map to at most this size in kB",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing files")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write maps in other formats, without predicting again.

    GeoTIFFs (one file per chart: SIC in percent, SOD and FLOE as classes, 255 where there
    are no data) and polygons with the fields of SIGRID-3 (CT, SA, FA, POLY_TYPE) are in a
    polar stereographic projection and need the extra geo. GDAL and QGIS use the latitudes
    and longitudes of --to nc to place its files; software that follows the CF conventions
    can place the maps themselves. A submission file has a class at every pixel, also on
    land, because the challenge scores some land pixels; an existing
    one is replaced only with --overwrite. Other existing files are kept, so run the same
    command again to continue after an interruption or to add a format; polygons larger than
    --max-kb are written again. --crs and --spacing apply to new files only. Maps that
    cannot be written in a format are listed at the end and do not stop the others.

    Example: seaice convert maps/ --to tif --to gpkg --max-kb 200 --out charts/
    """
    from seaice_model.formats.convert import convert_maps

    with Progress("maps") as progress:
        report = convert_maps(
            maps,
            out,
            [kind.value for kind in to],
            crs=crs.value,
            spacing_m=spacing,
            max_kb=max_kb,
            overwrite=overwrite,
            progress=progress,
        )
    for failure in report.failed:
        what = f"{failure.scene} as {failure.kind}" if failure.kind else failure.scene
        note(f"left out: {what}: {with_hint(failure.reason, failure.hint)}")
    if report.kept and (spacing is not None or crs is not Projection.nsidc):
        note(
            f"note: {len(report.kept)} existing files are kept; --crs and --spacing do not "
            "change them; replace them with --overwrite"
        )
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

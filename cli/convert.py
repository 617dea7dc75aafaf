"""`seaice convert`: maps in the formats of others."""

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .console import Progress, note, say, say_json, seconds, with_hint
from .options import AsJson


class Format(StrEnum):
    """What a map is written as."""

    tif = "tif"
    gpkg = "gpkg"
    shp = "shp"
    submission = "submission"


class Projection(StrEnum):
    """Polar stereographic projections."""

    nsidc = "EPSG:3413"
    arctic = "EPSG:3995"


def above_zero(value: float | None) -> float | None:
    """Refuse an option that is not finite and above 0."""
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value:g} is not finite and above 0")
    return value


def convert(
    maps: Annotated[Path, typer.Argument(help="Folder of maps, or one map")],
    to: Annotated[
        list[Format],
        typer.Option(
            help="tif (GeoTIFF), gpkg or shp (polygons with egg codes), submission (file "
            "of the AutoICE challenge); may be given several times"
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
            help="Pixel of a GeoTIFF in metres; that of the map if not given",
        ),
    ] = None,
    max_kb: Annotated[
        float | None,
        typer.Option(
            callback=above_zero,
            help="Largest size of the polygons of a map in kB: simplify to it",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write maps in other formats, without predicting again.

    GeoTIFF (one file a chart: SIC in percent, SOD and FLOE as classes, 255 no data) and
    polygons with the fields of SIGRID-3 (CT, SA, FA, POLY_TYPE) are in a polar
    stereographic projection and need the extra geo. The submission file has a class on
    every pixel, land too, since the challenge scores some; one that is there is in the way
    unless told to --overwrite. Other files that are there are kept, whatever they were made
    with, so run it again to go on after an interruption or to add a format. What cannot be
    written is named at the end, map and format, and does not stop the others.

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
            f"{len(report.written)} files written to {out}, "
            f"{report.n_bytes / 1000:.0f} kB, "
            f"{len(report.kept)} kept, {len(report.failed)} left out, "
            f"in {seconds(report.elapsed_s)}"
        )
    if report.failed:
        raise typer.Exit(1)

"""`seaice ingest`: turn Sentinel-1 products into scene files."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..console import Progress, note, say, say_json, seconds, with_hint
from ..options import AsJson, Jobs, above_zero, n_processes


class Denoise(StrEnum):
    """How noise is removed."""

    esa = "esa"
    nersc = "nersc"
    none = "none"


def ingest(
    products: Annotated[
        list[Path],
        typer.Argument(
            help="Sentinel-1 EW GRDM products: .SAFE folders, zips, or folders of them"
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the scene files")] = Path("raw"),
    amsr2: Annotated[
        list[Path] | None,
        typer.Option(help="AMSR2 swaths: L1R or L1B files, or folders of them; repeatable"),
    ] = None,
    era5: Annotated[
        list[Path] | None,
        typer.Option(
            help="ERA5 files (netCDF, GRIB or zip), or folders of them; repeatable"
        ),
    ] = None,
    chart: Annotated[
        Path | None,
        typer.Option(
            help="Ice chart (SIGRID-3: shapefile, GeoPackage, zip or tar), or a folder of "
            "charts: each scene takes the nearest in time, however old"
        ),
    ] = None,
    service: Annotated[
        str,
        typer.Option(
            help="Ice service that made the chart, in small letters",
            show_default="from the name of the chart",
        ),
    ] = "",
    coast: Annotated[
        Path | None,
        typer.Option(
            help="Polygons of land for the distance map", show_default="OpenStreetMap"
        ),
    ] = None,
    denoise: Annotated[
        Denoise,
        typer.Option(
            help="How noise is removed. esa: as the product says; nersc: as in AI4Arctic, "
            "for networks trained on it; none"
        ),
    ] = Denoise.esa,
    max_delay_hours: Annotated[
        float,
        typer.Option(
            callback=above_zero, help="Longest time between an AMSR2 swath and a scene"
        ),
    ] = 12.0,
    jobs: Jobs = 1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing scene files")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Turn Sentinel-1 products into scene files.

    A scene file, which `prepare` and `predict` read, contains backscatter at 80 m and the
    distance to land. With --amsr2 it also contains brightness temperatures, with --era5
    weather, with --chart the polygons of an ice chart. Without them these are absent, and
    only networks that do not read them can map the scene. Folders may contain the files of
    many scenes: each scene takes those that belong to it. docs/own-scene.md says where to
    get all files.

    Existing files are kept, so run the same command again to continue after an
    interruption; only a scene for which there was no swath is made again if there is one
    now. Folders that have got a better chart or more weather need --overwrite. Products
    that cannot be read are listed at the end and do not stop the others. A process needs up
    to 1 GB of memory.

    Needs pip install 'seaice[ingest]'.

    Example: seaice ingest S1A_EW_GRDM_1SDH_....SAFE.zip --amsr2 amsr2/ --era5 era5.nc
    --out raw/
    """
    from seaice_data.ingest import Sources, ingest_products
    from seaice_data.texts import counted

    sources = Sources(
        amsr2=tuple(map(str, amsr2 or ())),
        era5=tuple(map(str, era5 or ())),
        chart=str(chart or ""),
        service=service,
        coast=str(coast or ""),
        denoise=denoise.value,
        max_delay_hours=max_delay_hours,
    )
    with Progress("scenes") as progress:
        report = ingest_products(
            products,
            out,
            sources,
            jobs=n_processes(jobs),
            overwrite=overwrite,
            progress=progress,
        )
    for scene in report.scenes:
        if scene.notes:
            note(f"{scene.id}: {'; '.join(scene.notes)}")
    for failure in report.failed:
        # Errors of charts, swaths and weather do not name the product.
        name = repr(failure.name)
        reason = failure.reason if name in failure.reason else f"{name}: {failure.reason}"
        note(f"left out: {with_hint(reason, failure.hint)}")
    if as_json:
        say_json(
            {
                "out": out,
                "scenes": [
                    {
                        "id": scene.id,
                        "product": scene.product,
                        "path": scene.path,
                        "is_new": scene.is_new,
                        "absent": scene.absent,
                        "notes": scene.notes,
                    }
                    for scene in report.scenes
                ],
                "written": report.n_written,
                "kept": report.n_kept,
                "failed": [{"product": f.name, "reason": f.reason} for f in report.failed],
                "elapsed_s": round(report.elapsed_s, 3),
            }
        )
    else:
        say(
            f"{counted(report.n_written, 'scene file')} written to {out}, "
            f"{report.n_kept} kept, {counted(len(report.failed), 'product')} left out, "
            f"in {seconds(report.elapsed_s)}"
        )
    if report.failed:
        raise typer.Exit(1)

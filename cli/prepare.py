"""`seaice prepare`: AI4Arctic files to a patch store."""

import os
from pathlib import Path
from typing import Annotated

import typer

from .console import Progress, note, say, say_json, seconds


def prepare(
    raw: Annotated[Path, typer.Argument(help="Folder of AI4Arctic netCDF files")],
    store: Annotated[str, typer.Argument(help="Store to write, as store.zarr")],
    ratio: Annotated[int, typer.Option(help="SAR pixels per stored pixel")] = 10,
    channels: Annotated[
        str, typer.Option(help="Channels or groups to store, with commas; all if not given")
    ] = "",
    recipe: Annotated[
        Path | None, typer.Option(help="TOML file with a recipe, instead of --ratio")
    ] = None,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one a core")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the store")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first bad file")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON")
    ] = False,
) -> None:
    """Convert AI4Arctic netCDF files into a patch store, once.

    Takes ready-to-train and raw files, as they come. Run it again to go on after an
    interruption or to add files: scenes that are in the store are left alone. A bad file
    is listed at the end and does not stop the others.

    Example: seaice prepare raw/ store.zarr --ratio 10
    """
    from seaice_data.channels import CHANNEL_NAMES, select_channels
    from seaice_data.prepare import prepare as run
    from seaice_data.recipe import Recipe
    from seaice_data.settings import read_toml

    names = select_channels(channels.split(",")) if channels else CHANNEL_NAMES
    chosen = read_toml(Recipe, recipe) if recipe else Recipe(ratio=ratio, channels=names)
    with Progress("scenes") as progress:
        report = run(
            raw,
            store,
            chosen,
            jobs=jobs or len(os.sched_getaffinity(0)),
            overwrite=overwrite,
            strict=strict,
            progress=progress,
        )
    for failure in report.failed:
        note(f"left out: {failure.reason}" + (f" ({failure.hint})" if failure.hint else ""))
    if as_json:
        say_json(
            {
                "store": store,
                "written": report.written,
                "kept": report.kept,
                "failed": [{"file": f.path, "reason": f.reason} for f in report.failed],
                "elapsed_s": round(report.elapsed_s, 3),
            }
        )
    else:
        say(
            f"{len(report.written)} scenes written to {store}, {len(report.kept)} kept, "
            f"{len(report.failed)} left out, in {seconds(report.elapsed_s)}"
        )
    if report.failed:
        raise typer.Exit(1)

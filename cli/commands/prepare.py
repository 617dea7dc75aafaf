"""`seaice prepare`: convert files of scenes into a patch store."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import Progress, note, say, say_json, seconds, with_hint
from ..options import AcceptMasks, AsJson, Jobs, Part, n_processes, read_part


def prepare(
    raw: Annotated[Path, typer.Argument(help="Folder of scene files (netCDF)")],
    store: Annotated[
        str, typer.Argument(help="Store to write: store.zarr, or s3://bucket/store.zarr")
    ],
    ratio: Annotated[
        int | None,
        typer.Option(help="SAR pixels per stored pixel", show_default="10"),
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(
            help="Channels or groups to store, separated by commas; all if not given"
        ),
    ] = None,
    codec: Annotated[
        str, typer.Option(help="Codec of the inputs: none or zstd", show_default="none")
    ] = "",
    zarr_format: Annotated[
        int | None, typer.Option(help="Zarr format: 2 for older readers", show_default="3")
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(help="TOML file with a recipe; the options above override it"),
    ] = None,
    jobs: Jobs = 0,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Use the workers of this dask scheduler: tcp://node1:8786"),
    ] = None,
    part: Part = "",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the store")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first bad file")
    ] = False,
    accept_masks: AcceptMasks = False,
    as_json: AsJson = False,
) -> None:
    """Convert netCDF files of scenes into a patch store, once.

    Reads ready-to-train and raw AI4Arctic files as they are distributed, and own scenes;
    follows links. Run it again to continue after an interruption or to add files: scenes in
    the store are kept, and files that have been corrected since are reported. Files and
    folders that cannot be read are listed at the end and do not stop the others.

    On a cluster, pass each task of a job array its part with --part. After all tasks have
    ended, run once without --part: this adds scenes that are missing, and writes splits and
    statistics.

    Example: seaice prepare raw/ store.zarr --ratio 10
    """
    from seaice_data.channels import select_channels
    from seaice_data.preparation.prepare import prepare as run
    from seaice_data.settings import assign, read_toml
    from seaice_data.store.recipe import Recipe
    from seaice_data.texts import agreeing, counted, printable, without_secrets

    given = {
        "ratio": ratio,
        "channels": None if channels is None else select_channels(channels.split(",")),
        "codec": codec or None,
        "zarr_format": zarr_format,
    }
    chosen = assign(
        read_toml(Recipe, recipe) if recipe else Recipe(),
        {name: value for name, value in given.items() if value is not None},
    )
    with Progress("scenes") as progress:
        report = run(
            raw,
            store,
            chosen,
            jobs=n_processes(jobs, store),
            scheduler=scheduler,
            part=read_part(part) if part else None,
            overwrite=overwrite,
            strict=strict,
            accept_masks=accept_masks,
            progress=progress,
        )
    for scene_id, n_pixels in report.unseen.items():
        verb = agreeing(n_pixels, "has", "have")
        note(f"{scene_id}: {counted(n_pixels, 'labelled pixel')} {verb} no SAR")
    if report.absent:
        named = [f"{len(ids)} have no {name}" for name, ids in report.absent.items()]
        note(
            f"note: of {counted(len(report.written), 'scene')} written, {', '.join(named)}"
        )
    for failure in report.failed:
        note(f"left out: {with_hint(failure.reason, failure.hint)}")
    if as_json:
        say_json(
            {
                "store": without_secrets(store),
                "written": report.written,
                "kept": report.kept,
                "labelled_without_sar": report.unseen,
                "absent": report.absent,
                "failed": [{"file": f.name, "reason": f.reason} for f in report.failed],
                "elapsed_s": round(report.elapsed_s, 3),
            }
        )
    else:
        say(
            f"{counted(len(report.written), 'scene')} written to "
            f"{printable(without_secrets(store))}, {len(report.kept)} kept, "
            f"{len(report.failed)} left out, in {seconds(report.elapsed_s)}"
        )
    if report.failed:
        raise typer.Exit(1)

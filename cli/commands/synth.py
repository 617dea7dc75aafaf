"""`seaice synth`: write synthetic scenes, to try the commands without data."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..console import Progress, say, say_json, seconds
from ..options import AsJson, Jobs, n_processes


class Version(StrEnum):
    """The two versions of AI4Arctic files, and what they are made from."""

    ready = "ready"
    raw = "raw"
    products = "products"


def synth(
    out: Annotated[Path, typer.Argument(help="Folder to write to")],
    scenes: Annotated[int, typer.Option(min=1, help="Number of scenes")] = 12,
    size: Annotated[
        str,
        typer.Option(
            help="Nominal number of 80 m pixels along a side, or height x width, such as "
            "1300x5000; a small scene is a small area"
        ),
    ] = "1500",
    version: Annotated[
        Version,
        typer.Option(
            help="80 m ready-to-train files, 40 m raw files, or what users have of a "
            "scene: Sentinel-1, AMSR2 and ERA5 products, chart and coast"
        ),
    ] = Version.ready,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other scenes")] = 0,
    first: Annotated[
        int,
        typer.Option(min=0, help="Number of the first scene, to write a set in batches"),
    ] = 0,
    truth: Annotated[
        bool,
        typer.Option(
            "--truth",
            help="Also write what each pixel contains, to a folder beside the scenes: "
            "raw-truth/ for raw/",
        ),
    ] = False,
    jobs: Jobs = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing files")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write synthetic scenes in the format of AI4Arctic.

    They have the variables of real scenes, and a network can learn from them, but they show
    no real ice: use them to try the commands, to test and to measure. About one scene in
    five is a test scene, whose charts are in a separate file. Existing files are kept, so
    run the same command again to continue after an interruption.

    --truth also writes what each pixel contains before analysts generalise it to polygons,
    to a folder beside the scenes. Maps can be scored against it: `seaice score maps/
    --truth raw-truth/`.

    --version products writes the files that `seaice ingest` reads, a folder for each scene.

    Example: seaice synth raw/ --scenes 12 --size 1500
    """
    from seaice_data.synthetic.scene_set import write_scenes
    from seaice_data.texts import counted, printable

    with Progress("scenes") as progress:
        report = write_scenes(
            out,
            scenes,
            _pixels(size),
            version.value,
            seed=seed,
            first=first,
            truth=out.absolute().with_name(f"{out.absolute().name}-truth")
            if truth
            else None,
            jobs=n_processes(jobs),
            overwrite=overwrite,
            progress=progress,
        )
    if as_json:
        say_json(
            {
                "out": out,
                "scenes": scenes,
                "written": report.written,
                "kept": report.kept,
                "written_bytes": report.n_bytes,
                "elapsed_s": round(report.elapsed_s, 3),
            }
        )
        return
    n = len(report.written)
    things = counted(n, "file")
    if version is Version.products:
        things = counted(n, "file or folder", "files and folders")
    say(
        f"{things} ({report.n_bytes / 1e9:.2f} GB) of {counted(scenes, 'scene')} "
        f"written to {printable(str(out))}, {len(report.kept)} kept, "
        f"in {seconds(report.elapsed_s)}"
    )


def _pixels(size: str) -> int | tuple[int, int]:
    """Return one number, or height and width."""
    try:
        height, *width = map(int, size.split("x"))
        if not width:
            return height
        (samples,) = width
    except ValueError as error:
        raise typer.BadParameter(
            f"{size!r} is neither a number nor height x width",
            param_hint="--size",
        ) from error
    return height, samples

"""`seaice synth`: write synthetic scenes, to try the commands without data."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..console import Progress, say, say_json, seconds
from ..options import AsJson, Jobs, n_processes


class Version(StrEnum):
    """The two versions of AI4Arctic files."""

    ready = "ready"
    raw = "raw"


def synth(
    out: Annotated[Path, typer.Argument(help="Folder to write to")],
    scenes: Annotated[int, typer.Option(min=1, help="Number of scenes")] = 12,
    size: Annotated[
        int, typer.Option(help="Nominal number of 80 m pixels along a side")
    ] = 1500,
    version: Annotated[
        Version, typer.Option(help="80 m ready-to-train files, or 40 m raw files")
    ] = Version.ready,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other scenes")] = 0,
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

    Example: seaice synth raw/ --scenes 12 --size 1500
    """
    from seaice_data.synthetic.scene_set import write_scenes
    from seaice_data.texts import printable

    with Progress("scenes") as progress:
        report = write_scenes(
            out,
            scenes,
            size,
            version.value,
            seed=seed,
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
    say(
        f"{len(report.written)} files ({report.n_bytes / 1e9:.2f} GB) of {scenes} scenes "
        f"written to {printable(str(out))}, {len(report.kept)} kept, "
        f"in {seconds(report.elapsed_s)}"
    )

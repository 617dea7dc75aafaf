"""`seaice fetch`: download the AI4Arctic dataset."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seaice_data.texts import counted

from ..console import Progress, note, say, say_json, seconds, with_hint
from ..options import AsJson

if TYPE_CHECKING:
    from seaice_data.download.fetch import Source
    from seaice_data.download.remote_file import RemoteFile


class SourceName(StrEnum):
    """Where the dataset is."""

    hugging_face = "hugging-face"
    dtu = "dtu"


class FileVersion(StrEnum):
    """The two versions of AI4Arctic files."""

    ready = "ready"
    raw = "raw"


class SplitName(StrEnum):
    """The two parts of the dataset."""

    all = "all"
    train = "train"
    test = "test"


def fetch(
    folder: Annotated[Path, typer.Argument(help="Folder to download to")],
    source: Annotated[
        SourceName | None,
        typer.Option(
            help="hugging-face, a mirror with two archives of ready-to-train files "
            "(60 GB), or dtu, the original with a file for each scene [default: "
            "hugging-face for ready-to-train files, dtu for raw ones]"
        ),
    ] = None,
    version: Annotated[
        FileVersion,
        typer.Option(help="ready: ready-to-train, 80 m; raw: 40 m, some 2 GB a scene"),
    ] = FileVersion.ready,
    split: Annotated[
        SplitName, typer.Option(help="Scenes to train, scenes to test, or all")
    ] = SplitName.all,
    only: Annotated[
        str, typer.Option(help='Only files that match, such as "201803*"; from dtu')
    ] = "",
    connections: Annotated[
        int, typer.Option(min=1, max=32, help="Files to download at the same time")
    ] = 4,
    keep_archives: Annotated[
        bool, typer.Option("--keep-archives", help="Keep archives after unpacking them")
    ] = False,
    list_files: Annotated[
        bool, typer.Option("--list", help="List the files and their sizes, and end")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files of other sizes")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Download the AI4Arctic Sea Ice Challenge Dataset, doi:10.11583/DTU.c.6244065.v2.

    Run the same command again to continue after an interruption: what has come is not
    downloaded again. Each file is compared with the size and the checksum that the server
    lists before it gets its name. Archives of the mirror are unpacked and then removed, so
    the disk needs twice their size for a while. A file that fails does not stop the others,
    and is listed at the end; the exit code is then 1. If you use the dataset, cite it.

    Example: seaice fetch raw/ --split test
    """
    from seaice_data.download.fetch import DOI, fetch_ai4arctic, list_ai4arctic

    where: Source | None = None if source is None else source.value
    if list_files:
        files = list_ai4arctic(where, version=version.value, split=split.value, only=only)
        _list(files, as_json=as_json)
        return
    with Progress("MB") as progress:
        report = fetch_ai4arctic(
            folder,
            where,
            version=version.value,
            split=split.value,
            only=only,
            keep_archives=keep_archives,
            connections=connections,
            overwrite=overwrite,
            progress=progress,
        )
    for failure in report.failed:
        note(f"not fetched: {failure.name}: {with_hint(failure.reason, failure.hint)}")
    if as_json:
        say_json(
            {
                "folder": str(folder),
                "fetched": report.n_fetched,
                "kept": report.n_kept,
                "bytes": report.n_bytes,
                "unpacked": report.n_unpacked,
                "failed": [{"file": f.name, "reason": f.reason} for f in report.failed],
                "elapsed_s": round(report.elapsed_s, 3),
            }
        )
    else:
        say(
            f"{counted(report.n_fetched, 'file')} fetched to {folder} "
            f"({report.n_bytes / 1e9:.2f} GB), {report.n_kept} kept, {report.n_unpacked} "
            f"unpacked, {len(report.failed)} failed, in {seconds(report.elapsed_s)}"
        )
        note(f"cite the dataset: https://doi.org/{DOI}")
    if report.failed:
        raise typer.Exit(1)


def _list(files: "tuple[RemoteFile, ...]", *, as_json: bool) -> None:
    """Print names and sizes of files."""
    n_bytes = sum(file.n_bytes for file in files)
    if as_json:
        listed = [
            {"name": f.name, "bytes": f.n_bytes, "checksum": f.checksum, "url": f.url}
            for f in files
        ]
        say_json({"files": listed, "bytes": n_bytes})
        return
    for file in files:
        say(f"{file.n_bytes / 1e6:10.1f} MB  {file.name}")
    say(f"{n_bytes / 1e6:10.1f} MB  {counted(len(files), 'file')}")

"""`seaice patches`: patches of a store as files of other formats."""

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seaice_data.texts import counted, shortened

from ..console import Progress, note, say, say_json, seconds
from ..options import AsJson, Jobs, n_processes

if TYPE_CHECKING:
    from seaice_data.exports.settings import RandomPatches


class Format(StrEnum):
    """Formats of patches."""

    webdataset = "webdataset"
    nnunet = "nnunet"
    npz = "npz"
    geotiff = "geotiff"


class Split(StrEnum):
    """Splits of a store."""

    train = "train"
    validation = "validation"
    test = "test"


class Over(StrEnum):
    """What random patches are spread over."""

    scenes = "scenes"
    area = "area"
    classes = "classes"


def patches(
    store: Annotated[str, typer.Argument(help="Store: a folder or a URL")],
    out: Annotated[Path, typer.Argument(help="Folder for the files: new or empty")],
    to: Annotated[
        Format,
        typer.Option(
            help="webdataset (tar files), nnunet (one dataset per chart), npz (NumPy), "
            "geotiff"
        ),
    ],
    size: Annotated[int, typer.Option(help="Pixels along one side of a patch")] = 256,
    channels: Annotated[
        str | None,
        typer.Option(
            help="Channels or groups, separated by commas; all of the store if not given"
        ),
    ] = None,
    split: Annotated[
        list[Split] | None,
        typer.Option(help="Only this split; repeatable", show_default="all"),
    ] = None,
    sample: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPLIT=N",
            help="N random patches of a split instead of tiles: train=8000; repeatable",
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(help='Only some scenes: "month in 5..9 and service == cis"'),
    ] = None,
    overlap: Annotated[
        int, typer.Option(help="Smallest number of pixels that neighbouring tiles share")
    ] = 0,
    over: Annotated[
        Over, typer.Option(help="Spread random patches over scenes, area or SOD classes")
    ] = Over.scenes,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the patches")] = 0,
    per_shard: Annotated[int, typer.Option(help="Patches in a tar file")] = 100,
    first_id: Annotated[
        int, typer.Option(help="Number of the first nnU-Net dataset, that of SIC")
    ] = 501,
    jobs: Jobs = 0,
    as_json: AsJson = False,
) -> None:
    """Write patches of a store as files, for programs that do not read zarr.

    Splits are kept. Each scene is cut into tiles that cover it; tiles without labels are
    left out, except in scenes that have no chart. With --sample train=8000 the training
    scenes give random patches instead, the same as those of `PatchSampler`.

    manifest.json says what the files are, patches.csv lists all patches. Run the same
    command again to continue after an interruption. Inputs are standardised, and NaN is
    fill; 255 is fill in charts. For nnU-Net fill is 0 in inputs and the label to ignore in
    charts. geotiff needs the extra geo.

    Example: seaice patches store.zarr patches/ --to webdataset --sample train=8000
    """
    from seaice_data.exports.export import export_patches
    from seaice_data.exports.settings import SPLITS, ExportSettings
    from seaice_data.sampling.windows import Sampling

    settings = ExportSettings(
        to=to.value,
        size=size,
        channels=() if channels is None else tuple(channels.split(",")),
        splits=tuple(s for s in SPLITS if not split or s in [*split]),
        where=where,
        random=_read_numbers(sample or []),
        sampling=Sampling(over=over.value),
        seed=seed,
        overlap=overlap,
        per_shard=per_shard,
        first_id=first_id,
    )
    with Progress("patches") as progress:
        report = export_patches(
            store, out, settings, jobs=n_processes(jobs, store), progress=progress
        )
    if report.skipped:
        note(f"note: {counted(len(report.skipped), 'scene')} without a labelled patch")
    for chart in report.without_dataset:
        note(f"note: no training patch has a class of {chart}, so it has no dataset")
    if report.n_unlabelled:
        left_out = counted(report.n_unlabelled, "patch", "patches")
        note(f"note: {left_out} without a class in any dataset left out")
    if as_json:
        say_json(
            {
                "folder": str(out),
                "written": report.n_written,
                "kept": report.n_kept,
                "bytes": report.n_bytes,
                "splits": report.splits,
                "scenes_without_patch": report.skipped,
                "unlabelled": report.n_unlabelled,
                "elapsed_s": round(report.elapsed_s, 3),
            }
        )
        return
    shares = ", ".join(f"{name} {n}" for name, n in report.splits.items())
    say(
        f"{counted(report.n_written, 'patch', 'patches')} written to {out}, "
        f"{report.n_bytes / 1e6:.1f} MB, {report.n_kept} kept, "
        f"in {seconds(report.elapsed_s)}: {shares}"
    )


def _read_numbers(texts: list[str]) -> "RandomPatches":
    """Read ``train=8000``."""
    from seaice_data.exports.settings import RandomPatches

    numbers: dict[str, int] = {}
    for text in texts:
        found = re.fullmatch("(train|validation|test)=([0-9]{1,9})", text)
        if found is None:
            raise typer.BadParameter(
                f"cannot read {shortened(text)!r}: write train=8000, validation=500 or "
                "test=500"
            )
        if found[1] in numbers:
            raise typer.BadParameter(f"--sample {found[1]} is given twice")
        numbers[found[1]] = int(found[2])
    return RandomPatches(**numbers)

"""Export the patches of a store to a folder, in a format that others read.

The same call continues after an interruption: files that are there are whole, because each
is moved to its place when it is finished. Equal settings and stores give equal files, with
any number of processes.
"""

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from seaice_data.display import Displayed
from seaice_data.errors import ExportError, StoreError
from seaice_data.exports.geotiff import GeoTiffs
from seaice_data.exports.manifest import (
    PATCHES,
    check_folder,
    describe_export,
    patches_text,
    write_document,
    write_manifest,
)
from seaice_data.exports.nnunet import NnUnetDatasets, trained_charts
from seaice_data.exports.npz import NpzArchives
from seaice_data.exports.piece import PatchFormat, Piece
from seaice_data.exports.settings import ExportSettings
from seaice_data.exports.shards import Shards
from seaice_data.exports.windows import PatchWindow, WindowSource, list_windows
from seaice_data.scene_id import SceneId
from seaice_data.store.channel_choice import asked_channels
from seaice_data.store.opening import AnyStore, opened
from seaice_data.store.store import Store
from seaice_data.system.files import HIDDEN, alone_in, drop_abandoned, staged
from seaice_data.system.workers import Progress, run_tasks

_PER_TASK = 8  # patches


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class PatchesReport(Displayed):
    """What `export_patches` did."""

    n_written: int
    """Patches written."""

    n_kept: int
    """Patches that were there."""

    n_bytes: int
    """Size of the files written; a file with several names counts once."""

    splits: Mapping[str, int]
    """Patches of each split, written and kept."""

    skipped: tuple[SceneId, ...]
    """Scenes without a patch of enough valid pixels."""

    without_dataset: tuple[str, ...]
    """Charts that nnU-Net cannot learn: no training patch has a class of theirs."""

    n_unlabelled: int
    """Patches left out, because nnU-Net cannot learn from them."""

    elapsed_s: float
    """Seconds in all."""


def export_patches(
    store: AnyStore,
    out: str | Path,
    settings: ExportSettings,
    *,
    jobs: int = 1,
    progress: Progress | None = None,
) -> PatchesReport:
    """Write patches of a store as files of another format.

    Parameters
    ----------
    store
        Where the patches come from.
    out
        Folder for the files: new, empty, or that of the same export, which continues.
    settings
        What to export, and how.
    jobs
        Processes that write.
    progress
        Called while patches are written: patches done, patches in all, the last piece.

    Raises
    ------
    StoreError
        If something is not in the store, cannot be read, or has no patch.
    ForeignFileError
        If there is something else in the folder.
    ExportError
        If the folder has other patches, another process is writing to it, a file cannot be
        written, or the extra of a format cannot be used.
    """
    start = time.perf_counter()
    store = opened(store)
    out = Path(out)
    channels = asked_channels(store, settings.channels)
    if settings.channels:  # a manifest names the channels of groups
        settings = replace(settings, channels=channels)
    listed = list_windows(store, settings)
    if not listed.windows:
        raise StoreError(
            f"{store.path!r} has no patch to export: no scene of these splits has enough "
            "valid pixels",
            hint="`seaice info` shows the splits of a store",
        )
    kind = _format(settings, channels, listed.windows)
    n_listed = len(listed.windows)
    listed = replace(listed, windows=tuple(filter(kind.takes, listed.windows)))
    pieces = kind.pieces(listed.windows)
    documents = {PATCHES: patches_text(pieces)}
    documents |= kind.documents(listed.windows, channels)
    manifest = describe_export(store, settings, channels, listed, documents[PATCHES])
    with _alone(out):
        check_folder(out, manifest)
        write_manifest(out, manifest, is_complete=False)
        files = [file for piece in pieces for file in piece.files]
        for folder in {(out / name).parent for name in (*files, *documents)}:
            folder.mkdir(parents=True, exist_ok=True)
        for name, text in documents.items():
            write_document(out / name, text)
        todo = [piece for piece in pieces if not _is_there(piece, out)]
        writer = _Writer(store, channels, settings.size, kind, out)
        n_bytes = writer.write_all(todo, jobs, progress)
        write_manifest(out, manifest, is_complete=True)
    n_written = sum(len(piece.windows) for piece in todo)
    return PatchesReport(
        n_written=n_written,
        n_kept=len(listed.windows) - n_written,
        n_bytes=n_bytes,
        splits=manifest["patches"],
        skipped=listed.skipped,
        without_dataset=kind.left_out,
        n_unlabelled=n_listed - len(listed.windows),
        elapsed_s=time.perf_counter() - start,
    )


def _format(
    settings: ExportSettings, channels: Sequence[str], windows: Sequence[PatchWindow]
) -> PatchFormat:
    """Return what writes the format of an export."""
    if settings.to == "webdataset":
        return Shards(settings.per_shard)
    if settings.to == "nnunet":
        return NnUnetDatasets(settings.first_id, len(channels), trained_charts(windows))
    return NpzArchives() if settings.to == "npz" else GeoTiffs()


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Make the folder of an export, and keep other processes out of it."""
    with _write_errors(out):
        try:
            out.mkdir(parents=True, exist_ok=True)
        except FileExistsError:  # a file: `check_folder` says so
            check_folder(out, {})
        with alone_in(out) as is_alone:
            if not is_alone:
                raise ExportError(f"another process is exporting patches to {str(out)!r}")
            drop_abandoned(out.glob(f"{HIDDEN}.*"))
            yield


@contextmanager
def _write_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ExportError(
            f"cannot write patches to {str(out)!r}: {error.strerror or error}"
        ) from error


def _is_there(piece: Piece, out: Path) -> bool:
    return all((out / file).is_file() for file in piece.files)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes pieces of an export; other processes have copies of it."""

    store: Store
    channels: Sequence[str]
    size: int
    kind: PatchFormat
    out: Path

    def write_all(
        self, pieces: Sequence[Piece], jobs: int, progress: Progress | None
    ) -> int:
        """Write pieces, some in each task; return the size of their files."""
        tasks = {group[0].name: group for group in _groups(pieces)}
        n_all = sum(len(piece.windows) for piece in pieces)
        n_done = 0

        def count(_done: int, _total: int, name: str) -> None:
            nonlocal n_done
            n_done += sum(len(piece.windows) for piece in tasks[name])
            if progress is not None:
                progress(n_done, n_all, name)

        with staged(self.out) as staging:
            arguments = {name: (group, staging) for name, group in tasks.items()}
            return sum(run_tasks(self.write_group, arguments, jobs, count))

    def write_group(self, pieces: Sequence[Piece], staging: Path) -> int:
        """Write pieces one by one, each to its place when it is whole."""
        scenes = [window.scene for piece in pieces for window in piece.windows]
        source = WindowSource(self.store, self.channels, self.size, scenes)
        n_bytes = 0
        for piece in pieces:
            folder = staging / piece.name
            for parent in {(folder / file).parent for file in piece.files}:
                parent.mkdir(parents=True, exist_ok=True)
            self.kind.write(piece, source, folder)
            n_bytes += _move(piece, folder, self.out)
            shutil.rmtree(folder)
        return n_bytes


def _groups(pieces: Sequence[Piece]) -> list[tuple[Piece, ...]]:
    """Divide pieces into tasks, several small ones in each."""
    groups: list[tuple[Piece, ...]] = []
    group: list[Piece] = []
    for piece in pieces:
        group.append(piece)
        if sum(len(piece.windows) for piece in group) >= _PER_TASK:
            groups.append(tuple(group))
            group = []
    return [*groups, tuple(group)] if group else groups


def _move(piece: Piece, folder: Path, out: Path) -> int:
    """Move the files of a piece to their places; return their size."""
    sizes: dict[int, int] = {}
    for file in piece.files:
        with (folder / file).open("rb+") as stream:
            status = os.fstat(stream.fileno())
            if status.st_ino not in sizes:  # it may have several names
                os.fsync(stream.fileno())
            sizes[status.st_ino] = status.st_size
    for file in piece.files:
        (folder / file).replace(out / file)
    return sum(sizes.values())

"""Prepare all scenes of a folder into a store; interrupted runs can be resumed.

Each scene is a task, for this process, several, or a dask cluster. A scene that is in the
store is left alone: an interrupted run continues where it stopped, and new files are added
by running again. Several runs may work on one store at the same time, but none while a run
replaces it. A bad file is reported and does not stop the others.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from seaice_data.display import Displayed
from seaice_data.errors import (
    DamageError,
    Failure,
    RecipeError,
    SceneError,
    SeaIceError,
    StoreError,
    is_of_disk,
)
from seaice_data.preparation.assemble import assemble
from seaice_data.preparation.changes import (
    find_changes,
    is_unchanged,
    note_times,
    refuse_other,
)
from seaice_data.scenes.files import FoundScenes, identify, list_scene_files, open_scene
from seaice_data.scenes.fingerprints import source_files, unchanged
from seaice_data.scenes.scene import Scene
from seaice_data.storage.local_folder import LocalFolder
from seaice_data.storage.object_store import UnreachableError
from seaice_data.storage.storage import Storage, open_storage
from seaice_data.store.origin import lacking
from seaice_data.store.prepared_scene import PreparedScene
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.store.summary import finish
from seaice_data.store.writer import StoreWriter
from seaice_data.system.files import file_errors
from seaice_data.system.memory import out_of_memory_errors
from seaice_data.system.workers import Progress, run_tasks
from seaice_data.texts import counted, printable


@dataclass(frozen=True, slots=True, repr=False)
class PrepareReport(Displayed):
    """What `prepare` did."""

    written: tuple[str, ...]
    """Ids of the scenes added."""

    kept: tuple[str, ...]
    """Ids of the scenes that were there already."""

    failed: tuple[Failure, ...]
    """Files left out, by their paths."""

    elapsed_s: float

    unseen: Mapping[str, int] = field(default_factory=dict)
    """Pixels with a class but no SAR, by scene, of the scenes added that have some."""

    absent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Ids of the scenes added whose files lack something, by what they lack: a group, or a
    channel."""


def prepare(
    raw: str | Path,
    store_path: str | Path,
    recipe: Recipe | None = None,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    part: tuple[int, int] | None = None,
    overwrite: bool = False,
    strict: bool = False,
    accept_masks: bool = False,
    progress: Progress | None = None,
) -> PrepareReport:
    """Convert the netCDF files of scenes in a folder into a patch store.

    Parameters
    ----------
    raw
        Folder of netCDF files of any version, searched with all folders below it.
    store_path
        Path or URL of the store. A store with the same recipe is continued.
    recipe
        What to store; the default recipe if not given.
    jobs
        Number of processes.
    scheduler
        Address of a dask.distributed scheduler whose workers do the work instead. They
        need this package, and must see `raw` and the store at the same paths.
    part
        ``(3, 8)``: prepare the third of eight shares of the files, and leave what describes
        all scenes together (splits, statistics) to a later run without `part`.
    overwrite
        Replace an existing store. The new one is made in a hidden folder beside it, and
        takes its place at the end. The old one stays if no file can be prepared, or if a
        scene that it contains cannot be prepared again.
    strict
        Stop at the first file that cannot be prepared.
    accept_masks
        Accept scenes with classes where SAR is missing; see `assemble`.
    progress
        Called after each scene.

    Raises
    ------
    SceneError
        If there are no files, or with `strict` at the first bad one; with `overwrite` if
        none of them can be prepared.
    StoreError
        If the store has another recipe, cannot be written, or is being replaced by
        another process; with `overwrite` if another process is writing to it, or if it
        contains something that is not part of a store.

    Notes
    -----
    A store is created only if there are files that fit the recipe, and removed again if
    none of them could be read to the end.
    """
    start = time.monotonic()
    listing, store_path = list_scene_files(raw), str(store_path)
    if part:
        listing = replace(listing, paths=_share(listing.paths, *part))
        if overwrite:
            raise StoreError(
                "one part of the scenes cannot replace a store of all scenes",
                hint="leave out --overwrite: remove an old store before the first part, or "
                "choose another path",
            )
    storage = open_storage(store_path)
    if isinstance(storage, LocalFolder):
        storage.put_back()
    if not storage.is_shared and (jobs > 1 or scheduler):
        raise StoreError(
            f"other processes cannot write to {storage.path!r}",
            hint="leave out --scheduler" if scheduler else "use --jobs 1",
        )
    found = identify(listing)
    fill = partial(
        _fill,
        found,
        recipe=recipe or Recipe(),
        jobs=jobs,
        scheduler=scheduler,
        strict=strict,
        accept_masks=accept_masks,
        progress=progress,
    )
    if overwrite and not StoreWriter.is_absent(store_path):
        report = _replace(storage, found, fill)
    else:
        report = fill(store_path, part=part)
    return replace(report, elapsed_s=time.monotonic() - start)


def _replace(
    storage: Storage, found: FoundScenes, fill: Callable[[str], PrepareReport]
) -> PrepareReport:
    """Fill a new store beside the old one, then swap the two.

    The old store is removed only if nothing of it is lost. An object store cannot rename:
    there the old one is removed first.
    """
    StoreWriter.refuse_to_remove(storage.url)
    with storage.lock(alone=True):
        if not isinstance(storage, LocalFolder):
            _refuse_loss(storage, bool(found.files), found.failed)
            _refuse_blind(storage, found.files, found.failed)
            StoreWriter.erase(storage.url)
            return fill(storage.url)
        with storage.replacement() as beside:
            try:
                report = fill(beside.url)
                _refuse_loss(storage, bool(report.written), report.failed)
                _refuse_blind(storage, report.written, report.failed)
                storage.exchange(beside)
            finally:
                _remove(beside)
        return report


def _refuse_loss(storage: Storage, is_any: bool, failed: Sequence[Failure]) -> None:
    """Refuse to replace a store with one that is empty or lacks one of its scenes."""
    if not is_any:
        raise SceneError(
            f"none of {counted(len(failed), 'file')} can be prepared, so the store "
            f"{storage.path!r} is left as it is; {failed[0].reason}",
            hint=failed[0].hint,
        )
    held = _source_names(storage)
    for failure in failed:
        if printable(Path(failure.name).name) in held:
            raise SceneError(
                f"the store {storage.path!r} is left as it is: it contains a scene that "
                f"cannot be prepared again; {failure.reason}",
                hint="fix the file, then run the same command again",
            )


def _refuse_blind(
    storage: Storage, arrived: Iterable[str], failed: Sequence[Failure]
) -> None:
    """Refuse to lose scenes whose files may be in a folder that cannot be read."""
    folders = [f for f in failed if Path(f.name).suffix.lower() != ".nc"]
    store = _open_readable(storage)
    if folders and store is not None and (lost := {*store.scenes} - {*arrived}):
        raise SceneError(
            f"the store {storage.path!r} is left as it is: it contains "
            f"{counted(len(lost), 'scene')} not found again, such as {min(lost)}; "
            f"{folders[0].reason}",
            hint="fix this, then run the same command again",
        )


def _source_names(storage: Storage) -> set[str]:
    """Return the names of the files from which a store of this version was made."""
    if (store := _open_readable(storage)) is None:
        return set()
    scenes, _ = store.open_scenes(leave_out=DamageError)
    sources = (scene.known.get("source_files", []) for scene in scenes)
    return {source["name"] for listed in sources for source in listed}


def _open_readable(storage: Storage) -> Store | None:
    """Open a store that will be replaced; None if it is damaged or of another version.

    Nothing could be read from such a store anyway. A store that merely cannot be reached is
    an error: it may contain scenes that would be lost.
    """
    try:
        return Store.open(storage.url)
    except UnreachableError:
        raise
    except StoreError:
        return None


def _remove(storage: Storage) -> None:
    """Remove a store and its folder, if there is one."""
    if storage.exists():
        StoreWriter.erase(storage.url)
        storage.drop_folder()


def _fill(
    found: FoundScenes,
    store_path: str,
    *,
    recipe: Recipe,
    jobs: int,
    scheduler: str | None,
    strict: bool,
    accept_masks: bool,
    progress: Progress | None,
    part: tuple[int, int] | None = None,
) -> PrepareReport:
    """Prepare files into a store; create it if there is none."""
    storage = open_storage(store_path)
    is_new = StoreWriter.is_absent(store_path)
    failed = [*found.failed]
    if strict and failed:
        raise SceneError(failed[0].reason, hint=failed[0].hint)
    if is_new and not found.files:
        return PrepareReport((), (), tuple(failed), 0.0)
    with ExitStack() as opened:
        if is_new and not part:  # other parts rely on it
            opened.callback(_drop_if_empty, store_path)
        opened.enter_context(storage.lock(alone=False))
        opened.callback(_tidy, storage)
        store = StoreWriter.create(store_path, recipe)
        changes = find_changes(found.files, store)
        times, todo, kept = changes.times, changes.to_prepare, [*changes.kept]
        failed += changes.failed
        if strict and failed:
            raise SceneError(failed[0].reason, hint=failed[0].hint)
        # Early: if this run is killed, the next one still knows which files are unchanged.
        note_times(store, {i: times[i] for i in times if i not in store.scenes})
        if scheduler:  # its workers have their own working directories
            todo = {name: path.absolute() for name, path in todo.items()}
        location = storage.location if scheduler else store_path
        arguments = {
            name: (path, location, store.fingerprint, strict, accept_masks)
            for name, path in todo.items()
        }
        outcomes = run_tasks(
            _prepare_scene, arguments, jobs=jobs, scheduler=scheduler, progress=progress
        )
        failed += [outcome for outcome in outcomes if isinstance(outcome, Failure)]
        done = dict(zip(todo, outcomes, strict=True))
        written = {
            scene_id: outcome
            for scene_id, outcome in sorted(done.items())
            if isinstance(outcome, _Written)
        }
        kept += [scene_id for scene_id, outcome in done.items() if outcome is None]
        arrived = {scene_id: times[scene_id] for scene_id in {*times} & {*written, *kept}}
        note_times(store, arrived, forget={*found.files} - {*arrived})
        if part is None:
            damaged = finish(store)
            failed += [failure for failure in damaged if failure.name not in found.files]
        failed.sort(key=lambda failure: failure.name)
        return PrepareReport(
            written=tuple(written),
            kept=tuple(sorted(kept)),
            failed=tuple(failed),
            elapsed_s=0.0,
            unseen={i: scene.n_unseen for i, scene in written.items() if scene.n_unseen},
            absent=lacking({i: scene.absent for i, scene in written.items()}),
        )


def _check_ratio(scene: Scene, recipe: Recipe) -> None:
    """Reject a scene smaller than one block of pixels, naming its file."""
    try:
        scene.grid.downscaled(recipe.ratio)
    except RecipeError as error:
        raise SceneError(f"{str(scene.path)!r}: {error}", hint=error.hint) from None


def _tidy(storage: Storage) -> None:
    """Remove what killed processes left; if the disk refuses, the next run tries again."""
    with suppress(OSError):
        storage.drop_staging()
    if isinstance(storage, LocalFolder):
        # Nobody is replacing the store: the lock of this process prevents it.
        with suppress(OSError), storage.abandoned_replacements() as abandoned:
            for left in abandoned:
                with suppress(OSError, StoreError):
                    _remove(left)


def _drop_if_empty(store_path: str) -> None:
    """Remove a new store without scenes, unless another process is writing to it."""
    storage = open_storage(store_path)
    if StoreWriter.is_absent(store_path):
        storage.drop_staging()
        storage.drop_folder()
        return
    with suppress(StoreError), storage.lock(alone=True):
        store = StoreWriter(store_path)
        if not store.scenes:
            store.clear()
            storage.drop_folder()


def _share(paths: Sequence[Path], number: int, n_parts: int) -> tuple[Path, ...]:
    """Return one of equal shares of the files; the same in every process."""
    if not 1 <= number <= n_parts:
        raise StoreError(
            f"there is no part {number} of {n_parts}",
            hint=f"parts are 1/{n_parts} to {n_parts}/{n_parts}" if n_parts else None,
        )
    return tuple(sorted(paths)[number - 1 :: n_parts])


@dataclass(frozen=True, slots=True)
class _Written:
    """A scene that was added."""

    n_unseen: int
    """Pixels with a class but no SAR."""

    absent: tuple[str, ...]
    """What its file lacks: groups, or channels."""


def _prepare_scene(
    path: Path, store_path: str, expected: str, strict: bool, accept_masks: bool
) -> _Written | Failure | None:
    """Prepare one file into the store; None if its scene is already there.

    A file whose time differs from the noted one, or was not noted, is prepared anyway and
    compared with the scene. Unless `strict`, a bad file is returned, not raised.
    """
    try:
        with file_errors(path):
            store = StoreWriter(store_path)
            if store.fingerprint != expected:
                raise StoreError(f"the store at {store.path!r} has been replaced")
            with out_of_memory_errors(f"{str(path)!r}"):
                read = _read_scene(path, store, accept_masks=accept_masks)
        if read is None:
            return None
    except SeaIceError as error:
        if strict:
            raise
        return Failure.of(path, error)
    prepared, known = read
    try:
        with out_of_memory_errors(f"{str(path)!r}"):
            store.write(prepared, known)
    except SceneError as error:
        if strict:
            raise
        return Failure.of(path, error)
    except OSError as error:
        reason = f"cannot write to {store.path!r}: {error.strerror or error}"
        if strict or is_of_disk(error):
            raise StoreError(
                reason, hint="fix this, then run the same command again to continue"
            ) from None
        return Failure.of(path, SceneError(f"{str(path)!r}: {reason}"))
    return _Written(prepared.n_unseen, prepared.origin.absent)


def _read_scene(
    path: Path, store: Store, *, accept_masks: bool
) -> tuple[PreparedScene, dict[str, Any]] | None:
    """Prepare a file, and return further attributes; None if its scene is already there."""
    recipe = store.recipe
    with (
        unchanged(path),
        open_scene(path, recipe.dominance_threshold, recipe.interval_codes) as scene,
    ):
        is_stored = store.has_scene(scene.id)
        if is_stored and is_unchanged(path, store, scene.id, store.source_times):
            return None
        _check_ratio(scene, store.recipe)
        prepared = assemble(scene, store.recipe, accept_masks=accept_masks)
        known: dict[str, Any] = {"source_files": source_files(path)}
    if is_stored:
        refuse_other(path, store, prepared)
        return None
    if prepared.n_unseen:
        known["n_unseen"] = prepared.n_unseen
    return prepared, known

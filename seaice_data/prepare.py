"""All scenes of a folder into a store: in parallel, resumable, one bad file at a time.

dask runs one task a scene. A scene that is in the store is left alone, so a run that was
interrupted goes on where it stopped, and new files are added by running again.
"""

import hashlib
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seaice_data.assemble import assemble
from seaice_data.errors import SceneError, SeaIceError, StoreError
from seaice_data.parallel import Progress, run_tasks
from seaice_data.recipe import Recipe
from seaice_data.scene import find_scenes, open_scene, reference_of
from seaice_data.split import TEST_IDS, leaking_pairs, split_scenes
from seaice_data.stats import ChannelStats, add_counts
from seaice_data.store import Store

_SAMPLES = 16
_SAMPLE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that is not in the store, and why."""

    path: str
    reason: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class PrepareReport:
    """What `prepare` did."""

    written: tuple[str, ...]
    """Ids of the scenes added."""

    kept: tuple[str, ...]
    """Ids of the scenes that were there already."""

    failed: tuple[Failure, ...]
    """Files left out."""

    elapsed_s: float


def prepare(
    raw: Path,
    store_path: str,
    recipe: Recipe | None = None,
    *,
    jobs: int = 1,
    overwrite: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
) -> PrepareReport:
    """Convert the AI4Arctic files in a folder into a patch store.

    Parameters
    ----------
    raw
        Folder of netCDF files of either version, searched with all folders below it.
    store_path
        Path or URL of the store. A store with the same recipe is continued.
    recipe
        What to store; the default recipe if not given.
    jobs
        Processes that work at the same time.
    overwrite
        Replace a store that exists.
    strict
        Stop at the first file that cannot be prepared.
    progress
        Told after each scene.

    Raises
    ------
    SceneError
        If there are no files, or with `strict` at the first bad one.
    StoreError
        If the store has another recipe or cannot be written.
    """
    start = time.monotonic()
    paths = find_scenes(raw)
    if overwrite:
        _remove(store_path)
    store = Store.create(store_path, recipe or Recipe())
    todo, kept, failed = _plan(paths, store)
    if strict and failed:
        raise SceneError(failed[0].reason, hint=failed[0].hint)
    arguments = {name: (path, store.path, strict) for name, path in todo.items()}
    outcomes = run_tasks(_prepare_scene, arguments, jobs, progress)
    failed += [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    written = tuple(sorted(outcome for outcome in outcomes if isinstance(outcome, str)))
    finish(Store.open(store_path))
    return PrepareReport(written, tuple(kept), tuple(failed), time.monotonic() - start)


def finish(store: Store) -> None:
    """Write splits, statistics and class counts of all scenes into the root attributes."""
    scenes = [store.scene(scene_id) for scene_id in store.scenes]
    tests = TEST_IDS.union(s.id for s in scenes if s.attributes["is_test_file"])
    splits = split_scenes(store.scenes, tests)
    training = [scene for scene in scenes if scene.id in splits["train"]]
    attributes: dict[str, Any] = {
        "splits": {name: list(ids) for name, ids in splits.items()},
        "splits_leak": [list(pair) for pair in leaking_pairs(splits)],
        "class_counts": add_counts(scene.class_counts for scene in training),
        "full_class_counts": add_counts(scene.full_class_counts for scene in training),
    }
    if training:
        parts = (ChannelStats.from_mapping(s.attributes["stats"]) for s in training)
        attributes["stats"] = ChannelStats.merge(parts).to_mapping()
    store.finish(attributes)


def file_fingerprint(path: Path) -> dict[str, Any]:
    """Return name, size and a hash of evenly spread samples of a file.

    A whole scene has 500 MB; 16 samples of 64 kB tell two files apart in milliseconds.
    """
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with path.open("rb") as stream:
        for offset in np.linspace(0, max(size - _SAMPLE_BYTES, 0), _SAMPLES).astype(int):
            stream.seek(int(offset))
            digest.update(stream.read(_SAMPLE_BYTES))
    return {"name": path.name, "size": size, "blake2b_of_samples": digest.hexdigest()}


def _plan(
    paths: Sequence[Path], store: Store
) -> tuple[dict[str, Path], list[str], list[Failure]]:
    """Find out which scene each file holds: to do, in the store already, or bad."""
    todo: dict[str, Path] = {}
    kept: dict[str, Path] = {}
    failed: list[Failure] = []
    for path in paths:
        try:
            with open_scene(path) as scene:
                scene_id = scene.id
                scene.grid.downscaled(store.recipe.ratio)
            if other := todo.get(scene_id) or kept.get(scene_id):
                raise SceneError(f"{str(path)!r}: same scene as {str(other)!r}")
            if scene_id not in store.scenes:
                todo[scene_id] = path
                continue
            kept[scene_id] = path
            if store.scene(scene_id).attributes["source_files"] != _source_files(path):
                raise SceneError(
                    f"{str(path)!r}: not the file that scene {scene_id} was made of",
                    hint="prepare the store again with --overwrite",
                )
        except SeaIceError as error:
            failed.append(_failure(path, error))
    return todo, list(kept), failed


def _prepare_scene(path: Path, store_path: str, strict: bool) -> str | Failure:
    """Bring one file into the store; a bad file is an outcome, not an exception."""
    store = Store.open(store_path)
    try:
        with open_scene(path, store.recipe.dominance_threshold) as scene:
            prepared = assemble(scene, store.recipe)
        store.write(prepared, {"source_files": _source_files(path)})
    except SeaIceError as error:
        if strict:
            raise
        return _failure(path, error)
    except OSError as error:
        failure = Failure(str(path), f"{str(path)!r}: {error.strerror or error}", None)
        if strict:
            raise StoreError(failure.reason) from error
        return failure
    return prepared.id


def _source_files(path: Path) -> list[dict[str, Any]]:
    """Return the fingerprints of a scene's file and of its reference file."""
    reference = reference_of(path)
    return [file_fingerprint(file) for file in (path, reference) if file is not None]


def _failure(path: Path, error: SeaIceError) -> Failure:
    return Failure(str(path), str(error), error.hint)


def _remove(store_path: str) -> None:
    """Delete a store to replace it; refuse to delete anything else."""
    store = Path(store_path)
    if not store.exists():
        return
    Store.open(store_path)
    shutil.rmtree(store)

"""Compare a whole store with the checksums that were written with each scene.

This finds flipped bytes, files that are truncated or missing, scenes of another recipe, and
root attributes that do not fit the scenes.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seaice_data.display import Displayed
from seaice_data.errors import DamageError
from seaice_data.store.consolidated import is_stale, write_consolidated
from seaice_data.store.group import CONSOLIDATED
from seaice_data.store.layout import checksum, describe, metadata_checksum
from seaice_data.store.store import Store
from seaice_data.store.stored_scene import StoredScene
from seaice_data.store.summary import summarise
from seaice_data.store.writer import StoreWriter
from seaice_data.system.workers import Progress, run_tasks


@dataclass(frozen=True, slots=True)
class Damage:
    """Something in a store that is not as it was written."""

    scene: str
    """Id of the scene; empty for the root."""

    array: str
    """Name of the array; empty for attributes."""

    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class VerifyReport(Displayed):
    """What `verify` found."""

    n_scenes: int
    """Scenes in the store."""

    damages: tuple[Damage, ...]
    """In the order of the scenes, those of the root last."""

    foreign_entries: Mapping[str, str]
    """What is in the store but not part of it, or no longer true: a description by name. It
    is not damage, and is left alone."""

    elapsed_s: float

    @property
    def damaged_scenes(self) -> tuple[str, ...]:
        """Ids of the damaged scenes, sorted."""
        return tuple(sorted({damage.scene for damage in self.damages if damage.scene}))


def verify(
    store_path: str | Path, *, jobs: int = 1, progress: Progress | None = None
) -> VerifyReport:
    """Compare all arrays and attributes of a store with their checksums.

    Parameters
    ----------
    store_path
        Path or URL of the store.
    jobs
        Number of processes.
    progress
        Called after each scene.

    Raises
    ------
    StoreError
        If the store does not exist, its root metadata is damaged, or a file cannot be read
        for a reason outside the store (permissions, a disk or server that does not answer).
    OSError, MemoryError
        If the disk or the memory fails.
    """
    start = time.monotonic()
    store = Store.open(store_path)
    arguments: dict[str, tuple[str, str]] = {
        scene_id: (store.storage.url, scene_id) for scene_id in store.scenes
    }
    found = run_tasks(_verify_scene, arguments, jobs, progress)
    damages = [damage for damages in found for damage in damages]
    entries = dict(store.foreign_entries)
    if not damages:  # otherwise summary and copy would lack the damaged scenes
        damages = _verify_root(store)
        entries |= _stale_copy(store)
    elapsed_s = time.monotonic() - start
    return VerifyReport(len(store.scenes), tuple(damages), entries, elapsed_s)


def remove_damaged(store_path: str | Path, report: VerifyReport) -> tuple[str, ...]:
    """Remove the scenes in which `verify` found damage, so that they can be prepared again.

    Each is checked again first, while no other process can write to the store.

    Returns
    -------
    tuple
        Ids of the removed scenes: those that were damaged and still are.

    Raises
    ------
    StoreError
        If another process is writing to the store, or as in `verify`; nothing is removed.
    """
    with Store.open(store_path).storage.lock(alone=True):
        store = StoreWriter(store_path)  # now that it is locked
        still = [
            scene_id
            for scene_id in report.damaged_scenes
            if store.has_scene(scene_id) and _verify_scene(store.storage.url, scene_id)
        ]
        for scene_id in still:
            store.remove(scene_id)
        write_consolidated(StoreWriter(store_path))
        store.storage.drop_staging()
    return tuple(still)


def _verify_scene(store_path: str, scene_id: str) -> list[Damage]:
    """Return what is damaged in one scene."""
    try:
        scene = Store.open(store_path).scene(scene_id)
    except DamageError as error:
        return [Damage(scene_id, "", str(error))]
    damages = []
    described = {}
    for name, expected in scene.known["checksums"].items():
        try:
            array = scene.whole_array(name)
            described[name] = describe(array)
            if checksum(scene.read_part(name, array)) != expected:
                reason = "values are not those that were written"
                damages.append(Damage(scene_id, name, reason))
            elif name in ("inputs", "charts"):
                getattr(scene, name)  # mapped, if it can be: its size must be right
        except DamageError as error:
            reason = str(error).removeprefix(f"scene {scene_id}: ")
            damages.append(Damage(scene_id, name, reason))
    if not damages and not _is_described(scene, described):
        damages.append(Damage(scene_id, "", "attributes are not as they were written"))
    return damages


def _is_described(scene: StoredScene, described: Mapping[str, Any]) -> bool:
    written = scene.known["metadata_checksum"]
    return written == metadata_checksum(scene.attributes, described)


def _verify_root(store: Store) -> list[Damage]:
    """Return which root attributes do not fit the recipe and the scenes."""
    summary, _ = summarise(store)
    expected = store.expected_attributes(summary)
    wrong = [
        name
        for name in sorted({*expected, *store.attributes})
        if _text(expected.get(name)) != _text(store.attributes.get(name))
    ]
    if not wrong:
        return []
    return [Damage("", "", f"attributes do not fit the scenes: {', '.join(wrong)}")]


def _stale_copy(store: Store) -> dict[str, str]:
    """Describe a copy of the metadata that would mislead other programs, if there is one.

    It is not damage: arrays may be written again in other chunks, and seaice does not use
    the copy then.
    """
    if not is_stale(store):
        return {}
    name = f"scenes/{CONSOLIDATED[store.recipe.zarr_format]}"
    return {name: "consolidated metadata does not fit; `seaice prepare` writes it again"}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)

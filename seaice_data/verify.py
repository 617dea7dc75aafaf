"""Read a whole store again and compare it with the checksums written with each scene.

Finds flipped bytes, files that are cut or missing, scenes of another recipe, and root
attributes that do not fit the scenes.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seaice_data.errors import StoreError
from seaice_data.parallel import Progress, run_tasks
from seaice_data.prepare import summarise
from seaice_data.store import (
    UNREADABLE,
    Store,
    StoredScene,
    checksum,
    describe,
    metadata_checksum,
)


@dataclass(frozen=True, slots=True)
class Damage:
    """Something in a store that is not as it was written."""

    scene: str
    """Id of the scene; empty for the root."""

    array: str
    """Name of the array; empty for attributes."""

    reason: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `verify` found."""

    n_scenes: int
    """Scenes in the store."""

    damages: tuple[Damage, ...]
    """In the order of the scenes, those of the root last."""

    elapsed_s: float

    @property
    def damaged_scenes(self) -> tuple[str, ...]:
        """Ids of the scenes that are not whole, sorted."""
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
        Processes that work at the same time.
    progress
        Told after each scene.

    Raises
    ------
    StoreError
        If there is no store, or its root metadata cannot be read.
    """
    start = time.monotonic()
    store = Store.open(store_path)
    arguments: dict[str, tuple[str, str]] = {
        scene_id: (store.path, scene_id) for scene_id in store.scenes
    }
    found = run_tasks(_verify_scene, arguments, jobs, progress)
    damages = [damage for damages in found for damage in damages]
    if not damages:  # else what is known of all scenes together cannot be true
        damages = _verify_root(store)
    return VerifyReport(len(store.scenes), tuple(damages), time.monotonic() - start)


def remove_damaged(store_path: str, report: VerifyReport) -> None:
    """Remove the scenes in which `verify` found damage, so that they can be prepared again.

    Raises
    ------
    StoreError
        If another process is writing to the store.
    """
    store = Store.open(store_path)
    with store.storage.lock(alone=True):
        for scene_id in report.damaged_scenes:
            store.remove(scene_id)
        store.storage.drop_staging()


def _verify_scene(store_path: str, scene_id: str) -> list[Damage]:
    """Return what is damaged in one scene."""
    store = Store.open(store_path)
    try:
        scene = store.scene(scene_id)
        expected = dict(scene.attributes["checksums"])
    except (StoreError, *UNREADABLE):
        return [Damage(scene_id, "", "attributes cannot be read")]
    damages = []
    arrays = {}
    # A disk that cannot be read is damaged; an object store may just be out of reach.
    unreadable: tuple[type[Exception], ...] = (StoreError, *UNREADABLE)
    if store.storage.is_local:
        unreadable = (*unreadable, OSError)
    for name in expected:
        try:
            arrays[name] = scene.array(name)
            if reason := _compare(scene, name, arrays[name], expected[name]):
                damages.append(Damage(scene_id, name, reason))
        except unreadable as error:
            damages.append(Damage(scene_id, name, f"cannot be read: {_first_line(error)}"))
    if not damages and not _is_described(scene, arrays):
        damages.append(Damage(scene_id, "", "attributes are not as they were written"))
    return damages


def _compare(scene: StoredScene, name: str, array: Any, expected: str) -> str:
    """Read an array and return what is wrong with it; nothing if it is whole."""
    if absent := array.nchunks - array.nchunks_initialized:
        return f"{absent} of {array.nchunks} chunks missing"
    if checksum(array[...]) != expected:
        return "values are not those that were written"
    if name in ("inputs", "charts"):
        getattr(scene, name)  # mapped, if it can be: its size must be right
    return ""


def _is_described(scene: StoredScene, arrays: dict[str, Any]) -> bool:
    written = scene.attributes.get("metadata_checksum")
    described = {name: describe(array) for name, array in arrays.items()}
    return (
        written == metadata_checksum(scene.attributes, described)
        and scene.attributes.get("fingerprint") == scene.store.fingerprint
    )


def _verify_root(store: Store) -> list[Damage]:
    """Return which root attributes do not fit the recipe and the scenes."""
    expected = store.expected_attributes(summarise(store))
    wrong = [
        name
        for name in sorted({*expected, *store.attributes})
        if _text(expected.get(name)) != _text(store.attributes.get(name))
    ]
    if not wrong:
        return []
    return [Damage("", "", f"attributes do not fit the scenes: {', '.join(wrong)}")]


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

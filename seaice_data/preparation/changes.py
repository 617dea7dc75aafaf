"""Find files that are new, or have changed since their scenes were prepared.

A file counts as unchanged if its size, samples and time are those noted for its scene. If
the time differs or was not noted (the file was copied, touched or corrected; the store is
of version 0.1), the file is prepared again and compared with the checksums of the scene. So
`prepare` never has to hash whole files.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seaice_data.errors import Failure, SceneError, SeaIceError
from seaice_data.scene_id import SceneId
from seaice_data.scenes.fingerprints import file_times, source_files
from seaice_data.store.prepared_scene import PreparedScene
from seaice_data.store.store import Store
from seaice_data.store.writer import StoreWriter
from seaice_data.system.files import file_errors


@dataclass(frozen=True, slots=True)
class Changes:
    """Files compared with a store."""

    times: Mapping[str, list[int]]
    """When files last changed, by scene."""

    to_prepare: Mapping[str, Path]
    """Files to prepare or to compare, by scene."""

    kept: tuple[str, ...]
    """Scenes in the store that were made from these files."""

    failed: tuple[Failure, ...]
    """Files that cannot be read, or that are not what their scenes were made from."""


def find_changes(found: Mapping[SceneId, Path], store: Store) -> Changes:
    """Separate files to prepare from those whose scenes are in the store already."""
    times: dict[str, list[int]] = {}
    to_prepare: dict[str, Path] = {}
    kept: list[str] = []
    failed: list[Failure] = []
    noted = store.source_times
    for scene_id, path in found.items():
        try:
            with file_errors(path):
                times[scene_id] = file_times(path)
                if scene_id in store.scenes and is_unchanged(path, store, scene_id, noted):
                    kept.append(scene_id)
                else:
                    to_prepare[scene_id] = path
        except SeaIceError as error:
            failed.append(Failure.of(path, error))
    return Changes(times, to_prepare, tuple(kept), tuple(failed))


def is_unchanged(
    path: Path, store: Store, scene_id: str, noted: Mapping[str, list[int]]
) -> bool:
    """Return whether a stored scene was certainly made from this file.

    Parameters
    ----------
    noted
        When files last changed, as noted in the store.

    Raises
    ------
    SceneError
        If it was certainly made from another one.
    """
    made_from = store.scene(scene_id).known.get("source_files", [])
    if [*map(_content, made_from)] != [*map(_content, source_files(path))]:
        raise SceneError(
            f"{str(path)!r}: not the file that scene {scene_id} was made from",
            hint="prepare the store again with --overwrite",
        )
    return noted.get(scene_id) == file_times(path)


def _content(file: Mapping[str, Any]) -> tuple[object, object]:
    """Return size and hash of a file; its name is ignored."""
    return file["size"], file["blake2b_of_samples"]


def refuse_other(path: Path, store: Store, prepared: PreparedScene) -> None:
    """Reject a file that gives another scene than the stored one.

    Raises
    ------
    SceneError
        If an array differs from that of the stored scene.
    """
    if changed := store.changed_arrays(prepared):
        raise SceneError(
            f"{str(path)!r}: scene {prepared.id} in the store was made from other data: "
            f"{', '.join(changed)} differ",
            hint="prepare the store again with --overwrite",
        )


def note_times(
    store: StoreWriter, times: Mapping[str, list[int]], forget: Iterable[str] = ()
) -> None:
    """Note when files last changed, if the store can be written to."""
    noted = store.source_times
    new = {i: time for i, time in {**noted, **times}.items() if i not in {*forget}}
    if new != noted:
        with suppress(OSError):
            store.note_source_times(new)

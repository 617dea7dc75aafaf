"""Divide the scenes of a store into splits again, by other settings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from seaice_data.display import Displayed
from seaice_data.errors import Failure, SettingsError, StoreError
from seaice_data.scene_id import SceneId
from seaice_data.settings import to_mapping
from seaice_data.store.opening import AnyStore, opened
from seaice_data.store.split import SplitSettings, split_folds
from seaice_data.store.store import Store
from seaice_data.store.summary import finish
from seaice_data.store.writer import StoreWriter
from seaice_data.texts import agreeing, counted


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class SplitReport(Displayed):
    """What `split_store` did."""

    splits: Mapping[str, tuple[SceneId, ...]]
    """Scenes of each split."""

    left_out: tuple[SceneId, ...]
    """Scenes in no split: others of their orbit pass are in another split, or they are
    damaged."""

    absent: Mapping[str, tuple[SceneId, ...]]
    """Scenes of the test and of the validation list that are not in the store."""

    tested: tuple[SceneId, ...]
    """Scenes of the validation list that are test scenes instead."""

    failed: tuple[Failure, ...]
    """Scenes that are damaged, and why."""


def split_store(store: AnyStore, settings: SplitSettings) -> SplitReport:
    """Divide the scenes of a store; the settings also apply to scenes that are added later.

    Parameters
    ----------
    store
        The store, or its path; open it again to see its new splits.
    settings
        How to divide.

    Raises
    ------
    StoreError
        If a scene cannot be read, or the store cannot be written.
    """
    store = opened(store)
    StoreWriter(store.storage.url).write_summary({"split_settings": to_mapping(settings)})
    failed = finish(store)
    splits = Store.open(store.storage.url).splits
    divided = {scene for ids in splits.values() for scene in ids}
    lists = {"test": settings.test or (), "validation": settings.validation or ()}
    return SplitReport(
        splits=splits,
        left_out=tuple(i for i in store.scenes if i not in divided),
        absent={n: tuple(sorted({*ids} - {*store.scenes})) for n, ids in lists.items()},
        tested=tuple(sorted({*lists["validation"]} & {*splits["test"]})),
        failed=tuple(failed),
    )


def is_unfinished(store: Store) -> bool:
    """Return whether a store has scenes that were never divided into splits."""
    return bool(store.scenes) and store.attributes.get("splits") is None


def divided(store: Store) -> Mapping[str, tuple[SceneId, ...]]:
    """Return the scenes of each split of a store that is finished.

    Raises
    ------
    StoreError
        If it has scenes, but they have not been divided yet.
    """
    if is_unfinished(store):
        n_scenes = len(store.scenes)
        raise StoreError(
            f"{counted(n_scenes, 'scene')} of {store.path!r} "
            f"{agreeing(n_scenes, 'is', 'are')} not divided into splits yet: only parts "
            "of it have been prepared, or `prepare` was interrupted",
            hint=f"finish it with `seaice prepare raw/ {store.path}`, without --part",
        )
    return store.splits


def folds_of(
    store: AnyStore, n_folds: int, seed: int = 0
) -> tuple[tuple[SceneId, ...], ...]:
    """Divide the training and validation scenes of a store into folds.

    The splits of the store, which may be given by its path, stay as they are. See
    `seaice_data.store.split.split_folds`.

    Raises
    ------
    StoreError
        If the store has not been divided yet.
    SettingsError
        If there are fewer orbit passes than folds.
    """
    splits = divided(opened(store))
    return split_folds((*splits["train"], *splits["validation"]), n_folds, seed)


def listed_scenes(scenes: Any) -> tuple[str, ...]:
    """Return ids of scenes that are named one by one.

    Raises
    ------
    SettingsError
        If they are one text, or not texts: a text would be taken letter by letter.

    Examples
    --------
    >>> listed_scenes(["20180607T184326_dmi"])
    ('20180607T184326_dmi',)
    """
    if isinstance(scenes, str):
        raise SettingsError(
            f"scenes must be ids of scenes, got the text {scenes!r:.80}",
            hint=f"write scenes=[{scenes!r:.80}]",
        )
    if isinstance(scenes, Iterable):
        ids = tuple(scenes)
        if all(isinstance(scene, str) for scene in ids):
            return ids
    raise SettingsError(f"scenes must be ids of scenes, got {scenes!r:.80}")

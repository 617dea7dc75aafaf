"""Divide the scenes of a store into splits again, by other settings."""

from collections.abc import Mapping
from dataclasses import dataclass

from seaice_data.errors import Failure
from seaice_data.scene_id import SceneId
from seaice_data.settings import to_mapping
from seaice_data.store.split import SplitSettings
from seaice_data.store.store import Store
from seaice_data.store.summary import finish


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitReport:
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


def split_store(store: Store, settings: SplitSettings) -> SplitReport:
    """Divide the scenes of a store; the settings also apply to scenes that are added later.

    Parameters
    ----------
    store
        The store; `Store.open` it again to see its new splits.
    settings
        How to divide.

    Raises
    ------
    StoreError
        If a scene cannot be read, or the store cannot be written.
    """
    store.write_summary({"split_settings": to_mapping(settings)})
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

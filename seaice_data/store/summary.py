"""What describes all scenes of a store together: splits, statistics, class counts.

It is written into the root attributes after scenes are added or divided; `seaice verify`
recomputes it from the scenes. Their consolidated metadata is written at the same time.
"""

from typing import Any

from seaice_data.errors import DamageError, Failure, StoreError
from seaice_data.settings import from_mapping, to_mapping
from seaice_data.store.consolidated import write_consolidated
from seaice_data.store.group import OWN_SOURCE, SOURCE
from seaice_data.store.split import TEST_IDS, SplitSettings, leaking_pairs, split_scenes
from seaice_data.store.statistics import ChannelStats, add_counts
from seaice_data.store.store import Store
from seaice_data.store.writer import StoreWriter
from seaice_data.system.documents import naming_version


def finish(store: Store) -> list[Failure]:
    """Write what describes all scenes together, and remove what killed runs left.

    Returns
    -------
    list
        Damaged scenes, which are in no split.
    """
    url = store.storage.url
    while True:
        current = StoreWriter(url)
        summary, damaged = summarise(current)
        current.write_summary(summary)
        write_consolidated(current)
        # Another run may have added or replaced scenes in the meantime, and finished before
        # this one.
        if Store.open(url).has_same_scenes(current):
            current.storage.drop_staging()
            return damaged


def summarise(store: Store) -> tuple[dict[str, Any], list[Failure]]:
    """Return splits, statistics and class counts of all scenes, and the damaged scenes.

    Where the data come from is part of it if they are not only those of AI4Arctic.
    Damaged scenes are left out. A scene that cannot be read for another reason is an error,
    because the splits would lose it.
    """
    scenes, damaged = store.open_scenes(leave_out=DamageError)
    written = store.attributes.get("split_settings") or to_mapping(SplitSettings())
    with naming_version(StoreError, store.path, store.attributes["software"]):
        settings = from_mapping(SplitSettings, written)
    usual = TEST_IDS.union(s.id for s in scenes if s.known["is_test_file"])
    unlabelled = [scene.id for scene in scenes if scene.is_unlabelled]
    usual = usual.difference(unlabelled)
    splits = split_scenes(
        [scene.id for scene in scenes],
        usual if settings.test is None else settings.test,
        settings.seed,
        validation=settings.validation,
        allow_leaks=settings.allow_leaks,
        unlabelled=unlabelled,
    )
    training = [scene for scene in scenes if scene.id in splits["train"]]
    summary: dict[str, Any] = {
        "splits": {name: list(ids) for name, ids in splits.items()},
        "split_settings": written,
        "splits_leak": [list(pair) for pair in leaking_pairs(splits, unlabelled)],
        "class_counts": add_counts(scene.class_counts for scene in training),
        "full_class_counts": add_counts(scene.full_class_counts for scene in training),
        "stats": None,
    }
    if training:
        parts = (scene.stats for scene in training)
        summary["stats"] = ChannelStats.merge(parts).to_mapping()
    are_own = {not scene.origin.is_ai4arctic for scene in scenes}
    if True in are_own:
        of_both = f"{SOURCE['source']}; {OWN_SOURCE}"
        summary["source"] = of_both if False in are_own else OWN_SOURCE
        if False not in are_own:
            summary["source_doi"] = None
    return summary, damaged

"""Which scenes of a store are predicted: splits are those of the runs, not of the store.

A run keeps lists of the scenes that it was trained and validated on. They differ from the
splits of the store if it was divided again since. With several runs, a scene counts as
trained on if any of them was trained on it.
"""

import logging

from seaice_data.errors import SettingsError
from seaice_data.scene_id import SceneId
from seaice_data.settings import nearest
from seaice_data.store.division import divided
from seaice_data.store.selection import select
from seaice_data.store.store import Store
from seaice_data.texts import counted, shortened
from seaice_model.errors import RunError
from seaice_model.prediction.predictor import Predictor

log = logging.getLogger(__name__)

SPLITS = {
    "train": "that {run} was trained on",
    "validation": "that {run} was validated on and not trained on",
    "test": "for testing that {run} has not seen",
    "unseen": "that {run} has not seen",
    "all": "at all",
}
"""Splits of a store as runs used it, and which scenes are in each."""


def scenes_to_predict(
    store: Store, predictor: Predictor, split: str = "", where: str = ""
) -> tuple[SceneId, ...]:
    """Return the ids of the scenes of a split that satisfy a condition, sorted.

    Parameters
    ----------
    store
        Where the scenes are.
    predictor
        The networks of one run, or of several.
    split
        One of `SPLITS`. If empty, the unseen scenes; if a run was trained on the store,
        only its test scenes, because the other unseen scenes differ from run to run.
    where
        Condition that narrows the split, see `seaice_data.store.selection`; ``split`` is
        that of the runs. All scenes of the split if empty.

    Raises
    ------
    SettingsError
        If there is no such split, or the condition cannot be read.
    RunError
        If no scene is left.
    """
    if split and split not in SPLITS:
        raise SettingsError(f"unknown split {split!r}", hint=nearest(split, SPLITS))
    if not store.scenes:
        raise RunError(
            f"the store {store.path!r} has no scenes",
            hint=f"add some with `seaice prepare raw/ {store.path}`",
        )
    splits = _splits(store, predictor)
    split = split or _usual_split(splits)
    if not splits[split]:
        raise _none_in(split, splits, store, predictor)
    if split == "test" and (n_seen := len({*store.splits["test"]} - {*splits["test"]})):
        log.warning(
            "%d test scenes of %r are left out: the run was trained or validated on them",
            n_seen, store.path,
        )  # fmt: skip
    if not where:
        return splits[split]
    of_runs = {name: splits[name] for name in ("train", "validation", "test")}
    chosen = {*select(store, where, of_runs)}
    if not (ids := tuple(scene for scene in splits[split] if scene in chosen)):
        raise RunError(
            f"none of {counted(len(splits[split]), 'scene')} {_in_words(split, predictor)} "
            f"satisfies {shortened(where)!r}, but {len(chosen)} others do",
            hint="they are in --split "
            + " and ".join(name for name in SPLITS if chosen.intersection(splits[name])),
        )
    return ids


def _splits(store: Store, predictor: Predictor) -> dict[str, tuple[SceneId, ...]]:
    """Return the scenes of a store by their use in the runs."""
    uses = {scene: predictor.use_of(scene) for scene in store.scenes}
    tests = {*store.splits["test"]}
    unseen = tuple(scene for scene, use in uses.items() if use == "unseen")
    return {
        "train": tuple(scene for scene, use in uses.items() if use == "trained"),
        "validation": tuple(scene for scene, use in uses.items() if use == "validated"),
        "test": tuple(scene for scene in unseen if scene in tests),
        "unseen": unseen,
        "all": store.scenes,
    }


def _usual_split(splits: dict[str, tuple[SceneId, ...]]) -> str:
    is_trained_on = len(splits["unseen"]) < len(splits["all"])
    return "test" if is_trained_on and splits["test"] else "unseen"


def _in_words(split: str, predictor: Predictor) -> str:
    return SPLITS[split].format(run=f"the run {predictor.name!r}")


def _none_in(
    split: str,
    splits: dict[str, tuple[SceneId, ...]],
    store: Store,
    predictor: Predictor,
) -> RunError:
    if split == "test":
        divided(store)  # an error if the store has no splits
    filled = ", ".join(name for name, scenes in splits.items() if scenes)
    return RunError(
        f"the store {store.path!r} has no scene {_in_words(split, predictor)}",
        hint=f"splits with scenes are {filled}; or name scenes with --scene",
    )

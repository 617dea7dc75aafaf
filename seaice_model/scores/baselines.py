"""Maps that need no network: what a network must beat.

They are chosen by looking at the charts of the training scenes alone.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from seaice_data.errors import DamageError
from seaice_data.sources.charts import ChartedScene
from seaice_data.store.statistics import add_counts
from seaice_data.store.store import Store
from seaice_model.metrics import (
    ChartScorer,
    Scores,
    best_constants,
    count_constants,
    majority_classes,
)

log = logging.getLogger(__name__)

ClassCounts = Mapping[str, Sequence[int]]
"""Pixels of each class, by chart."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Maps that show one class everywhere in a scene."""

    title: str
    """What is shown, for people."""

    scores: Scores
    """Scores of such maps on the same pixels."""


def score_baselines(
    store: Store, scored: Sequence[tuple[ChartedScene, ClassCounts]]
) -> dict[str, Baseline]:
    """Score simple maps of the scenes that were scored.

    - ``majority class``: of each chart the most frequent class;
    - ``best constant``: the same, but for SIC the class nearest to the mean, which no
      constant beats in R2;
    - ``climatology``: as ``best constant``, from the training scenes of the same region
      and month; of the month, or all, where there are none.

    Parameters
    ----------
    store
        Whose training scenes tell what is usual.
    scored
        Scenes, and the pixels of each class in their charts.

    Returns
    -------
    dict
        By name; empty if the store has no training scenes with charts.
    """
    training = _Training(store)
    if not training.counts[()]:
        return {}
    overall = add_counts(training.counts[()])
    majority, constant = majority_classes(overall), best_constants(overall)
    choices: dict[str, tuple[str, Callable[[ChartedScene], dict[str, int]]]] = {
        "majority class": ("the most frequent class everywhere", lambda _: majority),
        "best constant": ("the class that scores best everywhere", lambda _: constant),
        "climatology": (
            "the class that scores best in the month and region",
            training.climatology,
        ),
    }
    baselines = {}
    for name, (title, choose) in choices.items():
        scorer = ChartScorer()
        for scene, counts in scored:
            scorer.merge(count_constants(counts, choose(scene)))
        baselines[name] = Baseline(title, scorer.scores())
    return baselines


class _Training:
    """What the charts of the training scenes show, by region and month."""

    def __init__(self, store: Store) -> None:
        self.counts: dict[tuple[object, ...], list[dict[str, list[int]]]]
        self.counts = defaultdict(list)
        scenes, failures = store.open_scenes(leave_out=DamageError)
        for failure in failures:
            log.warning("%s is not in the baselines: %s", failure.name, failure.reason)
        training = {*store.splits["train"]}
        for scene in scenes:
            if scene.id not in training or not scene.has_charts:
                continue
            for key in ((), (scene.acquired.month,), (scene.region, scene.acquired.month)):
                self.counts[key].append(scene.full_class_counts)

    def climatology(self, scene: ChartedScene) -> dict[str, int]:
        month = scene.acquired.month
        keys: tuple[tuple[object, ...], ...] = ((scene.region, month), (month,), ())
        nearest = next(key for key in keys if key in self.counts)
        return best_constants(add_counts(self.counts[nearest]))

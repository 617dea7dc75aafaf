"""Trivial maps that need no network, and that a network must beat.

Their classes follow from the charts of the training scenes alone.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seaice_data.arrays import IntArray
from seaice_data.charts import CHARTS, SIC, Chart
from seaice_data.errors import DamageError
from seaice_data.sources.charts import ChartedScene
from seaice_data.store.statistics import add_counts
from seaice_data.store.store import Store
from seaice_model.metrics import ChartScorer, Scores

log = logging.getLogger(__name__)

ClassCounts = Mapping[str, Sequence[int]]
"""Pixels of each class, by chart."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Maps that show one class everywhere in a scene."""

    title: str
    """Description of what the maps show."""

    scores: Scores
    """Scores of such maps on the same pixels."""


def score_baselines(
    store: Store, scored: Sequence[tuple[ChartedScene, ClassCounts]]
) -> dict[str, Baseline]:
    """Score trivial maps of the scenes that were scored.

    - ``majority class``: the most frequent class of each chart;
    - ``best constant``: the same, but for SIC the class nearest to the mean, which no
      constant beats in R2;
    - ``climatology``: as ``best constant``, from the training scenes of the same region
      and month; if there are none, of the month, else from all.

    Parameters
    ----------
    store
        The store whose training scenes the classes follow from.
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


def majority_classes(class_counts: ClassCounts) -> dict[str, int]:
    """Return the most frequent class of each chart; `class_counts` as in `best_constants`.

    Examples
    --------
    >>> majority_classes({"SIC": [6, *[0] * 9, 5, 0], "SOD": [5, 0, 6, 0], "FLOE": [3, 0]})
    {'SIC': 0, 'SOD': 2, 'FLOE': 0}
    """
    return {chart.name: int(np.argmax(class_counts[chart.name][:-1])) for chart in CHARTS}


def best_constants(class_counts: ClassCounts) -> dict[str, int]:
    """Return the class of each chart that scores best when a whole map shows it.

    For SOD and FLOE that is the most frequent class; for SIC, scored by R2, the class
    nearest to the mean.

    Parameters
    ----------
    class_counts
        Pixels of each class in the charts to learn from (training scenes), by chart, as
        `seaice_data.store.statistics.count_classes` returns them.

    Examples
    --------
    >>> water_and_old_ice = [5, 0, 0, 0, 0, 6, 0]
    >>> half_open = [5, *[0] * 9, 5, 0]
    >>> best_constants({"SIC": half_open, "SOD": water_and_old_ice, "FLOE": [3, *[0] * 7]})
    {'SIC': 5, 'SOD': 5, 'FLOE': 0}
    """
    return {
        chart.name: _best_constant(chart, np.asarray(class_counts[chart.name]))
        for chart in CHARTS
    }


def count_constants(class_counts: ClassCounts, constants: Mapping[str, int]) -> ChartScorer:
    """Count the pixels of maps that show one class everywhere, without making the maps.

    Parameters
    ----------
    class_counts
        Pixels of each class in the charts to score against, by chart, as
        `seaice_data.store.statistics.count_classes` returns them.
    constants
        The class of the map, by chart.
    """
    scorer = ChartScorer()
    for chart in CHARTS:
        counts = np.asarray(class_counts[chart.name])[: chart.n_classes]
        scorer.confusion[chart.name][:, constants[chart.name]] = counts
    return scorer


class _Training:
    """Classes in the charts of the training scenes, by region and month."""

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


def _best_constant(chart: Chart, counts: IntArray) -> int:
    pixels = counts[: chart.n_classes]  # without fill
    if chart is not SIC or pixels.sum() == 0:
        return int(pixels.argmax())
    mean = (pixels * np.arange(len(pixels))).sum() / pixels.sum()
    return round(float(mean))

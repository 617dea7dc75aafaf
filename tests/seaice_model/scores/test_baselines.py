import numpy as np

from seaice_data.charts import CHARTS
from seaice_data.sources.charts import charts_of
from seaice_data.store.statistics import count_classes
from seaice_data.store.store import Store
from seaice_model.metrics import ChartScorer
from seaice_model.scores.baselines import (
    best_constants,
    count_constants,
    score_baselines,
)
from seaice_model.scores.score import ScoreReport


def test_baselines_are_scored_alongside(report: ScoreReport) -> None:
    assert list(report.baselines) == ["majority class", "best constant", "climatology"]
    scores = {}
    for name, baseline in report.baselines.items():
        sic = baseline.scores.charts["SIC"]
        assert sic.score is not None
        assert sic.score <= 0  # no constant explains more than the mean
        assert sic.n_pixels == report.pooled.charts["SIC"].n_pixels
        scores[name] = sic.score
    assert scores["majority class"] <= scores["best constant"]


def test_climatology_takes_the_class_of_the_month(store: Store) -> None:
    # All training scenes are from January, so those of the month are all scenes.
    training = [store.scene(scene) for scene in store.splits["train"]]
    assert {scene.acquired.month for scene in training} == {1}
    baselines = score_baselines(
        store,
        [
            (charted, store.scene(charted.id).full_class_counts)
            for charted in charts_of(store).scenes.values()
        ],
    )
    assert baselines["climatology"].scores == baselines["best constant"].scores


def test_no_constant_map_scores_better_than_the_best_one() -> None:
    rng = np.random.default_rng(5)
    charts = rng.integers(0, 6, (3, 20, 20), np.uint8) ** 2 % 7
    charts[1] %= 6
    counts = count_classes(charts)
    best = best_constants(counts)
    for chart in CHARTS:
        scores = [
            count_constants(counts, {**best, chart.name: value})
            .scores()
            .charts[chart.name]
            .score
            for value in range(chart.n_classes)
        ]
        assert int(np.argmax(scores)) == best[chart.name]


def test_a_constant_map_scores_as_its_pixels_do() -> None:
    charts = np.array([[[0, 4, 10, 255]], [[0, 1, 1, 5]], [[255, 255, 255, 6]]], np.uint8)
    counts = count_classes(charts)
    constants = {"SIC": 5, "SOD": 1, "FLOE": 6}
    scorer = ChartScorer()
    scorer.add(charts, np.array([[[5] * 4], [[1] * 4], [[6] * 4]], np.uint8))
    assert count_constants(counts, constants).scores() == scorer.scores()

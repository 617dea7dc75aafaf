import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, r2_score

from seaice_data.arrays import ChartArray
from seaice_data.charts import CHARTS, FLOE, SIC, SOD
from seaice_data.stats import count_classes
from seaice_model.metrics import (
    ChartScorer,
    best_constants,
    class_f1,
    r2,
    score_constants,
    weighted_f1,
)

FIGURES = Path(__file__).parents[1] / "data" / "reference_scores.npz"


def planes(*charts: list[int]) -> ChartArray:
    return np.array([[chart] for chart in charts], dtype=np.uint8)


def test_r2_by_hand() -> None:
    # The chart is 0, 0, 2, 2: mean 1, spread 4. The map errs by 1 once.
    confusion = np.array([[1, 1, 0], [0, 0, 0], [0, 0, 2]])
    assert r2(confusion) == 1 - 1 / 4


def test_weighted_f1_by_hand() -> None:
    # Class 0: 3 of 4 found, none wrong: F1 6/7. Class 1: both found, one wrong: 4/5.
    confusion = np.array([[3, 1], [0, 2]])
    np.testing.assert_allclose(class_f1(confusion), [6 / 7, 4 / 5])
    assert weighted_f1(confusion) == pytest.approx((4 * 6 / 7 + 2 * 4 / 5) / 6)


def test_the_combined_score_weighs_2_2_1() -> None:
    scorer = ChartScorer()
    charts = planes([0, 10], [0, 0], [0, 0])
    scorer.add(charts, planes([0, 10], [1, 1], [0, 0]))
    scores = scorer.scores()
    assert [scores.charts[c.name].score for c in CHARTS] == [100, 0, 100]
    assert scores.combined == (2 * 100 + 2 * 0 + 1 * 100) / 5


def test_fill_in_the_chart_does_not_count_and_fill_in_the_map_is_told() -> None:
    scorer = ChartScorer()
    scorer.add_chart(
        SOD, np.array([0, 255, 5, 5], np.uint8), np.array([0, 3, 5, 255], np.uint8)
    )
    score = scorer.scores().charts["SOD"]
    assert (score.n_pixels, score.n_unpredicted, score.score) == (2, 1, 100)


def test_charts_without_a_pixel_have_no_score_and_take_no_part() -> None:
    scorer = ChartScorer()
    assert scorer.scores().combined is None
    scorer.add_chart(SIC, np.array([0, 10], np.uint8), np.array([0, 10], np.uint8))
    scores = scorer.scores()
    assert scores.charts["FLOE"].score is None
    assert scores.combined == 100


def test_a_chart_of_one_class_scores_100_or_0() -> None:
    assert r2(np.diag([0, 7])) == 1
    assert r2(np.array([[0, 0], [1, 6]])) == 0


def test_a_class_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="SOD has no class 6"):
        ChartScorer().add_chart(SOD, np.array([0], np.uint8), np.array([6], np.uint8))


def test_planes_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes differ"):
        ChartScorer().add_chart(SOD, np.zeros((2, 2), np.uint8), np.zeros(4, np.uint8))


def test_scores_are_ready_for_json() -> None:
    scorer = ChartScorer()
    scorer.add(planes([0, 10], [0, 5], [255, 255]), planes([0, 9], [0, 5], [0, 6]))
    again = json.loads(json.dumps(asdict(scorer.scores())))
    assert again["charts"]["FLOE"]["score"] is None
    assert again["charts"]["SOD"]["class_pixels"] == [1, 0, 0, 0, 0, 1]


@given(seed=st.integers(0, 10_000), n_scenes=st.integers(1, 4))
def test_scores_are_those_of_scikit_learn(seed: int, n_scenes: int) -> None:
    rng = np.random.default_rng(seed)
    scenes = [
        [rng.integers(0, c.n_classes, (2, 30), np.uint8) for c in CHARTS]
        for _ in range(n_scenes)
    ]
    scorers = [ChartScorer() for _ in scenes]
    for scorer, scene in zip(scorers, scenes, strict=True):
        for chart, pair in zip(CHARTS, scene, strict=True):
            scorer.add_chart(chart, *pair)
    for other in scorers[1:]:
        scorers[0].merge(other)
    scores = scorers[0].scores()
    pooled = [np.concatenate(parts, axis=1) for parts in zip(*scenes, strict=True)]
    assert scores.charts["SIC"].score == pytest.approx(100 * r2_score(*pooled[0]))
    for chart, pair in ((SOD, pooled[1]), (FLOE, pooled[2])):
        expected = 100 * f1_score(*pair, average="weighted")
        assert scores.charts[chart.name].score == pytest.approx(expected)


with np.load(FIGURES) as _file:
    CASES = json.loads(str(_file["cases"]))


@pytest.mark.parametrize("case", CASES)
def test_scores_are_those_of_the_reference(case: str) -> None:
    scorer = ChartScorer()
    with np.load(FIGURES) as figures:
        for chart in CHARTS:
            truth = figures[f"{case}/true_{chart.name}"]
            # The reference clamps SIC to 12, one class more than there is (D26).
            guess = figures[f"{case}/pred_{chart.name}"]
            scorer.add_chart(chart, truth, guess)
    scores, expected = scorer.scores(), CASES[case]
    assert scores.combined == pytest.approx(expected["combined"], abs=2e-3)
    for chart in CHARTS:
        ours, theirs = scores.charts[chart.name], expected["scores"][chart.name]
        assert ours.score == pytest.approx(theirs, abs=1e-3)
        classes = expected["class_f1"][chart.name][: chart.n_classes]
        np.testing.assert_allclose(ours.class_f1, 100 * np.array(classes), atol=1e-4)


def test_no_constant_map_scores_better_than_the_best_one() -> None:
    rng = np.random.default_rng(5)
    charts = rng.integers(0, 6, (3, 20, 20), np.uint8) ** 2 % 7
    charts[1] %= 6
    counts = count_classes(charts)
    best = best_constants(counts)
    for chart in CHARTS:
        scores = [
            score_constants(counts, {**best, chart.name: value}).charts[chart.name].score
            for value in range(chart.n_classes)
        ]
        assert int(np.argmax(scores)) == best[chart.name]


def test_a_constant_map_scores_as_one_that_is_drawn() -> None:
    charts = planes([0, 4, 10, 255], [0, 1, 1, 5], [255, 255, 255, 6])
    counts = count_classes(charts)
    constants = {"SIC": 5, "SOD": 1, "FLOE": 6}
    scorer = ChartScorer()
    scorer.add(charts, planes([5] * 4, [1] * 4, [6] * 4))
    assert score_constants(counts, constants) == scorer.scores()

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    jaccard_score,
    precision_recall_fscore_support,
    r2_score,
)

from seaice_data.arrays import ChartArray
from seaice_data.charts import CHARTS, SIC, SOD, Chart
from seaice_model.metrics import (
    ChartScorer,
    class_f1,
    class_iou,
    mean_iou,
    pixel_accuracy,
    r2,
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


def test_iou_and_accuracy_by_hand() -> None:
    # Class 0: 3 pixels in both, 1 more in the chart. Class 1: 2 in both, 1 more in the map
    # and 1 without a class in the map. Class 2 occurs in neither.
    confusion = np.array([[3, 1, 0, 0], [0, 2, 0, 1], [0, 0, 0, 0]])
    np.testing.assert_allclose(class_iou(confusion), [3 / 4, 2 / 4, np.nan])
    assert mean_iou(confusion) == (3 / 4 + 2 / 4) / 2
    assert pixel_accuracy(confusion) == 5 / 7


def test_a_class_that_only_the_map_shows_counts_in_the_mean_iou() -> None:
    scorer = ChartScorer()
    scorer.add_chart(SOD, np.array([0, 0, 5], np.uint8), np.array([0, 1, 5], np.uint8))
    score = scorer.scores().charts["SOD"]
    assert score.class_iou == (50, 0, None, None, None, 100)
    assert (score.mean_iou, score.pixel_accuracy) == (50, pytest.approx(200 / 3))


def test_the_combined_score_weighs_2_2_1() -> None:
    scorer = ChartScorer()
    charts = planes([0, 10], [0, 0], [0, 0])
    scorer.add(charts, planes([0, 10], [1, 1], [0, 0]))
    scores = scorer.scores()
    assert [scores.charts[c.name].score for c in CHARTS] == [100, 0, 100]
    assert scores.combined == (2 * 100 + 2 * 0 + 1 * 100) / 5


def test_fill_in_the_chart_does_not_count_and_fill_in_the_map_is_a_miss() -> None:
    scorer = ChartScorer()
    scorer.add_chart(
        SOD, np.array([0, 255, 5, 5], np.uint8), np.array([0, 3, 5, 255], np.uint8)
    )
    score = scorer.scores().charts["SOD"]
    assert (score.n_pixels, score.n_unpredicted) == (3, 1)
    assert score.score_where_predicted == 100
    assert score.class_recall[5] == 50
    assert score.class_precision[5] == 100
    assert score.score == pytest.approx(100 * (1 * 1 + 2 * 2 / 3) / 3)


def test_r2_of_a_pixel_that_the_map_leaves_out_is_that_of_the_mean() -> None:
    # The chart is 0, 2, 10: mean 4, spread 56. The map misses the 10, so errs by 6.
    confusion = np.zeros((11, 12), np.int64)
    confusion[0, 0] = confusion[2, 2] = confusion[10, 11] = 1
    assert r2(confusion) == 1 - 36 / 56


@pytest.mark.parametrize("value", [0, 7])
def test_a_map_without_any_class_scores_0(value: int) -> None:
    scorer = ChartScorer()
    scorer.add(planes([value, value], [0, 1], [6, 6]), planes(*[[255, 255]] * 3))
    scores = scorer.scores()
    assert [scores.charts[c.name].score for c in CHARTS] == [0, 0, 0]
    assert scores.combined == 0
    assert scores.charts["SIC"].score_where_predicted is None


def test_charts_without_a_pixel_have_no_score_and_do_not_count() -> None:
    scorer = ChartScorer()
    assert scorer.scores().combined is None
    scorer.add_chart(SIC, np.array([0, 10], np.uint8), np.array([0, 10], np.uint8))
    scores = scorer.scores()
    floe = scores.charts["FLOE"]
    assert (floe.score, floe.mean_iou, floe.pixel_accuracy) == (None, None, None)
    assert {*floe.class_iou} == {None}
    assert scores.combined == 100


def test_a_chart_of_one_class_scores_100_or_0() -> None:
    assert r2(np.diag([0, 7])) == 1
    assert r2(np.array([[0, 0], [1, 6]])) == 0


def test_a_class_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="SOD has no class 6"):
        ChartScorer().add_chart(SOD, np.array([0], np.uint8), np.array([6], np.uint8))


@pytest.mark.parametrize("value", [-257, -1, 256, 100_000_000])
def test_numbers_that_do_not_fit_into_a_byte_are_refused(value: int) -> None:
    charts = np.zeros((3, 2, 2), np.uint8)
    with pytest.raises(ValueError, match=f"SIC has no class {value}"):
        ChartScorer().add(charts, np.full((3, 2, 2), value))


def test_integers_from_argmax_are_counted_like_bytes() -> None:
    charts = np.array([[[0, 10, 255]], [[0, 5, 255]], [[0, 6, 255]]], np.uint8)
    scorer = ChartScorer()
    scorer.add(charts, charts.astype(np.int64))
    scorer.add(torch.from_numpy(charts.astype(np.int32)), charts)  # type: ignore[arg-type]
    assert scorer.scores().combined == 100
    assert scorer.confusion["SIC"].sum() == 4


@pytest.mark.parametrize("dtype", [np.float32, np.bool_])
def test_planes_that_are_not_integers_are_refused(dtype: type) -> None:
    charts = np.zeros((3, 2, 2), np.uint8)
    with pytest.raises(TypeError, match="SIC must contain whole numbers, got"):
        ChartScorer().add(charts, charts.astype(dtype))


def test_axes_in_the_order_of_the_store_are_refused() -> None:
    charts = np.zeros((2, 2, 3), np.uint8)
    with pytest.raises(ValueError, match=r"charts must have shape \(3, y, x\), got"):
        ChartScorer().add(charts, charts)


def test_planes_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes differ"):
        ChartScorer().add_chart(SOD, np.zeros((2, 2), np.uint8), np.zeros(4, np.uint8))


def test_a_coarser_chart_counts_as_if_it_were_enlarged() -> None:
    rng = np.random.default_rng(4)
    coarse, shown = (
        rng.integers(0, 6, (3, 4), np.uint8),
        rng.integers(0, 6, (7, 9), np.uint8),
    )
    rows, columns = np.arange(7) * 3 // 7, np.arange(9) * 4 // 9
    ours, expected = ChartScorer(), ChartScorer()
    ours.add_enlarged(SOD, coarse, shown, rows, columns)
    expected.add_chart(SOD, coarse[rows][:, columns], shown)
    assert ours.scores() == expected.scores()
    with pytest.raises(IndexError, match="rows and columns do not lead from"):
        ours.add_enlarged(SOD, coarse, shown, rows, columns + 1)


def test_scores_are_ready_for_json() -> None:
    scorer = ChartScorer()
    scorer.add(planes([0, 10], [0, 5], [255, 255]), planes([0, 9], [0, 5], [0, 6]))
    again = json.loads(json.dumps(asdict(scorer.scores())))
    assert again["charts"]["FLOE"]["score"] is None
    assert again["charts"]["SOD"]["class_pixels"] == [1, 0, 0, 0, 0, 1]


def random_pixels(chart: Chart, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sample a chart and a map that lack some classes; at times all pixels are fill."""
    rng = np.random.default_rng((seed, chart.n_classes))
    sampled = []
    for _ in range(2):
        classes = rng.choice(chart.n_classes, rng.integers(1, chart.n_classes + 1), False)
        pixels = rng.choice(classes, 60)
        pixels[rng.random(60) < rng.choice([0, 0.2, 1], p=[0.4, 0.5, 0.1])] = 255
        sampled.append(pixels)
    return sampled[0], sampled[1]


@given(seed=st.integers(0, 10_000), chart=st.sampled_from(CHARTS))
def test_scores_are_those_of_scikit_learn(seed: int, chart: Chart) -> None:
    truth, guess = random_pixels(chart, seed)
    first, second = ChartScorer(), ChartScorer()
    first.add_chart(chart, truth[:25].astype(np.uint8), guess[:25].astype(np.uint8))
    second.add_chart(chart, truth[25:].astype(np.uint8), guess[25:].astype(np.uint8))
    first.merge(second)
    ours = first.scores().charts[chart.name]
    truth, guess = truth[truth != 255], guess[truth != 255]
    assert ours.n_pixels == truth.size
    assert ours.n_unpredicted == np.count_nonzero(guess == 255)
    if truth.size == 0:
        assert ours.score is None
        return
    options = {"labels": range(chart.n_classes), "zero_division": 0}
    by_class = precision_recall_fscore_support(truth, guess, **options)
    measures = (ours.class_precision, ours.class_recall, ours.class_f1)
    np.testing.assert_allclose(measures, 100 * np.array(by_class[:3]), atol=1e-9)
    np.testing.assert_array_equal(ours.class_pixels, by_class[3])
    occurring = sorted({*truth, *guess} - {255})
    ious = 100 * jaccard_score(truth, guess, average=None, labels=occurring)
    found = [ours.class_iou[k] for k in occurring]
    np.testing.assert_allclose(found, ious, atol=1e-9)
    assert ours.class_iou.count(None) == chart.n_classes - len(occurring)
    assert ours.mean_iou == pytest.approx(ious.mean())
    assert ours.pixel_accuracy == pytest.approx(100 * accuracy_score(truth, guess))
    for score, seen in (
        (ours.score, slice(None)),
        (ours.score_where_predicted, guess < 255),
    ):
        if chart is SIC:
            # R2 uses the mean where the map has no class. If the chart has only one class,
            # that would be perfect: see `test_a_map_without_any_class_scores_0`.
            if len({*truth[seen]}) < 2:
                continue
            filled = np.where(guess == 255, truth.mean(), guess)
            expected = r2_score(truth[seen], filled[seen])
        elif truth[seen].size:
            expected = f1_score(truth[seen], guess[seen], average="weighted", **options)
        else:
            assert score is None
            continue
        assert score == pytest.approx(100 * expected, abs=1e-9)


with np.load(FIGURES) as _file:
    CASES = json.loads(str(_file["cases"]))


@pytest.mark.parametrize("case", CASES)
def test_scores_are_those_of_the_official_code(case: str) -> None:
    scorer = ChartScorer()
    with np.load(FIGURES) as figures:
        for chart in CHARTS:
            truth = figures[f"{case}/true_{chart.name}"]
            # The official code clamps SIC to 12, beyond the highest class.
            guess = figures[f"{case}/pred_{chart.name}"]
            scorer.add_chart(chart, truth, guess)
    scores, expected = scorer.scores(), CASES[case]
    assert scores.combined == pytest.approx(expected["combined"], abs=2e-3)
    for chart in CHARTS:
        ours, theirs = scores.charts[chart.name], expected["scores"][chart.name]
        assert ours.score == pytest.approx(theirs, abs=1e-3)
        classes = expected["class_f1"][chart.name][: chart.n_classes]
        np.testing.assert_allclose(ours.class_f1, 100 * np.array(classes), atol=1e-4)

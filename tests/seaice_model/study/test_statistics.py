from collections.abc import Mapping
from dataclasses import astuple

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from support.simulated_studies import Spread
from support.study_coverage import (
    MEANS,
    POOLED,
    Size,
    false_marks,
    means_covered,
    pooled_covered,
)

from seaice_data.charts import CHARTS
from seaice_model.errors import StudyError
from seaice_model.metrics import ChartScorer
from seaice_model.study.statistics import SCORES, Effect, Sample, compare, holm, run_scores

Matrices = dict[str, NDArray[np.int64]]


def empty() -> Matrices:
    return {c.name: np.zeros((c.n_classes, c.n_classes + 1), np.int64) for c in CHARTS}


def half_and_half(percent: float) -> Matrices:
    """Return a scene whose FLOE has this F1: two classes that are mixed up equally."""
    matrices = empty()
    hits, misses = round(1000 * percent), round(1000 * (100 - percent))
    matrices["FLOE"][0, :2] = hits, misses
    matrices["FLOE"][1, :2] = misses, hits
    return matrices


def sample(
    percent: NDArray[np.float64], scenes: str = "abcdefghijklmnopqrstuvwx"
) -> Sample:
    """Return runs (rows) on scenes (columns) with these scores."""
    return Sample.of(
        {
            seed: {name: half_and_half(p) for name, p in zip(scenes, row, strict=False)}
            for seed, row in enumerate(percent)
        }
    )


def random_matrices(seed: int) -> Matrices:
    rng = np.random.default_rng(seed)
    return {
        name: rng.integers(0, 50, matrix.shape) * rng.integers(0, 2, matrix.shape)
        for name, matrix in empty().items()
    }


def scores_of(parts: Mapping[str, Matrices]) -> list[float]:
    scorer = ChartScorer()
    for matrices in parts.values():
        for name, matrix in matrices.items():
            scorer.confusion[name] += matrix
    scores = scorer.scores()
    values = [scores.combined, *(chart.score for chart in scores.charts.values())]
    return [np.nan if value is None else value for value in values]


@pytest.mark.parametrize("seed", range(5))
def test_scores_of_runs_are_those_of_the_scorer(seed: int) -> None:
    runs = {
        run: {f"scene {k}": random_matrices(100 * seed + 10 * run + k) for k in range(3)}
        for run in range(4)
    }
    expected = [scores_of(parts) for parts in runs.values()]
    np.testing.assert_allclose(run_scores(Sample.of(runs)), expected, rtol=1e-12)


@pytest.mark.parametrize("name", [chart.name for chart in CHARTS])
@pytest.mark.parametrize("missed", [0, 3])
def test_a_chart_of_one_class_scores_as_in_the_scorer(name: str, missed: int) -> None:
    matrices = empty()
    matrices[name][2, 2], matrices[name][2, -1] = 5, missed
    runs = {0: {"a": matrices}}
    np.testing.assert_allclose(run_scores(Sample.of(runs)), [scores_of(runs[0])])


def test_runs_are_pooled_over_their_scenes_alone() -> None:
    runs = {
        0: {"a": half_and_half(60)},
        1: {"a": half_and_half(60), "b": half_and_half(80)},
    }
    assert run_scores(Sample.of(runs))[:, 3].tolist() == pytest.approx([60, 70])


def scipy_interval(effect: Effect, values: NDArray[np.float64]) -> None:
    """Check the interval of a mean of independent values, and its p."""
    mean = stats.ttest_1samp(values, 0)
    low, high = mean.confidence_interval()
    found = effect.mean, effect.low, effect.high, effect.p
    assert found == pytest.approx((values.mean(), low, high, mean.pvalue))


def test_the_interval_over_runs_is_that_of_scipy() -> None:
    # Scenes are equal, so only runs matter.
    ours = sample(np.repeat([[60.0], [61], [65], [60]], 2, axis=1))
    effect = compare(ours, sample(np.full((4, 2), 60.0)))
    assert effect is not None
    scipy_interval(effect["FLOE"], np.array([0.0, 1, 5, 0]))


def test_the_interval_over_scenes_is_that_of_scipy() -> None:
    ours = sample(np.array([[60.0, 64, 61, 59]] * 3))
    effect = compare(ours, sample(np.full((3, 4), 60.0)))
    assert effect is not None
    scipy_interval(effect["FLOE"], np.array([0.0, 4, 1, -1]))


def test_the_interval_over_runs_on_scenes_of_their_own_is_that_of_scipy() -> None:
    percent = np.random.default_rng(1).uniform(50, 80, (5, 3))
    effect = compare(on_own_scenes(percent), on_own_scenes(np.full((5, 3), 60.0)))
    assert effect is not None
    scipy_interval(effect["FLOE"], np.round(percent, 3).mean(axis=1) - 60)


def test_the_interval_over_both_is_that_of_the_analysis_of_variance() -> None:
    rng = np.random.default_rng(2)
    percent = rng.integers(50, 80, 6) + rng.integers(0, 10, (4, 6)).astype(float)
    effect = compare(sample(percent), sample(np.full((4, 6), 60.0)))
    assert effect is not None
    interval = effect["FLOE"]
    of_runs, of_scenes = percent.mean(axis=1), percent.mean(axis=0)
    rest = percent - of_runs[:, None] - of_scenes + percent.mean()
    ms_runs, ms_scenes = 6 * of_runs.var(ddof=1), 4 * of_scenes.var(ddof=1)
    ms_rest = (rest**2).sum() / (3 * 5)
    assert ms_scenes > ms_rest
    variance = (ms_runs + ms_scenes - ms_rest) / (4 * 6)
    share = ms_runs / (4 * 6) / variance
    power = 2 - 2 / 3
    n_free = 1 / (share**power / 3 + (1 - share) ** power / 5)
    mean = percent.mean() - 60
    low, high = stats.t.interval(0.95, n_free, loc=mean, scale=np.sqrt(variance))
    p = 2 * stats.t.sf(abs(mean) / np.sqrt(variance), n_free)
    found = interval.mean, interval.low, interval.high, interval.p
    assert found == pytest.approx((mean, low, high, p))


def test_runs_with_some_scenes_in_common_are_correlated() -> None:
    # Deviations of scenes alone: two runs share b and c, the third has none of theirs.
    scenes = {"a": 61.0, "b": 70, "c": 63, "d": 60, "e": 62, "f": 68, "g": 65}
    runs = ["abc", "bcd", "efg"]

    def study(percent: Mapping[str, float]) -> Sample:
        return Sample.of(
            {k: {s: half_and_half(percent[s]) for s in run} for k, run in enumerate(runs)}
        )

    effect = compare(study(scenes), study(dict.fromkeys(scenes, 60.0)))
    assert effect is not None
    differences = np.array([[scenes[s] - 60 for s in run] for run in runs])
    means = differences.mean(axis=1)
    first, second = differences[0] - means[0], differences[1] - means[1]
    # One pair of three, both ways; a mean of three scenes, its variance with 2, not 3.
    common = (first[1] * second[0] + first[2] * second[1]) / (3 * 2) / 3
    assert common > 0
    between = means.var(ddof=1) / 3
    variance = between + common
    share = between / variance
    n_free = 1 / (share / 2 + (1 - share) / 1)
    interval = effect["FLOE"]
    reach = np.sqrt(variance) * stats.t.ppf(0.975, n_free)
    found = interval.low, interval.high
    assert found == pytest.approx((means.mean() - reach, means.mean() + reach))


def test_equal_runs_have_an_interval_of_length_0() -> None:
    same = sample(np.random.default_rng(0).uniform(50, 90, (3, 4)))
    effect = compare(same, same)
    assert effect is not None
    assert effect["FLOE"] == Effect(0.0, 0.0, 0.0, 1.0)


def test_variation_common_to_both_runs_of_a_pair_cancels() -> None:
    rng = np.random.default_rng(1)
    baseline = rng.uniform(50, 80, (4, 5))
    effect = compare(sample(baseline + 1), sample(baseline))
    assert effect is not None
    assert effect["FLOE"].p == pytest.approx(0, abs=1e-6)
    assert effect["FLOE"].low == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("shape", [(1, 5), (2, 5), (5, 1), (1, 1)])
def test_two_runs_or_one_scene_give_no_interval(shape: tuple[int, int]) -> None:
    effect = compare(sample(np.full(shape, 70.0)), sample(np.full(shape, 60.0)))
    assert effect is not None
    assert effect["FLOE"].mean == pytest.approx(10)
    assert effect["FLOE"] == Effect(effect["FLOE"].mean, None, None, None, None)


def test_charts_without_a_pixel_have_no_effect() -> None:
    effect = compare(sample(np.full((2, 2), 70.0)), sample(np.full((2, 2), 60.0)))
    assert effect is not None
    assert [*effect] == ["combined", "FLOE"]
    assert effect["combined"].mean == pytest.approx(10)


def test_only_runs_of_the_same_seed_are_compared() -> None:
    ours = sample(np.array([[60.0, 60], [90, 90], [61, 61]]))
    effect = compare(ours, sample(np.full((3, 2), 50.0)).only([0, 2]))
    assert effect is not None
    assert effect["FLOE"].mean == pytest.approx(10.5)
    assert compare(ours.only([1]), ours.only([0])) is None


def test_other_scenes_are_refused() -> None:
    with pytest.raises(StudyError, match="seed 0 were scored on different scenes: b, c"):
        compare(sample(np.ones((1, 2)), "ab"), sample(np.ones((1, 2)), "ac"))


def on_own_scenes(percent: NDArray[np.float64]) -> Sample:
    """Return runs that each have scenes of their own."""
    return Sample.of(
        {
            seed: {f"{seed}-{k}": half_and_half(p) for k, p in enumerate(row)}
            for seed, row in enumerate(percent)
        }
    )


def test_a_chart_that_is_in_one_scene_alone_has_no_interval() -> None:
    ours, theirs = (sample(np.full((3, 3), percent)) for percent in (70.0, 60.0))
    for one in (ours, theirs):
        one.confusion["SOD"][:, 0, :2, :2] = 100, 50
    effect = compare(ours, theirs)
    assert effect is not None
    assert effect["SOD"] == Effect(0.0)
    assert effect["FLOE"].low == pytest.approx(10)


def test_the_order_of_scenes_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    percent, baseline = rng.uniform(50, 90, (3, 6)), rng.uniform(50, 90, (3, 6))
    expected = compare(sample(percent), sample(baseline))
    turned = compare(sample(percent[:, ::-1], "fedcba"), sample(baseline))
    assert expected is not None
    assert turned is not None
    assert astuple(turned["FLOE"]) == pytest.approx(astuple(expected["FLOE"]))


@pytest.mark.parametrize("seed", range(20))
def test_holm_is_the_rule_word_by_word(seed: int) -> None:
    p = np.random.default_rng(seed).uniform(0, 0.05, 12) ** 1.5
    # Adjusted: the largest (n - k) p so far, with k smaller ones.
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate((12 - np.arange(12)) * p[order])
    assert holm(p.tolist()) == (adjusted <= 0.05).tolist()
    assert holm([]) == []


N_STUDIES = 250
"""Three charts each, so 750 repeats: a standard error of 0.8 %."""


@pytest.mark.parametrize(
    ("spread", "size", "expected"),
    [
        (MEANS["mostly seeds"], (3, 80), (0.94, 0.99)),
        (MEANS["seed x scene alone"], (3, 20), (0.94, 0.99)),
        (MEANS["seed x scene alone"], (5, 20), (0.94, 0.96)),
        (MEANS["seeds and scenes"], (5, 20), (0.94, 0.96)),
        (MEANS["all three"], (8, 20), (0.94, 0.96)),
    ],
)
def test_intervals_contain_the_truth_as_often_as_they_say(
    spread: Spread, size: Size, expected: tuple[float, float]
) -> None:
    count = means_covered(spread, size, 0, N_STUDIES)
    low, high = stats.binom.ppf([1e-3, 0.999], 3 * N_STUDIES, expected)
    assert low <= count.item() <= high


def test_intervals_on_scenes_of_their_own_contain_the_truth_as_often() -> None:
    count = means_covered(MEANS["all three"], (5, 20), 0, N_STUDIES, is_crossed=False)
    low, high = stats.binom.ppf([1e-3, 0.999], 3 * N_STUDIES, [0.94, 0.96])
    assert low <= count.item() <= high


def test_intervals_of_pooled_scores_contain_the_truth_as_often() -> None:
    counts = pooled_covered(POOLED["all three"], (5, 20), 0, N_STUDIES)
    # Scores are not means, so more is allowed: 94 to 97 %.
    low, high = stats.binom.ppf([1e-3, 0.999], N_STUDIES, [0.94, 0.97])
    assert low <= counts.min()
    assert counts.max() <= high


def test_one_study_in_twenty_has_a_false_star() -> None:
    n_with_interval, n_with_star = false_marks(POOLED["all three"], (3, 20), 0, 60)
    assert n_with_interval > 30  # of 40 intervals at least one excludes 0
    assert n_with_star <= stats.binom.ppf(0.999, 60, 0.05)


def test_names_of_scores_start_with_the_combined_one() -> None:
    assert SCORES == ("combined", "SIC", "SOD", "FLOE")

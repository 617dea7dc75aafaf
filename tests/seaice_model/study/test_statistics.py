from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from seaice_data.charts import CHARTS
from seaice_model.errors import StudyError
from seaice_model.metrics import ChartScorer
from seaice_model.study.statistics import SCORES, Effect, Sample, compare, run_scores

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


def test_the_interval_over_runs_is_that_of_every_possible_resample() -> None:
    # Scenes are equal, so only runs matter: differences 0, 1, 5. Two of the three are
    # sampled: means 0, 1/2, 1, 5/2, 3, 5 with probabilities of 1, 2, 1, 2, 2, 1 ninths;
    # mean 2, ends 0 and 5, moved outwards by t(2) / normal = 4.303 / 1.960.
    ours = sample(np.repeat([[60.0], [61], [65]], 2, axis=1))
    effect = compare(ours, sample(np.full((3, 2), 60.0)))
    assert effect is not None
    assert effect["FLOE"].mean == pytest.approx(2)
    assert effect["FLOE"].low == pytest.approx(2 - 2 * 2.1953, abs=1e-3)
    assert effect["FLOE"].high == pytest.approx(2 + 3 * 2.1953, abs=1e-3)


def test_the_interval_over_scenes_is_that_of_every_possible_resample() -> None:
    # Runs are equal: differences 0 and 4 by scene, one of the two is sampled.
    ours = sample(np.array([[60.0, 64], [60, 64]]))
    effect = compare(ours, sample(np.full((2, 2), 60.0)))
    assert effect is not None
    assert effect["FLOE"].mean == pytest.approx(2)
    # t with one degree of freedom: 12.706 / 1.960.
    assert effect["FLOE"].low == pytest.approx(2 - 2 * 6.4829, abs=1e-3)
    assert effect["FLOE"].high == pytest.approx(2 + 2 * 6.4829, abs=1e-3)


def test_equal_runs_have_an_interval_of_length_0() -> None:
    same = sample(np.random.default_rng(0).uniform(50, 90, (3, 4)))
    effect = compare(same, same)
    assert effect is not None
    assert effect["FLOE"] == Effect(0.0, 0.0, 0.0)
    assert not effect["FLOE"].is_real


def test_variation_common_to_both_runs_of_a_pair_cancels() -> None:
    rng = np.random.default_rng(1)
    baseline = rng.uniform(50, 80, (4, 5))
    effect = compare(sample(baseline + 1), sample(baseline))
    assert effect is not None
    assert effect["FLOE"].is_real
    assert effect["FLOE"].low == pytest.approx(1, abs=1e-3)


def test_resamples_depend_on_the_seed_alone() -> None:
    rng = np.random.default_rng(2)
    ours, theirs = sample(rng.uniform(50, 90, (3, 6))), sample(rng.uniform(50, 90, (3, 6)))
    first, again = (compare(ours, theirs, seed=4) for _ in range(2))
    assert first == again
    assert compare(ours, theirs, seed=5) != first


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1)])
def test_one_run_or_one_scene_gives_no_interval(shape: tuple[int, int]) -> None:
    effect = compare(sample(np.full(shape, 70.0)), sample(np.full(shape, 60.0)))
    assert effect is not None
    assert effect["FLOE"].mean == pytest.approx(10)
    assert (effect["FLOE"].low, effect["FLOE"].high) == (None, None)
    assert not effect["FLOE"].is_real


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


@pytest.mark.parametrize(
    ("n_runs", "n_scenes", "spread", "is_crossed", "least"),
    [
        (3, 6, (3, 0, 0), True, 0.85),  # seeds alone
        (3, 6, (0, 3, 0), True, 0.88),  # scenes alone
        (3, 6, (2, 2, 2), True, 0.9),
        (3, 6, (3, 1, 1), False, 0.85),
        (10, 12, (3, 3, 1), True, 0.9),
    ],
)
def test_the_interval_covers_the_truth_as_often_as_it_says(
    n_runs: int,
    n_scenes: int,
    spread: tuple[float, float, float],
    is_crossed: bool,
    least: float,
) -> None:
    rng = np.random.default_rng(3)
    n_studies, n_covered = 200, 0
    make = sample if is_crossed else on_own_scenes
    for study in range(n_studies):
        run = spread[0] * rng.normal(size=(n_runs, 1))
        scene = spread[1] * rng.normal(size=(1 if is_crossed else n_runs, n_scenes))
        rest = spread[2] * rng.normal(size=(n_runs, n_scenes))
        differences = 5 + run + scene + rest
        effect = compare(
            make(50 + differences), make(np.full_like(differences, 50.0)), seed=study,
            n_resamples=250,
        )  # fmt: skip
        assert effect is not None
        interval = effect["FLOE"]
        assert interval.low is not None
        assert interval.high is not None
        n_covered += interval.low <= 5 <= interval.high
    assert n_covered / n_studies >= least


def test_names_of_scores_start_with_the_combined_one() -> None:
    assert SCORES == ("combined", "SIC", "SOD", "FLOE")

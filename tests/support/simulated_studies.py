"""Simulated studies whose true differences are known.

Scores vary by seed, by scene, and by both. ``mean_study`` has scores that are means over
scenes, in percentage points with normal variation: the analysis of variance holds exactly.
``pooled_study`` has confusion matrices like those of networks, scored as the study scores
them: scenes differ in size and classes, and pixels of all scenes are pooled.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seaice_data.charts import CHARTS, SIC, Chart
from seaice_model.study.statistics import Sample, run_scores

Array = NDArray[np.float64]
Places = NDArray[np.int64]

DIFFERENCE = 2.0
"""True difference of the scores in `mean_study`, in percentage points."""

_EASIER = 0.3  # in the log-odds of an error: some 3 percentage points
_ERRORS = -2.0  # log-odds of an error: 12 % of the pixels
_N_NODES = 60


@dataclass(frozen=True)
class Spread:
    """Standard deviations of the difference between two candidates."""

    seed: float
    """From seed to seed."""

    scene: float
    """From scene to scene."""

    both: float
    """From one combination of seed and scene to another."""


def same_scenes(n_runs: int, n_scenes: int) -> Places:
    """Return the scenes of runs that all have the same ones, ``(run, scene)``."""
    return np.tile(np.arange(n_scenes), (n_runs, 1))


def own_scenes(rng: np.random.Generator, n_runs: int, n_scenes: int, n_pool: int) -> Places:
    """Sample scenes from a pool for each run, as validation scenes are sampled."""
    return np.stack(
        [rng.permutation(n_pool)[:n_scenes] for _ in range(n_runs)]
    )  # (run, scene)


def mean_study(
    rng: np.random.Generator, scenes: Places, spread: Spread
) -> tuple[Sample, Sample]:
    """Return a candidate and its baseline, each chart being a study of its own."""
    n_pool = int(scenes.max()) + 1
    shape = (len(CHARTS), *scenes.shape)
    of_scenes = spread.scene * rng.normal(size=(len(CHARTS), n_pool))
    differences = (
        DIFFERENCE
        + spread.seed * rng.normal(size=(*shape[:2], 1))
        + of_scenes[:, scenes]
        + spread.both * rng.normal(size=shape)
    )
    both = np.stack([50 + differences, np.full(shape, 50.0)])
    ours, theirs = (
        _sample(scenes, [_two_classes(*of) for of in zip(CHARTS, percent, strict=True)])
        for percent in both
    )
    return ours, theirs


def _two_classes(chart: Chart, percent: Array) -> Array:
    """Return matrices of two equally frequent classes with these scores."""
    # F1 is the share of hits, R2 is 1 - 4 times the share of misses.
    misses = (1 - percent / 100) / (4 if chart is SIC else 1)
    matrices = np.zeros((*percent.shape, chart.n_classes, chart.n_classes + 1))
    matrices[..., [0, 1], [0, 1]] = (1 - misses)[..., None]
    matrices[..., [0, 1], [1, 0]] = misses[..., None]
    return matrices * 1e6


def pooled_study(
    rng: np.random.Generator,
    scenes: Places,
    spread: Spread,
    n_candidates: int = 2,
    *,
    differ: bool = True,
) -> list[Sample]:
    """Return candidates; the baseline is the last one, and worse if they `differ`.

    `spread` is in the log-odds that a pixel has a wrong class.
    """
    n_pool, (n_runs, n_scenes) = int(scenes.max()) + 1, scenes.shape
    sizes = 1e6 * np.exp(0.5 * rng.normal(size=n_pool))
    matrices = []
    for chart in CHARTS:
        mix = sizes[:, None] * rng.dirichlet(np.full(chart.n_classes, 0.3), n_pool)
        of_scenes = rng.normal(size=n_pool) + spread.scene / np.sqrt(2) * rng.normal(
            size=(n_candidates, n_pool)
        )
        of_seeds = rng.normal(size=(n_candidates, n_runs, 1))
        of_both = rng.normal(size=(n_candidates, n_runs, n_scenes))
        log_odds = (
            _ERRORS
            + of_scenes[:, scenes]
            + (spread.seed * of_seeds + spread.both * of_both) / np.sqrt(2)
        )
        if differ:
            log_odds[:-1] -= _EASIER
        matrices.append(_confused(mix[scenes], 1 / (1 + np.exp(-log_odds))))
    return [_sample(scenes, [of[k] for of in matrices]) for k in range(n_candidates)]


def pooled_differences(spread: Spread) -> Array:
    """Return the true differences of `pooled_study` by score, over all seeds and scenes."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(_N_NODES)
    weights = weights / weights.sum()
    of_scenes = np.sqrt(1 + (spread.scene**2 + spread.both**2) / 2) * nodes
    seeds = spread.seed / np.sqrt(2) * nodes
    scores = []
    for errors in (_ERRORS - _EASIER, _ERRORS):
        log_odds = errors + seeds[:, None] + of_scenes
        shares = (1 / (1 + np.exp(-log_odds))) @ weights  # of wrong pixels, by seed
        runs = [
            _confused(np.full((_N_NODES, 1, c.n_classes), 1e9), shares[:, None])
            for c in CHARTS
        ]
        sample = _sample(np.zeros((_N_NODES, 1), np.int64), runs)
        scores.append(weights @ run_scores(sample))
    return np.subtract(*scores)


def _confused(mix: Array, shares: Array) -> Array:
    """Return matrices from pixels by class ``(..., class)`` and shares of wrong ones."""
    n_classes = mix.shape[-1]
    steps = np.abs(np.subtract.outer(np.arange(n_classes), np.arange(n_classes)))
    wrong = np.where(steps > 0, 0.4**steps, 0)
    wrong /= wrong.sum(axis=1, keepdims=True)
    shares = shares[..., None, None]
    matrices = np.zeros((*shares.shape[:-2], n_classes, n_classes + 1))
    matrices[..., :n_classes] = (1 - shares) * np.eye(n_classes) + shares * wrong
    return matrices * mix[..., None]


def _sample(scenes: Places, matrices: Sequence[Array]) -> Sample:
    return Sample(
        tuple(range(len(scenes))),
        tuple(tuple(f"scene {place:03d}" for place in run) for run in scenes),
        {
            chart.name: np.rint(of_chart).astype(np.int64)
            for chart, of_chart in zip(CHARTS, matrices, strict=True)
        },
    )

"""Differences between two configurations, with confidence intervals.

A score is pooled over the pixels of a few scenes and differs from seed to seed: other
scenes and other seeds would have given another score. The interval of a difference covers
both. The confusion matrix of each run on each scene suffices for that; no map is needed.
Two configurations are compared run by run on the same seeds and the same scenes, so that
variation common to both cancels.

- ``Sample`` contains the confusion matrices of a configuration;
- ``run_scores`` pools them over the scenes, for each run;
- ``compare`` returns the mean difference of two samples with its interval;
- ``holm`` decides which of many differences are real.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from seaice_data.arrays import FloatArray, IntArray
from seaice_data.charts import CHARTS, SIC
from seaice_model.errors import StudyError

SCORES = ("combined", *(chart.name for chart in CHARTS))
"""Names of the scores, in the order of the last axis of arrays of scores."""

LEAST_RUNS = 3
"""Runs that an interval needs. Two runs determine the variance between seeds so poorly that
an interval would either miss the true difference too often or be useless."""

_CONFIDENCE = 0.95

Confusion = Mapping[str, IntArray]
"""Pixels of each chart by its class (first axis) and that of the map (second axis, last for
none), as `seaice_model.metrics.ChartScorer` counts them."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Confusion matrices of the runs of one configuration on the scenes of one split."""

    seeds: tuple[int, ...]
    """Seed of each run, ascending."""

    scenes: tuple[tuple[str, ...], ...]
    """Ids of the scenes of each run: the same for all, or sampled with its seed."""

    confusion: Mapping[str, IntArray]
    """By chart, shape ``(run, scene, class, class + 1)``; zeros after the last scene."""

    @classmethod
    def of(cls, runs: Mapping[int, Mapping[str, Confusion]]) -> Self:
        """Stack the matrices of runs, given by seed and scene."""
        seeds = tuple(sorted(runs))
        n_scenes = max(len(runs[seed]) for seed in seeds)
        confusion = {}
        for chart in CHARTS:
            shape = (len(seeds), n_scenes, chart.n_classes, chart.n_classes + 1)
            stack = np.zeros(shape, np.int64)
            for row, seed in zip(stack, seeds, strict=True):
                for place, matrices in zip(row, runs[seed].values(), strict=False):
                    place[:] = matrices[chart.name]
            confusion[chart.name] = stack
        return cls(seeds, tuple(tuple(runs[seed]) for seed in seeds), confusion)

    def only(self, seeds: Sequence[int]) -> Self:
        """Return the runs of these seeds."""
        chosen = [self.seeds.index(seed) for seed in seeds]
        return type(self)(
            tuple(seeds),
            tuple(self.scenes[k] for k in chosen),
            {name: stack[chosen] for name, stack in self.confusion.items()},
        )


@dataclass(frozen=True, slots=True)
class Effect:
    """A mean difference of a score, in percentage points."""

    mean: float
    """Mean over the runs."""

    low: float | None = None
    """Lower end of the 95 % interval; None with fewer than three runs or two scenes, or if
    all pixels of the chart are in one scene."""

    high: float | None = None
    """Upper end."""

    p: float | None = None
    """Probability of a difference of at least this size, in either direction, if the
    configurations do not differ; None without an interval."""

    is_real: bool | None = None
    """Whether the difference is real, with all tested differences of a study considered
    together (`holm`); None if it was not tested."""


def run_scores(sample: Sample) -> FloatArray:
    """Return the scores of each run, pixels of its scenes pooled.

    Returns
    -------
    FloatArray
        Percent, shape ``(run, score)`` with scores as in `SCORES`; NaN if no pixel counts.
    """
    return _scores({name: m.sum(axis=1) for name, m in sample.confusion.items()})


def compare(sample: Sample, baseline: Sample) -> dict[str, Effect] | None:
    """Return how much higher `sample` scores than `baseline`, with 95 % intervals.

    Runs with equal seeds are pairs; runs without a partner are ignored.

    Parameters
    ----------
    sample, baseline
        Runs on the same scenes, seed by seed. Runs of different seeds may have all, some or
        none of their scenes in common.

    Returns
    -------
    dict
        Effect by score (`SCORES`); scores to which no pixel counts are left out. None if
        the two have no seed in common.

    Raises
    ------
    StudyError
        If runs with the same seed were scored on different scenes.

    Notes
    -----
    If all runs had scenes of their own, the variance of their mean difference would be
    that between runs divided by their number. Runs with common scenes are correlated: the
    mean covariance of two runs is added. It follows from the influence of each scene,
    which is found by leaving the scene out (delete-one jackknife; Efron and Stein 1981,
    doi:10.1214/aos/1176345462). If all
    runs have the same scenes and a score is a mean over scenes, this is the analysis of
    variance with two crossed random factors.

    The interval is that of Student's t. Satterthwaite's (1946) degrees of freedom add the
    squared shares of the two parts, each divided by its own degrees of freedom. Shares
    estimated from a few runs are too uncertain to be squared: with three runs, intervals
    would contain the true value
    in 92 to 95 % of cases. The exponent is therefore 1 with three runs and approaches 2
    with many. ``make coverage`` simulates studies and counts how often the intervals
    contain the true value.

    Intervals and p are not corrected for the number of comparisons; see `holm`.
    """
    seeds = sorted({*sample.seeds} & {*baseline.seeds})
    if not seeds:
        return None
    ours, theirs = sample.only(seeds), baseline.only(seeds)
    _check_scenes(ours, theirs)
    differences = run_scores(ours) - run_scores(theirs)  # (run, score)
    means = differences.mean(axis=0)
    if len(seeds) < LEAST_RUNS or min(map(len, ours.scenes)) < 2:
        effects = [Effect(float(mean)) for mean in means]
    else:
        effects = [
            _effect(*values)
            for values in zip(
                means.tolist(), *_variance(ours, theirs, differences), strict=True
            )
        ]
    return {
        name: effect
        for name, effect in zip(SCORES, effects, strict=True)
        if np.isfinite(effect.mean)
    }


def holm(p_values: Sequence[float], level: float = 1 - _CONFIDENCE) -> list[bool]:
    """Return which of several differences are real (Holm 1979).

    If none is real, one or more are called real in at most 5 % of studies.

    Parameters
    ----------
    p_values
        Probability of each difference (`Effect.p`).
    level
        Largest share of studies in which a difference is called real although none is.

    Examples
    --------
    The smallest of three must be at most 0.05 / 3, the next 0.05 / 2:

    >>> holm([0.06, 0.01, 0.02])
    [False, True, True]
    """
    is_real = [False] * len(p_values)
    for n_done, place in enumerate(np.argsort(p_values, kind="stable").tolist()):
        if not p_values[place] <= level / (len(p_values) - n_done):
            break
        is_real[place] = True
    return is_real


def _effect(mean: float, variance: float, n_free: float) -> Effect:
    """Return an effect with the interval of Student's t."""
    from scipy.special import stdtr, stdtrit  # late: few need it

    if not np.isfinite(variance):
        return Effect(mean)
    deviation = float(np.sqrt(variance))
    reach = deviation * float(stdtrit(n_free, (1 + _CONFIDENCE) / 2))
    if deviation > 0:
        p = 2 * float(stdtr(n_free, -abs(mean) / deviation))
    else:
        p = float(mean == 0)
    return Effect(mean, mean - reach, mean + reach, p)


def _variance(
    ours: Sample, theirs: Sample, differences: FloatArray
) -> tuple[list[float], list[float]]:
    """Return the variance of the mean differences and its degrees of freedom, by score."""
    n_runs = len(differences)
    scenes = Counter(scene for ids in ours.scenes for scene in ids)
    influence = _influence(ours, [*scenes]) - _influence(theirs, [*scenes])
    between_runs = differences.var(axis=0, ddof=1) / n_runs
    # Products of two different runs at a scene: those of all pairs, minus the squares.
    products = influence.sum(axis=0) ** 2 - (influence**2).sum(axis=0)  # (scene, score)
    shared = (products.sum(axis=0) / (n_runs * (n_runs - 1))).clip(min=0)
    n_shared = max(sum(n > 1 for n in scenes.values()), 2)
    variance = between_runs + shared
    # Without variance the interval is a point, whatever its degrees of freedom.
    share = np.divide(
        between_runs, variance, out=np.ones_like(variance), where=variance > 0
    )
    power = 2 - 2 / (n_runs - 1)
    n_free = 1 / (share**power / (n_runs - 1) + (1 - share) ** power / (n_shared - 1))
    return variance.tolist(), n_free.tolist()


def _influence(sample: Sample, scenes: Sequence[str]) -> FloatArray:
    """Return the influence of scenes on the scores of runs, ``(run, scene, score)``.

    The sum of the squares over scenes is the variance of the score of a run over samples of
    scenes, as the jackknife estimates it. 0 for scenes that a run does not have; NaN if a
    score is not defined without one of them.
    """
    without = _scores(
        {name: m.sum(axis=1, keepdims=True) - m for name, m in sample.confusion.items()}
    )
    influence = np.zeros((len(sample.seeds), len(scenes), len(SCORES)))
    places = {scene: place for place, scene in enumerate(scenes)}
    for row, ids, scores in zip(influence, sample.scenes, without, strict=True):
        n = len(ids)
        left_out = scores[:n]
        row[[places[scene] for scene in ids]] = np.sqrt((n - 1) / n) * (
            left_out.mean(axis=0) - left_out
        )
    return influence


def _scores(confusion: Mapping[str, FloatArray | IntArray]) -> FloatArray:
    """Return the scores of stacks of matrices, as `metrics` does for one matrix.

    Shape ``(..., class, class + 1)`` becomes ``(..., score)``, in percent.
    """
    charts = [
        (_r2 if chart is SIC else _weighted_f1)(confusion[chart.name].astype(np.float64))
        for chart in CHARTS
    ]
    scores = np.stack(charts, axis=-1)
    weights = np.where(np.isnan(scores), 0, [float(chart.weight) for chart in CHARTS])
    total = weights.sum(axis=-1)
    combined = _ratio((np.nan_to_num(scores) * weights).sum(axis=-1), total)
    return 100 * np.concatenate([combined[..., None], scores], axis=-1)


def _r2(confusion: FloatArray) -> FloatArray:
    """Return R2 of stacks of matrices; NaN without a pixel."""
    n = confusion.shape[-2]
    classes = np.arange(n, dtype=np.float64)
    support = confusion.sum(axis=-1)
    n_pixels = support.sum(axis=-1)
    from_mean = classes - _ratio(support @ classes, n_pixels)[..., None]
    squares = (classes[:, None] - classes) ** 2
    residual = (confusion[..., :n] * squares).sum(axis=(-1, -2))
    residual += (confusion[..., n] * from_mean**2).sum(axis=-1)
    missed = residual + confusion[..., n].sum(axis=-1)
    spread = (support * from_mean**2).sum(axis=-1)
    is_constant = (support > 0).sum(axis=-1) == 1
    return np.where(is_constant, missed == 0, 1 - _ratio(residual, spread))


def _weighted_f1(confusion: FloatArray) -> FloatArray:
    """Return the weighted F1 of stacks of matrices; NaN without a pixel."""
    n = confusion.shape[-2]
    support = confusion.sum(axis=-1)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    shown = confusion[..., :n].sum(axis=-2) + support
    f1 = np.divide(2 * hits, shown, out=np.zeros_like(shown), where=shown > 0)
    return _ratio((f1 * support).sum(axis=-1), support.sum(axis=-1))


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Divide; NaN where there is nothing to divide by."""
    ratio: FloatArray = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio


def _check_scenes(ours: Sample, theirs: Sample) -> None:
    for seed, mine, other in zip(ours.seeds, ours.scenes, theirs.scenes, strict=True):
        if changed := sorted({*mine} ^ {*other}):
            raise StudyError(
                f"runs of seed {seed} were scored on different scenes: {', '.join(changed)}"
            )

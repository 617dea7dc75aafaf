"""Differences between the candidates of a study, tested together."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from seaice_data.charts import CHARTS, SIC
from seaice_model.study.records import TRUTH_PARTS
from seaice_model.study.statistics import SCORES, Effect, Sample, compare, holm

Pair = tuple[str, str]
"""Names of two candidates: how much higher the first scores than the second."""

Effects = Mapping[str, Effect]
"""Effects by score."""

TRUTH_SPLITS: Mapping[str, str] = {f"truth, {part}": part for part in TRUTH_PARTS}
"""Part of the hidden truth by its name among splits."""

TRUTH_SCORES: tuple[tuple[str, str], ...] = tuple(
    (split, chart.name)
    for split, part in TRUTH_SPLITS.items()
    for chart in CHARTS
    if not (part == "mixed ice" and chart is SIC)
)
"""Splits and scores against the hidden truth that the table shows. Ice pixels alone have
nearly all the same concentration."""

TESTED: tuple[tuple[str, str], ...] = (
    *(("test", score) for score in SCORES),
    ("validation", SCORES[0]),
)
"""Splits and scores whose differences are tested together, for all pairs: the columns of
the table that may have a star. `TRUTH_SCORES` are tested together, too, in another test:
whether a study also has a hidden truth does not change what is real against charts."""


def compare_all(
    samples: Mapping[str, Mapping[str, Sample]], pairs: Iterable[Pair]
) -> dict[str, dict[Pair, Effects]]:
    """Compare candidates two by two, and test the differences together.

    Parameters
    ----------
    samples
        Confusion matrices by split and candidate.
    pairs
        What to compare. A pair that is given twice is tested once.

    Returns
    -------
    dict
        Effects by split, pair and score, for pairs that have runs in common. Those in
        `TESTED` and `TRUTH_SCORES` say whether they are real.

    Raises
    ------
    StudyError
        If runs with the same seed were scored on different scenes.
    """
    wanted = [*dict.fromkeys(pairs)]
    return _tested({split: _compared(of, wanted) for split, of in samples.items()})


def _compared(samples: Mapping[str, Sample], pairs: Iterable[Pair]) -> dict[Pair, Effects]:
    found = {
        (name, other): compare(samples[name], samples[other])
        for name, other in pairs
        if name in samples and other in samples
    }
    return {pair: effects for pair, effects in found.items() if effects is not None}


def _tested(
    compared: Mapping[str, Mapping[Pair, Effects]],
) -> dict[str, dict[Pair, Effects]]:
    """Decide which of the tested differences are real."""
    is_real: dict[tuple[str, Pair, str], bool] = {}
    for together in (TESTED, TRUTH_SCORES):
        tested = {
            (split, pair, score): effect.p
            for split, effects in compared.items()
            for pair, by_score in effects.items()
            for score, effect in by_score.items()
            if (split, score) in together and effect.p is not None
        }
        is_real |= zip(tested, holm([*tested.values()]), strict=True)
    return {
        split: {
            pair: {
                score: replace(effect, is_real=is_real.get((split, pair, score)))
                for score, effect in by_score.items()
            }
            for pair, by_score in effects.items()
        }
        for split, effects in compared.items()
    }

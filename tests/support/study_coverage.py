"""Coverage of the intervals of a study, and its false stars: ``make coverage``.

Studies are simulated and compared as `seaice study` compares them. Printed is how often the
95 % intervals contain the true difference, and how many studies without any difference have
an interval that excludes 0, or a star. Each number has its standard error in brackets.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from seaice_model.scores.report_text import aligned
from seaice_model.study.comparisons import TESTED, compare_all
from seaice_model.study.statistics import SCORES, Effect, compare

from .simulated_studies import (
    DIFFERENCE,
    Spread,
    mean_study,
    own_scenes,
    pooled_differences,
    pooled_study,
    same_scenes,
)

MEANS = {
    "seeds alone": Spread(1, 0, 0),
    "scenes alone": Spread(0, 4, 0),
    "seed x scene alone": Spread(0, 0, 4),
    "seeds and scenes": Spread(1, 6, 0),
    "all three": Spread(1, 4, 4),
    "mostly seeds": Spread(2, 4, 2),
    "mostly scenes": Spread(0.3, 6, 2),
}
"""Deviations in percentage points."""

POOLED = {"all three": Spread(0.3, 0.4, 0.4), "mostly scenes": Spread(0.1, 0.6, 0.3)}
"""Deviations in log-odds."""

Size = tuple[int, int]
"""Runs and scenes."""

SIZES = ((3, 20), (3, 80), (5, 20), (5, 80), (8, 40), (20, 20))
OWN_SIZES = ((3, 20), (5, 20), (20, 20))
POOLED_SIZES = ((3, 20), (5, 20), (5, 80), (20, 20))
STAR_SIZES = ((3, 20), (5, 20))

N_VALIDATION, N_POOL = 20, 340
"""Validation scenes of each run, and scenes that they are sampled from."""

N_CANDIDATES = 8
"""Candidates that are compared with the baseline, as in Table 4 of the paper."""

Hits = NDArray[np.int64]
"""How often something happened, of several things."""

_AT_A_TIME = 250


def means_covered(
    spread: Spread, size: Size, seed: int, n: int, *, is_crossed: bool = True
) -> Hits:
    """Count covered differences of the three charts in `n` studies: 3 `n` repeats."""
    rng = np.random.default_rng(seed)
    hits = np.zeros(1, np.int64)
    for _ in range(n):
        scenes = same_scenes(*size) if is_crossed else own_scenes(rng, *size, N_POOL)
        effects = compare(*mean_study(rng, scenes, spread))
        assert effects is not None
        hits += sum(_contains(effects[score], DIFFERENCE) for score in SCORES[1:])
    return hits


def pooled_covered(spread: Spread, size: Size, seed: int, n: int) -> Hits:
    """Count covered differences by score in `n` studies."""
    rng = np.random.default_rng(seed)
    true = pooled_differences(spread)
    hits = np.zeros(len(SCORES), np.int64)
    for _ in range(n):
        effects = compare(*pooled_study(rng, same_scenes(*size), spread))
        assert effects is not None
        hits += [_contains(effects[s], t) for s, t in zip(SCORES, true, strict=True)]
    return hits


def false_marks(spread: Spread, size: Size, seed: int, n: int) -> Hits:
    """Count the studies, of `n` without differences, with a false interval or star."""
    rng = np.random.default_rng(seed)
    names = [f"candidate {k}" for k in range(N_CANDIDATES + 1)]
    hits = np.zeros(2, np.int64)
    for _ in range(n):
        scenes = {
            "test": same_scenes(*size),
            "validation": own_scenes(rng, size[0], N_VALIDATION, N_POOL),
        }
        samples = {}
        for split, of_runs in scenes.items():
            study = pooled_study(rng, of_runs, spread, len(names), differ=False)
            samples[split] = dict(zip(names, study, strict=True))
        effects = compare_all(samples, [(name, names[-1]) for name in names[:-1]])
        tested = [one[score] for split, score in TESTED for one in effects[split].values()]
        hits += [
            any(not _contains(effect, 0) for effect in tested),
            any(effect.is_real for effect in tested),
        ]
    return hits


def _contains(effect: Effect, true: float) -> bool:
    assert effect.low is not None
    assert effect.high is not None
    return effect.low <= true <= effect.high


def table(
    pool: ProcessPoolExecutor,
    count: Callable[[Spread, Size, int, int], Hits],
    spreads: Mapping[str, Spread],
    sizes: Sequence[Size],
    n_studies: int,
    what: Sequence[str] = ("",),
    per_study: int = 1,
) -> str:
    """Return shares in percent, a line for each spread and each thing that is counted.

    `per_study` is how many repeats a study counts for.
    """
    n_each = [min(_AT_A_TIME, n_studies - k) for k in range(0, n_studies, _AT_A_TIME)]
    lines = [["", *(f"{n_runs} x {n_scenes}" for n_runs, n_scenes in sizes)]]
    for number, (name, spread) in enumerate(spreads.items()):
        seeds = range(1000 * number, 1000 * number + len(n_each))
        hits = [
            sum(pool.map(partial(count, spread, size), seeds, n_each)) for size in sizes
        ]
        shares = np.transpose(hits) / (n_studies * per_study)
        for label, of_sizes in zip(what, shares, strict=True):
            errors = np.sqrt(of_sizes * (1 - of_sizes) / (n_studies * per_study))
            lines.append(
                [
                    f"{name} ({spread.seed:g}, {spread.scene:g}, {spread.both:g}) {label}",
                    *(
                        f"{100 * p:.1f} ({100 * e:.1f})"
                        for p, e in zip(of_sizes, errors, strict=True)
                    ),
                ]
            )
    return "\n".join(aligned(lines))


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=4000)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    n, start = given.repeats, time.perf_counter()
    n_charts = len(SCORES) - 1
    of_charts = {"n_studies": -(-n // n_charts), "per_study": n_charts}
    own = partial(means_covered, is_crossed=False)
    with ProcessPoolExecutor(given.jobs) as pool:
        show = partial(table, pool)
        _say(f"Shares in %, {n} repeats of each, by runs x scenes. In brackets: deviations")
        _say("from seed to seed, scene to scene and both; standard errors of the shares.")
        _say(
            "",
            "Intervals that contain the truth, scores that are means over scenes (points)",
        )
        _say(show(means_covered, MEANS, SIZES, **of_charts))
        _say("", f"The same, each run on scenes of its own, sampled from {N_POOL}")
        both = {name: MEANS[name] for name in POOLED}
        _say(show(own, both, OWN_SIZES, **of_charts))
        _say("", "Intervals that contain the truth, pixels of all scenes pooled (log-odds)")
        _say(show(pooled_covered, POOLED, POOLED_SIZES, n, what=SCORES))
        _say("", f"Studies of {N_CANDIDATES} candidates without a difference (log-odds)")
        marks = ("any of 40 intervals excludes 0", "any star")
        alike = {"all three": POOLED["all three"]}
        _say(show(false_marks, alike, STAR_SIZES, n, what=marks))
    _say("", f"{time.perf_counter() - start:.0f} s with {given.jobs} processes")


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    main()

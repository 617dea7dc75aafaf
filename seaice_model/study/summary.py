"""Summary of the finished runs of a study: scores of candidates, and how they differ."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_model.config.presets import PRESETS, PaperScores
from seaice_model.errors import StudyError
from seaice_model.study.candidates import BASELINE, Candidate
from seaice_model.study.records import SPLITS, load_record
from seaice_model.study.statistics import (
    SCORES,
    Effect,
    Sample,
    compare,
    holm,
    run_scores,
)
from seaice_model.study.study import StudyPlan

if TYPE_CHECKING:
    from pandas import DataFrame

TESTED = (*(("test", score) for score in SCORES), ("validation", SCORES[0]))
"""Splits and scores whose differences are tested together, for all candidates: the columns
of the table that may have a star."""

_LONGEST_SUMMARY = 40

_Effects = Mapping[str, Mapping[str, Effect]]
"""Effects by candidate and score."""


@dataclass(frozen=True, slots=True, eq=False)
class SplitResult:
    """Scores of a candidate on the scenes of one split."""

    n_scenes: int
    """Largest number of scenes that a run is scored on."""

    runs: Mapping[int, Mapping[str, float]]
    """Scores by seed and name (`statistics.SCORES`), in percent; NaN without a pixel."""

    effects: Mapping[str, Effect] | None
    """Differences to the baseline on the same seeds, by score; None for the baseline."""

    paper: PaperScores | None
    """Scores that the paper reports."""

    paper_effect: float | None
    """Difference of the combined scores that the paper reports, in percentage points."""

    def values(self, score: str) -> FloatArray:
        """Return a score of every run."""
        return np.array([scores[score] for scores in self.runs.values()])

    def mean(self, score: str) -> float | None:
        """Return the mean over the runs; None without a run or a pixel."""
        values = self.values(score)
        return float(values.mean()) if len(values) and np.isfinite(values).all() else None

    def std(self, score: str) -> float | None:
        """Return the standard deviation over the runs; None with fewer than two."""
        if len(self.runs) < 2 or self.mean(score) is None:
            return None
        return float(self.values(score).std(ddof=1))

    def paper_score(self, score: str) -> float | None:
        """Return the value of a score that the paper reports."""
        return None if self.paper is None else float(getattr(self.paper, score.lower()))

    def minus_paper(self, score: str) -> float | None:
        """Return the difference between our score and the paper's."""
        ours, theirs = self.mean(score), self.paper_score(score)
        return None if ours is None or theirs is None else ours - theirs


@dataclass(frozen=True, slots=True, eq=False)
class CandidateResult:
    """Results of a candidate."""

    candidate: Candidate
    """Its name, network and training."""

    store: str
    """Path of its store."""

    splits: Mapping[str, SplitResult]
    """Scores by split: ``validation``, ``test``."""

    @property
    def name(self) -> str:
        """Its name."""
        return self.candidate.name

    @property
    def n_runs(self) -> int:
        """Runs that are finished."""
        return len(self.splits["test"].runs)

    @property
    def short_summary(self) -> str:
        """The summary of the candidate, shortened to fit into a table."""
        return textwrap.shorten(
            self.candidate.summary, _LONGEST_SUMMARY, placeholder=" ..."
        )


@dataclass(frozen=True, slots=True, eq=False)
class StudyTable:
    """Candidates of a study and how they compare."""

    candidates: tuple[CandidateResult, ...]
    """In the order of the study."""

    baseline: str
    """Name of the candidate that others are compared with."""

    n_seeds: int
    """Runs of each candidate when all are finished."""

    left_out: tuple[str, ...]
    """Names of candidates without a suitable store."""

    is_quick: bool
    """Whether networks and training were scaled down."""

    def to_frame(self) -> "DataFrame":
        """Return the scores as in ``table.csv``: one line for each candidate and split.

        Returns
        -------
        pandas.DataFrame
            For each score, in percent: mean and standard deviation over the runs, the value
            in the paper, and the difference to the baseline (``reference``) with its
            interval, its p-value and, if it was tested, whether it is real. NaN or None
            where there is none.
        """
        from pandas import DataFrame  # late: few need it

        return DataFrame(
            {
                "study": "quick" if self.is_quick else "full",
                "row": candidate.name,
                "summary": candidate.candidate.summary,
                "split": split,
                "runs": candidate.n_runs,
                "scenes": result.n_scenes,
                "reference": self.baseline,
                **_flat_scores(result),
            }
            for candidate in self.candidates
            for split, result in candidate.splits.items()
        )

    @property
    def n_finished(self) -> int:
        """Runs that are finished."""
        return sum(candidate.n_runs for candidate in self.candidates)

    @property
    def n_tested(self) -> int:
        """Differences that are tested together."""
        return sum(
            effect.is_real is not None
            for candidate in self.candidates
            for result in candidate.splits.values()
            for effect in (result.effects or {}).values()
        )

    @property
    def title(self) -> str:
        """Title, which says what the numbers are."""
        scenes = ", ".join(
            f"{max(one.splits[split].n_scenes for one in self.candidates)} {split}"
            for split in SPLITS
        )
        return (
            f"Combined, SIC, SOD and FLOE scores in % on the 80 m grid, mean (standard "
            f"deviation) of up to {self.n_seeds} runs; {scenes} scenes"
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know, one sentence per note."""
        notes = []
        if self.is_quick:
            first = self.candidates[0].candidate
            train, model = first.settings.config.train, first.settings.config.model
            filters = ", ".join(map(str, model.filters))
            notes.append(
                f"QUICK STUDY: scaled down for CPUs ({first.name}: filters {filters}; "
                f"{train.n_epochs} epochs of {train.n_iterations} batches of "
                f"{train.batch_size} patches of {train.patch_size} pixels); this is not "
                "the training of the paper."
            )
        missing = self.n_seeds * len(self.candidates) - self.n_finished
        if missing:
            notes.append(f"{missing} of {missing + self.n_finished} runs are not finished.")
        if self.left_out:
            notes.append(f"Left out because no store fits: {', '.join(self.left_out)}.")
        if any(split.paper for one in self.candidates for split in one.splits.values()):
            notes.append("Paper: Chen et al. (2024), Table 4, 20 networks on AI4Arctic.")
        return tuple(notes)


def summarise(plan: StudyPlan) -> StudyTable:
    """Return the scores of the finished runs of a study, and their differences.

    The baseline is Model 1, or the first candidate if Model 1 is not in the study.

    Raises
    ------
    StudyError
        If the record of a run is damaged, or runs were scored on different scenes.
    """
    names = [candidate.name for candidate in plan.candidates]
    baseline = BASELINE if BASELINE in names else names[0]
    samples = {split: _samples(plan, split) for split in SPLITS}
    _check_test_scenes(samples["test"])
    effects = compare_all(samples, baseline)
    return StudyTable(
        candidates=tuple(
            CandidateResult(
                candidate=candidate,
                store=store,
                splits={
                    split: _result(
                        candidate.name, split, samples[split], effects[split], baseline
                    )
                    for split in SPLITS
                },
            )
            for candidate, store in zip(plan.candidates, plan.stores, strict=True)
        ),
        baseline=baseline,
        n_seeds=len(plan.seeds),
        left_out=tuple(candidate.name for candidate in plan.left_out),
        is_quick=plan.is_quick,
    )


def _samples(plan: StudyPlan, split: str) -> dict[str, Sample]:
    """Return the confusion matrices of the candidates that have finished runs."""
    records = {
        candidate.name: {
            run.seed: load_record(run.record).confusion[split]
            for run in plan.runs
            if run.candidate.name == candidate.name and run.is_finished
        }
        for candidate in plan.candidates
    }
    return {name: Sample.of(runs) for name, runs in records.items() if runs}


def _check_test_scenes(samples: Mapping[str, Sample]) -> None:
    """Make sure that every run was scored on the same test scenes."""
    scenes = {frozenset(ids) for sample in samples.values() for ids in sample.scenes}
    if len(scenes) > 1:
        changed = sorted(frozenset.union(*scenes) - frozenset.intersection(*scenes))
        raise StudyError(
            f"runs were scored on different test scenes: {', '.join(changed[:3])}"
            f"{' ...' if changed[3:] else ''}",
            hint="remove the records of the runs (seed-*.json) and run the study again: "
            "they are scored again, but not trained again",
        )


def compare_all(
    samples: Mapping[str, Mapping[str, Sample]], baseline: str
) -> dict[str, _Effects]:
    """Compare all candidates with the baseline, and test the differences together.

    Parameters
    ----------
    samples
        Confusion matrices by split and candidate.
    baseline
        Name of the candidate that others are compared with.

    Returns
    -------
    dict
        Effects by split, candidate and score. Those in `TESTED` say whether they are real.

    Raises
    ------
    StudyError
        If runs with the same seed were scored on different scenes.
    """
    return _tested({split: _effects(of, baseline) for split, of in samples.items()})


def _effects(samples: Mapping[str, Sample], baseline: str) -> _Effects:
    """Compare the candidates that have runs in common with the baseline."""
    compared = {
        name: compare(sample, samples[baseline])
        for name, sample in samples.items()
        if name != baseline and baseline in samples
    }
    return {name: effects for name, effects in compared.items() if effects is not None}


def _tested(compared: Mapping[str, _Effects]) -> dict[str, _Effects]:
    """Decide which of the tested differences are real, by split."""
    tested = {
        (split, name, score): effect.p
        for split, effects in compared.items()
        for name, by_score in effects.items()
        for score, effect in by_score.items()
        if (split, score) in TESTED and effect.p is not None
    }
    is_real = dict(zip(tested, holm([*tested.values()]), strict=True))
    return {
        split: {
            name: {
                score: replace(effect, is_real=is_real.get((split, name, score)))
                for score, effect in by_score.items()
            }
            for name, by_score in effects.items()
        }
        for split, effects in compared.items()
    }


def _result(
    name: str,
    split: str,
    samples: Mapping[str, Sample],
    effects: _Effects,
    baseline: str,
) -> SplitResult:
    sample = samples.get(name)
    runs: dict[int, dict[str, float]] = {}
    if sample is not None:
        runs = {
            seed: dict(zip(SCORES, scores.tolist(), strict=True))
            for seed, scores in zip(sample.seeds, run_scores(sample), strict=True)
        }
    paper, paper_baseline = _paper(name, split), _paper(baseline, split)
    is_comparable = paper is not None and paper_baseline is not None and name != baseline
    return SplitResult(
        n_scenes=0 if sample is None else max(map(len, sample.scenes)),
        runs=runs,
        effects=effects.get(name),
        paper=paper,
        paper_effect=paper.combined - paper_baseline.combined  # type: ignore[union-attr]
        if is_comparable
        else None,
    )


def _paper(name: str, split: str) -> PaperScores | None:
    preset = PRESETS.get(name)
    if preset is None:
        return None
    return preset.test if split == "test" else preset.validation


def _flat_scores(result: SplitResult) -> dict[str, float | bool | None]:
    """Return the columns of all scores."""
    columns: dict[str, float | bool | None] = {}
    for score in SCORES:
        name = score.lower()
        effect = None if result.effects is None else result.effects.get(score)
        columns[name] = result.mean(score)
        columns[f"{name}_std"] = result.std(score)
        columns[f"{name}_paper"] = result.paper_score(score)
        columns[f"{name}_minus_paper"] = result.minus_paper(score)
        columns[f"{name}_effect"] = None if effect is None else effect.mean
        columns[f"{name}_effect_low"] = None if effect is None else effect.low
        columns[f"{name}_effect_high"] = None if effect is None else effect.high
        columns[f"{name}_effect_p"] = None if effect is None else effect.p
        columns[f"{name}_effect_is_real"] = None if effect is None else effect.is_real
    return {
        key: float(f"{value:.6g}") if isinstance(value, float) else value
        for key, value in columns.items()
    }

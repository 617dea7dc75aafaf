"""Summary of the finished runs of a study: scores of candidates, and how they differ.

Differences to the paper's scores are known only for the test scenes of the paper: others,
such as synthetic ones, may be easier or harder. How candidates differ can be compared with
the paper on any scenes.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.store.split import TEST_IDS
from seaice_model.config.presets import PRESETS, PaperScores
from seaice_model.errors import StudyError
from seaice_model.study.candidates import BASELINE, Candidate
from seaice_model.study.comparisons import TRUTH_SPLITS, Effects, Pair, compare_all
from seaice_model.study.plan import StudyPlan
from seaice_model.study.records import SPLITS, TRUTH_PARTS, load_record
from seaice_model.study.statistics import SCORES, Confusion, Sample, run_scores

if TYPE_CHECKING:
    from pandas import DataFrame

_LONGEST_SUMMARY = 40


@dataclass(frozen=True, slots=True, eq=False)
class SplitResult:
    """Scores of a candidate on the scenes of one split."""

    n_scenes: int
    """Largest number of scenes that a run is scored on."""

    runs: Mapping[int, Mapping[str, float]]
    """Scores by seed and name (`statistics.SCORES`), in percent; NaN without a pixel."""

    effects: Effects | None
    """Differences to the baseline on the same seeds, by score; None for the baseline."""

    paper: PaperScores | None
    """Scores that the paper reports; None if these are not the scenes of the paper."""

    paper_effects: Mapping[str, float]
    """Differences to the baseline in the paper, by score, in percentage points; empty if
    the paper does not have both."""

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

    twins: str | None
    """Path of the store of twins, if its maps are those of twins."""

    splits: Mapping[str, SplitResult]
    """Scores by split: ``validation``, ``test``, and parts of the hidden truth, if the
    study has one (`comparisons.TRUTH_SPLITS`)."""

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
class ComparisonResult:
    """Two candidates compared, one of which need not be the baseline."""

    pair: Pair
    """Their names."""

    effects: Mapping[str, Effects]
    """How much higher the first scores, by split and score; empty without common runs."""


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

    profile: str
    """Name of the profile."""

    n_train_scenes: int
    """Scenes that runs train or validate on; 0 if unknown."""

    has_paper_scenes: bool
    """Whether all test scenes are among those of the paper, as far as they are known."""

    comparisons: tuple[ComparisonResult, ...]
    """Comparisons that were asked for."""

    truth: str | None
    """Folder of the hidden truth, if the study has one."""

    def to_frame(self) -> "DataFrame":
        """Return the scores as in ``table.csv``: one line for each candidate and split.

        Comparisons that were asked for have further lines, with another ``reference``.

        Returns
        -------
        pandas.DataFrame
            For each score, in percent: mean and standard deviation over the runs, the value
            in the paper, and the difference to the ``reference`` with its interval, its
            p-value, whether it is real if it was tested, and its value in the paper. NaN or
            None where there is none.
        """
        from pandas import DataFrame  # late: few need it

        with_baseline = [
            (one, self.baseline, split, result.effects, result.paper_effects)
            for one in self.candidates
            for split, result in one.splits.items()
        ]
        by_name = {one.name: one for one in self.candidates}
        nothing: Mapping[str, float] = {}
        asked = [
            (by_name[comparison.pair[0]], comparison.pair[1], split, effects, nothing)
            for comparison in self.comparisons
            for split, effects in comparison.effects.items()
            if comparison.pair[1] != self.baseline
        ]
        return DataFrame(
            {
                "study": "quick" if self.is_quick else "full",
                "row": one.name,
                "summary": one.candidate.summary,
                "split": split,
                "runs": one.n_runs,
                "scenes": one.splits[split].n_scenes,
                "reference": reference,
                "profile": self.profile,
                "runs_of": one.candidate.trained,
                **_flat_scores(one.splits[split], effects, paper_effects),
            }
            for one, reference, split, effects, paper_effects in (*with_baseline, *asked)
        )

    @property
    def n_finished(self) -> int:
        """Runs that are finished."""
        return sum(candidate.n_runs for candidate in self.candidates)

    @property
    def n_tested(self) -> int:
        """Differences that are tested together."""
        return self._n_tested(SPLITS)

    @property
    def n_tested_truth(self) -> int:
        """Differences against the hidden truth that are tested together."""
        return self._n_tested((*TRUTH_SPLITS,))

    def _n_tested(self, splits: Sequence[str]) -> int:
        effects = {
            (split, (one.name, self.baseline)): result.effects or {}
            for one in self.candidates
            for split, result in one.splits.items()
        } | {
            (split, comparison.pair): by_score
            for comparison in self.comparisons
            for split, by_score in comparison.effects.items()
        }
        return sum(
            effect.is_real is not None
            for (split, _), by_score in effects.items()
            for effect in by_score.values()
            if split in splits
        )

    @property
    def title(self) -> str:
        """Title, which says what the numbers are."""
        scenes = ", ".join(
            f"{max(one.splits[split].n_scenes for one in self.candidates)} {split}"
            for split in SPLITS
        )
        of = f" (of {self.n_train_scenes} that are not test scenes)"
        if self.n_train_scenes:
            scenes = scenes.replace(" validation", f" validation{of}")
        return (
            f"Combined, SIC, SOD and FLOE scores in % on the 80 m grid, mean (standard "
            f"deviation) of up to {self.n_seeds} runs; {scenes} scenes; profile "
            f"{self.profile!r}"
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
        splits = [split for one in self.candidates for split in one.splits.values()]
        if any(split.paper or split.paper_effects for split in splits):
            note = "Paper: Chen et al. (2024), Table 4, 20 networks on AI4Arctic."
            if not self.has_paper_scenes:
                note += (
                    " The test scenes are others here, so only differences between "
                    "candidates can be compared with the paper's."
                )
            notes.append(note)
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
    samples = _samples(plan)
    _check_test_scenes(samples["test"])
    with_baseline = [(name, baseline) for name in names if name != baseline]
    effects = compare_all(samples, [*with_baseline, *plan.comparisons])
    tests = {scene for one in samples["test"].values() for scene in one.scenes[0]}
    is_paper = tests <= TEST_IDS
    return StudyTable(
        candidates=tuple(
            CandidateResult(
                candidate=candidate,
                store=store,
                twins=twins,
                splits={
                    split: _result(
                        samples[split].get(candidate.name),
                        effects[split].get((candidate.name, baseline)),
                        _paper(candidate.name, split) if is_paper else None,
                        _paper_effects(candidate.name, baseline, split),
                    )
                    for split in samples
                },
            )
            for candidate, store, twins in plan.on_stores
        ),
        baseline=baseline,
        n_seeds=len(plan.seeds),
        left_out=tuple(candidate.name for candidate in plan.left_out),
        is_quick=plan.is_quick,
        profile=plan.profile,
        n_train_scenes=plan.n_train_scenes,
        has_paper_scenes=is_paper,
        comparisons=tuple(
            ComparisonResult(
                pair, {split: of[pair] for split, of in effects.items() if pair in of}
            )
            for pair in plan.comparisons
        ),
        truth=plan.truth,
    )


def _samples(plan: StudyPlan) -> dict[str, dict[str, Sample]]:
    """Return the confusion matrices by split, of the candidates that have finished runs."""
    counts: dict[str, dict[str, dict[int, Mapping[str, Confusion]]]] = {
        split: {} for split in (*SPLITS, *(TRUTH_SPLITS if plan.truth else ()))
    }
    for run in (run for run in plan.runs if run.is_finished):
        found = dict(load_record(run.record).confusion)
        if plan.truth:
            parts = load_record(run.truth_record, TRUTH_PARTS).confusion
            found |= {split: parts[part] for split, part in TRUTH_SPLITS.items()}
        for split, of in counts.items():
            if found[split]:  # candidates on twins have no validation scenes
                of.setdefault(run.candidate.name, {})[run.seed] = found[split]
    return {
        split: {name: Sample.of(runs) for name, runs in of.items()}
        for split, of in counts.items()
    }


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


def _result(
    sample: Sample | None,
    effects: Effects | None,
    paper: PaperScores | None,
    paper_effects: Mapping[str, float],
) -> SplitResult:
    runs: dict[int, dict[str, float]] = {}
    if sample is not None:
        runs = {
            seed: dict(zip(SCORES, scores.tolist(), strict=True))
            for seed, scores in zip(sample.seeds, run_scores(sample), strict=True)
        }
    n_scenes = 0 if sample is None else max(map(len, sample.scenes))
    return SplitResult(n_scenes, runs, effects, paper, paper_effects)


def _paper(name: str, split: str) -> PaperScores | None:
    preset = PRESETS.get(name)
    if preset is None or split not in SPLITS:
        return None
    return preset.test if split == "test" else preset.validation


def _paper_effects(name: str, baseline: str, split: str) -> dict[str, float]:
    """Return the differences of the scores that the paper reports."""
    ours, theirs = _paper(name, split), _paper(baseline, split)
    if name == baseline or ours is None or theirs is None:
        return {}
    return {
        score: getattr(ours, score.lower()) - getattr(theirs, score.lower())
        for score in SCORES
    }


def _flat_scores(
    result: SplitResult, effects: Effects | None, paper_effects: Mapping[str, float]
) -> dict[str, float | bool | None]:
    """Return the columns of all scores."""
    columns: dict[str, float | bool | None] = {}
    for score in SCORES:
        name = score.lower()
        effect = None if effects is None else effects.get(score)
        columns[name] = result.mean(score)
        columns[f"{name}_std"] = result.std(score)
        columns[f"{name}_paper"] = result.paper_score(score)
        columns[f"{name}_minus_paper"] = result.minus_paper(score)
        columns[f"{name}_effect"] = None if effect is None else effect.mean
        columns[f"{name}_effect_low"] = None if effect is None else effect.low
        columns[f"{name}_effect_high"] = None if effect is None else effect.high
        columns[f"{name}_effect_p"] = None if effect is None else effect.p
        columns[f"{name}_effect_is_real"] = None if effect is None else effect.is_real
        columns[f"{name}_effect_paper"] = paper_effects.get(score)
    return {
        key: float(f"{value:.6g}") if isinstance(value, float) else value
        for key, value in columns.items()
    }

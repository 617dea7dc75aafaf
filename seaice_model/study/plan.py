"""What a study consists of: which candidate on which store, and what is compared.

``plan_study`` finds the store of each candidate and rejects at once what cannot work, so
that nothing fails after hours of training.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seaice_data.display import Displayed
from seaice_data.errors import StoreError
from seaice_data.settings import nearest
from seaice_data.store.division import divided
from seaice_data.store.opening import AnyStores, all_opened
from seaice_data.store.store import Store
from seaice_data.texts import shortened
from seaice_model.errors import StudyError
from seaice_model.study.candidates import Candidate, quick
from seaice_model.study.comparisons import Pair
from seaice_model.study.records import StudyRun, check_folder
from seaice_model.study.scoring import (
    check_shapes,
    check_truth,
    truth_checksums,
    twin_checksums,
)

_MOST_RUNS = 10_000


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class StudyPlan(Displayed):
    """The runs that a study consists of."""

    out: Path
    """Folder of the study."""

    candidates: tuple[Candidate, ...]
    """Candidates that are compared, in the order of the table."""

    seeds: tuple[int, ...]
    """Seeds of the runs of each candidate."""

    stores: tuple[str, ...]
    """Path or URL of the store of each candidate, to open it; it may contain secrets."""

    left_out: tuple[Candidate, ...]
    """Candidates for which none of the stores is suitable."""

    is_quick: bool
    """Whether the candidates were scaled down for a CPU."""

    profile: str = "default"
    """Name of the profile of the candidates."""

    n_train_scenes: int = 0
    """Scenes that runs train on or validate on, all runs together; 0 if unknown."""

    twins: tuple[str | None, ...] = ()
    """Path or URL of the store of twins of each candidate that is scored on twins, else
    None; empty if there are none."""

    truth: str | None = None
    """Folder of the hidden truth of the test scenes, if they are scored against it."""

    comparisons: tuple[Pair, ...] = ()
    """Pairs of candidates that are compared besides those with the baseline."""

    @property
    def on_stores(self) -> tuple[tuple[Candidate, str, str | None], ...]:
        """Candidates with their store, and with that of twins if they are scored on it."""
        twins = self.twins or (None,) * len(self.candidates)
        return tuple(zip(self.candidates, self.stores, twins, strict=True))

    @property
    def runs(self) -> tuple[StudyRun, ...]:
        """All runs, candidate by candidate."""
        return tuple(
            StudyRun(
                candidate=candidate,
                seed=seed,
                store=store,
                folder=self.out / "runs",
                twins=twins,
                truth=self.truth,
            )
            for candidate, store, twins in self.on_stores
            for seed in self.seeds
        )

    @property
    def n_trained(self) -> int:
        """Networks that are trained: candidates that share runs count once."""
        return len({run.path for run in self.runs})

    def part(self, number: int, n_parts: int) -> tuple[StudyRun, ...]:
        """Return share `number` (from 1) of `n_parts` shares, in the order of seeds.

        Candidates that share a run are in the same part, so that no two parts train it.

        Raises
        ------
        StudyError
            If there is no such share.
        """
        if not 1 <= number <= n_parts:
            raise StudyError(
                f"there is no part {number} of {n_parts}",
                hint=f"parts are 1/{n_parts} to {n_parts}/{n_parts}" if n_parts else None,
            )
        folders = [*dict.fromkeys(run.path for run in self.runs)]
        dealt = {*folders[number - 1 :: n_parts]}
        # The first seed of each candidate before the second of any, for an early table.
        return tuple(
            sorted(
                (run for run in self.runs if run.path in dealt), key=lambda run: run.seed
            )
        )


def plan_study(
    out: str | Path,
    stores: AnyStores,
    candidates: Sequence[Candidate],
    *,
    n_runs: int = 20,
    skip_missing: bool = False,
    is_quick: bool = False,
    profile: str = "default",
    twins: AnyStores = (),
    truth: str | Path | None = None,
    comparisons: Sequence[Pair] = (),
) -> StudyPlan:
    """Plan a study: find the store of each candidate; reject at once what cannot work.

    Parameters
    ----------
    out
        Folder of the study; it may already contain part of it.
    stores
        Stores of the same scenes, their paths or URLs; or one store. A candidate uses the
        first one that has its ratio, its resampling and its channels.
    candidates
        What to train and compare, in the order of the table. Those that share their runs
        with another (`Candidate.of`) need not be named together with it.
    n_runs
        Runs of each candidate: seeds 0 to `n_runs` - 1 (20 in Chen et al. 2024, section
        4.1).
    skip_missing
        Leave out candidates without a suitable store, instead of raising an error.
    is_quick
        Scale the candidates down for a CPU (`seaice_model.study.candidates.quick`).
    profile
        Name of the profile of the candidates; the table says it.
    twins
        Stores, or their paths, of twins of the test scenes, for candidates that are scored
        on twins (`View.twins`): the same ids and grids. A candidate uses the first one that
        it could have been trained on.
    truth
        Folder with the hidden truth of the test scenes (docs/synthetic.md): all candidates
        are scored against it, too.
    comparisons
        Names of candidates to compare, two by two, besides comparing all with the baseline.
        Those with a candidate that is left out are left out, too; a pair counts once.

    Raises
    ------
    StudyError
        If candidates lack a store, stores contain different scenes or no test charts, test
        scenes lack channels, a twin or the hidden truth, or these have other grids,
        training scenes lack polygons for a loss of regions, candidates that share runs
        differ in how they are trained, there is no candidate of a name in `comparisons`, or
        the folder has runs with other settings, or scored on other twins or against another
        hidden truth.
    """
    out, stores, twins = Path(out), all_opened(stores), all_opened(twins)
    if not 1 <= n_runs <= _MOST_RUNS:
        raise StudyError(f"a candidate needs 1 to {_MOST_RUNS} runs, got {n_runs}")
    if not candidates:
        raise StudyError(
            "a study needs at least one candidate", hint="name some with --presets"
        )
    if is_quick:
        candidates = [quick(candidate) for candidate in candidates]
    _check_shared(candidates)
    _check_names(comparisons, candidates)
    found = {
        candidate.name: store
        for candidate in candidates
        if (store := _find_store(candidate, stores))
        and (not candidate.settings.view.twins or _find_store(candidate, twins))
    }
    missing = tuple(one for one in candidates if one.name not in found)
    if missing and (not skip_missing or not found):
        raise _no_store(missing, stores)
    _check_scenes([store for store in stores if store in found.values()])
    kept = tuple(one for one in candidates if one.name in found)
    for candidate in kept:
        _check_regions(candidate, found[candidate.name])
    first = found[kept[0].name]
    tests = _charted_tests(first)
    twins_of = [
        _find_store(one, twins) if one.settings.view.twins else None for one in kept
    ]
    for candidate, other in zip(kept, twins_of, strict=True):
        if other is not None:
            _check_twins(first, other, tests)
        _check_channels(candidate, other or found[candidate.name], tests)
    if truth is not None:
        check_truth(str(truth), {i: first.scene(i).source_grid.shape for i in tests})
    plan = StudyPlan(
        out=out,
        candidates=kept,
        seeds=tuple(range(n_runs)),
        stores=tuple(store.storage.url for store in found.values()),
        left_out=missing,
        is_quick=is_quick,
        profile=profile,
        n_train_scenes=len(first.splits["train"]) + len(first.splits["validation"]),
        twins=tuple(None if one is None else one.storage.url for one in twins_of),
        truth=None if truth is None else str(truth),
        comparisons=tuple(p for p in dict.fromkeys(comparisons) if {*p} <= {*found}),
    )
    checksums = {
        one.name: {} if other is None else twin_checksums(other, tests)
        for one, other in zip(kept, twins_of, strict=True)
    }
    hidden = {} if truth is None else truth_checksums(str(truth), tests)
    for run in plan.runs:
        name = run.candidate.name
        check_folder(run, found[name].fingerprint, checksums[name], hidden)
    return plan


def read_comparison(text: str) -> Pair:
    """Read ``candidate,other``: how much higher the first scores than the second.

    Raises
    ------
    StudyError
        If it has another form.

    Examples
    --------
    >>> read_comparison("dropped-without-amsr2, model4")
    ('dropped-without-amsr2', 'model4')
    """
    match [name.strip() for name in text.split(",")]:
        case [first, second] if first and second and first != second:
            return first, second
    raise StudyError(
        f"{shortened(text)!r} is not a comparison",
        hint="name two candidates, as 'dropped-without-amsr2,model4'",
    )


def _check_shared(candidates: Iterable[Candidate]) -> None:
    """Make sure that candidates that share runs agree on how these are trained."""
    trained: dict[str, Candidate] = {}
    for one in candidates:
        first = trained.setdefault(one.trained, one)
        ours, theirs = one.settings, first.settings
        if (ours.config, ours.store) != (theirs.config, theirs.store):
            raise StudyError(
                f"candidates {first.name!r} and {one.name!r} share the runs of "
                f"{one.trained!r}, but differ in how they are trained",
                hint="give one of them another name, or another 'of'",
            )


def _check_names(comparisons: Iterable[Pair], candidates: Iterable[Candidate]) -> None:
    names = [candidate.name for candidate in candidates]
    for name in (name for pair in comparisons for name in pair):
        if name not in names:
            raise StudyError(
                f"there is no candidate {shortened(name)!r} to compare",
                hint=nearest(name, names),
            )


def _find_store(candidate: Candidate, stores: Sequence[Store]) -> Store | None:
    for store in stores:
        has_channels = {*candidate.settings.config.model.channels} <= {*store.channels}
        if has_channels and candidate.settings.store.are_met_by(store.recipe):
            return store
    return None


def _no_store(candidates: Sequence[Candidate], stores: Sequence[Store]) -> StudyError:
    if all(_find_store(candidate, stores) for candidate in candidates):
        names = ", ".join(repr(candidate.name) for candidate in candidates)
        return StudyError(
            f"no store has the twins that these candidates are scored on: {names}",
            hint="name one with --twins, or leave these candidates out with --skip-missing",
        )
    wanted = {candidate.name: candidate.settings.store.wanted() for candidate in candidates}
    needs = [
        f"{name!r} ({', '.join(f'{k}={v}' for k, v in values.items())})"
        for name, values in wanted.items()
    ]
    ratio = candidates[0].settings.store.ratio
    return StudyError(
        f"no store has what these candidates need: {', '.join(needs)}, and their channels",
        hint=f"prepare one (`seaice prepare raw/ ratio{ratio}.zarr --ratio {ratio}`) and "
        "name it after the others, or leave these candidates out with --skip-missing",
    )


def _check_scenes(stores: Sequence[Store]) -> None:
    """Make sure that candidates on different stores have the same scenes."""
    first = stores[0]
    tests = divided(first)["test"]
    if not _charted_tests(first):
        absent = "`_prep_reference.nc` files of the test scenes" if tests else "test files"
        again = " again, with --overwrite" if tests else ""
        raise StudyError(
            f"the store {first.path!r} has no test scenes with charts to score on",
            hint=f"prepare it with the {absent}{again}, or choose test scenes with "
            "`seaice split`",
        )
    for store in stores[1:]:
        for split in ("train", "validation", "test"):
            if differ := sorted({*first.splits[split]} ^ {*store.splits[split]}):
                raise StudyError(
                    f"the stores {first.path!r} and {store.path!r} have different {split} "
                    f"scenes: {', '.join(differ[:3])}{' ...' if differ[3:] else ''}",
                    hint="prepare both from the same files, and split them the same way",
                )


def _check_channels(candidate: Candidate, store: Store, tests: Iterable[str]) -> None:
    """Make sure that test scenes have the channels of a candidate, before it is trained."""
    channels = candidate.settings.config.model.channels
    for scene in map(store.scene, tests):
        if absent := scene.origin.absent_among(channels):
            raise StudyError(
                f"the test scene {scene.id} of {store.path!r} has no {', '.join(absent)}, "
                f"which the network of {candidate.name!r} reads",
                hint="choose other test scenes with `seaice split`, or other candidates",
            )


def _check_regions(candidate: Candidate, store: Store) -> None:
    """Make sure that scenes have the polygons that a loss of regions learns from."""
    train = candidate.settings.config.train
    if train.region_loss == 0 or train.where:  # the condition may choose those that have
        return
    for scene in map(store.scene, store.splits["train"]):
        if scene.has_charts:
            try:
                scene.check_polygons()
            except StoreError as error:
                raise StudyError(
                    f"candidate {candidate.name!r} has a loss of regions: {error}",
                    hint=error.hint,
                ) from None


def _check_twins(store: Store, twins: Store, tests: Iterable[str]) -> None:
    """Make sure that every test scene has a twin on the same grid."""
    for scene_id in tests:
        if not twins.has_scene(scene_id):
            raise StudyError(
                f"the store {twins.path!r} has no twin of the test scene {scene_id}",
                hint="make twins of all test scenes: `seaice synth --version products`, "
                "then `seaice ingest` and `seaice prepare`",
            )
        shapes = [of.scene(scene_id).source_grid.shape for of in (twins, store)]
        check_shapes(scene_id, *shapes, whose="the twin")


def _charted_tests(store: Store) -> list[str]:
    return [i for i in store.splits["test"] if store.scene(i).has_charts]

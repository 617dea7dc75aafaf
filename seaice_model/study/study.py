"""Many networks with many seeds in one folder: the study that Table 4 of the paper reports.

A study is planned (`plan_study`: which candidate on which store), run (`run_study`: here,
in several processes, or in the tasks of a SLURM array), and summarised in a table at any
time (`seaice_model.study.table`). Each process works on runs that no other works on, so a
study can be interrupted, and more processes can join it, at any time::

    study/
      runs/model1/seed-0/...   each run, see `seaice_model.study.records`
      table.csv, table.md, table.tex, table.json, table.png
"""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import cast

import torch

from seaice_data.errors import SeaIceError
from seaice_data.store.division import divided
from seaice_data.store.store import Store
from seaice_data.system.process import n_cores
from seaice_data.system.workers import WorkerContext, begin_worker, end_in_words
from seaice_model.errors import StudyError
from seaice_model.networks.device import find_device
from seaice_model.study.candidates import Candidate, quick
from seaice_model.study.records import RunFailure, StudyRun, check_folder, failures
from seaice_model.study.runs import RunProgress, work
from seaice_model.training.stop import StopRequest, stop_on_signals

TABLES = tuple(f"table.{end}" for end in ("md", "tex", "csv", "json", "png"))
"""Files in the folder of a study that are rewritten when runs are finished."""

TABLE_LOCK = ".table.lock"
"""Locked while they are written; if it exists, seaice wrote the tables."""

_MOST_RUNS = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyPlan:
    """The runs that a study consists of."""

    out: Path
    """Folder of the study."""

    candidates: tuple[Candidate, ...]
    """Candidates that are trained, in the order of the table."""

    seeds: tuple[int, ...]
    """Seeds of the runs of each candidate."""

    stores: tuple[str, ...]
    """Path or URL of the store of each candidate, to open it; it may contain secrets."""

    left_out: tuple[Candidate, ...]
    """Candidates for which none of the stores is suitable."""

    is_quick: bool
    """Whether the candidates were scaled down for a CPU."""

    @property
    def runs(self) -> tuple[StudyRun, ...]:
        """All runs, candidate by candidate."""
        return tuple(
            StudyRun(candidate=candidate, seed=seed, store=store, folder=self.out / "runs")
            for candidate, store in zip(self.candidates, self.stores, strict=True)
            for seed in self.seeds
        )

    def part(self, number: int, n_parts: int) -> tuple[StudyRun, ...]:
        """Return share `number` (from 1) of `n_parts` shares, in the order of seeds.

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
        dealt = self.runs[number - 1 :: n_parts]
        # The first seed of each candidate before the second of any, for an early table.
        return tuple(sorted(dealt, key=lambda run: run.seed))


@dataclass(frozen=True, slots=True)
class StudyProgress:
    """What is reported after each epoch of a run."""

    n_finished: int
    """How many of `n_runs` are finished by now, by any process."""

    n_runs: int
    """Runs that were not finished when this call began."""

    step: RunProgress
    """The latest step."""


@dataclass(frozen=True, slots=True)
class StudyReport:
    """What `run_study` did."""

    n_finished: int
    """Runs of the whole study that are finished."""

    n_runs: int
    """Runs of the whole study."""

    failed: tuple[RunFailure, ...]
    """Runs that could not be finished."""

    is_stopped: bool
    """Whether a signal stopped it; call it again to continue."""

    elapsed_s: float
    """Seconds of this call."""


def plan_study(
    out: str | Path,
    stores: Sequence[Store],
    candidates: Sequence[Candidate],
    *,
    n_runs: int = 20,
    skip_missing: bool = False,
    is_quick: bool = False,
) -> StudyPlan:
    """Plan a study: find the store of each candidate; reject at once what cannot work.

    Parameters
    ----------
    out
        Folder of the study; it may already contain part of it.
    stores
        Stores of the same scenes. A candidate uses the first one that has its ratio, its
        resampling and its channels.
    candidates
        What to train, in the order of the table.
    n_runs
        Runs of each candidate: seeds 0 to `n_runs` - 1 (20 in Chen et al. 2024, section
        4.1).
    skip_missing
        Leave out candidates without a suitable store, instead of raising an error.
    is_quick
        Scale the candidates down for a CPU (`seaice_model.study.candidates.quick`).

    Raises
    ------
    StudyError
        If candidates lack a store, stores contain different scenes or no test charts, test
        scenes lack channels, or the folder has runs with other settings.
    """
    out = Path(out)
    if not 1 <= n_runs <= _MOST_RUNS:
        raise StudyError(f"a candidate needs 1 to {_MOST_RUNS} runs, got {n_runs}")
    if not candidates:
        raise StudyError(
            "a study needs at least one candidate", hint="name some with --presets"
        )
    if is_quick:
        candidates = [quick(candidate) for candidate in candidates]
    found = {candidate.name: _find_store(candidate, stores) for candidate in candidates}
    missing = tuple(candidate for candidate in candidates if found[candidate.name] is None)
    if missing and (not skip_missing or len(missing) == len(candidates)):
        raise _no_store(missing)
    chosen = {name: store for name, store in found.items() if store is not None}
    _check_scenes([store for store in stores if store in chosen.values()])
    for candidate in candidates:
        if candidate.name in chosen:
            _check_channels(candidate, chosen[candidate.name])
    plan = StudyPlan(
        out=out,
        candidates=tuple(candidate for candidate in candidates if candidate.name in chosen),
        seeds=tuple(range(n_runs)),
        stores=tuple(store.storage.url for store in chosen.values()),
        left_out=missing,
        is_quick=is_quick,
    )
    for run in plan.runs:
        check_folder(run, chosen[run.candidate.name].fingerprint)
    return plan


def run_study(
    plan: StudyPlan,
    *,
    part: tuple[int, int] = (1, 1),
    jobs: int | None = 1,
    devices: Sequence[str] = ("auto",),
    progress: Callable[[StudyProgress], None] | None = None,
) -> StudyReport:
    """Train and score the unfinished runs of a study.

    Call it again to continue where it was stopped or killed. Several processes, on one or
    several machines, can work at the same time: each works on runs that no other works on.
    If each has its own part, they need no locks for that.

    Parameters
    ----------
    plan
        The study.
    part
        Share ``(i, n)`` of the runs, i from 1 to n.
    jobs
        Number of runs at the same time, each in its own process; 1 uses this process. None
        means one for each GPU; on a CPU one, or one for each core in a quick study.
    devices
        Where to train; processes are distributed over them.
    progress
        Called after each epoch.

    Raises
    ------
    StudyError
        If a process was killed.
    """
    start = time.perf_counter()
    runs = [run for run in plan.part(*part) if not run.is_finished]

    def report_step(step: RunProgress) -> None:
        if progress is not None:
            n_finished = sum(run.is_finished for run in runs)
            progress(StudyProgress(n_finished, len(runs), step))

    if jobs is None:
        is_on_gpus = devices[0].startswith("cuda")
        jobs = len(devices) if is_on_gpus else n_cores() if plan.is_quick else 1
    jobs = min(jobs, len(runs))
    if jobs > 1:
        is_done = _work_in_processes(runs, jobs, devices, report_step)
    else:
        is_done = work(runs, uuid.uuid4().hex, devices[0], StopRequest(), report_step)
    return StudyReport(
        n_finished=sum(run.is_finished for run in plan.runs),
        n_runs=len(plan.runs),
        failed=failures(runs),
        is_stopped=not is_done,
        elapsed_s=time.perf_counter() - start,
    )


def find_devices(device: str) -> tuple[str, ...]:
    """Return the devices to train on: all GPUs for "auto", else the one named.

    Examples
    --------
    >>> find_devices("cpu")
    ('cpu',)
    """
    if device == "auto" and torch.cuda.is_available():
        return tuple(f"cuda:{number}" for number in range(torch.cuda.device_count()))
    return (str(find_device(device)),)


def _find_store(candidate: Candidate, stores: Sequence[Store]) -> Store | None:
    for store in stores:
        has_channels = {*candidate.settings.config.model.channels} <= {*store.channels}
        if has_channels and candidate.settings.store.are_met_by(store.recipe):
            return store
    return None


def _no_store(candidates: Sequence[Candidate]) -> StudyError:
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
    if not any(first.scene(scene).has_charts for scene in tests):
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


def _check_channels(candidate: Candidate, store: Store) -> None:
    """Make sure that test scenes have the channels of a candidate, before it is trained."""
    channels = candidate.settings.config.model.channels
    for scene in map(store.scene, store.splits["test"]):
        if scene.has_charts and (absent := scene.origin.absent_among(channels)):
            raise StudyError(
                f"the test scene {scene.id} of {store.path!r} has no {', '.join(absent)}, "
                f"which the network of {candidate.name!r} reads",
                hint="choose other test scenes with `seaice split`, or other candidates",
            )


def _work_in_processes(
    runs: Sequence[StudyRun],
    jobs: int,
    devices: Sequence[str],
    report: Callable[[RunProgress], None],
) -> bool:
    """Share runs between processes; return false if a signal stopped them."""
    n_threads = max(1, min(torch.get_num_threads(), n_cores()) // jobs)
    attempt = uuid.uuid4().hex
    context = WorkerContext()
    processes: list[BaseProcess] = []
    ends: list[Connection] = []
    for number in range(jobs):
        ours, theirs = context.Pipe(duplex=False)
        device = devices[number % len(devices)]
        process = context.Process(
            target=_work, args=(theirs, runs, attempt, device, n_threads), daemon=True
        )
        process.start()
        theirs.close()
        processes.append(process)
        ends.append(ours)
    with stop_on_signals() as stop, _ended(processes):
        error = _listen(ends, processes, stop, report)
    if error is not None:
        raise error
    is_finished = all(run.is_finished for run in runs)
    if any(process.exitcode for process in processes) and not (stop.is_made or is_finished):
        message, hint = end_in_words(processes)
        raise StudyError(message, hint=hint)
    return not stop.is_made


def _listen(
    ends: Sequence[Connection],
    processes: Sequence[BaseProcess],
    stop: StopRequest,
    report: Callable[[RunProgress], None],
) -> Exception | None:
    """Pass on progress until all processes have ended; return the first error."""
    error: Exception | None = None
    is_ending = False
    is_open = list(ends)
    while is_open:
        for end in wait(is_open, timeout=0.5):
            try:
                message = cast("Connection", end).recv()  # `wait` accepts others too
            except EOFError:
                is_open.remove(cast("Connection", end))
                continue
            if isinstance(message, RunProgress):
                report(message)
            else:
                error = error or message
        if (stop.is_made or error is not None) and not is_ending:
            is_ending = True
            for process in processes:
                process.terminate()
    return error


@contextmanager
def _ended(processes: Sequence[BaseProcess]) -> Iterator[None]:
    """Wait for processes at the end; kill them after an error."""
    try:
        yield
    except BaseException:
        for process in processes:
            process.kill()
        raise
    finally:
        for process in processes:
            process.join()


def _work(
    end: Connection,
    runs: Sequence[StudyRun],
    attempt: str,
    device: str,
    n_threads: int,
) -> None:
    """Work in a process of its own; send progress, and the error that ends it."""
    stop = StopRequest()
    begin_worker(stop.make)
    torch.set_num_threads(n_threads)
    try:
        work(runs, attempt, device, stop, end.send)
    except (SeaIceError, OSError, MemoryError) as error:
        end.send(error)

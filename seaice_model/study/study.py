"""Many networks with many seeds in one folder: the study that Table 4 of the paper reports.

A study is planned (`seaice_model.study.plan`), run (`run_study`: here,
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
from typing import cast

import torch

from seaice_data.display import Displayed
from seaice_data.errors import SeaIceError
from seaice_data.system.process import n_cores
from seaice_data.system.workers import WorkerContext, begin_worker, end_in_words
from seaice_model.errors import StudyError
from seaice_model.networks.device import find_device
from seaice_model.study.plan import StudyPlan
from seaice_model.study.records import RunFailure, StudyRun, failures
from seaice_model.study.runs import RunProgress, work
from seaice_model.training.stop import StopRequest, stop_on_signals


@dataclass(frozen=True, slots=True)
class StudyProgress:
    """What is reported after each epoch of a run."""

    n_finished: int
    """How many of `n_runs` are finished by now, by any process."""

    n_runs: int
    """Runs that were not finished when this call began."""

    step: RunProgress
    """The latest step."""


@dataclass(frozen=True, slots=True, repr=False)
class StudyReport(Displayed):
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

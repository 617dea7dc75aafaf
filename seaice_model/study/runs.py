"""Work on the runs of a study: claim, train, score, record.

The lock of a process is released when it ends, so another process can take over the run of
a killed one; the run continues from its last checkpoint. Candidates that share a run share
its lock, and whichever comes first trains it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from seaice_data.errors import SeaIceError, is_of_disk
from seaice_data.store.store import Store
from seaice_data.system.files import claimed
from seaice_model.runs.folder import RunFolder
from seaice_model.study.records import StudyRun, failed_in, note_failure, save_record
from seaice_model.study.scoring import score_run
from seaice_model.training.gpu_scenes import kept_scenes
from seaice_model.training.progress import TrainProgress
from seaice_model.training.stop import StopRequest
from seaice_model.training.train import train


@dataclass(frozen=True, slots=True)
class RunProgress:
    """What is reported after each epoch of a run, and when it is finished or has failed."""

    candidate: str
    """Its candidate."""

    seed: int
    """Its seed."""

    epoch: int
    """Epoch just done, from 1; of a run that failed, 0."""

    n_epochs: int
    """Epochs in all."""

    is_finished: bool
    """Whether the run is scored too."""

    is_failed: bool = False
    """Whether it failed; it is left to the next attempt."""


@kept_scenes()
def work(
    runs: Iterable[StudyRun],
    attempt: str,
    device: str,
    stop: StopRequest,
    progress: Callable[[RunProgress], None],
) -> bool:
    """Finish the runs that no other process works on, one after the other.

    Runs of processes that were killed are taken over. A run that fails is recorded as such,
    and left to the next attempt; if the disk is full, the error is raised.

    Parameters
    ----------
    runs
        Runs, in the order in which to work on them.
    attempt
        Name of this attempt; processes that share it try a failing run once.
    device
        Where to train.
    stop
        Checked between runs; training itself stops on signals.
    progress
        Called after each epoch and each run.

    Returns
    -------
    bool
        False if a stop was requested.
    """
    left = list(runs)
    was_busy = True
    while was_busy:
        was_busy = False
        for run in left:
            if stop.is_made:
                return False
            if run.is_finished or failed_in(run, attempt):
                continue
            for file in (run.lock, run.record):
                file.parent.mkdir(parents=True, exist_ok=True)
            with claimed(run.lock) as is_ours:
                if not is_ours or run.is_finished:
                    continue
                was_busy = True
                try:
                    finished = finish(run, device, progress)
                except SeaIceError as error:
                    if is_of_disk(error):
                        raise
                    note_failure(run, attempt, error)
                    name, n_epochs = run.candidate.name, run.config.train.n_epochs
                    progress(
                        RunProgress(name, run.seed, 0, n_epochs, False, is_failed=True)
                    )
                    continue
                if not finished:
                    return False
    return True


def finish(run: StudyRun, device: str, progress: Callable[[RunProgress], None]) -> bool:
    """Train a run, or continue it, and score it; return false if a signal stopped it."""
    store = Store.open(run.store)
    n_epochs = run.config.train.n_epochs

    def report_epoch(step: TrainProgress) -> None:
        if step.scores is not None:
            progress(RunProgress(run.candidate.name, run.seed, step.epoch, n_epochs, False))

    if not run.is_trained:
        report = train(
            store,
            run.path,
            run.config,
            resume=RunFolder(run.path).settings.exists(),
            device=device,
            progress=report_epoch,
        )
        if report.is_stopped:
            return False
    view = run.candidate.settings.view
    twins = Store.open(run.twins) if run.twins else None
    counts = score_run(store, run.path, device, view=view, twins=twins, truth=run.truth)
    if counts.truth is not None:
        save_record(counts.truth, run.truth_record)
    save_record(counts.record, run.record)
    run.error.unlink(missing_ok=True)
    progress(RunProgress(run.candidate.name, run.seed, n_epochs, n_epochs, True))
    return True

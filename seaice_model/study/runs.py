"""Work on the runs of a study: claim, train, score scene by scene, record.

The lock of a process is released when it ends, so another process can take over the run of
a killed one; the run continues from its last checkpoint.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from seaice_data.errors import SeaIceError, is_of_disk
from seaice_data.sources.inputs import StoreSource
from seaice_data.store.store import Store
from seaice_data.system.files import claimed
from seaice_model.errors import StudyError
from seaice_model.metrics import ChartScorer
from seaice_model.networks.device import find_device, memory_in_words
from seaice_model.prediction.predict import predict_scene, provenance_of
from seaice_model.prediction.predictor import Predictor
from seaice_model.runs.folder import RunFolder
from seaice_model.study.records import (
    SPLITS,
    RunRecord,
    StudyRun,
    failed_in,
    note_failure,
    save_record,
)
from seaice_model.study.statistics import Confusion
from seaice_model.training.gpu_scenes import kept_scenes
from seaice_model.training.progress import TrainProgress
from seaice_model.training.stop import StopRequest
from seaice_model.training.train import train


@dataclass(frozen=True, slots=True)
class RunProgress:
    """What is reported after each epoch of a run, and when it is finished."""

    candidate: str
    """Its candidate."""

    seed: int
    """Its seed."""

    epoch: int
    """Epoch just done, from 1."""

    n_epochs: int
    """Epochs in all."""

    is_finished: bool
    """Whether the run is scored too."""


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
            run.lock.parent.mkdir(parents=True, exist_ok=True)
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
    save_record(score_run(store, run.path, device), run.record)
    run.error.unlink(missing_ok=True)
    progress(RunProgress(run.candidate.name, run.seed, n_epochs, n_epochs, True))
    return True


def score_run(store: Store, run_path: Path, device: str = "auto") -> RunRecord:
    """Count the confusion matrices of a run on its validation and its test scenes.

    On the 80 m grid of the scenes, as `seaice_model.scores.score` does; scenes without a
    chart are skipped. Maps are not kept: `seaice predict` makes them from the run.

    Raises
    ------
    StudyError
        If the run has seen a test scene because the store was divided again since.
    """
    predictor = Predictor.load([run_path], find_device(device))
    checkpoint = predictor.checkpoints[0]
    tests = store.splits["test"]
    if seen := [scene for scene in tests if predictor.use_of(scene) != "unseen"]:
        raise StudyError(
            f"the run {str(run_path)!r} was trained or validated on {len(seen)} of the "
            f"{len(tests)} test scenes of {store.path!r}: the store was divided again",
            hint="divide the store as it was, or choose another folder with --out",
        )
    scenes = (checkpoint.settings.validation_scenes, tests)
    confusion: dict[str, dict[str, Confusion]] = {split: {} for split in SPLITS}
    for split, ids in zip(SPLITS, scenes, strict=True):
        source = StoreSource(store, ids)
        made_of = provenance_of(source, predictor)
        for scene in (source.read(scene_id, charts=True) for scene_id in ids):
            if scene.charts is None:
                continue
            with memory_in_words("predicting", "use --device cpu, or a larger machine"):
                chart_map = predict_scene(predictor, scene, made_of)
            scorer = ChartScorer()
            scorer.add(scene.charts, chart_map.charts)
            confusion[split][scene.id] = scorer.confusion
    return RunRecord(
        config=checkpoint.settings.config,
        store_fingerprint=store.fingerprint,
        best_epoch=checkpoint.state.n_epochs,
        confusion=confusion,
    )

"""Train the network: from the first batch to the best checkpoint.

As in Chen et al. (2024), section 3.5: gradient descent with momentum, a learning rate that
falls as a cosine and restarts, and epochs of a fixed number of batches. After each epoch
the combined score on whole validation scenes decides which weights are the best. It is
counted on the grid of the store; `seaice score` counts on the 80 m grid.

Weights depend on the settings alone. Learning rate and patches are functions of the batch
number, so a training that is interrupted and resumed ends with exactly the same weights as
one that is not, given the same CPU and number of threads.
"""

import logging
import math
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from seaice_data.charts import FLOE, SIC, SOD
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.opening import AnyStore, opened
from seaice_data.store.store import Store
from seaice_data.system.memory import kept_pages
from seaice_model.config.run_config import RunConfig, TrainConfig
from seaice_model.errors import RunError
from seaice_model.metrics import Scores
from seaice_model.networks.device import (
    compiler_errors,
    is_compiled,
    memory_in_words,
    usual_torch,
)
from seaice_model.prediction.parts import TILE
from seaice_model.runs.checkpoint import TrainState
from seaice_model.runs.folder import RunFolder, locked
from seaice_model.runs.log import LogEntry
from seaice_model.runs.settings import RunSettings
from seaice_model.runs.tensorboard import event_writer
from seaice_model.training.batches import batches, patch_source
from seaice_model.training.learner import Learner
from seaice_model.training.processes import Processes, join
from seaice_model.training.progress import Timing, TrainCallback, TrainProgress, TrainReport
from seaice_model.training.recorder import Recorder
from seaice_model.training.run_settings import (
    check_channels,
    new_settings,
    resumed_settings,
)
from seaice_model.training.stop import StopRequest, stop_on_signals
from seaice_model.training.validation import Validation

log = logging.getLogger(__name__)

_CHECK_EVERY = {"cpu": 1}
_CHECK_EVERY_ELSEWHERE = 25


@usual_torch()
def train(
    store: AnyStore,
    run_path: str | Path,
    config: RunConfig | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    tensorboard: bool = False,
    progress: TrainCallback | None = None,
) -> TrainReport:
    """Train a network on the training scenes of a store.

    SIGTERM and Ctrl-C stop it after the next batch, with everything saved. Started by
    torchrun, several processes train one network (`seaice_model.training.processes`).

    Parameters
    ----------
    store
        Where the patches come from: a store, its path or its URL.
    run_path
        Folder for settings, log and checkpoints (`seaice_model.runs.folder` lists them).
    config
        Network and training; the defaults of the paper if not given. When resuming, the
        configuration of the run is used; a given one may differ in the number of epochs
        only.
    resume
        Continue the run in `run_path`.
    overwrite
        Replace the run in `run_path`, or other files there with the names of those of a
        run. A run that has neither a checkpoint nor a finished epoch is always replaced.
    device
        Where to train: "auto", "cpu", "cuda" and so on.
    tensorboard
        Whether to write events for TensorBoard in addition to the log.
    progress
        Called every few batches, and after each validation; by the first process only.

    Raises
    ------
    RunError
        If a run is in the way, or the one to resume is missing, damaged, being trained by
        another process, or does not fit `store` or `config`; if the store has no scenes to
        train or validate on, or one of them lacks a channel that the network reads; if the
        loss is not finite, memory runs out, or a file of the run cannot be written.
    StoreError
        If the store lacks channels or labels, or polygons that the loss of regions needs.
    """
    start = time.perf_counter()
    store, folder = opened(store), RunFolder(Path(run_path))
    if resume:
        settings = resumed_settings(store, folder, config)
    else:
        settings = new_settings(store, config or RunConfig())
    check_channels(store, settings)
    with ExitStack() as stack:
        hint = "use a smaller batch_size or patch_size, or fewer filters"
        stack.enter_context(memory_in_words("training", hint))
        stack.enter_context(compiler_errors())
        processes = join(device)
        stack.enter_context(processes.errors())
        if processes.device.type == "cpu":
            stack.enter_context(kept_pages())
        else:  # CUDA graphs and events belong to the current GPU
            stack.enter_context(torch.cuda.device(processes.device))
        training = _Training(store, folder, settings, processes)
        recorder = training.recorder
        if processes.is_first:
            stack.enter_context(locked(folder))
        if resume:
            training.state = recorder.restore()
        else:
            recorder.claim(overwrite=overwrite)
        if tensorboard and processes.is_first:
            writer = event_writer(folder.events, training.state.n_epochs)
            recorder.epoch_writer = stack.enter_context(writer)
        training.run(progress if processes.is_first else None)
        processes.barrier()
    return training.report(time.perf_counter() - start)


def learning_rate(config: TrainConfig, iteration: int) -> float:
    """Return the learning rate of a batch, counted from 0 over all epochs.

    A cosine from `config.learning_rate` to 0 that starts again every
    `config.n_restart_epochs` epochs (Chen et al. 2024, section 3.5; it changes with each
    batch, as in the official code).

    Examples
    --------
    >>> [learning_rate(TrainConfig(), t) for t in (0, 5000, 10000)]
    [0.001, 0.0005, 0.001]
    """
    period = config.n_restart_epochs * config.n_iterations
    phase = (iteration % period) / period
    return config.learning_rate * (1 + math.cos(math.pi * phase)) / 2


class _Training:
    """The training loop: a network, and the state of its training."""

    def __init__(
        self, store: Store, folder: RunFolder, settings: RunSettings, processes: Processes
    ) -> None:
        self.processes = processes
        self.config = settings.config.train
        self.state = TrainState()
        self.timing = [Timing()]
        self.is_stopped = False
        processes.check_batch(self.config.batch_size)
        sampler = PatchSampler(
            store,
            scenes=settings.train_scenes,
            channels=settings.config.model.channels,
            size=self.config.patch_size,
            seed=self.config.seed,
            sampling=settings.config.sampling,
            augmentation=settings.config.augmentation,
            regions=self.config.region_loss > 0,
        )
        is_divided = self.config.divide_by_probability
        self.learner = Learner(
            settings.config,
            processes,
            sampler.mean_valid().tolist() if is_divided else None,
        )
        self.recorder = Recorder(
            folder=folder,
            settings=settings,
            learner=self.learner,
            is_writing=processes.is_first,
        )
        if sampler.skipped:
            log.warning(
                "%d training scenes have too few labels to sample patches from: %s",
                len(sampler.skipped), ", ".join(sampler.skipped),
            )  # fmt: skip
        self.patches = patch_source(
            sampler,
            processes.device,
            self.config.batch_size,
            compiled=is_compiled(self.config.compile, processes.device),
        )
        self.validation = Validation(
            [store.scene(i) for i in processes.share(settings.validation_scenes)],
            settings.config.model.channels,
            self.config.precision,
            largest_kept=TILE if processes.device.type == "cuda" else 0,
        )

    def run(self, progress: TrainCallback | None) -> None:
        """Train and validate the remaining epochs, until a signal arrives."""
        with stop_on_signals() as stop:
            while self.state.n_epochs < self.config.n_epochs and not self._stopped(stop):
                self.train_epoch(stop, progress)
                scores = None if self.is_stopped else self.validate(stop)
                if scores is None:
                    self.check_weights()
                    self.recorder.save(self.state)
                    break
                self.finish_epoch(scores, progress)
            self.recorder.plot_learning_curve()
            self._stopped(stop)  # a late signal still stops later trainings

    def train_epoch(self, stop: StopRequest, progress: TrainCallback | None) -> None:
        """Train on the remaining batches of the epoch, until asked to stop."""
        self.learner.network.train()
        self.timing.append(Timing())
        size = self.config.batch_size
        first = self.state.next_patch
        last = (self.state.n_epochs + 1) * self.config.n_iterations * size
        every = _CHECK_EVERY.get(self.processes.device.type, _CHECK_EVERY_ELSEWHERE)
        unchecked: list[Tensor] = []
        start = time.perf_counter()
        stream = batches(
            self.patches, first, last, size, self.processes.device,
            rank=self.processes.rank, count=self.processes.count,
        )  # fmt: skip
        iterations = range(first // size, last // size)
        with closing(stream):
            for iteration, batch in zip(iterations, stream, strict=True):
                rate = learning_rate(self.config, iteration)
                unchecked.append(self.learner.learn(batch, rate, iteration))
                self.timing[-1].wait_s += batch.wait_s
                if len(unchecked) < every and iteration + 1 < iterations.stop:
                    continue
                self._account(unchecked)
                unchecked.clear()
                if progress is not None:
                    progress(self._progress())
                if self._stopped(stop):
                    break
        self.learner.average_buffers()
        self.timing[-1].train_s = time.perf_counter() - start
        self.timing[-1].n_patches = self.state.next_patch - first

    def validate(self, stop: StopRequest) -> Scores | None:
        """Score the network on the validation scenes; None if stopped before the end."""
        start = time.perf_counter()
        scorer = self.validation.score(self.learner.result, stop)
        self.timing[-1].validation_s = time.perf_counter() - start
        if self._stopped(stop):
            return None
        for counts in scorer.confusion.values():
            counts[...] = self.processes.sum(torch.from_numpy(counts)).numpy()
        return scorer.scores()

    def finish_epoch(self, scores: Scores, progress: TrainCallback | None) -> None:
        """Log the epoch, save the network, and report the scores."""
        self.check_weights()
        if scores.combined is None:
            raise RunError("no pixel of the validation scenes has a class")
        best = self.state.best_score
        is_best = best is None or scores.combined > best
        entry = self._log_entry(scores, scores.combined, is_best=is_best)
        validated = replace(self._progress(), scores=scores, entry=entry)
        self.state = replace(
            self.state,
            n_epochs=entry.epoch,
            losses=TrainState().losses,
            best_score=scores.combined if is_best else best,
            best_epoch=entry.epoch if is_best else self.state.best_epoch,
        )
        self.recorder.save_epoch(self.state, entry)
        if progress is not None:
            progress(validated)

    def check_weights(self) -> None:
        """Refuse weights that are not finite, which losses show only a batch later.

        Raises
        ------
        RunError
            If some weights are not finite.
        """
        if (name := self.learner.nonfinite_weights()) is not None:
            raise self._diverged(f"weights {name!r} are not finite")

    def report(self, elapsed_s: float) -> TrainReport:
        """Return what was done in `elapsed_s` seconds."""
        train_s = max(sum(t.train_s for t in self.timing), 1e-9)
        return TrainReport(
            run=self.recorder.folder.path,
            n_epochs=self.state.n_epochs,
            is_complete=self.state.n_epochs >= self.config.n_epochs,
            is_stopped=self.is_stopped,
            best_score=self.state.best_score,
            best_epoch=self.state.best_epoch,
            n_parameters=sum(w.numel() for w in self.learner.network.parameters()),
            patches_per_s=sum(t.n_patches for t in self.timing) / train_s,
            wait_share=sum(t.wait_s for t in self.timing) / train_s,
            elapsed_s=elapsed_s,
        )

    @property
    def _iteration(self) -> int:
        """Batches that are done, of all epochs."""
        return self.state.next_patch // self.config.batch_size

    @property
    def _n_done(self) -> int:
        """Batches that are done, of the current epoch."""
        return self._iteration - self.state.n_epochs * self.config.n_iterations

    def _stopped(self, stop: StopRequest) -> bool:
        """Return whether to stop, which all processes decide together."""
        self.is_stopped = self.processes.any(stop.is_made)
        return self.is_stopped

    def _account(self, unchecked: list[Tensor]) -> None:
        """Add trained batches to the state; stop if a loss is not finite."""
        losses = self.processes.mean(torch.stack(unchecked))
        table = losses.cpu().double().numpy()
        finite = np.isfinite(table).all(axis=1)
        if not finite.all():
            position = int(np.flatnonzero(~finite)[0])
            raise self._diverged(
                f"the loss of batch {self._n_done + position + 1} is {table[position, 0]}"
            )
        # One by one, so that sums do not depend on how often losses are checked.
        sums = np.array(self.state.losses)
        for row in table:
            sums = sums + row
        self.state = replace(
            self.state,
            next_patch=self.state.next_patch + len(table) * self.config.batch_size,
            losses=tuple(sums.tolist()),
        )

    def _diverged(self, reason: str) -> RunError:
        hint = f"lower learning_rate ({self.config.learning_rate})"
        if n_epochs := self.state.n_epochs:
            path = str(self.recorder.folder.path)
            hint += f" in another run; {path!r} stays as it was after epoch {n_epochs}"
        return RunError(f"training diverged in epoch {n_epochs + 1}: {reason}", hint=hint)

    def _progress(self) -> TrainProgress:
        """Return how far the training is."""
        return TrainProgress(
            epoch=self.state.n_epochs + 1,
            n_epochs=self.config.n_epochs,
            iteration=self._n_done,
            n_iterations=self.config.n_iterations,
            loss=self.state.losses[0] / max(self._n_done, 1),
            learning_rate=learning_rate(self.config, self._iteration - 1),
        )

    def _log_entry(self, scores: Scores, combined: float, *, is_best: bool) -> LogEntry:
        total, sic, sod, floe = (
            value / self.config.n_iterations for value in self.state.losses
        )
        return LogEntry(
            epoch=self.state.n_epochs + 1,
            loss=total,
            loss_sic=sic,
            loss_sod=sod,
            loss_floe=floe,
            learning_rate=learning_rate(self.config, self._iteration - 1),
            combined=combined,
            sic=scores.charts[SIC.name].score,
            sod=scores.charts[SOD.name].score,
            floe=scores.charts[FLOE.name].score,
            is_best=is_best,
            train_s=self.timing[-1].train_s,
            wait_s=self.timing[-1].wait_s,
            validation_s=self.timing[-1].validation_s,
            n_patches=self.timing[-1].n_patches,
            loss_weights=self.learner.learned_weights(),
        )

"""What a training leaves in the folder of its run: settings, checkpoints, log, curve.

Only the first of several processes writes files; all of them read the checkpoint that
they continue from.
"""

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from seaice_model.errors import PlotError
from seaice_model.plots.learning_curve import plot_learning_curve
from seaice_model.runs import checkpoint as checkpoints
from seaice_model.runs import log as runlog
from seaice_model.runs.checkpoint import Checkpoint, TrainState, lost_best_error
from seaice_model.runs.folder import RunFolder
from seaice_model.runs.log import LogEntry
from seaice_model.runs.settings import RunSettings, save_settings, settings_to_resume
from seaice_model.runs.tensorboard import EpochWriter
from seaice_model.style import save_plot
from seaice_model.training.learner import Learner
from seaice_model.training.run_settings import check_checkpoint

log = logging.getLogger(__name__)

_PLOT_EVERY_S = 60.0


@dataclass(kw_only=True, slots=True)
class Recorder:
    """Writes and reads the files of a run."""

    folder: RunFolder
    """Where they are."""

    settings: RunSettings
    """Settings of the run."""

    learner: Learner
    """The network, whose weights and momentum are saved and restored."""

    is_writing: bool
    """Whether this is the process that writes."""

    epoch_writer: EpochWriter | None = None
    """Writes epochs for TensorBoard, if asked for."""

    plotted: float = field(default_factory=time.perf_counter)
    """When the learning curve was last plotted."""

    def claim(self, *, overwrite: bool) -> None:
        """Write the settings of a new run, in place of an old one with `overwrite`.

        A run without results is replaced in any case.

        Raises
        ------
        RunError
            If there are results, or files of others, and `overwrite` is not set.
        """
        if not self.is_writing:
            return
        if not overwrite:
            self.folder.refuse_results()
        self.folder.clear()
        save_settings(self.settings, self.folder.settings)

    def restore(self) -> TrainState:
        """Return to the last checkpoint, or to the best, or to the start.

        Raises
        ------
        RunError
            If the checkpoint is damaged or of another run, or the best one is lost.
        """
        state = TrainState()
        newest = next((p for p in (self.folder.last, self.folder.best) if p.exists()), None)
        if newest is not None:
            checkpoint = checkpoints.load(newest)
            check_checkpoint(checkpoint, self.settings, str(newest))
            state = checkpoint.state
            self.learner.restore(
                checkpoint.weights,
                checkpoint.momentum,
                average=checkpoint.average,
                loss_weights=checkpoint.loss_weights,
                n_batches=state.next_patch // self.settings.config.train.batch_size,
            )
            if not self.folder.best.exists() and state.best_epoch is not None:
                if not checkpoint.is_best:
                    raise lost_best_error(self.folder, checkpoint)
                self._save(state, self.folder.best)
        if self.is_writing:
            runlog.keep_epochs(self.folder.log, state.n_epochs)
            if settings_to_resume(self.folder.path) != self.settings:
                save_settings(self.settings, self.folder.settings)
        return state

    def save(self, state: TrainState) -> None:
        """Write everything that is needed to predict and to continue."""
        self._save(state, self.folder.last)

    def save_epoch(self, state: TrainState, entry: LogEntry) -> None:
        """Log a finished epoch, and save the network; also as the best one, if it is."""
        if not self.is_writing:
            return
        # A process killed in between repeats the epoch from the last checkpoint, drops
        # its line of the log, and finds the same best weights again.
        runlog.append_entry(self.folder.log, entry)
        if entry.is_best:
            self._save(state, self.folder.best)
        self.save(state)
        if self.epoch_writer is not None:
            self.epoch_writer(entry)
        if time.perf_counter() - self.plotted > _PLOT_EVERY_S:
            self._plot_learning_curve(logging.INFO)
        log.info(
            "epoch %d: loss %.4f, combined score %.2f %%, %.1f s of training, %.1f s of "
            "validation",
            entry.epoch, entry.loss, entry.combined, entry.train_s, entry.validation_s,
        )  # fmt: skip

    def plot_learning_curve(self) -> None:
        """Plot the log, if an epoch is finished; warn if that is not possible."""
        if self.is_writing:
            self._plot_learning_curve(logging.WARNING)

    def _plot_learning_curve(self, level: int) -> None:
        """Plot the log; if that fails, log why at this level and let the training go on."""
        self.plotted = time.perf_counter()
        if entries := runlog.read_log(self.folder.log):
            try:
                save_plot(plot_learning_curve(entries), self.folder.learning_curve)
            except PlotError as error:
                name = self.folder.learning_curve.name
                log.log(level, "%s is not written: %s", name, error)

    def _save(self, state: TrainState, path: Path) -> None:
        if not self.is_writing:
            return
        checkpoint = Checkpoint(
            settings=self.settings,
            state=state,
            weights=self.learner.network.state_dict(),
            momentum=self.learner.momentum(),
            average=self.learner.average(),
            loss_weights=self.learner.loss_weights(),
        )
        checkpoints.save(checkpoint, path)

"""What a training reports, while it runs and at its end."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from seaice_data.display import Displayed
from seaice_model.metrics import Scores
from seaice_model.runs.log import LogEntry


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainProgress:
    """Progress of a training, reported every few batches and after each validation."""

    epoch: int
    """Current epoch, from 1."""

    n_epochs: int
    """Epochs in all."""

    iteration: int
    """Batches of this epoch that are done."""

    n_iterations: int
    """Batches in an epoch."""

    loss: float
    """Mean loss of the epoch so far."""

    learning_rate: float
    """Learning rate of the last batch."""

    scores: Scores | None = None
    """Scores on the validation scenes, once the epoch is validated."""

    entry: LogEntry | None = None
    """The line of the log, once the epoch is validated."""

    @property
    def n_done(self) -> int:
        """Batches of all epochs done."""
        return (self.epoch - 1) * self.n_iterations + self.iteration

    @property
    def n_total(self) -> int:
        """Batches of all epochs."""
        return self.n_epochs * self.n_iterations

    def in_words(self) -> str:
        """Return epoch and loss as text; after validation, also scores and speed."""
        text = f"epoch {self.epoch}/{self.n_epochs}, loss {self.loss:.3f}"
        entry = self.entry
        if entry is None or self.scores is None:
            return text
        shown = self.scores.by_name.items()
        scores = ", ".join(f"{k} {v:.1f} %" for k, v in shown if v is not None)
        return (
            f"{text} (SIC {entry.loss_sic:.3f}, SOD {entry.loss_sod:.3f}, "
            f"FLOE {entry.loss_floe:.3f}), learning rate {self.learning_rate:.2g}, "
            f"validation: {scores}{' (best)' if entry.is_best else ''}, "
            f"{entry.patches_per_s:.1f} patches/s, {100 * entry.wait_share:.0f} % waiting"
        )


TrainCallback = Callable[[TrainProgress], None]
"""Called with the progress of a training."""


@dataclass(frozen=True, slots=True, repr=False)
class TrainReport(Displayed):
    """What `train` did."""

    run: Path
    """Folder of the run."""

    n_epochs: int
    """Finished epochs, including those of earlier calls."""

    is_complete: bool
    """Whether all epochs are finished; if not, the run can be resumed."""

    is_stopped: bool
    """Whether a signal asked to stop, even if only at the end of the last epoch."""

    best_score: float | None
    """Highest combined score in percent, on the grid of the store."""

    best_epoch: int | None
    """Epoch of the best score, from 1."""

    n_parameters: int
    """Number of weights and biases trained."""

    patches_per_s: float
    """Speed of this call, without validation."""

    wait_share: float
    """Share of the training time in which the network waited for patches."""

    elapsed_s: float
    """Seconds of this call."""


@dataclass(slots=True)
class Timing:
    """How long this process spent on the parts of an epoch, in seconds."""

    n_patches: int = 0
    train_s: float = 0.0
    wait_s: float = 0.0
    validation_s: float = 0.0

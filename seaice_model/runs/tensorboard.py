"""The log of a run for TensorBoard: ``tensorboard --logdir run``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from seaice_data.system.extras import extra
from seaice_model.errors import RunError
from seaice_model.runs.folder import EVENTS_END, run_errors
from seaice_model.runs.log import LogEntry


class EpochWriter(Protocol):
    """Writes the epochs of a run."""

    def __call__(self, entry: LogEntry) -> None:
        """Write an epoch."""


@contextmanager
def event_writer(folder: Path, n_epochs: int) -> Iterator[EpochWriter]:
    """Yield a function that writes epochs to `folder` as events for TensorBoard.

    Parameters
    ----------
    folder
        Where the files go; created if needed.
    n_epochs
        Number of finished epochs; later ones of a killed process are hidden.

    Raises
    ------
    RunError
        If TensorBoard is not installed, or cannot write to the folder.
    """
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise RunError(
            f"TensorBoard cannot write to {str(folder)!r}, whose name is not UTF-8",
            hint="leave out --tensorboard, or name another folder with --run",
        ) from None
    with extra("tensorboard", RunError):
        from torch.utils.tensorboard import SummaryWriter  # late: an extra
    with run_errors(folder, "write events to"):
        writer = SummaryWriter(
            str(folder), purge_step=n_epochs + 1, filename_suffix=EVENTS_END
        )

    def write(entry: LogEntry) -> None:
        with run_errors(folder, "write events to"):
            for name, value in _scalars(entry).items():
                if value is not None:
                    writer.add_scalar(name, value, entry.epoch)
            writer.flush()

    with writer:
        yield write


def _scalars(entry: LogEntry) -> dict[str, float | None]:
    weights = entry.loss_weights or (None, None, None)
    return {
        "loss/total": entry.loss,
        "loss/SIC": entry.loss_sic,
        "loss/SOD": entry.loss_sod,
        "loss/FLOE": entry.loss_floe,
        "weight/SIC": weights[0],
        "weight/SOD": weights[1],
        "weight/FLOE": weights[2],
        "score/combined": entry.combined,
        "score/SIC": entry.sic,
        "score/SOD": entry.sod,
        "score/FLOE": entry.floe,
        "learning rate": entry.learning_rate,
        "speed/patches per second": entry.patches_per_s,
        "speed/share of time waiting": entry.wait_share,
    }

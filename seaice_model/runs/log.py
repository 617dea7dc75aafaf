"""The log of a run: ``log.jsonl``, one line of JSON for each epoch.

``pandas.read_json("run/log.jsonl", lines=True)`` reads it as a table.
"""

import json
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from seaice_data.errors import SettingsError
from seaice_data.settings import ADDED, from_mapping, to_mapping
from seaice_data.system.documents import (
    MOST_BYTES,
    DocumentError,
    open_file,
    parse_json,
    typed,
)
from seaice_data.system.files import replacing
from seaice_model.runs.folder import run_errors


@dataclass(frozen=True, kw_only=True, slots=True)
class LogEntry:
    """An epoch: losses, scores and times."""

    epoch: int
    """Number of the epoch, from 1."""

    loss: float
    """Weighted sum of the losses, that of regions included; mean over the batches of the
    epoch."""

    loss_sic: float
    """Loss of SIC before weighting; mean over the batches."""

    loss_sod: float
    """The same for SOD."""

    loss_floe: float
    """The same for FLOE."""

    learning_rate: float
    """Learning rate of the last batch."""

    combined: float
    """Combined score on the validation scenes in percent, on the grid of the store."""

    sic: float | None
    """R2 of SIC in percent; None if no validation scene has a pixel with SIC."""

    sod: float | None
    """Weighted F1 of SOD in percent."""

    floe: float | None
    """Weighted F1 of FLOE in percent."""

    is_best: bool
    """Whether the score is higher than that of all earlier epochs."""

    train_s: float
    """Seconds of training, without those of an earlier, interrupted process."""

    wait_s: float
    """Seconds of `train_s` in which the network waited for patches."""

    validation_s: float
    """Seconds of validation."""

    n_patches: int
    """Patches trained on in `train_s`."""

    loss_weights: tuple[float, ...] | None = field(default=None, metadata=ADDED)
    """Weights of the losses of SIC, SOD and FLOE after the epoch, if they are learned."""

    @property
    def patches_per_s(self) -> float:
        """Speed of the training, without validation."""
        return self.n_patches / max(self.train_s, 1e-9)

    @property
    def wait_share(self) -> float:
        """Share of the training time that the network waited for patches."""
        return self.wait_s / max(self.train_s, 1e-9)


def append_entry(path: Path, entry: LogEntry) -> None:
    """Add a line to the log; it is on the disk when this returns.

    Raises
    ------
    RunError
        If it cannot be written.
    """
    with run_errors(path, "write"), path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(to_mapping(entry)) + "\n")
        stream.flush()
        os.fsync(stream.fileno())


def read_log(path: Path) -> list[LogEntry]:
    """Return the entries of a log; an empty list if there is no file.

    An unfinished last line, left by a killed process, is skipped.

    Raises
    ------
    RunError
        If the file cannot be read, or any other line is not an entry.
    """
    if not path.exists():
        return []
    with run_errors(path):
        with open_file(path) as stream:
            *lines, unfinished = stream.read(MOST_BYTES).split(b"\n")
        del unfinished  # empty if the last line is finished
        return [_entry(line, number) for number, line in enumerate(lines, start=1)]


def keep_epochs(path: Path, n_epochs: int) -> None:
    """Drop the entries of epochs after `n_epochs`, which are going to be repeated.

    Raises
    ------
    RunError
        As `read_log`, or if the log cannot be written.
    """
    entries = read_log(path)
    # Lines are kept as they are: a later version may have written more into them.
    lines = path.read_bytes().split(b"\n") if entries else []
    kept = [
        line + b"\n"
        for line, entry in zip(lines, entries, strict=False)  # the last has no entry
        if entry.epoch <= n_epochs
    ]
    with run_errors(path, "write"), replacing(path) as new:
        new.write_bytes(b"".join(kept))


def _entry(line: bytes, number: int) -> LogEntry:
    """Read an entry; ignore fields that a later version adds."""
    known = {field.name for field in fields(LogEntry)}
    try:
        parsed = parse_json(line)
    except DocumentError as error:
        raise DocumentError(f"line {number}: {error}") from None
    try:
        mapping = typed(parsed, dict[str, Any])
        return from_mapping(LogEntry, {k: v for k, v in mapping.items() if k in known})
    except (DocumentError, SettingsError) as error:
        raise DocumentError(f"line {number} is not a log entry: {error}") from None

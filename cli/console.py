"""Output of the commands: results on stdout; notes, errors and progress on stderr.

Texts may come from untrusted files: they are printed line by line, with escapes in place of
characters that would move the cursor, or colour or reorder a line.

Progress of long work is a bar on a terminal, and an occasional line elsewhere (a pipe, a
SLURM log).
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TextIO

import typer

from seaice_data.texts import printable

if TYPE_CHECKING:
    from seaice_model.training.progress import TrainProgress

_LINE_EVERY_S = 15.0
_BAR_WIDTH = 10


def say(*lines: str) -> None:
    """Print lines of a result."""
    for line in lines:
        typer.echo(printable(line))


def say_json(values: Mapping[str, Any]) -> None:
    """Print a result for machines."""
    typer.echo(json.dumps(values, indent=2, default=str))


def note(*lines: str) -> None:
    """Print lines that are not a result."""
    with _lossy():
        for line in lines:
            typer.echo(printable(line), err=True)


def fail(message: str, hint: str | None = None) -> None:
    """Print an error and what to do about it."""
    plain = False if os.environ.get("NO_COLOR") else None  # None: as the terminal can
    with _lossy():
        typer.secho("error: ", err=True, fg="red", bold=True, nl=False, color=plain)
    note(message)
    if hint:
        note(f"hint: {hint}")


def with_hint(reason: str, hint: str | None) -> str:
    """Return a reason, and in parentheses what to do about it."""
    return f"{reason} ({hint})" if hint else reason


def be_quiet(stream: TextIO) -> None:
    """Discard whatever this process still writes to a stream, also when Python exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def _lossy() -> Iterator[None]:
    """Ignore that a message cannot be printed because the terminal has been closed."""
    try:
        yield
    except OSError:
        be_quiet(sys.stderr)


def seconds(elapsed_s: float) -> str:
    """Return a duration for people to read.

    Examples
    --------
    >>> seconds(7.25), seconds(754), seconds(7540)
    ('7.2 s', '12 min 34 s', '2 h 05 min')
    """
    if elapsed_s < 60:
        return f"{elapsed_s:.1f} s"
    minutes, rest = divmod(round(elapsed_s), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def fitting(text: str, width: int) -> str:
    """Return as many parts of a text, between commas, as fit; no number is cut.

    Examples
    --------
    >>> fitting("epoch 1/3, loss 66.6, SIC 23.8", 22)
    'epoch 1/3, loss 66.6'
    """
    while len(text) > max(width, 0):
        text = text.rpartition(", ")[0]
    return text


class Progress:
    """Shows the progress of long work; a context manager.

    Parameters
    ----------
    unit
        What is counted, in the plural: ``scenes``, ``batches``.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._start = self._last = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console  # late: only a terminal needs it
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                TextColumn,
                TimeRemainingColumn,
            )
            from rich.progress import Progress as Bar

            console = Console(stderr=True)
            self._bar = Bar(
                BarColumn(_BAR_WIDTH if console.width > 4 * _BAR_WIDTH else 1),
                MofNCompleteColumn(),
                TextColumn("{task.description}", markup=False),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            with _lossy():
                self._bar.stop()

    def __call__(self, done: int, total: int, text: str = "") -> None:
        """Report that `done` of `total` are finished; `text` names the last one."""
        now = time.monotonic()
        per_minute = 60 * done / max(now - self._start, 1e-9)
        status = f"{self._unit}, {per_minute:.3g}/min {text}".rstrip()
        if self._bar is not None:
            numbers = len(f"{total}/{total} -:--:--") + 3  # and blanks between columns
            room = self._bar.console.width - _BAR_WIDTH - numbers
            status = fitting(printable(status), room)
            if self._task is None:
                self._task = self._bar.add_task(status, total=total)
            self._bar.update(self._task, completed=done, total=total, description=status)
        elif now - self._last >= _LINE_EVERY_S:
            self._last = now
            left = seconds((now - self._start) / max(done, 1) * (total - done))
            note(f"{done}/{total} {status}, {left} left")


class EpochLines:
    """Shows a line for each epoch, and the batches in between."""

    def __init__(self, progress: Progress, prefix: str = "") -> None:
        self._progress = progress
        self._prefix = prefix

    def __call__(self, step: "TrainProgress") -> None:
        """Report how far a training is."""
        text = f"{self._prefix}{step.in_words()}"
        if step.entry is None:
            self._progress(step.n_done, step.n_total, text)
        else:
            note(text)

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
from collections.abc import Callable, Iterator, Mapping
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


class Pace:
    """The pace of long work, and the time that is left."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.restart(0)

    def restart(self, done: float) -> None:
        """Measure from now on, when `done` is finished."""
        self._since, self._from = self._clock(), done

    def per_s(self, done: float) -> float:
        """Return how much is finished per second; `done` is finished now."""
        return (done - self._from) / max(self._clock() - self._since, 1e-9)

    def left_s(self, done: float, total: float) -> float | None:
        """Return the seconds left of `total`; None if nothing was measured."""
        return (total - done) / self.per_s(done) if done > self._from else None


class Progress:
    """Shows the progress of long work; a context manager.

    Parameters
    ----------
    unit
        What is counted, in the plural: ``scenes``, ``batches``.
    is_even
        Whether each of them takes about as long, so that the pace is worth showing.
    """

    def __init__(self, unit: str, *, is_even: bool = True) -> None:
        self._unit = unit
        self._is_even = is_even
        self._last = time.monotonic()
        self._pace = Pace()
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
                *([TimeRemainingColumn()] if self._is_even else []),
                console=console,
                transient=True,
            )
            self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            with _lossy():
                self._bar.stop()

    def restart(self, done: float) -> None:
        """Begin other work, of which `done` is already finished, as in a resumed run."""
        self._pace.restart(done)
        if self._bar is not None and self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None

    def left_s(self, done: float, total: float) -> float | None:
        """Return the seconds that the rest takes at this pace; None if it is not known."""
        return self._pace.left_s(done, total) if self._is_even else None

    def __call__(self, done: float, total: float, text: str = "") -> None:
        """Report that `done` of `total` are finished; `text` names the last one."""
        left_s = self.left_s(done, total)
        pace = "" if left_s is None else f"{60 * self._pace.per_s(done):.3g}/min "
        status = f"{self._unit}, {pace}{text}".rstrip(", ")
        if self._bar is not None:
            numbers = len(f"{total}/{total} -:--:--") + 3  # and blanks between columns
            room = self._bar.console.width - _BAR_WIDTH - numbers
            status = fitting(printable(status), room)
            if self._task is None:
                self._task = self._bar.add_task(status, total=total, completed=done)
            self._bar.update(self._task, completed=done, total=total, description=status)
        elif time.monotonic() - self._last >= _LINE_EVERY_S:
            self._last = time.monotonic()
            left = "" if left_s is None else f", {seconds(left_s)} left"
            note(f"{round(done, 1)}/{total} {status}{left}")


class EpochLines:
    """Shows a line for each epoch, and the batches in between.

    Parameters
    ----------
    progress
        Shows the batches.
    prefix
        What each line begins with.
    forecast
        Called once, after the first batches, with the seconds that the rest takes.
    """

    # The first batch takes longer than the others, and is not counted.
    _ENOUGH_REPORTS, _ENOUGH_S = 5, 5.0

    def __init__(
        self,
        progress: Progress,
        prefix: str = "",
        forecast: "Callable[[TrainProgress, float], None] | None" = None,
    ) -> None:
        self._progress = progress
        self._prefix = prefix
        self._forecast = forecast
        self._n_reports = 0
        self._start = 0.0

    def __call__(self, step: "TrainProgress") -> None:
        """Report how far a training is."""
        if not self._n_reports:
            self._progress.restart(step.n_done)
            self._start = time.monotonic()
        self._n_reports += 1
        is_enough = (
            self._n_reports >= self._ENOUGH_REPORTS
            or time.monotonic() - self._start > self._ENOUGH_S
        )
        text = f"{self._prefix}{step.in_words()}"
        left_s = self._progress.left_s(step.n_done, step.n_total)
        if step.entry is None:
            self._progress(step.n_done, step.n_total, text)
        else:
            note(f"{text}, {seconds(left_s)} left" if left_s else text)
        if self._forecast and is_enough and left_s:
            self._forecast(step, left_s)
            self._forecast = None
        if self._forecast and step.entry is not None:  # validation is not a batch
            self._progress.restart(step.n_done)

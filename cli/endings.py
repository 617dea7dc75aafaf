"""Ends of commands: an error becomes a line on stderr and an exit code.

Exit codes: 0 done, 1 an error that the user can fix, 2 wrong usage, 75 a training that was
stopped and can be resumed, 129 its terminal was closed, 130 interrupted, 143 terminated.
"""

import functools
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from seaice_data.errors import SeaIceError
from seaice_data.system.signals import ending_signals

from .console import be_quiet, fail

Command = Callable[..., None]

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended."""

_AGAIN = "nothing is lost: run the same command again to continue"
_HINTS = {
    "synth": _AGAIN,
    "prepare": _AGAIN,
    "predict": _AGAIN,
    "convert": _AGAIN,
    "study": _AGAIN,
    "train": "continue with --resume",
}
"""How to continue a command that was interrupted."""


class Terminated(KeyboardInterrupt):
    """A signal that ends a command as Ctrl-C does."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number


def ending_in_words(command: Command) -> Command:
    """Turn errors and signals in a command into a line on stderr and an exit code."""

    @functools.wraps(command)
    def run_command(*args: object, **kwargs: object) -> None:
        try:
            with _terminable():
                command(*args, **kwargs)
            sys.stdout.flush()
        except SeaIceError as error:
            fail(str(error), error.hint)
            raise typer.Exit(1) from None
        except Terminated as ended:
            fail("terminated", _HINTS.get(command.__name__))
            raise typer.Exit(ended.exit_code) from None
        except KeyboardInterrupt:
            fail("interrupted", _HINTS.get(command.__name__))
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # The reader has ended (`seaice info | head`).
            be_quiet(sys.stdout)
            raise typer.Exit(0) from None
        except MemoryError:
            fail("there is not enough memory")
            raise typer.Exit(1) from None
        except OSError as error:
            fail_with(error)
            raise typer.Exit(1) from None

    return run_command


def fail_with(error: OSError) -> None:
    """Print an error of the system, after the name of the file."""
    name = f"{error.filename!r}: " if error.filename else ""
    fail(f"{name}{error.strerror or error}")


@contextmanager
def _terminable() -> Iterator[None]:
    """Raise on signals that end a process; a command may set its own handlers inside."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _terminate) for number in ending_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminate(number: int, _frame: FrameType | None) -> None:
    for other in ending_signals():  # `timeout` and a closed terminal send two signals
        signal.signal(other, signal.SIG_IGN)
    raise Terminated(number)

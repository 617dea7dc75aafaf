"""The `seaice` command: registers the commands, and says how each of them ended.

Exit codes: 0 done, 1 an error that the user can fix, 2 wrong usage, 75 a training that was
stopped and can be resumed, 129 its terminal was closed, 130 interrupted, 143 terminated.
"""

import functools
import io
import logging
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperGroup

from seaice_data.errors import SeaIceError
from seaice_data.system.process import do_nothing, ending_signals, raise_again
from seaice_data.texts import OneLine

from .commands import (
    bench,
    card,
    check,
    convert,
    export,
    fetch,
    figures,
    info,
    ingest,
    patches,
    predict,
    prepare,
    score,
    split,
    study,
    synth,
    train,
    verify,
)
from .console import be_quiet, fail, note
from .usage import PlainCommand, UsageError, error_in_words

Command = Callable[..., None]

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended."""

_AGAIN = "nothing is lost: run the same command again to continue"
_HINTS = {
    "fetch": _AGAIN,
    "synth": _AGAIN,
    "ingest": _AGAIN,
    "prepare": _AGAIN,
    "predict": _AGAIN,
    "convert": _AGAIN,
    "patches": _AGAIN,
    "study": _AGAIN,
    "train": "continue with --resume",
}
"""How to continue a command that was interrupted."""

RENAMED: Mapping[str, Mapping[str, str]] = {
    "figures": {"--reference": "--truth"},
    "predict": {"--pictures": "--plots", "--no-pictures": "--no-plots"},
    "score": {"--reference": "--truth"},
}
"""New names of options by their old ones, by command. Version 0.2 accepts the names of
version 0.1, with a warning."""


class _Commands(TyperGroup):
    """The commands; a usage error quotes arguments on one line, whatever they contain."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options before the name of a command."""
        if not args:  # prints the help, which has several lines
            return super().parse_args(ctx, args)
        with _printable_usage():
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """Return a command by its name, with the name and its arguments."""
        name, command, arguments = super().resolve_command(ctx, args)
        return name, command, renamed(str(name), arguments)

    def invoke(self, ctx: Any) -> Any:
        """Read the arguments of a command, and run it."""
        with _printable_usage():
            return super().invoke(ctx)


@contextmanager
def _printable_usage() -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        error.message = error_in_words(error)
        raise


def renamed(command: str, arguments: Sequence[str]) -> list[str]:
    """Return the arguments of a command with old names of options replaced (`RENAMED`)."""
    names = RENAMED.get(command, {})
    end = arguments.index("--") if "--" in arguments else len(arguments)
    present = []
    for argument in arguments[:end]:
        name, equals, value = argument.partition("=")
        if name in names:
            note(f"warning: {name} is deprecated, write {names[name]}")
            name = names[name]
        present.append(f"{name}{equals}{value}")
    return [*present, *arguments[end:]]


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
        except (ImportError, RuntimeError, ValueError) as error:
            if not (library := _not_loaded(error)):
                raise
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            hint = "check the environment variables and configuration files that it reads"
            fail(f"{library} cannot be loaded: {reason}", hint)
            raise typer.Exit(1) from None

    return run_command


def _not_loaded(error: BaseException) -> str:
    """Return the third-party library that raised an error on import; or ""."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    modules = [f.f_globals for f in frames if f.f_code.co_name == "<module>"]
    name = str(modules[-1].get("__name__")) if modules else "__main__"
    return "" if name == "__main__" or name.startswith("seaice") else name.partition(".")[0]


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
        signal.signal(other, do_nothing)
    raise Terminated(number)


app = typer.Typer(
    name="seaice",
    cls=_Commands,
    help="Ice charts from Sentinel-1: scenes to a patch store, a network, and maps.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"seaice {version('seaice')}")
        raise typer.Exit


@app.callback()
def options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more")] = False,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool,
        typer.Option(
            "--version", help="Show the version", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Set up logging for every command."""
    level = logging.INFO if verbose else logging.WARNING
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=level)
    # It warns about fonts and folders that are not the user's concern.
    logging.getLogger("matplotlib").setLevel(logging.NOTSET if verbose else logging.ERROR)


_COMMANDS: tuple[Command, ...] = (
    fetch.fetch,
    synth.synth,
    ingest.ingest,
    check.check,
    prepare.prepare,
    info.info,
    verify.verify,
    split.split,
    patches.patches,
    train.train,
    predict.predict,
    convert.convert,
    export.export,
    card.card,
    score.score,
    figures.figures,
    study.study,
    bench.bench,
)
for _command in _COMMANDS:
    app.command(cls=PlainCommand)(ending_in_words(_command))


def run() -> None:
    """Run the command line; the entry point of `seaice`."""
    _open_streams()
    warnings.showwarning = _show_warning
    raise_again(KeyboardInterrupt)
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except SystemExit as ended:
        if "WORLD_SIZE" in os.environ:  # torchrun started this process
            processes = sys.modules.get("seaice_model.training.processes")
            if processes is not None:
                processes.leave(ended.code)
        raise
    except BrokenPipeError:
        be_quiet(sys.stdout)
    except OSError as error:  # `seaice --help >/dev/full`
        be_quiet(sys.stdout)
        fail_with(error)
        sys.exit(1)
    except KeyboardInterrupt as error:
        sys.exit(getattr(error, "exit_code", INTERRUPTED))


def _open_streams() -> None:
    """Make sure that anything can be written to stdout and stderr."""
    # If the caller closed them (`>&-`), they are None.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 - until the end
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):  # `LANG=C` cannot encode every letter
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,  # noqa: ARG001 - Python passes this and the arguments below
    lineno: int,  # noqa: ARG001
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    """Show a warning of a library on one line, without its source code."""
    note(f"warning: {category.__name__}: {message}")

"""The `seaice` command: registers the commands, and prepares the streams they write to."""

import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperGroup

from seaice_data.texts import OneLine, printable

from .commands import (
    bench,
    convert,
    export,
    figures,
    info,
    predict,
    prepare,
    score,
    split,
    study,
    synth,
    train,
    verify,
)
from .console import be_quiet, note
from .endings import INTERRUPTED, Command, ending_in_words, fail_with
from .options import renamed

_UsageError: type[Any] = typer.BadParameter.__mro__[1]  # Typer has a copy of click inside


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
    except _UsageError as error:
        error.message = printable(error.message)
        raise


app = typer.Typer(
    name="seaice",
    cls=_Commands,
    help="Ice charts from Sentinel-1: scenes to a patch store, a network, and maps.",
    no_args_is_help=True,
    add_completion=False,
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
    synth.synth,
    prepare.prepare,
    info.info,
    verify.verify,
    split.split,
    train.train,
    predict.predict,
    convert.convert,
    export.export,
    score.score,
    figures.figures,
    study.study,
    bench.bench,
)
for _command in _COMMANDS:
    app.command()(ending_in_words(_command))


def run() -> None:
    """Run the command line; the entry point of `seaice`."""
    _open_streams()
    warnings.showwarning = _show_warning
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except SystemExit as ended:
        if processes := sys.modules.get("seaice_model.training.processes"):
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

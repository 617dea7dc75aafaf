"""The `seaice` command: registers the commands, turns errors into words and exit codes.

Exit codes: 0 done, 1 something the user can mend, 2 wrong usage, 75 a training that was
stopped and can go on, 130 interrupted.
"""

import functools
import logging
import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from seaice_data.errors import SeaIceError

from . import bench, info, predict, prepare, score, synth, train, verify
from .console import fail

app = typer.Typer(
    name="seaice",
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
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=level)


def _in_words(command: Callable[..., None]) -> Callable[..., None]:
    """Turn what goes wrong in a command into a line and an exit code."""

    @functools.wraps(command)
    def run_command(*args: object, **kwargs: object) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except SeaIceError as error:
            fail(str(error), error.hint)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            fail("interrupted", "nothing is lost: run the same command again to go on")
            raise typer.Exit(130) from None
        except BrokenPipeError:
            # The reader has gone (`seaice info | head`): be quiet, also when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except OSError as error:
            name = f"{error.filename!r}: " if error.filename else ""
            fail(f"{name}{error.strerror or error}")
            raise typer.Exit(1) from None

    return run_command


_COMMANDS: tuple[Callable[..., None], ...] = (
    synth.synth,
    prepare.prepare,
    info.info,
    verify.verify,
    train.train,
    predict.predict,
    score.score,
    bench.bench,
)
for _command in _COMMANDS:
    app.command()(_in_words(_command))


def run() -> None:
    """Run the command line; the entry point of `seaice`."""
    app()

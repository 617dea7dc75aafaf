"""Runs before each notebook of the site: a command that fails, fails the page, too."""

import subprocess
import sys

from IPython.core.getipython import get_ipython

_shell = get_ipython()
_run = _shell.system


def _run_and_check(command: str) -> None:
    _run(command)
    if code := _shell.user_ns["_exit_code"]:
        raise RuntimeError(f"exit code {code}: {command}")


def _bash(_line: str, cell: str) -> None:
    """Run a cell of commands, and print all output at once.

    The magic of IPython prints pieces as they come, and myst-nb puts a line break between
    pieces.
    """
    done = subprocess.run(  # noqa: S603 - a cell of our own pages
        ["bash", "-eo", "pipefail", "-c", cell],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {cell}")


_shell.system = _run_and_check
_shell.register_magic_function(_bash, "cell", "bash")

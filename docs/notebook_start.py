"""Runs before each notebook of the site: a command that fails, fails the page, too."""

from IPython.core.getipython import get_ipython

_shell = get_ipython()
_run = _shell.system


def _run_and_check(command: str) -> None:
    _run(command)
    if code := _shell.user_ns["_exit_code"]:
        raise RuntimeError(f"exit code {code}: {command}")


_shell.system = _run_and_check

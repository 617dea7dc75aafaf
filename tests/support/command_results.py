"""What a command prints in process, and its exit code."""

import re

from typer.testing import CliRunner

from seaice.main import app


def errors(stderr: str) -> str:
    """Return what was printed but progress, of which a slow machine shows a line."""
    return re.sub(r"(?m)^[\d.]+/\d+ \w+, .*\n", "", stderr)


class Result:
    """Runs a command; its exit code, stdout and stderr."""

    def __init__(self, *arguments: object) -> None:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr

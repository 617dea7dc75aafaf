"""Other disks and kernels: system calls fail, and signals come at a chosen moment.

A library does both: it answers the calls of a program in place of the system.
"""

import os
import shutil
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import pytest

SOURCE = Path(__file__).with_name("preload") / "system.c"


class Moment(NamedTuple):
    """A signal to a program and all that it has started."""

    number: signal.Signals
    """Which."""

    at: int
    """Sent before the change of this number, from 1, that one of its processes makes."""

    within: Path | str
    """Where changes count: files and folders whose path begins so, or "pipe:"."""


class OtherSystem:
    """Runs programs with a library that answers calls of the system in its place."""

    def __init__(self, folder: Path) -> None:
        self._library = folder / "system.so"
        compiler = shutil.which("cc")
        if sys.platform != "linux" or compiler is None:
            pytest.skip("needs Linux and a C compiler")
        options = ["-shared", "-fPIC", "-o", self._library, SOURCE, "-ldl"]
        subprocess.run([compiler, *options], check=True)

    def run(self, *command: object, **failing: int) -> "subprocess.CompletedProcess[str]":
        """Run a program in which calls fail with an errno each, as ``link=95``."""
        return subprocess.run(
            [*map(str, command)],
            env=self._environment({f"FAIL_{k.upper()}": v for k, v in failing.items()}),
            capture_output=True,
            text=True,
        )

    def python(self, program: str, *arguments: object, **failing: int) -> str:
        """Run a program in Python, which must end well, and return what it prints.

        It may let other calls fail later on by ``os.environ["FAIL_LINK"] = "95"``.
        """
        done = self.run(sys.executable, "-c", program, *arguments, **failing)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(
        self, moment: Moment, *command: object, **options: Any
    ) -> "subprocess.Popen[str]":
        """Start a program that gets a signal at a moment that does not depend on time."""
        number, at, within = moment
        once = self._library.with_name(uuid.uuid4().hex)
        told = {"SIGNAL": int(number), "SIGNAL_AT": at, "SIGNAL_IN": within}
        told["SIGNAL_ONCE"] = once
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [*map(str, command)],
            env=self._environment(told),
            start_new_session=True,
            text=True,
            **{**streams, **options},
        )

    def start_to_stop(
        self, at: int, within: Path | str, *command: object, **options: Any
    ) -> "subprocess.Popen[str]":
        """Start a program and return when it has stopped, as by Ctrl-Z, at a change."""
        process = self.start(Moment(signal.SIGSTOP, at, within), *command, **options)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), "it ended before that"
        return process

    def _environment(self, told: dict[str, object]) -> dict[str, str]:
        # Our packages come before the folders of their tests, which have the same names.
        paths = os.pathsep.join(map(str, (SOURCE.parents[3], SOURCE.parents[2])))
        ours = {"LD_PRELOAD": self._library, "PYTHONPATH": paths, **told}
        return {**os.environ, **{name: str(value) for name, value in ours.items()}}


def go_on(process: "subprocess.Popen[str]") -> None:
    """Let a program go on that has stopped, and all that it has started."""
    os.killpg(process.pid, signal.SIGCONT)

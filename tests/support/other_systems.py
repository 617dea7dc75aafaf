"""Run programs on other disks and kernels: system calls fail, or a signal is sent.

A preloaded library intercepts the system calls of the program, which see its answers.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

SOURCE = Path(__file__).with_name("preload") / "system.c"

KILLED = """
import json, os, sys
import seaice_data.preparation.prepare  # once, and idle in this process
from seaice.main import app

for line in sys.stdin:
    environment, arguments = json.loads(line)
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.setpgid(0, 0)
        os.environ |= environment
        for stream in (1, 2):
            os.dup2(writer, stream)
        app(arguments)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        said.read()  # until all of its processes, which share the pipe, have ended
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Moment(NamedTuple):
    """When to send a signal to a program and all processes that it has started."""

    number: signal.Signals
    """The signal."""

    at: int
    """It is sent before one of the processes makes its change number `at`, from 1."""

    within: Path | str
    """Changes that count: of files and folders whose paths contain this, or "pipe:"."""


class OtherSystem:
    """Runs programs with a library that intercepts their system calls."""

    def __init__(self, folder: Path) -> None:
        self._library = folder / "system.so"
        compiler = shutil.which("cc")
        if sys.platform != "linux" or compiler is None:
            pytest.skip("needs Linux and a C compiler")
        options = ["-shared", "-fPIC", "-o", self._library, SOURCE, "-ldl"]
        subprocess.run([compiler, *options], check=True)

    def run(self, *command: object, **failing: int) -> "subprocess.CompletedProcess[str]":
        """Run a program in which system calls fail, each with its errno: ``link=95``."""
        return subprocess.run(
            [*map(str, command)],
            env=self._environment({f"FAIL_{k.upper()}": v for k, v in failing.items()}),
            capture_output=True,
            text=True,
        )

    def python(self, program: str, *arguments: object, **failing: int) -> str:
        """Run a Python program, which must succeed, and return what it prints.

        It can make more calls fail by ``os.environ["FAIL_LINK"] = "95"``.
        """
        done = self.run(sys.executable, "-c", program, *arguments, **failing)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def killing(self) -> Iterator[Callable[..., None]]:
        """Return what runs a command of `prepare` until it is killed at a moment.

        Each time in a fork of one process, which has imported the program once.
        """
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED],
            env=self._environment({}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        into, out = process.stdin, process.stdout

        def kill(at: int, within: Path, *arguments: object) -> None:
            variables = self._at(Moment(signal.SIGKILL, at, within))
            texts = {name: str(value) for name, value in variables.items()}
            print(json.dumps([texts, [*map(str, arguments)]]), file=into, flush=True)
            assert os.WTERMSIG(int(out.readline())) == signal.SIGKILL

        with process:
            yield kill

    def start(
        self, moment: Moment, *command: object, **options: Any
    ) -> "subprocess.Popen[str]":
        """Start a program that gets a signal at a moment that does not depend on time."""
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [*map(str, command)],
            env=self._environment(self._at(moment)),
            start_new_session=True,
            text=True,
            **{**streams, **options},
        )

    def start_to_stop(
        self, at: int, within: Path | str, *command: object, **options: Any
    ) -> "subprocess.Popen[str]":
        """Start a program that is suspended at a change, as by Ctrl-Z; return then."""
        process = self.start(Moment(signal.SIGSTOP, at, within), *command, **options)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), "it ended before that"
        return process

    def _at(self, moment: Moment) -> dict[str, object]:
        number, at, within = moment
        once = self._library.with_name(uuid.uuid4().hex)
        variables = {"SIGNAL": int(number), "SIGNAL_AT": at, "SIGNAL_IN": within}
        return {**variables, "SIGNAL_ONCE": once}

    def _environment(self, variables: dict[str, object]) -> dict[str, str]:
        # Our packages come before the folders of their tests, which have the same names.
        paths = os.pathsep.join(map(str, (SOURCE.parents[3], SOURCE.parents[2])))
        ours = {"LD_PRELOAD": self._library, "PYTHONPATH": paths, **variables}
        return {**os.environ, **{name: str(value) for name, value in ours.items()}}


def resume(process: "subprocess.Popen[str]") -> None:
    """Resume a suspended program and all processes that it has started."""
    os.killpg(process.pid, signal.SIGCONT)

"""Other disks and kernels: programs for which calls of the system fail as they do there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("preload") / "system.c"


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
        numbers = {f"FAIL_{name.upper()}": str(errno) for name, errno in failing.items()}
        ours = {"LD_PRELOAD": str(self._library), "PYTHONPATH": str(SOURCE.parents[1])}
        return subprocess.run(
            [*map(str, command)],
            env={**os.environ, **ours, **numbers},
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

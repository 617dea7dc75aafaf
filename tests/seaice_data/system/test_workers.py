"""Tasks in several processes: who may ask for them, and how they end."""

import email.message
import os
import signal
import subprocess
import sys
import urllib.error
from collections.abc import Callable
from pathlib import Path

import pytest

from seaice_data.errors import SeaIceError
from seaice_data.system.workers import run_tasks

# No guard: a process that imports this program would run it again.
PROGRAM = """
from seaice_data.system.workers import run_tasks
print("once", run_tasks(abs, {"a": (-1,), "b": (-2,), "c": (-3,)}, jobs=2))
"""


@pytest.mark.parametrize("way", ["file", "-c", "-"])
def test_a_program_needs_no_guard_to_start_processes(tmp_path: Path, way: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(PROGRAM)
    arguments = {"file": [script], "-c": ["-c", PROGRAM], "-": ["-"]}[way]
    done = subprocess.run(
        [sys.executable, *arguments],
        input=PROGRAM if way == "-" else None,
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("once [1, 2, 3]\n", "")


def test_the_program_of_this_process_stays_what_it_is() -> None:
    before = sys.modules["__main__"]
    assert run_tasks(len, {"a": ("four",), "b": ("to",)}, jobs=2) == [4, 2]
    assert sys.modules["__main__"] is before


@pytest.mark.parametrize(
    ("function", "argument", "message", "hint"),
    [
        (signal.raise_signal, signal.SIGKILL, r"killed by signal 9 \(SIGKILL\)", "memory"),
        (signal.raise_signal, signal.SIGSEGV, r"killed by signal 11 \(SIGSEGV\)", ""),
        (signal.raise_signal, signal.SIGTERM, r"killed by signal 15 \(SIGTERM\)", ""),
        (signal.raise_signal, signal.SIGHUP, r"killed by signal 1 \(SIGHUP\)", ""),
        (os._exit, 3, "ended with exit code 3", ""),
    ],
)
def test_how_a_process_ended_is_reported_without_guessing_a_cause(
    function: Callable[[int], None], argument: int, message: str, hint: str
) -> None:
    with pytest.raises(
        SeaIceError, match=f"(?m)^a worker process (was )?{message}$"
    ) as caught:
        run_tasks(function, {"a": (argument,), "b": (argument,)}, jobs=2)
    assert str(caught.value.hint).startswith("run again to continue where it stopped")
    assert ("memory" in str(caught.value.hint)) == bool(hint)


def note(folder: Path, number: int) -> None:
    """Leave a file, and fail when another task has left its own."""
    (folder / str(number)).touch()
    while len([*folder.iterdir()]) < 2:
        pass
    raise SeaIceError("as asked")


def test_nothing_begins_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(SeaIceError, match=r"^as asked$"):
        run_tasks(note, {str(k): (tmp_path, k) for k in range(12)}, jobs=2)
    assert len([*tmp_path.iterdir()]) == 2


class OwnError(Exception):
    """An error that cannot be unpickled."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


def fail_badly(kind: str) -> None:
    if kind == "own":
        raise OwnError("one", "two")
    raise urllib.error.HTTPError(
        "http://a", 404, "Not Found", email.message.Message(), None
    )


@pytest.mark.parametrize(
    ("kind", "message"), [("own", "OwnError: one and two"), ("http", "HTTPError: HTTP Err")]
)
def test_an_error_that_cannot_leave_its_process_is_told_in_words(
    kind: str, message: str
) -> None:
    with pytest.raises((RuntimeError, SeaIceError), match=f"^{message}"):
        run_tasks(fail_badly, {"a": (kind,), "b": (kind,)}, jobs=2)

"""Commands that are stopped, or cannot write, end with a short message and clean up."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from support.coded_scenes import write_coded
from support.command_results import errors
from support.other_systems import Moment, OtherSystem, resume

from seaice.main import app, ending_in_words

SEAICE = Path(sys.executable).with_name("seaice")
IDS = [f"2019{month:02d}14T101830_dmi" for month in range(1, 7)]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("endings") / "raw"
    for scene_id in IDS:
        write_coded(folder, 1003, 1251, scene_id)
    return folder


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [SEAICE, *map(str, arguments)],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def at_work(
    raw: Path, tmp_path: Path, other_system: OtherSystem
) -> Callable[..., subprocess.Popen[str]]:
    """Start `prepare` with two workers, and suspend it while one of them writes a scene."""

    def begin(*before: str, **options: Any) -> subprocess.Popen[str]:
        store = tmp_path / "store.zarr"
        command = [*before, SEAICE, "prepare", raw, store, "--jobs", 2]
        process = other_system.start_to_stop(40, store, *command, **options)
        assert [*store.glob(".staging/*_dmi*")]
        return process

    return begin


def assert_all_ended(process: subprocess.Popen[str]) -> None:
    """Wait until no process is left in the group of a process."""
    for _ in range(600):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("a worker is still there")


def shell(command: str, *arguments: object) -> tuple[int, str, str]:
    done = subprocess.run(
        ["bash", "-c", command, SEAICE, *map(str, arguments)],
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("to_all", [False, True])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_prepare_with_a_message_and_half_scenes_are_removed(
    tmp_path: Path,
    at_work: Callable[..., subprocess.Popen[str]],
    number: signal.Signals,
    to_all: bool,
) -> None:
    process = at_work()
    (os.killpg if to_all else os.kill)(process.pid, number)
    resume(process)
    err = process.communicate()[1]
    assert process.returncode == 128 + number
    assert err.splitlines()[0] == "error: terminated"
    assert err.count("\n") == 2
    assert not (tmp_path / "store.zarr" / ".staging").exists()
    assert_all_ended(process)


TWICE = """
import signal

def both():
    numbers = (signal.SIGHUP, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    for number in numbers:
        signal.raise_signal(number)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
"""
IN_A_COMMAND = """
import typer
from seaice.main import ending_in_words

try:
    ending_in_words(both)()
except typer.Exit as ended:
    raise SystemExit(ended.exit_code)
"""
IN_A_WORKER = """
from seaice_data.system.workers import begin_worker
begin_worker()
both()
"""


@pytest.mark.parametrize(
    ("program", "err"),
    [(IN_A_COMMAND, "error: terminated\n"), (IN_A_WORKER, "")],
    ids=["command", "worker"],
)
def test_two_signals_at_once_end_a_process_as_one_does(program: str, err: str) -> None:
    command = [sys.executable, "-c", TWICE + program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (129, err)


def test_closing_the_terminal_ends_prepare(
    tmp_path: Path, at_work: Callable[..., subprocess.Popen[str]]
) -> None:
    ours, theirs = pty.openpty()
    take = partial(fcntl.ioctl, theirs, termios.TIOCSCTTY, 0)
    process = at_work(stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=take)
    os.close(theirs)
    os.close(ours)
    resume(process)
    assert process.wait() == 129
    assert not (tmp_path / "store.zarr" / ".staging").exists()
    assert_all_ended(process)


def test_nohup_lets_prepare_survive_its_terminal(
    tmp_path: Path, at_work: Callable[..., subprocess.Popen[str]]
) -> None:
    process = at_work("nohup")
    os.killpg(process.pid, signal.SIGHUP)
    resume(process)
    assert errors(process.communicate()[1]) == ""
    assert process.returncode == 0
    assert len([*tmp_path.glob("store.zarr/scenes/*_dmi")]) == len(IDS)


def test_workers_end_when_their_parent_is_killed(
    at_work: Callable[..., subprocess.Popen[str]],
) -> None:
    process = at_work()
    process.kill()
    resume(process)
    process.communicate()  # until the workers, which share its stderr, have closed it
    assert_all_ended(process)


@pytest.mark.parametrize("at", [1, 3, 6, 12])
def test_ctrl_c_while_workers_start_ends_with_a_message(
    raw: Path, tmp_path: Path, other_system: OtherSystem, at: int
) -> None:
    moment = Moment(signal.SIGINT, at, "pipe:")  # workers get their tasks through pipes
    command = [SEAICE, "prepare", raw, tmp_path / "store.zarr", "--jobs", 4]
    process = other_system.start(moment, *command)
    err = process.communicate()[1]
    assert (err.startswith("error: interrupted\n"), "Traceback" in err) == (True, False), (
        err
    )
    assert process.returncode == 130


def test_closed_and_full_streams_do_not_crash() -> None:
    assert shell('"$0" --version >&-') == (0, "", "")
    for option in ("--version", "--help"):
        code, _, err = shell(f'"$0" {option} >/dev/full')
        assert (code, err) == (1, "error: No space left on device\n")
    code, _, err = shell('"$0" info nowhere.zarr 2>&-')
    assert (code, err) == (1, "")


def test_a_setting_with_which_a_library_cannot_be_loaded_is_put_into_words(
    tmp_path: Path,
) -> None:
    code, _, err = shell('NUMBA_NUM_THREADS=0 exec "$0" synth "$1" --jobs 1', tmp_path)
    assert code == 1
    assert err.splitlines() == [
        "error: numba cannot be loaded: Number of threads specified must be > 0.",
        "hint: check the environment variables and configuration files that it reads",
    ]


def test_an_error_of_our_own_is_not_blamed_on_a_library() -> None:
    @ending_in_words
    def wrong() -> None:
        json.loads("{")

    with pytest.raises(ValueError, match="Expecting"):
        wrong()


def test_synth_reports_that_it_cannot_write(tmp_path: Path) -> None:
    for jobs in (1, 2):
        code, _, err = shell(
            'ulimit -f 500; exec "$0" synth "$1" --scenes 2 --size 300 --jobs "$2"',
            tmp_path / "raw",
            jobs,
        )
        assert code == 1
        assert (
            err.splitlines()[0] == f"error: cannot write '{tmp_path}/raw': File too large"
        )
        assert err.count("\n") == 2
        assert [*(tmp_path / "raw").iterdir()] == []


def test_two_synths_at_the_same_time_write_one_set(tmp_path: Path) -> None:
    both = [start("synth", tmp_path, "--scenes", 4, "--size", 200) for _ in range(2)]
    assert [errors(process.communicate()[1]) for process in both] == ["", ""]
    assert {path.suffix for path in tmp_path.iterdir()} == {".nc"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "100000"], "size must be at most 9000"),
        (["--scenes", "1000000"], "at most 10000 scenes"),
        (["--size", "9000", "--scenes", "10000"], "GB free"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_synth_rejects_sizes_and_numbers_that_cannot_work(
    tmp_path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        app(["synth", str(tmp_path / "raw"), *options], prog_name="seaice")
    assert message in capsys.readouterr().err


def test_names_of_channels_are_stripped_and_must_not_be_empty(
    raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for channels in ("", "hh,,hv"):
        with pytest.raises(SystemExit):
            app(["prepare", str(raw), str(tmp_path / "s.zarr"), "--channels", channels])
        assert "name of a channel is empty" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        app(["prepare", str(raw), str(tmp_path / "s.zarr"), "--channels", "hh, hv"])
    assert ended.value.code in (0, None)


def test_strict_reports_a_bad_file_from_several_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for scene_id in IDS[:3]:
        write_coded(tmp_path, 203, 251, scene_id, SIC=np.full((203, 251), 42, np.uint8))
    store = str(tmp_path / "s.zarr")
    with pytest.raises(SystemExit):
        app(["prepare", str(tmp_path), store, "--jobs", "2", "--strict"])
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "SIC contains 42" in err
    assert err.count("\n") <= 2
    assert not Path(store).exists()


@pytest.mark.parametrize(
    ("name", "error", "code", "words"),
    [
        ("prepare", KeyboardInterrupt, 130, "interrupted\nhint: nothing is lost: run the"),
        ("train", KeyboardInterrupt, 130, "interrupted\nhint: continue with --resume"),
        ("info", KeyboardInterrupt, 130, "interrupted\n"),
        ("info", MemoryError, 1, "there is not enough memory\n"),
    ],
)
def test_an_interrupted_command_prints_how_to_continue(
    name: str,
    error: type[BaseException],
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def command() -> None:
        raise error

    command.__name__ = name
    with pytest.raises(typer.Exit) as ended:
        ending_in_words(command)()
    assert ended.value.exit_code == code
    err = capsys.readouterr().err
    assert err.startswith(f"error: {words}")
    assert ("hint" in err) == ("hint" in words)


def test_synth_removes_the_files_of_one_that_was_killed(
    tmp_path: Path, other_system: OtherSystem
) -> None:
    raw = tmp_path / "raw"
    command = [SEAICE, "synth", raw, "--scenes", 2, "--size", 200, "--jobs", 1]
    process = other_system.start(Moment(signal.SIGKILL, 5, raw), *command)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert [path.suffix for path in raw.iterdir()] != []
    assert errors(start(*command[1:]).communicate()[1]) == ""
    assert {path.suffix for path in raw.iterdir()} == {".nc"}

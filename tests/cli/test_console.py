"""Names in files cannot control the terminal, and any terminal can show any message."""

import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.command_results import errors

from seaice.console import Progress, fail, note, say
from seaice.main import app
from seaice_data.texts import OneLine

SEAICE = Path(sys.executable).with_name("seaice")
HOSTILE = "a\x1b[31m\r\nerror: b\u202e\x9b\udcf8"
SHOWN = r"a\x1b[31m\r\nerror: b\u202e\x9b\udcf8"


def test_lines_and_errors_escape_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say(HOSTILE, "second")
    note(HOSTILE)
    fail(HOSTILE, HOSTILE)
    out, err = capsys.readouterr()
    assert out == f"{SHOWN}\nsecond\n"
    assert err == f"{SHOWN}\nerror: {SHOWN}\nhint: {SHOWN}\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_progress_bar_shows_markup_in_names_as_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    with Progress("scenes") as progress:
        progress(1, 2, f"[/] [red]{HOSTILE}")
    assert f"[/] [red]{SHOWN}" in terminal.getvalue()


@pytest.mark.parametrize("columns", [30, 50, 80])
def test_a_narrow_terminal_cuts_no_number(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    with Progress("batches") as progress:
        progress(1234, 150000, "epoch 3/300, loss 66.666 (SIC 23.815, SOD 1.655)")
    shown = terminal.getvalue()
    assert "  1234/150000 " in shown
    assert "\u2026" not in shown


def test_a_log_record_is_one_line() -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "%s", (HOSTILE,), None)
    assert OneLine("%(levelname)s %(message)s").format(record) == f"WARNING {SHOWN}"


@pytest.mark.parametrize(
    "arguments",
    [
        [f"--{HOSTILE}"],
        [HOSTILE],
        ["info", f"--{HOSTILE}"],
        ["info", "a", HOSTILE],
        ["train", "a", "--seeds", HOSTILE],
        ["train", "a", "--epochs", HOSTILE],
    ],
)
def test_usage_errors_quote_arguments_on_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        app(arguments, prog_name="seaice")
    assert caught.value.code == 2
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("Error: ")
    assert last.isprintable()


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        app([], prog_name="seaice")
    out, err = capsys.readouterr()
    assert "\n  prepare " in out + err


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}]
)
def test_any_path_can_be_printed_on_any_terminal(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    name = os.fsdecode("K\u00f8benhavn ".encode() + b"K\xf8benhavn")
    done = subprocess.run(
        [SEAICE, "synth", name, "--scenes", "1", "--size", "100"],
        cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, errors(done.stderr.decode())) == (0, "")
    assert rb"K\udcf8benhavn" in done.stdout
    assert [os.fsencode(path.name) for path in tmp_path.iterdir()] == [os.fsencode(name)]

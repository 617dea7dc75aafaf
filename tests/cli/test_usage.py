"""Help and usage errors name things as people write them."""

import re
from pathlib import Path

import pytest
from support.command_results import Result

from seaice.main import app

COMMANDS = [
    str(info.callback.__name__) for info in app.registered_commands if info.callback
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_no_types_of_python(command: str) -> None:
    shown = Result(command, "--help")
    assert shown.code == 0
    usage, *_ = shown.out.splitlines()
    lines = shown.out.split("\nOptions:\n")[1].splitlines()
    assert re.fullmatch(
        rf"Usage: seaice {command} \[OPTIONS\]( \[?[A-Z]+\]?(\.\.\.)?)+", usage
    )
    listed = [re.split(r" {2,}", line.strip())[0] for line in lines if line[:3] == "  -"]
    assert all(
        re.fullmatch(r"(-\w, )?--[\w-]+( / --[\w-]+(, --[\w-]+)?)?( (\S+|'.*'))?", name)
        for name in listed
    )
    assert not re.search(r"<|list\[|int range", " ".join(listed))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "a", "--epochs", "abc"], "'--epochs': 'abc' is not a whole number"),
        (["train", "a", "--epochs", "0"], "'--epochs': '0' is below 1"),
        (["study", "a", "--runs", "1.5"], "'--runs': '1.5' is not a whole number"),
        (["convert", "a", "--to", "tif", "--spacing", "x"], ": 'x' is not a number"),
        (["synth", "a", "--version", "b"], "'--version': 'b' is not one of 'ready'"),
        (["bench", "b", "c"], "'STEP': 'b' is not one of 'prepare'"),
        (["ingest", "a", "--denoise", "x\x1b"], r"'x\x1b' is not one of 'esa'"),
        (["study", "a", "--part", "1 of 2"], "'1 of 2' is not a part: write 3/8"),
        (["predict"], "Missing argument 'SOURCE'"),
    ],
)
def test_a_usage_error_says_which_value_is_wrong(
    arguments: list[str], message: str
) -> None:
    shown = Result(*arguments)
    assert shown.code == 2
    assert message in shown.err
    assert "Value error" not in shown.err
    assert "Input should" not in shown.err


def test_completion_can_be_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "--install-completion" in Result("--help").out
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    shown = Result("--show-completion", "bash")
    assert shown.code == 0
    assert "_SEAICE_COMPLETE=complete_bash" in shown.out


def test_commands_are_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_SEAICE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "seaice pre")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert Result().out.split() == ["prepare", "predict"]

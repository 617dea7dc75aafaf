"""Options that several commands share, and their old names."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from seaice.main import app, renamed
from seaice.options import n_processes, read_part, read_seeds
from seaice_data.system.process import n_cores


def test_the_number_of_processes_is_that_asked_for_or_one_per_core() -> None:
    assert n_processes(3) == 3
    assert n_processes(0, "s3://bucket/store.zarr") == n_cores()


def test_a_store_in_memory_is_processed_by_this_process_alone() -> None:
    assert n_processes(3, "memory://store.zarr") == 1


def test_a_part_is_read_as_number_and_total() -> None:
    assert read_part("3/8") == (3, 8)
    with pytest.raises(typer.BadParameter, match="write 3/8 for the third of eight"):
        read_part("3 of 8")


def test_seeds_are_ranges_and_numbers() -> None:
    assert read_seeds("0-2,5, 7-7") == [0, 1, 2, 5, 7]
    assert read_seeds("") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("4-2", "cannot read '4-2' as seeds"),
        ("0-3,2", "a seed is named twice"),
        ("0-10000", "10001 seeds are more than 10000"),
    ],
)
def test_invalid_seeds_are_refused(text: str, message: str) -> None:
    with pytest.raises(typer.BadParameter, match=message):
        read_seeds(text)


def test_an_old_name_of_an_option_is_accepted_with_a_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["store.zarr", "--no-pictures", "--run=--pictures"]
    assert renamed("predict", given) == ["store.zarr", "--no-plots", "--run=--pictures"]
    warning = "warning: --no-pictures is deprecated, write --no-plots\n"
    assert capsys.readouterr() == ("", warning)


def test_arguments_of_other_commands_and_after_a_double_dash_are_not_renamed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert renamed("train", ["--no-pictures"]) == ["--no-pictures"]
    given = ["--", "--no-pictures"]
    assert renamed("predict", given) == given
    assert capsys.readouterr().err == ""


def test_a_command_accepts_an_old_name_and_its_help_does_not_show_it(
    tmp_path: Path,
) -> None:
    command = ["predict", str(tmp_path / "absent.zarr"), "--no-pictures"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1  # the option was accepted, but there is no store
    assert "write --no-plots" in result.stderr
    assert "--pictures" not in CliRunner().invoke(app, ["predict", "--help"]).stdout


@pytest.mark.parametrize("given", ["--no-plots", "--no-png", "--no-pictures"])
def test_a_geometry_needs_plots(given: str) -> None:
    asked = CliRunner().invoke(app, ["predict", "a.zarr", "--png", "polar", given])
    assert asked.exit_code == 2
    words = "--png needs plots: leave out --no-plots or --no-png"
    assert words in asked.stderr
    asked = CliRunner().invoke(
        app, ["predict", "a.zarr", "--png", "polar", given, "--plots"]
    )
    assert words not in asked.stderr  # the last one counts

"""`seaice check` prints each inference with its outcome."""

import json
from pathlib import Path

from support.checked_scenes import write_checked
from typer.testing import CliRunner

from seaice.main import app


def test_each_inference_has_an_outcome(tmp_path: Path) -> None:
    write_checked(tmp_path, 0)
    result = CliRunner().invoke(app, ["check", str(tmp_path), "--jobs", "1"])
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "holds: 2 km grid"
    assert lines[1].startswith("    inferred: the 2 km grid has one cell per 25 x 25")
    assert lines[2] == "    found: the shape fits in 1 of 1 scenes"
    assert lines[-1].startswith("1 ready-to-train file, 0 raw files and 0 own scenes in ")
    assert ": holds " in lines[-1]


def test_a_file_that_cannot_be_read_gives_exit_code_1(tmp_path: Path) -> None:
    write_checked(tmp_path, 0)
    (tmp_path / "broken.nc").write_bytes(b"no netCDF")
    result = CliRunner().invoke(app, ["check", str(tmp_path), "--jobs", "1", "--json"])
    assert result.exit_code == 1
    assert "left out: " in result.stderr
    printed = json.loads(result.stdout)
    assert [printed[n] for n in ("ready", "raw", "ingested")] == [1, 0, 0]
    assert {*printed["findings"][0]} == {"name", "inferred", "outcome", "evidence"}
    assert "broken.nc" in printed["failed"][0]["file"]

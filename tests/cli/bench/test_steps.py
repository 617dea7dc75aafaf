"""`seaice bench` measures preparing and scoring, and leaves nothing behind."""

import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seaice.main import app

TITLES = {
    "prepare": [
        "prepare, warm",
        "official code, warm",
        "floor, reading and inflating, warm",
        "prepare, each further scene",
        "prepare, start and end",
    ],
    "score": ["score, warm", "limit, reading maps and charts, warm"],
}


@pytest.mark.slow
@pytest.mark.parametrize("step", TITLES)
def test_a_step_is_measured_beside_its_limit(
    step: str,
    raw_folder: Path,
    store_path: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = store_path if step == "score" else str(raw_folder)
    result = CliRunner().invoke(app, ["bench", step, path, "--rounds", "1"])
    assert result.exit_code == 0, result.output
    measured = [line for line in result.stdout.splitlines() if ", 1 rounds) " in line]
    assert [line.split(":")[0] for line in measured] == TITLES[step]
    assert [*tmp_path.iterdir()] == []

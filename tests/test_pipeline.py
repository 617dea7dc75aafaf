"""The thread that always works: synth, prepare, train, predict, score."""

import json
from pathlib import Path

import pytest
import xarray as xr

from seaice.main import app


def run_app(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as caught:
        app(arguments)
    return int(caught.value.code or 0)


@pytest.mark.parametrize("version", ["ready", "raw"])
def test_the_whole_job(
    version: str, tmp_path: Path, config_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw, store, run, maps = (
        str(tmp_path / n) for n in ("raw", "store.zarr", "run", "maps")
    )
    commands = [
        ["synth", raw, "--scenes", "5", "--size", "320", "--version", version],
        ["prepare", raw, store, "--ratio", "5"],
        ["info", store],
        ["train", store, "--run", run, "--config", str(config_path)],
        ["predict", store, "--run", run, "--out", maps, "--split", "all"],
    ]
    for command in commands:
        assert run_app(command) == 0, capsys.readouterr().err
    assert len(list(Path(maps).glob("*.nc"))) == len(list(Path(maps).glob("*.png"))) == 5
    capsys.readouterr()
    assert run_app(["score", maps, "--reference", store, "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["pooled"]["combined"] <= 100
    with xr.open_dataset(next(Path(maps).glob("*.nc"))) as opened:
        assert opened.sea_ice_area_fraction.max() <= 100

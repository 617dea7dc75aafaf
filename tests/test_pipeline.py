"""All steps in a row: synth, prepare, train, predict, score."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from seaice.main import app
from seaice_data.store.store import Store
from seaice_model.maps.alignment import align
from seaice_model.maps.netcdf import read_netcdf
from seaice_model.metrics import ChartScorer


def run_app(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as caught:
        app(arguments)
    return int(caught.value.code or 0)


@pytest.mark.parametrize("version", ["ready", "raw"])
def test_all_steps_run_and_the_scores_are_those_of_the_maps(
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
    assert run_app(["score", maps, "--truth", store, "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    scorer = ChartScorer()
    for scene in Store.open(store).open_scenes()[0]:
        path = Path(maps, f"{scene.id}.nc")
        predicted = align(read_netcdf(path), scene.source_grid).charts
        scorer.add(scene.full_charts(), predicted)
        with xr.open_dataset(path) as opened:
            shares = opened.sea_ice_area_fraction.values
        assert {*shares[np.isfinite(shares)]} <= {*range(0, 101, 10)}
        assert np.isfinite(shares).mean() > 0.2
    assert scores["pooled"] == pytest.approx(scorer.scores().by_name)

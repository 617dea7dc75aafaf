"""`seaice bench sampler` and `layouts` run, and the official sampler is re-created."""

from pathlib import Path

import numpy as np
import pytest
from support.coded_scenes import SCENE_ID, write_coded
from typer.testing import CliRunner

from seaice.bench.official_sampler import OfficialSampler
from seaice.main import app
from seaice_data.preparation.prepare import prepare
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store


@pytest.mark.slow
def test_the_sampler_is_compared_with_a_limit_and_official_code(store_path: str) -> None:
    result = CliRunner().invoke(app, ["bench", "sampler", store_path, "--rounds", "1"])
    assert result.exit_code == 0, result.output
    for words in (
        "plain, 16 channels, 1 thread:",
        "gather limit, 31 channels, 1 thread:",
        "augmented, bilinear, resident on cpu:",
        "% of the gather limit",
        "x as fast as the official code re-created, augmented",
        "published: the official code itself",
        "cold process: imports:",
        "cold process: open a store:",
        "cold process: sampler and first batch:",
    ):
        assert words in result.output


def test_layouts_are_measured(store_path: str) -> None:
    result = CliRunner().invoke(app, ["bench", "layouts", store_path, "--rounds", "1"])
    assert result.exit_code == 0, result.output
    assert result.output.count("first time:") == 8


def test_the_official_sampler_returns_windows_of_its_scenes(tmp_path: Path) -> None:
    write_coded(tmp_path / "raw", 120, 140)
    prepare(tmp_path / "raw", str(tmp_path / "store.zarr"), Recipe(ratio=1), jobs=1)
    store = Store.open(str(tmp_path / "store.zarr"))
    official = OfficialSampler(store, (SCENE_ID,), ("hh", "hv", "t2m"), 32)
    plain = official.batch(8, np.random.default_rng(0), augmented=False).numpy()
    rows, columns = plain[:, 0] * 1024 - 1, plain[:, 1] * 1024 - 1
    assert (np.diff(rows, axis=1) == 1).all()
    assert (np.diff(columns, axis=2) == 1).all()
    turned = official.batch(64, np.random.default_rng(0), augmented=True).numpy()
    # Without another scale it zooms by 1.1, so 29 of 32 pixels are left.
    seen = [len(np.unique(patch[0][patch[0] > 0])) for patch in turned]
    assert 29 in seen or 30 in seen
    assert (turned[:, 0] == 0).any()  # turned patches reach beyond the scene

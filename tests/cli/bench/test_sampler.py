"""`seaice bench sampler` and `layouts`: they run, and compare with what they say."""

from pathlib import Path

import numpy as np
import pytest
from support.coded_scenes import SCENE_ID, write_coded
from typer.testing import CliRunner

from seaice.bench.reference_sampler import ReferenceSampler
from seaice.main import app
from seaice_data.preparation.prepare import prepare
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store


@pytest.mark.slow
def test_the_sampler_is_measured_beside_limit_and_reference(store_path: str) -> None:
    result = CliRunner().invoke(app, ["bench", "sampler", store_path, "--rounds", "1"])
    assert result.exit_code == 0, result.output
    for words in (
        "plain, 16 channels, 1 thread:",
        "gather limit, 31 channels, 1 thread:",
        "augmented, bilinear, resident on cpu:",
        "% of the gather limit",
        "x the reference re-created, augmented",
        "published: the reference itself",
        "cold process: imports:",
        "cold process: open a store:",
        "cold process: sampler and first batch:",
    ):
        assert words in result.output


def test_layouts_are_measured(store_path: str) -> None:
    result = CliRunner().invoke(app, ["bench", "layouts", store_path, "--rounds", "1"])
    assert result.exit_code == 0, result.output
    assert result.output.count("first time:") == 8


def test_the_reference_gives_windows_of_its_scenes(tmp_path: Path) -> None:
    write_coded(tmp_path / "raw", 120, 140)
    prepare(tmp_path / "raw", str(tmp_path / "store.zarr"), Recipe(ratio=1), jobs=1)
    store = Store.open(str(tmp_path / "store.zarr"))
    reference = ReferenceSampler(store, (SCENE_ID,), ("hh", "hv", "t2m"), 32)
    plain = reference.batch(8, np.random.default_rng(0), augmented=False).numpy()
    rows, columns = plain[:, 0] * 1024 - 1, plain[:, 1] * 1024 - 1
    assert (np.diff(rows, axis=1) == 1).all()
    assert (np.diff(columns, axis=2) == 1).all()
    turned = reference.batch(64, np.random.default_rng(0), augmented=True).numpy()
    # Where nothing else is drawn it zooms by 1.1, so 29 pixels of 32 are left.
    seen = [len(np.unique(patch[0][patch[0] > 0])) for patch in turned]
    assert 29 in seen or 30 in seen
    assert (turned[:, 0] == 0).any()  # fill comes in where patches are turned

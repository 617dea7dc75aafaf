"""Channels that are adjacent in patch and store are copied together."""

from pathlib import Path

import pytest

from seaice_data.errors import StoreError
from seaice_data.sampling.patch_cutter import channel_runs
from seaice_data.store.recipe import Recipe
from seaice_data.store.writer import StoreWriter

RECIPE = Recipe(ratio=1, channels=("hh", "hv", "t2m", "skt"))


@pytest.mark.parametrize(
    ("channels", "runs"),
    [
        (("hh", "hv", "t2m", "skt"), [[0, 0, 4]]),
        (("hh", "hv", "skt"), [[0, 0, 2], [2, 3, 1]]),
        (("t2m", "skt", "hh"), [[0, 2, 2], [2, 0, 1]]),
        (("hv", "hh"), [[0, 1, 1], [1, 0, 1]]),
    ],
)
def test_neighbours_in_patch_and_store_are_a_run(
    tmp_path: Path, channels: tuple[str, ...], runs: list[list[int]]
) -> None:
    store = StoreWriter.create(str(tmp_path / "store.zarr"), RECIPE)
    assert channel_runs(store, channels).tolist() == runs


def test_a_channel_that_the_store_lacks_is_named(tmp_path: Path) -> None:
    store = StoreWriter.create(str(tmp_path / "store.zarr"), RECIPE)
    with pytest.raises(StoreError, match="has no channel 'u10m'"):
        channel_runs(store, ("hh", "u10m"))

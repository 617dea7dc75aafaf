"""The same patches however they are asked for: processes, threads, ranks, resumed."""

import pickle
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from seaice_data.augment import Augmentation
from seaice_data.drawing import Drawing
from seaice_data.sampler import Patch, PatchSampler
from seaice_data.store import Store

N = 24
NAMES = ("inputs", "charts", "scene", "probability")


def make(store_path: str, **changes: Any) -> PatchSampler:
    store = Store.open(store_path)
    settings = {
        "scenes": store.scenes, "size": 32, "seed": 5, "channels": ("hh", "u10m", "v10m"),
        "augmentation": Augmentation(), "drawing": Drawing(over="classes"), **changes,
    }  # fmt: skip
    return PatchSampler(store, **settings)


@pytest.fixture(scope="module")
def expected(store_path: str) -> Patch:
    return make(store_path).batch(range(N))


def assert_same(got: Patch, expected: Patch) -> None:
    for name in NAMES:
        np.testing.assert_array_equal(got[name], expected[name])  # type: ignore[literal-required]


def stacked(batches: Iterator[dict[str, torch.Tensor]]) -> Patch:
    given = list(batches)
    return cast("Patch", {k: np.concatenate([b[k].numpy() for b in given]) for k in NAMES})


def loader(patches: PatchSampler, **settings: Any) -> DataLoader[Any]:
    return DataLoader(
        cast("Dataset[Patch]", patches), sampler=range(N), batch_size=4, **settings
    )


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_give_the_same_patches(
    store_path: str, expected: Patch, method: str
) -> None:
    patches = make(store_path, n_threads=2)
    patches.batch(range(4))  # the parent has files and threads open
    given = loader(patches, num_workers=2, multiprocessing_context=method)
    assert_same(stacked(iter(given)), expected)


def test_a_loader_without_workers_gives_the_same_patches(
    store_path: str, expected: Patch
) -> None:
    assert_same(stacked(iter(loader(make(store_path)))), expected)


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_forked_workers_read_packed_stores(
    raw_folder: Any, tmp_path: Any, codec: str
) -> None:
    from seaice_data.prepare import prepare
    from seaice_data.recipe import Recipe

    path = str(tmp_path / "store.zarr")
    prepare(raw_folder, path, Recipe(ratio=5, codec=codec))  # type: ignore[arg-type]
    patches = make(path)
    here = patches.batch(range(N))
    there = loader(patches, num_workers=2, multiprocessing_context="fork")
    assert_same(stacked(iter(there)), here)


@pytest.mark.parametrize("n_threads", [2, 3, 7])
def test_threads_give_the_same_patches(
    store_path: str, expected: Patch, n_threads: int
) -> None:
    patches = make(store_path, n_threads=n_threads)
    out = patches.empty(N)
    for _ in range(3):
        assert_same(patches.batch(range(N), out), expected)


def test_ranks_see_together_what_one_process_sees(store_path: str, expected: Patch) -> None:
    n_ranks, size = 3, 4
    got = make(store_path).empty(N)
    for rank in range(n_ranks):
        patches = make(store_path)
        for step in range(N // (n_ranks * size)):
            first = step * n_ranks * size + rank * size
            batch = patches.batch(range(first, first + size))
            for name in NAMES:
                got[name][first : first + size] = batch[name]  # type: ignore[literal-required]
    assert_same(got, expected)


def test_a_resumed_training_goes_on_with_the_next_number(
    store_path: str, expected: Patch
) -> None:
    before = make(store_path)
    for number in range(10):
        before[number]
    rest = make(store_path).batch(range(10, N))
    for name in NAMES:
        np.testing.assert_array_equal(rest[name], expected[name][10:])  # type: ignore[literal-required]


def test_a_sampler_travels_without_pixels(store_path: str, expected: Patch) -> None:
    patches = make(store_path, n_threads=2)
    patches.batch(range(N))
    sent = pickle.dumps(patches)
    assert len(sent) < 200_000
    assert_same(pickle.loads(sent).batch(range(N)), expected)  # noqa: S301 - our own

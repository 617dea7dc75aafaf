"""Patches are the same however they are asked for: processes, threads, ranks, resumed."""

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from support.coded_scenes import write_coded
from torch.utils.data import DataLoader, Dataset

from seaice_data.preparation.prepare import prepare
from seaice_data.sampling.augmentation import Augmentation
from seaice_data.sampling.patch import Patch
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.sampling.windows import Sampling
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.synthetic.scene_set import write_scenes

N = 24
NAMES = ("inputs", "charts", "scene", "probability", "region", "shares", "visible")


def make(store_path: str, **changes: Any) -> PatchSampler:
    store = Store.open(store_path)
    settings = {
        "scenes": store.scenes, "size": 32, "seed": 5, "channels": ("hh", "u10m", "v10m"),
        "regions": True,
        "augmentation": Augmentation(), "sampling": Sampling(over="classes"), **changes,
    }  # fmt: skip
    return PatchSampler(store, **settings)


@pytest.fixture(scope="module")
def raw_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write four synthetic scenes with polygons."""
    folder = tmp_path_factory.mktemp("workers") / "raw"
    write_scenes(folder, 4, 240, "raw")
    return folder


@pytest.fixture(scope="module")
def store_path(raw_folder: Path) -> str:
    path = str(raw_folder.parent / "store.zarr")
    prepare(raw_folder, path, Recipe(ratio=5))
    return path


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


def test_forked_workers_read_packed_stores(raw_folder: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "store.zarr")
    prepare(raw_folder, path, Recipe(ratio=5, codec="zstd"))
    patches = make(path)
    here = patches.batch(range(N))  # the parent has arrays open and chunks kept
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


def test_ranks_together_see_what_one_process_sees(store_path: str, expected: Patch) -> None:
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


def test_plain_patches_need_no_compiler_and_no_zarr(store_path: str) -> None:
    """Slow imports would delay the first batch of every worker."""
    program = (
        "import sys; from seaice_data import PatchSampler, Store; "
        "s = Store.open(sys.argv[1]); "
        "PatchSampler(s, scenes=s.scenes, size=32).batch(range(16)); "
        "print(*{'numba', 'zarr', 'torch', 'xarray', 'dask'} & {*sys.modules})"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, store_path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == ""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("augmentation", [None, Augmentation()])
def test_processes_share_the_memory_of_planes(
    tmp_path: Path, augmentation: Augmentation | None
) -> None:
    write_coded(tmp_path / "raw", 700, 700)
    prepare(tmp_path / "raw", str(tmp_path / "store.zarr"), Recipe(ratio=1), jobs=1)
    store = Store.open(str(tmp_path / "store.zarr"))
    n_bytes = 700 * 700 * len(store.channels) * 2
    patches = PatchSampler(store, scenes=store.scenes, size=64, augmentation=augmentation)
    out = patches.empty(16)
    patches.batch(range(16), out)
    before = own_bytes()
    for first in range(16, 320, 16):
        patches.batch(range(first, first + 16), out)
    # All of the scene has been seen, and is in the memory that processes share.
    assert own_bytes() - before < n_bytes / 4


def own_bytes() -> int:
    """Return the memory of this process that is not part of a file."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return 1024 * int(next(x.split()[1] for x in lines if x.startswith("Anonymous:")))

"""Shards: the library webdataset reads the bytes of the sampler back."""

import tarfile
from pathlib import Path

import pytest
import webdataset

from seaice_data.exports.export import export_patches
from seaice_data.exports.settings import ExportSettings, RandomPatches
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.store import Store

pytestmark = [  # webdataset leaves the files open that it has read
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def export(store: Store, out: Path) -> None:
    random = RandomPatches(train=7)
    settings = ExportSettings(to="webdataset", size=32, random=random, per_shard=3)
    export_patches(store, out, settings)


def test_webdataset_reads_equal_bytes(store: Store, tmp_path: Path) -> None:
    export(store, tmp_path)
    shards = sorted(map(str, tmp_path.glob("train-*.tar")))
    assert [Path(shard).name for shard in shards] == [
        f"train-{k:06d}.tar" for k in range(3)
    ]
    samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode())
    sampler = PatchSampler(store, size=32)
    assert len(samples) == 7
    for sample, patch in zip(samples, map(sampler.__getitem__, range(7)), strict=True):
        assert sample["inputs.npy"].dtype == patch["inputs"].dtype
        assert sample["inputs.npy"].tobytes() == patch["inputs"].tobytes()
        assert sample["charts.npy"].tobytes() == patch["charts"].tobytes()
        assert sample["json"]["scene"] == sampler.scenes[int(patch["scene"])]
        assert sample["json"]["name"] == sample["__key__"]


def test_splits_have_shards_of_their_own(store: Store, tmp_path: Path) -> None:
    export(store, tmp_path)
    for split in ("train", "validation", "test"):
        for shard in tmp_path.glob(f"{split}-*.tar"):
            with tarfile.open(shard) as tar:
                assert len(tar.getmembers()) % 3 == 0
            (found,) = {s["json"]["split"] for s in read(shard)}
            assert found == split


def read(shard: Path) -> list[dict[str, dict[str, object]]]:
    return list(webdataset.WebDataset([str(shard)], shardshuffle=False).decode())

"""Planes of stores that can be mapped and of those that cannot: the same patches."""

import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import zarr
from support.coded_scenes import write_coded

from seaice_data.errors import StoreError
from seaice_data.preparation.prepare import prepare
from seaice_data.sampling.augmentation import Augmentation
from seaice_data.sampling.planes import MappedPlanes, ReadPlanes, open_planes
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store

A, B, TINY = "20190101T000000_dmi", "20190301T000000_dmi", "20190501T000000_cis"
CHANNELS = ("hh", "hv", "u10m", "v10m")
PACKED = Recipe(ratio=1, channels=CHANNELS, codec="zstd")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planes") / "raw"
    write_coded(folder, 530, 300, A)
    write_coded(folder, 300, 530, B)
    write_coded(folder, 30, 50, TINY)
    return folder


@pytest.fixture(scope="module")
def mapped(raw: Path) -> Store:
    path = str(raw.parent / "mapped.zarr")
    prepare(raw, path, Recipe(ratio=1, channels=CHANNELS))
    return Store.open(path)


@pytest.fixture(scope="module")
def packed(raw: Path) -> Store:
    path = str(raw.parent / "packed.zarr")
    prepare(raw, path, PACKED)
    return Store.open(path)


@pytest.mark.parametrize(
    "augmentation", [None, Augmentation(), Augmentation(method="nearest")]
)
def test_packed_and_mapped_stores_give_the_same_patches(
    mapped: Store, packed: Store, augmentation: Augmentation | None
) -> None:
    one, other = (
        PatchSampler(store, scenes=store.scenes, size=200, augmentation=augmentation)
        for store in (mapped, packed)
    )
    expected, got = one.batch(range(24)), other.batch(range(24))
    for name in ("inputs", "charts", "scene"):
        np.testing.assert_array_equal(got[name], expected[name])  # type: ignore[literal-required]


def test_an_object_store_gives_the_same_patches(raw: Path, mapped: Store) -> None:
    prepare(raw, "memory://sampled.zarr", PACKED, jobs=1)
    assert_same_patches(mapped, Store.open("memory://sampled.zarr"))


def test_a_zipped_store_gives_the_same_patches(
    mapped: Store, packed: Store, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "store.zip", "w") as archive:
        for path in Path(packed.path).rglob("*"):
            archive.write(path, path.relative_to(packed.path))
    assert_same_patches(mapped, Store.open(f"zip://::{tmp_path / 'store.zip'}"))


def test_a_sharded_store_gives_the_same_patches(
    mapped: Store, packed: Store, tmp_path: Path
) -> None:
    shutil.copytree(packed.path, tmp_path / "sharded.zarr")
    for scene in (A, B, TINY):
        group = zarr.open_group(tmp_path / "sharded.zarr" / "scenes" / scene)
        planes = np.asarray(group["inputs"])
        group.create_array(
            "inputs", data=planes, chunks=(16, 16, 4), shards=(64, 64, 4), overwrite=True
        )
    assert_same_patches(mapped, Store.open(str(tmp_path / "sharded.zarr")))


def assert_same_patches(one: Store, other: Store) -> None:
    expected, got = (
        PatchSampler(store, scenes=store.scenes, size=64).batch(range(8))
        for store in (one, other)
    )
    for name in ("inputs", "charts", "scene"):
        np.testing.assert_array_equal(got[name], expected[name])  # type: ignore[literal-required]


def test_what_is_read_is_kept_within_bounds(packed: Store) -> None:
    # A chunk of 256 x 256 pixels, 4 channels in half precision, has half a megabyte.
    sampler = PatchSampler(packed, scenes=packed.scenes, size=64, kept_bytes=2 * 2**20)
    planes = sampler._planes
    assert isinstance(planes, ReadPlanes)
    most = 0
    for number in range(60):
        sampler.batch([number])
        most = max(most, planes.n_kept_bytes)
    assert 2**20 < most <= 2 * 2**20
    unbounded = PatchSampler(packed, scenes=packed.scenes, size=64)
    np.testing.assert_array_equal(
        sampler.batch(range(20))["inputs"], unbounded.batch(range(20))["inputs"]
    )


def test_a_bound_below_one_chunk_still_reads(packed: Store) -> None:
    sampler = PatchSampler(packed, scenes=[A], size=64, kept_bytes=1)
    assert np.isfinite(sampler[0]["inputs"].astype(np.float32)).all()


def test_a_missing_chunk_is_reported(raw: Path, tmp_path: Path) -> None:
    path = tmp_path / "store.zarr"
    prepare(raw, str(path), PACKED)
    for chunk in (path / "scenes" / A / "inputs" / "c").rglob("*"):
        if chunk.is_file():
            chunk.unlink()
            break
    sampler = PatchSampler(Store.open(str(path)), scenes=[A], size=64)
    with pytest.raises(StoreError, match=f"{A}: 'inputs' lacks 1 of 6 chunks"):
        sampler.batch(range(16))


def test_planes_travel_closed(mapped: Store, packed: Store) -> None:
    for store, kind in ((mapped, MappedPlanes), (packed, ReadPlanes)):
        planes = open_planes([store.scene(A)])
        assert isinstance(planes, kind)
        part = planes.part(0, 10, 20, 30, 50)
        sent = pickle.dumps(planes)
        assert len(sent) < 50_000  # no pixels
        again = pickle.loads(sent).part(0, 10, 20, 30, 50)  # noqa: S301 - our own
        np.testing.assert_array_equal(again.inputs, part.inputs)
        assert not part.inputs.flags.writeable


def test_more_scenes_than_files_may_be_open(
    mapped: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256 + 2 * 16, 4096))
    planes = open_planes([mapped.scene(A), mapped.scene(B)] * 20)
    assert isinstance(planes, MappedPlanes)
    for position in range(40):
        planes.charts(position)
    assert planes._open.cache_info().currsize == 16

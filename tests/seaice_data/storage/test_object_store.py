"""Stores at URLs: the real S3 protocol on loopback, and fsspec's memory."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import xarray as xr
from fsspec.implementations.memory import MemoryFileSystem
from support.buckets import credentials, serving_buckets
from support.coded_scenes import write_coded

from seaice_data.errors import StoreError
from seaice_data.preparation.prepare import prepare
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.store.verify import remove_damaged, verify

IDS = [f"2019{month:02d}14T101830_dmi" for month in range(1, 4)]
RECIPES = [Recipe(), Recipe(codec="zstd", zarr_format=2, channels=("hh", "t2m"))]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serving_buckets() as address, pytest.MonkeyPatch.context() as environment:
        for name, value in credentials(address).items():
            environment.setenv(name, value)
        # Those that other tests have made know no credentials.
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        yield address


@pytest.fixture
def bucket(endpoint: str) -> str:
    name = f"s3://bucket-{time.monotonic_ns()}"
    assert endpoint
    fsspec.filesystem("s3").mkdir(name)
    return name


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("object") / "raw"
    for scene_id in IDS:
        write_coded(folder, 203, 251, scene_id)
    return folder


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_store_in_a_bucket_is_the_store_on_the_disk(
    bucket: str, raw: Path, tmp_path: Path, recipe: Recipe
) -> None:
    url, path = f"{bucket}/deep/store.zarr", str(tmp_path / "store.zarr")
    jobs = 2 if recipe.codec == "none" else 1
    assert len(prepare(raw, url, recipe, jobs=jobs).written) == 3
    assert len(prepare(raw, url, recipe).kept) == 3
    prepare(raw, path, recipe)
    files = fsspec.filesystem("s3")
    names = {str(p.relative_to(path)) for p in Path(path).rglob("*") if p.is_file()}
    root = url.removeprefix("s3://")
    assert {k.removeprefix(f"{root}/") for k in files.find(root)} == names
    for name in names:
        assert files.cat_file(f"{root}/{name}") == Path(path, name).read_bytes()
    there, here = (
        PatchSampler(Store.open(place), size=16, scenes=IDS) for place in (url, path)
    )
    for number in range(8):
        for key, values in there[number].items():
            np.testing.assert_array_equal(values, here[number][key])  # type: ignore[literal-required]


def test_plain_xarray_reads_a_scene_from_a_bucket(
    bucket: str, raw: Path, endpoint: str
) -> None:
    prepare(raw, f"{bucket}/store.zarr")
    scene = xr.open_zarr(
        f"{bucket}/store.zarr",
        group=f"scenes/{IDS[0]}",
        consolidated=False,
        storage_options={"endpoint_url": endpoint},
    )
    assert scene.charts.dtype == np.uint8
    np.testing.assert_array_equal(
        scene.inputs.sel(channel="hh"),
        Store.open(f"{bucket}/store.zarr").scene(IDS[0]).inputs[..., 0],
    )


def test_a_half_written_scene_in_a_bucket_is_absent_and_is_done_again(
    bucket: str, raw: Path
) -> None:
    url = f"{bucket}/store.zarr"
    prepare(raw, url)
    files = fsspec.filesystem("s3")
    files.rm_file(f"{url}/scenes/{IDS[1]}/zarr.json")
    files.pipe_file(f"{url}/scenes/{IDS[1]}/of_another_version/zarr.json", b"{}")
    assert Store.open(url).scenes == (IDS[0], IDS[2])
    assert prepare(raw, url).written == (IDS[1],)
    assert not files.exists(f"{url}/scenes/{IDS[1]}/of_another_version")
    assert verify(url).damages == ()


def test_damage_in_a_bucket_is_found_and_repaired(bucket: str, raw: Path) -> None:
    url = f"{bucket}/store.zarr"
    prepare(raw, url)
    files = fsspec.filesystem("s3")
    chunk = f"{url}/scenes/{IDS[1]}/inputs/c/0/0/0"
    content = bytearray(files.cat_file(chunk))
    content[1000] ^= 1
    files.pipe_file(chunk, bytes(content))
    report = verify(url)
    assert [(d.scene, d.array) for d in report.damages] == [(IDS[1], "inputs")]
    remove_damaged(url, report)
    assert prepare(raw, url).written == (IDS[1],)
    assert verify(url).damages == ()


def test_overwrite_replaces_a_store_in_a_bucket_and_nothing_else(
    bucket: str, raw: Path
) -> None:
    url = f"{bucket}/store.zarr"
    files = fsspec.filesystem("s3")
    files.pipe_file(f"{bucket}/store.zarr.txt", b"beside it")
    prepare(raw, url)
    with pytest.raises(StoreError, match="has another recipe"):
        prepare(raw, url, Recipe(zarr_format=2))
    assert len(prepare(raw, url, Recipe(zarr_format=2), overwrite=True).written) == 3
    assert not [name for name in files.find(url) if name.endswith("zarr.json")]
    with pytest.raises(StoreError, match="is not a seaice store"):
        prepare(raw, bucket, overwrite=True)
    assert files.cat_file(f"{bucket}/store.zarr.txt") == b"beside it"


def test_scenes_are_listed_in_few_round_trips(
    bucket: str, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{bucket}/store.zarr"
    prepare(raw, url)
    files = Store.open(url).storage._files
    calls: list[str] = []
    call = files._call_s3

    async def count(method: str, *arguments: object, **options: object) -> object:
        calls.append(method)
        return await call(method, *arguments, **options)

    monkeypatch.setattr(files, "_call_s3", count)
    store = Store.open(url)
    assert len([store.scene(scene_id) for scene_id in store.scenes]) == 3
    # Up to three files of the root, one listing, then those of all scenes at once.
    # (Before 2026.9 s3fs lists without the method that is counted here.)
    assert calls.count("get_object") == 3 + 3
    assert len(calls) <= 3 + 3 + 1


def test_a_missing_bucket_is_reported(raw: Path, bucket: str) -> None:
    with pytest.raises(StoreError, match=r"cannot reach 's3://no-such-bucket/s.zarr': The"):
        prepare(raw, "s3://no-such-bucket/s.zarr")
    with pytest.raises(StoreError, match="no store at"):
        Store.open(f"{bucket}/absent.zarr")


def test_an_endpoint_that_cannot_be_reached_is_reported() -> None:
    environment = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_MAX_ATTEMPTS": "1",
    }
    done = subprocess.run(
        [Path(sys.executable).with_name("seaice"), "info", "s3://bucket/store.zarr"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot reach 's3://bucket/store.zarr': ")
    assert "AWS_ENDPOINT_URL" in done.stderr.splitlines()[-1]


def test_an_unknown_protocol_is_reported() -> None:
    with pytest.raises(StoreError, match=r"cannot reach 'nope://store.zarr'"):
        Store.open("nope://store.zarr")


def test_a_store_in_memory(raw: Path) -> None:
    url = "memory://store.zarr"
    with pytest.raises(StoreError, match="other processes cannot write"):
        prepare(raw, url, jobs=2)
    assert len(prepare(raw, url).written) == 3
    assert verify(url).damages == ()
    assert Store.open(url).scene(IDS[0]).inputs.shape == (20, 25, len(Recipe().channels))
    assert len(prepare(raw, url, overwrite=True).written) == 3
    fsspec.filesystem("memory").rm("/store.zarr", recursive=True)


def test_overwrite_loses_no_scene_while_the_store_cannot_be_reached(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "memory://unreachable.zarr"
    prepare(raw, url)
    left, *others = sorted(raw.glob("*.nc"))
    new = tmp_path / "raw"
    new.mkdir()
    for path in others:
        shutil.copy(path, new)
    (new / "linked").symlink_to(left.parent / "nowhere")
    read, n_reads = MemoryFileSystem.cat_ranges, 0

    def fail_at_the_second(*arguments: Any, **options: Any) -> Any:
        nonlocal n_reads
        n_reads += 1
        if n_reads == 2:
            raise TimeoutError("timed out")
        return read(*arguments, **options)

    monkeypatch.setattr(MemoryFileSystem, "cat_ranges", fail_at_the_second)
    with pytest.raises(StoreError, match=r"cannot reach 'memory://unre.*: timed out"):
        prepare(new, url, overwrite=True)
    monkeypatch.undo()
    assert len(Store.open(url).scenes) == len(others) + 1


def test_a_file_url_is_a_path(raw: Path, tmp_path: Path) -> None:
    prepare(raw, f"file://{tmp_path}/store.zarr")
    store = Store.open(str(tmp_path / "store.zarr"))
    assert store.scenes == tuple(IDS)
    assert isinstance(store.scene(IDS[0]).inputs, np.memmap)

"""A small file may declare more than fits into memory; it is refused before reading."""

import resource
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.coded_scenes import write_coded

from seaice_data.errors import SceneError
from seaice_data.preparation.assemble import assemble
from seaice_data.scenes.files import open_scene
from seaice_data.scenes.netcdf import NetcdfFile
from seaice_data.store.recipe import Recipe
from seaice_data.synthetic.plan import plan_scenes
from seaice_data.synthetic.scene import write_scene

Change = Callable[[h5py.File], object]
PACKED = {"compression": 4}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a raw scene."""
    folder = tmp_path_factory.mktemp("raw")
    return write_scene(folder, plan_scenes(1, 200, 0)[0], "raw")[0]


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Limit the process to 1 GB more than it has."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


def declare(
    *names: str, shape: tuple[int, ...], dtype: object = "f8", **options: object
) -> Change:
    """Declare variables of a shape without writing values."""

    def change(file: h5py.File) -> None:
        for name in names:
            del file[name]
            file.create_dataset(name, shape, dtype, **{"chunks": True, **options})

    return change


TIES = ("sar_grid2d_latitude", "sar_grid2d_longitude")
RAW_TIES = tuple(f"sar_grid_{name}" for name in ("line", "sample", "latitude", "longitude"))
PLANES = ("SIC", "SOD", "FLOE", "nersc_sar_primary", "nersc_sar_secondary")
PLANES += ("sar_incidenceangle", "distance_map")
READY: dict[str, tuple[Change, str]] = {
    "tie points": (declare(*TIES, shape=(14_000, 14_000)), "too large for a coarse grid"),
    "one of them": (declare(TIES[0], shape=(40_000, 40_000)), "too large for SAR"),
    "cells": (declare("t2m", shape=(14_000, 14_000)), "does not fit 503 x 528"),
    "all planes": (declare(*PLANES, shape=(19_999, 19_999)), "too large for SAR"),
    "planes of 40 m": (declare(*PLANES, shape=(10_000, 10_000)), "too large for SAR"),
    "chunk of a plane": (
        declare(
            "nersc_sar_primary",
            shape=(503, 528),
            dtype="f4",
            maxshape=(None, None),
            chunks=(31_000, 31_000),
            **PACKED,
        ),
        "'nersc_sar_primary' has chunks of 3844000000 bytes for 1062336 bytes",
    ),
    "chunk of cells": (
        declare("t2m", shape=(20, 21), maxshape=(None, None), chunks=(12_000, 12_000)),
        "'t2m' has chunks of 1152000000 bytes for 3360 bytes",
    ),
}
RAW: dict[str, tuple[Change, str]] = {
    "tie points": (declare(*RAW_TIES, shape=(10**8,)), "too large for SAR"),
    "codes": (
        declare("polygon_codes", shape=(10**8,), dtype=h5py.string_dtype()),
        "'polygon_codes' has 100000000 texts",
    ),
    "long codes": (
        declare("polygon_codes", shape=(40, 10**9), dtype="S1"),
        "'polygon_codes' has 40 texts, 40000000000 bytes in all",
    ),
    "fixed codes": (
        declare("polygon_codes", shape=(9_000,), dtype="S2000"),
        "'polygon_codes' has 9000 texts, 18000000 bytes in all",
    ),
}


def check(path: Path, change: Change, message: str) -> None:
    with h5py.File(path, "a") as file:
        change(file)
    assert path.stat().st_size < 20e6
    start = time.process_time()
    with pytest.raises(SceneError, match=message), open_scene(path) as scene:
        assemble(scene, Recipe())
    assert time.process_time() - start < 5


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("name", READY)
def test_sizes_that_no_ready_file_has_are_refused(tmp_path: Path, name: str) -> None:
    check(write_coded(tmp_path), *READY[name])


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("name", RAW)
def test_sizes_that_no_raw_file_has_are_refused(
    tmp_path: Path, raw: Path, name: str
) -> None:
    path = tmp_path / raw.name
    path.write_bytes(raw.read_bytes())
    check(path, *RAW[name])


def test_large_attributes_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.nc", "w", libver="latest") as file:
        file.attrs["scene_id"] = np.zeros(2_000_000, "S1")
        file.attrs["original_id"] = np.bytes_(2_000_000)
    file = NetcdfFile(tmp_path / "file.nc")
    for name in ("scene_id", "original_id"):
        with pytest.raises(SceneError, match=rf"'{name}' has \d+ values, 2000000 bytes"):
            file.text(name)


def test_attributes_of_lists_of_texts_are_refused(tmp_path: Path) -> None:
    lists = np.empty(1, object)
    lists[0] = np.array(["one", "two"], object)
    with h5py.File(tmp_path / "file.nc", "w") as file:
        kind = h5py.vlen_dtype(h5py.string_dtype())
        file.attrs.create("scene_id", lists, dtype=kind)
    file = NetcdfFile(tmp_path / "file.nc")
    with pytest.raises(SceneError, match="'scene_id' is neither text nor numbers"):
        file.text("scene_id")


@pytest.mark.usefixtures("little_memory")
def test_texts_that_are_long_together_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    with h5py.File(path, "w") as file:
        text = h5py.string_dtype()
        codes = file.create_dataset("codes", (9_000,), text, chunks=(9_000,), compression=4)
        codes[0] = "7" * 1_000_000
        stored = codes.id.read_direct_chunk((0,))[1]
        where = bytes(zlib.decompress(stored)[:16])  # of the text in the file
        codes.id.write_direct_chunk((0,), zlib.compress(where * 9_000))
    assert path.stat().st_size < 2_000_000
    with pytest.raises(SceneError, match="'codes' has texts too long for an ice chart"):
        NetcdfFile(path).strings("codes")


def test_chunks_of_the_librarys_own_choice_are_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.nc", "w") as file:
        options = {"maxshape": (None, None), "chunks": (1024, 1024), **PACKED}
        file.create_dataset("plane", data=np.arange(6.0).reshape(2, 3), **options)
    values = NetcdfFile(tmp_path / "file.nc").variable("plane").read()
    np.testing.assert_array_equal(values, [[0, 1, 2], [3, 4, 5]])

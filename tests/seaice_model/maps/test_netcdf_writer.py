import errno
import os
import resource
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
import xarray as xr
from support.chart_maps import chart_map

from seaice_model.errors import MapError
from seaice_model.maps.foreign_hdf5 import read_bytes
from seaice_model.maps.netcdf import read_netcdf, write_netcdf
from seaice_model.maps.netcdf_writer import (
    add_dimensions,
    add_plane,
    add_variable,
    written_whole,
)


@pytest.mark.parametrize("n_bytes", [0, 1_000, 20_000])
def test_a_full_disk_keeps_the_old_map(tmp_path: Path, n_bytes: int) -> None:
    write_netcdf(chart_map(), tmp_path / "map.nc")
    old = (tmp_path / "map.nc").read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        with pytest.raises(MapError, match=r"cannot write map '.*map\.nc': "):
            write_netcdf(chart_map(), tmp_path / "map.nc")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["map.nc"]
    assert (tmp_path / "map.nc").read_bytes() == old
    write_netcdf(chart_map(), tmp_path / "map.nc")
    assert read_netcdf(tmp_path / "map.nc").scene == chart_map().scene


def test_errors_of_the_disk_have_their_number(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(MapError, match="File too large") as caught:
            write_netcdf(chart_map(), tmp_path / "map.nc")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.EFBIG


def test_maps_need_no_folder_of_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    path = tmp_path / os.fsdecode(b"gr\xf6\xdfe") / "map.nc"
    path.parent.mkdir()
    write_netcdf(chart_map(), path)
    assert read_netcdf(path).scene == chart_map().scene
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize("error", [OSError(28, "of others"), RuntimeError("NetCDF: x")])
def test_errors_of_the_caller_are_not_about_the_file(
    tmp_path: Path, error: Exception
) -> None:
    with pytest.raises(type(error)) as caught, written_whole(tmp_path / "a.nc", "map"):
        raise error
    assert caught.value is error
    assert [*tmp_path.iterdir()] == []


def test_threads_write_and_read_at_the_same_time(tmp_path: Path) -> None:
    def write(number: int) -> None:
        for _ in range(5):
            write_netcdf(chart_map(), tmp_path / f"{number}.nc")

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(write, range(3)))
    for number in range(3):
        assert read_netcdf(tmp_path / f"{number}.nc").scene == chart_map().scene


def test_numbers_are_written_as_they_are(tmp_path: Path) -> None:
    plane = np.array([[0, 250, 255]], np.uint8)
    attributes = {"scale_factor": np.float32(0.004), "units": "1", "long_name": "größe"}
    with written_whole(tmp_path / "a.nc", "map") as file:
        add_dimensions(file, {"y": 1, "x": 3})
        add_variable(file, "p", ("y", "x"), plane, attributes, level=4, fill=255)
    with netCDF4.Dataset(tmp_path / "a.nc") as dataset:
        assert dataset["p"].ncattrs() == ["_FillValue", *attributes]
        assert dataset["p"].long_name == "größe"
        assert dataset["p"].filters() == deflated(level=4)
        np.testing.assert_allclose(dataset["p"][:].filled(np.nan), [[0, 1, np.nan]])
        dataset.set_auto_maskandscale(False)
        np.testing.assert_array_equal(dataset["p"][:], plane)


def test_a_plane_is_written_as_it_was_when_it_was_added(tmp_path: Path) -> None:
    plane = np.full((600, 5), 3, np.uint8)
    with written_whole(tmp_path / "a.nc", "map") as file:
        add_dimensions(file, {"y": 600, "x": 5})
        add_plane(file, "p", plane, {})
        plane[:] = 4
    with h5py.File(tmp_path / "a.nc") as written:
        assert (written["p"][()] == 3).all()


def test_planes_are_bytes(tmp_path: Path) -> None:
    with written_whole(tmp_path / "a.nc", "map") as file:
        add_dimensions(file, {"y": 2, "x": 2})
        with pytest.raises(TypeError, match=r"'p' must be bytes \(uint8\), got int16"):
            add_plane(file, "p", np.zeros((2, 2), np.int16), {})


@pytest.mark.parametrize("n_rows", [1, 511, 512, 513, 1500])
def test_planes_of_any_height_are_read_back_by_others(tmp_path: Path, n_rows: int) -> None:
    rng = np.random.default_rng(n_rows)
    planes = {
        "noise": rng.integers(0, 256, (n_rows, 7)).astype(np.uint8),
        "blocks": np.repeat(rng.integers(0, 3, (n_rows, 1)), 7, axis=1).astype(np.uint8),
        "turned": np.asfortranarray(rng.integers(0, 3, (n_rows, 7)).astype(np.uint8)),
    }
    with written_whole(tmp_path / "a.nc", "map") as file:
        add_dimensions(file, {"y": n_rows, "x": 7})
        for name, plane in planes.items():
            add_plane(file, name, plane, {"long_name": name}, fill=255)
    with (
        netCDF4.Dataset(tmp_path / "a.nc") as by_netcdf,
        h5py.File(tmp_path / "a.nc") as by_h5py,
    ):
        by_netcdf.set_auto_mask(False)
        for name, plane in planes.items():
            assert by_netcdf[name].filters() == deflated(level=4)
            assert by_netcdf[name].long_name == name
            np.testing.assert_array_equal(by_netcdf[name][:], plane)
            np.testing.assert_array_equal(by_h5py[name][()], plane)
            np.testing.assert_array_equal(read_bytes(by_h5py[name]), plane)


def deflated(level: int) -> dict[str, object]:
    off = ("szip", "zstd", "bzip2", "blosc", "shuffle", "fletcher32")
    return {"zlib": True, "complevel": level, **dict.fromkeys(off, False)}


def test_texts_are_characters_even_if_they_are_not_ascii(tmp_path: Path) -> None:
    """NCO and CDO cannot append to strings, which the classic formats do not have."""
    path = tmp_path / "map.nc"
    said = replace(chart_map().provenance, run="Grønland/Qaanaaq", store="")
    write_netcdf(replace(chart_map(), provenance=said), path)
    with h5py.File(path) as file:
        texts = {
            f"{name}:{attribute}": values.attrs.get_id(attribute)
            for name, values in {"": file, **file}.items()
            for attribute in values.attrs
            if h5py.check_string_dtype(values.attrs.get_id(attribute).dtype)
        }
        assert {":run", ":history", "latitude:units", "class_sod:comment"} <= {*texts}
        for name, stored in texts.items():
            kind = stored.get_type()
            assert not kind.is_variable_str(), name
            assert stored.shape == (), name
    assert read_netcdf(path).provenance == said
    with xr.open_dataset(path) as dataset:
        assert dataset.attrs["run"] == "Grønland/Qaanaaq"

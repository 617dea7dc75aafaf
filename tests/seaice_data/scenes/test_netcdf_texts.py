"""Texts are read as netCDF4 and xarray read them, however they are stored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest
import xarray as xr

from seaice_data.errors import SceneError
from seaice_data.preparation.prepare import prepare
from seaice_data.scenes.netcdf import NetcdfFile
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.synthetic.plan import ScenePlan, plan_scenes
from seaice_data.synthetic.scene import write_scene

ROWS = ["poly_id;CT;POLY_TYPE", "7;92;I", "", "12; 5;Wåsser"]


def test_attributes_of_the_netcdf_library_are_read(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.characters = "20190623T202730_dmi_prep.nc"
        file.setncattr_string("string", "Qaanaaq, Grønland")
        file.setncattr_string("strings", ["one", "two"])
        file.setncattr("empty", "")
        file.number = 7
    with netCDF4.Dataset(path) as judge:
        judged = {name: judge.getncattr(name) for name in judge.ncattrs()}
    file = NetcdfFile(path)
    assert file.text("characters") == judged["characters"] == "20190623T202730_dmi_prep.nc"
    assert file.text("string") == judged["string"] == "Qaanaaq, Grønland"
    assert file.text("strings") == ", ".join(judged["strings"]) == "one, two"
    assert file.text("empty") == judged["empty"] == ""
    assert file.text("number") == file.text("absent") == ""


def test_attributes_of_hdf5_are_read(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    with h5py.File(path, "w") as file:
        file.attrs["bytes"] = np.bytes_("text")
        file.attrs["list of one"] = np.array(["text"], object)
        file.attrs["list of bytes"] = np.array([b"text", b"more"])
        file.attrs["latin"] = np.array([b"Gr\xf8nland"], h5py.string_dtype())
        file.attrs["nothing"] = h5py.Empty("S4")
        file.attrs["numbers"] = np.arange(3)
    read = NetcdfFile(path).text
    assert read("bytes") == read("list of one") == "text"
    assert read("list of bytes") == "text, more"
    assert read("latin") == "Gr\N{REPLACEMENT CHARACTER}nland"
    assert read("nothing") == read("numbers") == ""


def texts_by_netcdf4(path: Path) -> list[str]:
    with netCDF4.Dataset(path) as file:
        texts = file["codes"][:]
    if texts.ndim == 2:
        texts = netCDF4.chartostring(texts, encoding="utf-8")
    return [str(text) for text in texts]


def write_strings(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("codes", len(ROWS))
        file.createVariable("codes", str, ("codes",))[:] = np.array(ROWS, object)


def write_characters(path: Path, model: Any = "NETCDF4_CLASSIC", **options: Any) -> None:
    with netCDF4.Dataset(path, "w", format=model) as file:
        file.createDimension("codes", len(ROWS))
        file.createDimension("length", 30)
        texts = np.array([row.encode() for row in ROWS], "S30")
        codes = file.createVariable("codes", "S1", ("codes", "length"), **options)
        codes[:] = texts.view("S1").reshape(len(ROWS), 30)


def write_packed(path: Path) -> None:
    write_characters(path, zlib=True, chunksizes=(3, 16))


def convert_classic(path: Path) -> None:
    write_characters(path.with_suffix(".3.nc"), "NETCDF3_CLASSIC")
    with xr.open_dataset(path.with_suffix(".3.nc")) as classic:
        classic.to_netcdf(path, format="NETCDF4")


def write_by_xarray(path: Path) -> None:
    texts = np.array([row.encode() for row in ROWS])
    xr.Dataset({"codes": ("codes", texts)}).to_netcdf(path, format="NETCDF4")


def write_fixed(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["codes"] = np.array([row.encode() for row in ROWS])


@pytest.mark.parametrize(
    "write",
    [
        write_strings,
        write_characters,
        write_packed,
        convert_classic,
        write_by_xarray,
        write_fixed,
    ],
)
def test_lists_of_texts_are_read(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / "file.nc"
    write(path)
    assert NetcdfFile(path).strings("codes") == ROWS
    if write is not write_fixed:  # which netCDF4 does not read
        assert texts_by_netcdf4(path) == ROWS


def test_texts_that_are_not_utf_8_are_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.nc", "w") as file:
        file["codes"] = np.array([b"7;Gr\xf8n", b"8"], h5py.string_dtype())
    texts = NetcdfFile(tmp_path / "file.nc").strings("codes")
    assert texts == ["7;Gr\N{REPLACEMENT CHARACTER}n", "8"]


@pytest.mark.parametrize(
    "values", [np.arange(3), np.full((2, 2), b"ab"), b"text", np.zeros((0, 3), "S1")]
)
def test_what_is_not_a_list_of_texts_is_refused(tmp_path: Path, values: Any) -> None:
    with h5py.File(tmp_path / "file.nc", "w") as file:
        file["codes"] = values
    with pytest.raises(SceneError, match="'codes' is not a list of texts"):
        NetcdfFile(tmp_path / "file.nc").strings("codes")


@pytest.fixture(scope="module")
def plan() -> ScenePlan:
    return plan_scenes(1, 200, 0)[0]


def prepared(folder: Path) -> Any:
    """Prepare the one file of a folder."""
    report = prepare(folder / "raw", str(folder / "store.zarr"), Recipe(ratio=10))
    assert report.failed == ()
    return Store.open(str(folder / "store.zarr")).scene(report.written[0])


def test_a_raw_scene_of_the_classic_model_is_prepared(
    tmp_path: Path, plan: ScenePlan
) -> None:
    (source,) = write_scene(tmp_path, plan, "raw")
    for name in ("new", "classic"):
        (tmp_path / name / "raw").mkdir(parents=True)
    with xr.open_dataset(source) as scene:
        scene["polygon_codes"] = scene["polygon_codes"].astype("S")
        classic = tmp_path / "classic.nc"
        scene.to_netcdf(classic, format="NETCDF3_CLASSIC")
    with xr.open_dataset(classic) as scene:  # as nccopy does
        scene.to_netcdf(tmp_path / "classic" / "raw" / source.name, format="NETCDF4")
    source.rename(tmp_path / "new" / "raw" / source.name)
    expected, got = prepared(tmp_path / "new"), prepared(tmp_path / "classic")
    assert set(np.unique(expected.full_charts())) > {255}
    np.testing.assert_array_equal(got.full_charts(), expected.full_charts())
    np.testing.assert_array_equal(got.inputs, expected.inputs)


def test_a_renamed_scene_is_known_by_its_strings(tmp_path: Path, plan: ScenePlan) -> None:
    (tmp_path / "raw").mkdir()
    source = write_scene(tmp_path, plan, "ready")[0]
    path = source.rename(tmp_path / "raw" / "scene_0001.nc")
    with netCDF4.Dataset(path, "a") as file:
        written = {name: file.getncattr(name) for name in ("scene_id", "original_id")}
        for name, text in written.items():
            file.delncattr(name)
            file.setncattr_string(name, text)
    scene = prepared(tmp_path)
    assert scene.id == written["scene_id"][:19]
    assert scene.attributes["original_name"] == written["original_id"]
    assert scene.attributes["region"]

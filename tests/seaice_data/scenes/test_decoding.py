"""Gaps and packing are read as netCDF4 and xarray read them."""

from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest
import xarray as xr
from support.coded_scenes import write_coded

from seaice_data.errors import SceneError
from seaice_data.preparation.assemble import assemble
from seaice_data.scenes.files import open_scene
from seaice_data.scenes.netcdf import NetcdfFile
from seaice_data.store.prepared_scene import PreparedScene
from seaice_data.store.recipe import Recipe

DEFAULT = netCDF4.default_fillvals
FLOATS = [[-2.5, 0, -9999, 3], [np.nan, DEFAULT["f4"], 1e20, 99]]
WHOLE = [[-2, 0, -99, 3], [100, -32767, 7, -1]]
BYTES = [[0, 1, 255, 3], [100, 127, 128, 254]]
SAR = ("nersc_sar_primary", "nersc_sar_secondary", "sar_incidenceangle")
Case = tuple[str, list[list[float]], dict[str, Any]]
CASES: dict[str, Case] = {
    "nothing said": ("f4", FLOATS, {}),
    "nothing said, double": ("f8", FLOATS, {}),
    "fill is NaN": ("f4", FLOATS, {"_FillValue": np.float32(np.nan)}),
    "fill": ("f4", FLOATS, {"_FillValue": np.float32(-9999)}),
    "missing value": ("f4", FLOATS, {"missing_value": np.float32(-9999)}),
    "missing values": ("f4", FLOATS, {"missing_value": np.float32([-9999, 99])}),
    "both": (
        "f4",
        FLOATS,
        {"_FillValue": np.float32(1e20), "missing_value": np.float32(-9999)},
    ),
    "missing is NaN": ("f4", FLOATS, {"missing_value": np.float32(np.nan)}),
    "missing in double": ("f4", FLOATS, {"missing_value": -9999.0}),
    "valid range": ("f4", FLOATS, {"valid_range": np.float32([-3, 3])}),
    "valid minimum": ("f8", FLOATS, {"valid_min": -3.0}),
    "valid maximum": ("f4", FLOATS, {"valid_max": np.float32(10)}),
    "range wins": (
        "f4",
        FLOATS,
        {"valid_range": np.float32([-3, 50]), "valid_max": np.float32(0)},
    ),
    "whole numbers": ("i2", WHOLE, {}),
    "packed": (
        "i2",
        WHOLE,
        {"_FillValue": np.int16(-99), "scale_factor": 0.25, "add_offset": 3.0},
    ),
    "packed in single precision": (
        "i2",
        WHOLE,
        {"scale_factor": np.float32(0.1), "add_offset": np.float32(270)},
    ),
    "scale alone": ("i4", WHOLE, {"scale_factor": 0.1, "missing_value": np.int32(7)}),
    "offset alone": ("i2", WHOLE, {"add_offset": 0.5}),
    "packed floats": ("f4", FLOATS, {"scale_factor": 2.0, "add_offset": -1.0}),
    "range of packed numbers": (
        "i2",
        WHOLE,
        {"valid_range": np.int16([0, 50]), "scale_factor": 0.5},
    ),
    "range that does not fit": ("i2", WHOLE, {"valid_range": np.array([-0.5, 0.5])}),
    "missing value that does not fit": ("i2", WHOLE, {"missing_value": 1e20}),
    "unsigned": ("i1", np.int8(np.uint8(BYTES)).tolist(), {"_Unsigned": "true"}),
    "unsigned, packed": (
        "i1",
        np.int8(np.uint8(BYTES)).tolist(),
        {"_Unsigned": "true", "_FillValue": np.int8(-1), "scale_factor": 0.5},
    ),
    "unsigned, with a range": (
        "i1",
        np.int8(np.uint8(BYTES)).tolist(),
        {"_Unsigned": "true", "_FillValue": np.int8(3), "valid_range": np.int8([0, -3])},
    ),
    "bytes with a fill": ("u1", BYTES, {"_FillValue": np.uint8(3)}),
}
NOT_OF_XARRAY = {"nothing said", "nothing said, double", "missing value", "missing values"}
NOT_OF_XARRAY |= {"missing is NaN", "missing in double", "packed floats"}  # default fill
NOT_OF_XARRAY |= {name for name in CASES if "range" in name or "valid" in name}
NOT_OF_XARRAY |= {"whole numbers", "packed in single precision", "scale alone"}
NOT_OF_XARRAY |= {"offset alone", "missing value that does not fit"}


def write(path: Path, case: Case, **options: Any) -> None:
    dtype, values, attributes = case
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("y", 2)
        file.createDimension("x", 4)
        fill = {"fill_value": attributes.get("_FillValue")}
        plane = file.createVariable("plane", dtype, ("y", "x"), **fill, **options)
        plane.set_auto_maskandscale(False)
        plane.setncatts({k: v for k, v in attributes.items() if k != "_FillValue"})
        plane[:] = np.array(values, dtype)


def by_netcdf4(path: Path) -> np.ndarray:
    with netCDF4.Dataset(path) as file:
        values = file["plane"][:]
    if not np.ma.is_masked(values):
        return np.asarray(values)
    kind = values.dtype if values.dtype.kind == "f" else np.dtype("f8")
    return values.astype(kind).filled(np.nan)


@pytest.mark.filterwarnings("ignore:WARNING. .* not used since it:UserWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:variable 'plane' has multiple fill values")
@pytest.mark.parametrize("options", [{}, {"zlib": True}], ids=["plain", "deflated"])
@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_other_readers(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    path = tmp_path / "file.nc"
    write(path, CASES[name], **options)
    expected = by_netcdf4(path)
    variable = NetcdfFile(path).variable("plane")
    np.testing.assert_array_equal(variable.read(), expected)
    np.testing.assert_array_equal(variable.rows(slice(1, 2)), expected[1:])
    band = np.empty((2, 4), np.float32)
    variable.read_rows(slice(0, 2), band)
    np.testing.assert_array_equal(band, expected.astype(np.float32))
    if name not in NOT_OF_XARRAY:
        with xr.open_dataset(path) as dataset:
            np.testing.assert_array_equal(dataset["plane"].values, expected)


def test_bytes_have_no_gaps_by_default(tmp_path: Path) -> None:
    write(tmp_path / "file.nc", ("u1", BYTES, {}))
    values = NetcdfFile(tmp_path / "file.nc").variable("plane").read()
    np.testing.assert_array_equal(values, BYTES)


def test_gaps_in_unsigned_bytes_may_be_written_as_they_are_meant(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    attributes = {"_Unsigned": "true", "missing_value": np.int16([255, -2])}
    write(path, ("i1", np.int8(np.uint8(BYTES)).tolist(), attributes))
    expected = np.where(np.isin(BYTES, [254, 255]), np.nan, BYTES)
    np.testing.assert_array_equal(NetcdfFile(path).variable("plane").read(), expected)


def test_a_gap_in_double_precision_is_found_in_single_precision(tmp_path: Path) -> None:
    write(tmp_path / "file.nc", ("f4", FLOATS, {"missing_value": 1e20}))
    values = NetcdfFile(tmp_path / "file.nc").variable("plane").read()
    assert np.isnan(values[1, 2])


@pytest.mark.parametrize("value", ["n/a", h5py.Empty("f4"), [1, 2, 3]])
def test_ranges_that_are_not_two_numbers_are_refused(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "plane.nc"
    with h5py.File(path, "w") as file:
        file["plane"] = np.zeros((2, 2))
        file["plane"].attrs["valid_range"] = value
    with pytest.raises(SceneError, match=r"'valid_range' of 'plane' is .*, not 2 numbers"):
        NetcdfFile(path).variable("plane")


@pytest.mark.parametrize(
    ("name", "value"),
    [("scale_factor", 0.0), ("scale_factor", np.nan), ("add_offset", np.inf)],
)
def test_packing_that_leaves_no_values_is_refused(
    tmp_path: Path, name: str, value: float
) -> None:
    path = tmp_path / "plane.nc"
    with h5py.File(path, "w") as file:
        file["plane"] = np.zeros((2, 2))
        file["plane"].attrs[name] = value
    with pytest.raises(SceneError, match=f"'{name}' of 'plane' is {value}, which leaves"):
        NetcdfFile(path).variable("plane")


def masked_planes() -> dict[str, np.ndarray]:
    """Return SAR and charts of a coded scene with 100 columns that are all fill."""
    rows, columns = np.mgrid[:503, :528]
    sar = ((1 + rows) / 100 - 2, (1 + columns) / 200 - 1, np.full((503, 528), 0.5))
    planes = {name: v.astype(np.float32) for name, v in zip(SAR, sar, strict=True)}
    planes |= {name: ((rows // 7) % 6).astype(np.uint8) for name in ("SIC", "SOD", "FLOE")}
    for values in planes.values():
        values[:, :100] = 0 if values.dtype.kind == "f" else 255
    return planes


def prepared(path: Path, **recipe: Any) -> PreparedScene:
    with open_scene(path) as scene:
        return assemble(scene, Recipe(**recipe))


@pytest.mark.parametrize("dtype", ["int16", "uint8"])
def test_the_fill_of_packed_sar_is_found(tmp_path: Path, dtype: str) -> None:
    path = write_coded(tmp_path, **masked_planes())
    with h5py.File(path, "a") as file:
        for name in SAR:
            file[name].attrs["variable_fill_value"] = np.float32(0)
    expected = prepared(path)
    packed = tmp_path / "packed" / path.name
    packed.parent.mkdir()
    low, n_steps = (-32000, 65000) if dtype == "int16" else (1, 254)
    encoding = {
        name: {
            "dtype": dtype,
            "scale_factor": 7.3 / n_steps,
            "add_offset": -2.0 - low * 7.3 / n_steps,
            "_FillValue": low - 1,
        }
        for name in SAR
    }
    with xr.open_dataset(path) as scene:
        scene.to_netcdf(packed, encoding=encoding)
    with xr.open_dataset(packed) as scene:  # packing has changed the fill value
        assert 0 < abs(float(scene["nersc_sar_primary"][0, 0])) < 0.02
    got = prepared(packed)
    np.testing.assert_array_equal(got.full_flags, expected.full_flags)
    assert (got.full_flags[:500, :100] & 1 == 1).all()
    assert (got.full_flags[:, 100:] & 1 == 0).all()
    step = 7.3 / n_steps
    np.testing.assert_allclose(got.inputs, expected.inputs, rtol=0, atol=0.51 * step + 2e-3)


def test_the_fill_of_sar_in_lossy_chunks_is_found(tmp_path: Path) -> None:
    path = write_coded(tmp_path, **masked_planes())
    expected = prepared(path).full_flags
    with h5py.File(path, "a") as file:
        for name in SAR:
            values = file[name][...]
            values[502, 527] += (
                0.003  # the highest or lowest: others are stored relative to it
            )
            del file[name]
            options = {"chunks": (503, 528), "scaleoffset": 2, "fillvalue": np.nan}
            file.create_dataset(name, data=-values, **options)
    with h5py.File(path) as file:
        assert file[SAR[0]][0, 0] != 0
    np.testing.assert_array_equal(prepared(path).full_flags, expected)


@pytest.mark.parametrize(
    ("attributes", "gap"),
    [
        ({}, DEFAULT["f4"]),
        ({"missing_value": np.float32(-9999)}, -9999),
        ({"missing_value": np.float32([-9999, -8888])}, -8888),
        ({"_FillValue": np.float32(-9999)}, -9999),
        ({"valid_range": np.float32([-20, 20])}, -9999),
    ],
)
def test_gaps_in_scenes_are_fill(
    tmp_path: Path, attributes: dict[str, Any], gap: float
) -> None:
    path = write_coded(tmp_path)
    names = (*SAR, "distance_map", "t2m")
    expected, got = path.with_name("20190314T101831_cis_prep.nc"), path
    expected.write_bytes(path.read_bytes())
    for target, value in ((expected, np.nan), (got, gap)):
        with h5py.File(target, "a") as file:
            for name in names:
                values = file[name][...]
                values[3:6, 4:9] = value
                file[name][...] = values
                file[name].attrs.update(attributes if target == got else {})
    for recipe in ({"dtype": "float32"}, {"dtype": "float32", "sar": "nearest"}):
        ours, whole = prepared(got, **recipe), prepared(expected, **recipe)
        np.testing.assert_array_equal(ours.inputs, whole.inputs)
        np.testing.assert_array_equal(ours.full_flags, whole.full_flags)
        assert (ours.full_flags[3:6, 4:9] & 1 == 1).all()


@pytest.mark.parametrize(
    ("dtype", "fill", "attributes"),
    [
        ("u1", 255, {"_FillValue": np.uint8(255)}),
        ("u1", 99, {"_FillValue": np.uint8(99)}),
        ("u1", 254, {"valid_range": np.uint8([0, 10])}),
        ("i1", -1, {"_Unsigned": "true"}),
        ("i2", -32767, {}),
        ("i2", -1, {"missing_value": np.int16(-1)}),
        ("f4", DEFAULT["f4"], {}),
    ],
)
def test_gaps_in_charts_are_fill(
    tmp_path: Path, dtype: str, fill: float, attributes: dict[str, Any]
) -> None:
    path = write_coded(tmp_path)
    expected = prepared(path).full_charts
    expected[0, 3:60, 4:90] = 255
    with h5py.File(path, "a") as file:
        classes = file["SIC"][...].astype(dtype)
        classes[3:60, 4:90] = fill
        del file["SIC"]
        file["SIC"] = classes
        file["SIC"].attrs.update(attributes)
    np.testing.assert_array_equal(prepared(path).full_charts, expected)

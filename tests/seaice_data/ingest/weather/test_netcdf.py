from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
from support.weather_files import NOON, UNITS, Analysis, frame_of, write_netcdf

from seaice_data.errors import SceneError
from seaice_data.ingest.era5 import read_era5
from seaice_data.ingest.weather.layers import Layer
from seaice_data.ingest.weather.netcdf import WeatherNetcdf

T2M = Analysis(fields={"t2m": [[270.0, 271], [272, 273]]})
ALL = slice(0, 2)


def layers_of(path: Path) -> tuple[Layer, ...]:
    with closing(WeatherNetcdf(path, path.name)) as file:
        return file.layers()


def values_of(path: Path, number: int = 0) -> list[list[float]]:
    with closing(WeatherNetcdf(path, path.name)) as file:
        values: list[list[float]] = file.layers()[number].read(ALL, ALL).tolist()
        return values


@pytest.mark.parametrize("style", ["time", "valid_time"])
@pytest.mark.parametrize("format", ["NETCDF4", "NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET"])
@pytest.mark.parametrize("axes", [("latitude", "longitude"), ("lat", "lon"), ("y", "x")])
def test_files_of_any_age_say_the_same(
    style: Any,
    format: str,  # noqa: A002 - as netCDF4 calls it
    axes: tuple[str, str],
    tmp_path: Path,
) -> None:
    times = [NOON, NOON + timedelta(hours=1)]
    path = tmp_path / "era5.nc"
    write_netcdf(path, replace(T2M, times=times), style=style, format=format, axes=axes)
    found = layers_of(path)
    assert [layer.time_s for layer in found] == [time.timestamp() for time in times]
    assert {(layer.field, layer.version, layer.file) for layer in found} == {
        ("t2m", None, "era5.nc")
    }
    assert values_of(path, 1) == [[270, 271], [272, 273]]


@pytest.mark.parametrize(
    ("name", "attributes", "field"),
    [
        ("2t", {}, "t2m"),
        ("T2M", {}, "t2m"),
        ("VAR_2T", {"GRIB_paramId": np.int64(167)}, "t2m"),
        ("a", {"long_name": "2 metre temperature"}, "t2m"),
        ("tas2m", {"long_name": "Air at 2 m", "standard_name": "air_temperature"}, "t2m"),
        ("t", {"long_name": "air at 500 hPa", "standard_name": "air_temperature"}, None),
        ("a", {"long_name": "Skin temperature"}, "skt"),
        ("a", {"standard_name": "surface_temperature"}, "skt"),
        ("t2m", {"GRIB_paramId": np.int64(130)}, None),
        ("t100m", {}, None),
    ],
)
def test_fields_are_known_by_their_names(
    name: str, attributes: dict[str, Any], field: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "era5.nc"
    write_netcdf(path, T2M, names={"t2m": name}, attributes={"t2m": attributes})
    assert [layer.field for layer in layers_of(path)] == [field] * (field is not None)


@pytest.mark.parametrize(
    ("name", "long_name", "standard_name", "units"),
    [
        ("10u", "", "", "m s**-1"),
        ("x", "10 metre U wind component", "unknown", "m s-1"),
        ("wind", "wind at 10 m", "eastward_wind", "m/s"),
    ],
)
def test_names_of_the_wind(
    name: str, long_name: str, standard_name: str, units: str, tmp_path: Path
) -> None:
    about = {"long_name": long_name, "standard_name": standard_name, "units": units}
    u10 = Analysis(fields={"u10": 4.0})
    path = tmp_path / "era5.nc"
    write_netcdf(path, u10, names={"u10": name}, attributes={"u10": about})
    assert [layer.field for layer in layers_of(path)] == ["u10"]
    about["long_name"] = "100 metre U wind component"
    write_netcdf(path, u10, names={"u10": "u100"}, attributes={"u10": about})
    assert layers_of(path) == ()


def test_names_of_column_water(tmp_path: Path) -> None:
    water = Analysis(fields={"tcwv": 8.0, "tclw": 0.1})
    names = {"tcwv": "a", "tclw": "b"}
    content = "atmosphere_mass_content_of_"
    for vapour, liquid in (
        (
            {"long_name": "Total column vertically-integrated water vapour"},
            {"long_name": "Total column cloud liquid water"},
        ),
        (
            {"standard_name": content + "water_vapor"},
            {"standard_name": content + "cloud_liquid_water"},
        ),
    ):
        path = tmp_path / "era5.nc"
        attributes = {"tcwv": vapour, "tclw": liquid}
        write_netcdf(path, water, names=names, attributes=attributes)
        assert [layer.field for layer in layers_of(path)] == ["tcwv", "tclw"]


def test_packed_numbers_are_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "era5.nc"
    packing = {"scale_factor": 0.5, "add_offset": 270.0, "_FillValue": np.int16(-32767)}
    analysis = replace(T2M, fields={"t2m": [[270.0, np.nan], [272, 273.5]]})
    write_netcdf(path, analysis, attributes={"t2m": packing}, dtype="i2")
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        assert file["t2m"][0].tolist() == [[0, -32767], [4, 7]]
    np.testing.assert_array_equal(values_of(path), [[270, np.nan], [272, 273.5]])


def test_celsius_becomes_kelvin_and_other_units_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "era5.nc"
    write_netcdf(path, T2M, attributes={"t2m": {"units": "degC"}})
    assert values_of(path)[0][0] == 270 + 273.15
    write_netcdf(path, T2M, attributes={"t2m": {"units": "degF"}})
    with pytest.raises(SceneError, match=r"era5\.nc': 't2m' is in 'degF', not in kelvin"):
        layers_of(path)


def with_version_axis(path: Path) -> Path:
    """Write two hours: the first of ERA5, the second preliminary."""
    with netCDF4.Dataset(path, "w") as file:
        times = [NOON, NOON + timedelta(hours=1)]
        write_netcdf(path.with_name("plain.nc"), replace(T2M, times=times), style="time")
        with netCDF4.Dataset(path.with_name("plain.nc")) as plain:
            for name, dimension in plain.dimensions.items():
                file.createDimension(name, len(dimension))
                axis = file.createVariable(name, plain[name].dtype, (name,))
                axis.units = plain[name].units
                axis[:] = plain[name][:]
        file.createDimension("expver", 2)
        file.createVariable("expver", "i4", ("expver",))[:] = np.array([1, 5])
        dimensions = ("time", "expver", "latitude", "longitude")
        t2m = file.createVariable("t2m", "f4", dimensions, fill_value=-1)
        t2m[0, 0], t2m[1, 1] = 260.0, 270.0
    return path


def test_an_axis_of_versions_is_joined(tmp_path: Path) -> None:
    path = with_version_axis(tmp_path / "era5.nc")
    frame = frame_of(middle=NOON + timedelta(minutes=30))
    found = read_era5(path, frame)
    np.testing.assert_allclose(found.fields["t2m"], 265)
    assert found.attributes["expver"] == "0001, 0005"
    assert read_era5(path, frame_of()).attributes["expver"] == "0001"


@pytest.mark.parametrize("kind", ["texts", "characters", "numbers", "one"])
def test_a_version_for_each_time(kind: str, tmp_path: Path) -> None:
    times = [NOON, NOON + timedelta(hours=1)]
    path = write_netcdf(tmp_path / "era5.nc", replace(T2M, times=times))
    with netCDF4.Dataset(path, "a") as file:
        if kind == "texts":
            expver = file.createVariable("expver", str, ("valid_time",))
            expver[:] = np.array(["0001", "0005"], dtype=object)
        elif kind == "characters":
            file.createDimension("width", 4)
            expver = file.createVariable("expver", "S1", ("valid_time", "width"))
            expver[:] = np.array([[*"0001"], [*"0005"]], "S1")
        elif kind == "numbers":
            file.createVariable("expver", "i8", ("valid_time",))[:] = np.array([1, 5])
        else:
            file.createVariable("expver", str)[...] = "0001"
    expected = [1, 1] if kind == "one" else [1, 5]
    assert [layer.version for layer in layers_of(path)] == expected


def test_single_values_beside_the_field_are_ignored(tmp_path: Path) -> None:
    path = write_netcdf(tmp_path / "era5.nc", T2M)
    with netCDF4.Dataset(path, "a") as file:
        for name in ("number", "step", "surface", "heightAboveGround"):
            file.createVariable(name, "f8")[...] = 0
    assert values_of(path) == [[270, 271], [272, 273]]


def test_axes_may_be_in_any_order_and_single(tmp_path: Path) -> None:
    path = tmp_path / "era5.nc"
    with netCDF4.Dataset(path, "w") as file:
        for name, values, units in (
            ("lon", [9.0, 12.0], "degrees_east"),
            ("number", [0.0], "1"),
            ("lat", [72.0, 69.0], "degrees_north"),
        ):
            file.createDimension(name, len(values))
            axis = file.createVariable(name, "f8", (name,))
            axis.units, axis[:] = units, np.array(values)
        # A single time is not an axis; a forecast began earlier.
        for name, hours in (("time", 6), ("valid_time", 12)):
            time = file.createVariable(name, "f8")
            time.units, time[...] = "hours since 2020-03-01", hours
        t2m = file.createVariable("t2m", "f4", ("number", "lon", "lat"))
        t2m[0] = np.array([[270.0, 272], [271, 273]])
    assert values_of(path) == [[270, 271], [272, 273]]
    assert layers_of(path)[0].time_s == NOON.timestamp()


def test_members_of_an_ensemble_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "era5.nc"
    with netCDF4.Dataset(write_netcdf(path, T2M), "a") as file:
        file.createDimension("number", 10)
        dimensions = ("number", "valid_time", "latitude", "longitude")
        file.createVariable("skt", "f4", dimensions)
    with pytest.raises(SceneError, match="'skt' has an axis 'number' of 10 values"):
        layers_of(path)


def test_a_grid_that_is_not_regular_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "era5.nc"
    with netCDF4.Dataset(path, "w") as file:
        for name in ("row", "column"):
            file.createDimension(name, 2)
        for name, units in (("latitude", "degrees_north"), ("longitude", "degrees_east")):
            file.createVariable(name, "f8", ("row", "column")).units = units
        file.createVariable("t2m", "f4", ("row", "column"))
    with pytest.raises(SceneError, match="'t2m' has an axis 'row' of 2 values"):
        layers_of(path)
    write_netcdf(path, replace(T2M, latitude=[70.0, 70.0]))
    with pytest.raises(SceneError, match=r"era5\.nc': latitudes neither rise nor fall"):
        layers_of(path)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"units": "hours"}, "'t2m' does not say for which time it is"),
        ({"units": "moons since 1970-01-01"}, "'valid_time' in 'moons since 1970-01-01'"),
        ({"calendar": "360_day"}, "'valid_time' in 'seconds since 1970-01-01'"),
    ],
)
def test_times_that_cannot_be_understood(
    attributes: dict[str, str], reason: str, tmp_path: Path
) -> None:
    path = write_netcdf(tmp_path / "era5.nc", T2M)
    with netCDF4.Dataset(path, "a") as file:
        file["valid_time"].setncatts(attributes)
    with pytest.raises(SceneError, match=reason):
        layers_of(path)


@pytest.mark.parametrize("value", ["text", [1.0, 2.0], np.inf])
def test_packing_that_is_not_a_number_is_refused(value: Any, tmp_path: Path) -> None:
    path = write_netcdf(tmp_path / "era5.nc", T2M)
    with netCDF4.Dataset(path, "a") as file:
        file["t2m"].scale_factor = value
    with pytest.raises(SceneError, match="'scale_factor' of 't2m' is"):
        layers_of(path)


def test_text_under_the_name_of_a_field_is_not_the_field(tmp_path: Path) -> None:
    path = write_netcdf(tmp_path / "era5.nc", replace(T2M, fields={}))
    with netCDF4.Dataset(path, "a") as file:
        file.createVariable("t2m", "S1", ("latitude", "longitude"))
        file.createVariable("skt", "f4")
    assert layers_of(path) == ()
    assert set(UNITS) > {"t2m", "skt"}

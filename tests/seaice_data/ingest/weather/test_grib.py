from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import eccodes
import numpy as np
import pytest
from support.weather_files import NOON, UNITS, Analysis, grib_messages, write_grib

from seaice_data.errors import SceneError
from seaice_data.ingest.weather.grib import WeatherGrib
from seaice_data.ingest.weather.layers import Layer

VALUES = [[270.0, 271, 272], [273, 274, 275]]
T2M = Analysis(longitude=[9.0, 10, 11], fields={"t2m": VALUES})
EDITIONS = pytest.mark.parametrize("edition", [1, 2])


def layers_of(path: Path) -> tuple[Layer, ...]:
    with closing(WeatherGrib(path, path.name)) as file:
        return file.layers()


def values_of(path: Path) -> Any:
    with closing(WeatherGrib(path, path.name)) as file:
        return file.layers()[0].read(slice(0, 2), slice(0, 3))


@EDITIONS
def test_all_fields_are_known_in_both_editions(edition: int, tmp_path: Path) -> None:
    times = [NOON, NOON + timedelta(hours=13)]
    path = write_grib(tmp_path / "era5.grib", Analysis(times=times), edition=edition)
    found = layers_of(path)
    assert [(layer.field, layer.time_s) for layer in found] == [
        (name, time.timestamp()) for time in times for name in UNITS
    ]
    assert len({layer.grid for layer in found}) == 1
    assert {layer.file for layer in found} == {"era5.grib"}


@EDITIONS
def test_kelvin_stays_kelvin(edition: int, tmp_path: Path) -> None:
    path = write_grib(tmp_path / "era5.grib", T2M, edition=edition)
    np.testing.assert_allclose(values_of(path), VALUES, atol=1e-4)


@EDITIONS
@pytest.mark.parametrize("rises", [False, True])
def test_rows_in_either_order(edition: int, rises: bool, tmp_path: Path) -> None:
    step = -1 if rises else 1
    analysis = replace(T2M, latitude=T2M.latitude[::step], fields={"t2m": VALUES[::step]})
    path = write_grib(tmp_path / "era5.grib", analysis, edition=edition)
    with closing(WeatherGrib(path, path.name)) as file:
        layer = file.layers()[0]
        corners = layer.grid.corners(np.array([[72.0, 69.0]]), np.array([[9.0, 10.5]]))
        found = corners.interpolate(layer.read)
    np.testing.assert_allclose(found, [[270, 274.5]], atol=1e-4)


@EDITIONS
def test_columns_before_rows(edition: int, tmp_path: Path) -> None:
    analysis = replace(
        T2M, fields={"t2m": np.array(VALUES).T.reshape(2, 3)}
    )  # as they are in the file
    keys = {"jPointsAreConsecutive": 1}
    path = write_grib(tmp_path / "era5.grib", analysis, edition=edition, keys=keys)
    np.testing.assert_allclose(values_of(path), VALUES, atol=1e-4)


@EDITIONS
def test_longitudes_across_greenwich(edition: int, tmp_path: Path) -> None:
    analysis = replace(T2M, longitude=[-1.0, 0.0, 1.0])
    path = write_grib(tmp_path / "era5.grib", analysis, edition=edition)
    assert layers_of(path)[0].grid.extent == "69 to 72 north, -1 to 1 east"


@EDITIONS
def test_points_without_a_value_are_nan(edition: int, tmp_path: Path) -> None:
    gap = replace(T2M, fields={"t2m": [[np.nan, 271, 272], [273, 274, 275]]})
    path = write_grib(tmp_path / "era5.grib", gap, edition=edition)
    np.testing.assert_allclose(
        values_of(path), [[np.nan, 271, 272], [273, 274, 275]], atol=1e-4
    )


def test_other_fields_and_members_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "era5.grib"
    spread = grib_messages(T2M, keys={"dataType": "es"})
    rain = grib_messages(T2M, keys={"paramId": 228})
    field = grib_messages(T2M, keys={"expver": "0005"})
    path.write_bytes(b"".join([*spread, *rain, *field]))
    assert [(layer.field, layer.version) for layer in layers_of(path)] == [("t2m", 5)]


def test_the_wind_of_a_forecast_is_for_its_time(tmp_path: Path) -> None:
    keys = {"stepUnits": "h", "startStep": 3, "endStep": 3}
    path = write_grib(tmp_path / "era5.grib", T2M, keys=keys)
    assert layers_of(path)[0].time_s == (NOON + timedelta(hours=3)).timestamp()


@EDITIONS
@pytest.mark.parametrize("n_cut", [1, 60, 200])
def test_an_incomplete_last_message_is_noticed(
    edition: int, n_cut: int, tmp_path: Path
) -> None:
    whole = b"".join(grib_messages(Analysis(), edition=edition))
    path = tmp_path / "era5.grib"
    path.write_bytes(whole[:-n_cut])
    with pytest.raises(SceneError, match=r"era5\.grib': the last message is inc") as caught:
        layers_of(path)
    assert caught.value.hint == "the file is truncated; fetch it again"


def test_padding_between_messages_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "era5.grib"
    path.write_bytes(b"".join(part + bytes(37) for part in grib_messages(Analysis())))
    assert len(layers_of(path)) == len(UNITS)


def test_grids_that_are_not_regular_are_refused(tmp_path: Path) -> None:
    handle = eccodes.codes_grib_new_from_samples("reduced_gg_sfc_grib1")
    eccodes.codes_set(handle, "paramId", 167)
    path = tmp_path / "era5.grib"
    path.write_bytes(eccodes.codes_get_message(handle))
    eccodes.codes_release(handle)
    with pytest.raises(SceneError, match="'t2m' is on a grid of type 'reduced_gg'"):
        layers_of(path)
    write_grib(path, T2M, keys={"alternativeRowScanning": 1}, edition=2)
    with pytest.raises(SceneError, match="'t2m' has rows in alternating order"):
        layers_of(path)


def test_a_regular_gaussian_grid_has_its_own_latitudes(tmp_path: Path) -> None:
    handle = eccodes.codes_grib_new_from_samples("regular_gg_sfc_grib1")
    eccodes.codes_set(handle, "paramId", 167)
    expected = np.sort(eccodes.codes_get_array(handle, "distinctLatitudes"))
    path = tmp_path / "era5.grib"
    path.write_bytes(eccodes.codes_get_message(handle))
    eccodes.codes_release(handle)
    grid = layers_of(path)[0].grid
    found, _ = grid.points(np.arange(grid.n_rows), np.arange(2))
    np.testing.assert_allclose(found, expected)
    assert grid.covers(np.array([90.0, -90.0]), np.array([0.0, 0.0]))

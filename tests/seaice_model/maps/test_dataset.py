from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from support.chart_maps import GRID, chart_map, decision
from support.swaths import distance_m, swath, vectors

from seaice_data.charts import CHARTS
from seaice_model import open_map
from seaice_model.errors import MapError
from seaice_model.maps.netcdf import write_netcdf


@pytest.fixture
def ice(tmp_path: Path) -> xr.Dataset:
    write_netcdf(chart_map(), tmp_path / "map.nc")
    return open_map(tmp_path / "map.nc")


def test_charts_are_numbers_and_nan(ice: xr.Dataset) -> None:
    expected = chart_map().charts.astype(np.float32)
    expected[:, 1, 2] = np.nan
    np.testing.assert_array_equal(ice.SIC, expected[0] * 10)
    np.testing.assert_array_equal(ice.SOD, expected[1])
    np.testing.assert_array_equal(ice.FLOE, expected[2])
    assert ice.SIC.attrs["units"] == "%"
    assert 0 <= float(ice.SIC.mean()) <= 100
    assert ice.status_flag.values[1, 2] == 2
    names = dict(zip(ice.SOD.flag_values, ice.SOD.flag_meanings.split(), strict=True))
    assert names[5] == "old_ice"


def test_uncertainty_is_at_every_pixel(ice: xr.Dataset) -> None:
    expected = decision()
    for chart in CHARTS:
        entropy = ice[f"entropy_{chart.name.lower()}"]
        assert entropy.dims == ("y", "x")
        np.testing.assert_array_equal(
            entropy[35, 71], expected.entropy_of(chart.name)[3, 7]
        )
    spread = expected.spread_percent()
    assert spread is not None
    np.testing.assert_array_equal(ice.concentration_spread[59, 0], spread[5, 0])
    probabilities = expected.probabilities_of("SOD")
    assert probabilities is not None
    old_ice = ice.probability_sod.sel(sod_class=5)
    np.testing.assert_array_equal(old_ice[35, 71], probabilities[5, 3, 7])


def test_a_map_without_a_decision_has_charts_and_places() -> None:
    bare = replace(chart_map(), decision=None).to_xarray()
    assert {*bare.data_vars} == {"SIC", "SOD", "FLOE", "status_flag"}
    assert {*bare.coords} == {"y", "x", "time", "latitude", "longitude"}
    assert bare.time.values == np.datetime64("2018-06-07T18:43:26")


def test_latitude_and_longitude_are_those_of_the_swath() -> None:
    points = swath(89.99, 40.0, GRID)
    ice = replace(chart_map(), tie_points=points).to_xarray()
    every = swath(89.99, 40.0, GRID, n_points=GRID.shape)
    found = vectors(ice.latitude.values, ice.longitude.values)
    assert distance_m(found, vectors(every.latitude, every.longitude)).max() < 1


def test_a_dataset_survives_netcdf_as_bytes(ice: xr.Dataset, tmp_path: Path) -> None:
    ice.to_netcdf(tmp_path / "again.nc")
    with xr.open_dataset(tmp_path / "again.nc", mask_and_scale=False) as raw:
        assert {raw[name].dtype for name in ("SIC", "SOD", "entropy_sod")} == {
            np.dtype(np.uint8)
        }
    with xr.open_dataset(tmp_path / "again.nc") as again:
        assert "latitude" in again.SIC.coords
        xr.testing.assert_allclose(again.astype(float), ice.astype(float))


def test_a_file_that_is_not_a_map_is_refused(ice: xr.Dataset, tmp_path: Path) -> None:
    ice.to_netcdf(tmp_path / "again.nc")
    with pytest.raises(MapError, match="is not a map of seaice"):
        open_map(tmp_path / "again.nc")

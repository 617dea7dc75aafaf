"""Grids follow CF, and GDAL and xarray place them where GeoTIFF is."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from support.compliance import check_cf, faults_in
from support.service_maps import map_at

from seaice_model.errors import MapError
from seaice_model.formats.geotiff import write_geotiff
from seaice_model.formats.projected_grid import _grid_mapping, write_grid


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_grid_is_where_the_geotiff_is(tmp_path: Path) -> None:
    scene = map_at(75, -60)
    write_grid(scene, tmp_path / "grid.nc", crs="EPSG:3413", spacing_m=800)
    sic, sod, _ = write_geotiff(scene, tmp_path, crs="EPSG:3413", spacing_m=800)[:3]
    with rasterio.open(sod) as file, rasterio.open(sic) as percent:
        expected, transform, in_percent = file.read(1), file.transform, percent.read(1)
    with rasterio.open(f"netcdf:{tmp_path / 'grid.nc'}:stage_of_development") as file:
        assert file.crs.to_epsg() == 3413
        assert file.transform.almost_equals(transform)
        found = file.read(1)
    np.testing.assert_array_equal(found, np.where(expected == 254, 255, expected))
    with xr.open_dataset(tmp_path / "grid.nc") as dataset:
        concentration = dataset.sea_ice_area_fraction
        assert np.nanmax(concentration) == 100
        assert int(concentration.isnull().sum()) == (in_percent >= 254).sum()
        assert float(dataset.x[0]) == transform.c + 400
        assert float(dataset.y[0]) == transform.f - 400
        assert set(
            np.unique(dataset.entropy_sod.values[~np.isnan(dataset.entropy_sod)])
        ) == {np.float32(0.2)}
        assert dataset.attrs["comment"].startswith("Not an official ice chart")


def test_a_grid_follows_the_cf_conventions(tmp_path: Path) -> None:
    write_grid(map_at(75, -60), tmp_path / "grid.nc", crs="EPSG:3995", spacing_m=2000)
    assert faults_in(check_cf(tmp_path / "grid.nc")) == []


@pytest.mark.parametrize(("crs", "pole"), [("EPSG:3031", -90), ("EPSG:3413", 90)])
def test_a_polar_grid_names_its_pole(crs: str, pole: int) -> None:
    assert _grid_mapping(crs)["latitude_of_projection_origin"] == pole


def test_a_projection_without_a_name_in_cf_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MapError, match="the CF conventions have no name for"):
        write_grid(map_at(75, -60), tmp_path / "grid.nc", crs="+proj=airy +lat_0=90")
    assert list(tmp_path.iterdir()) == []

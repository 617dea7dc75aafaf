"""Scenes of a store, written as netCDF, pass the compliance checker for CF."""

from pathlib import Path

import pytest
import xarray as xr
from support.compliance import check_cf, faults_in

from seaice_data.store.store import Store


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_compliance_checker_finds_no_fault_in_a_scene(
    store_path: str, tmp_path: Path
) -> None:
    path = tmp_path / "scene.nc"
    store = Store.open(store_path)
    scene = store.scene(store.scenes[0]).to_xarray()
    scene.to_netcdf(path)
    assert faults_in(check_cf(path)) == []
    with xr.open_dataset(path) as again:
        xr.testing.assert_equal(again, scene)

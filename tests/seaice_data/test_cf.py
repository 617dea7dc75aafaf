"""Scenes of a store, written as netCDF, follow the CF conventions: others judge."""

import json
from pathlib import Path

import pytest
import xarray as xr
from compliance_checker.runner import CheckSuite, ComplianceChecker

from seaice_data.store import Store

UNSIGNED = "Variable is not of type byte, short, or int as required"
"""Bytes are unsigned, which CF allows since 1.9 (section 2.2, "ubyte"); the checker still
knows the signed ones only where data are packed."""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_compliance_checker_finds_no_fault_in_a_scene(
    store_path: str, tmp_path: Path
) -> None:
    path, report = tmp_path / "scene.nc", tmp_path / "report.json"
    store = Store.open(store_path)
    scene = store.scene(store.scenes[0]).to_xarray()
    scene.to_netcdf(path)
    CheckSuite.load_all_available_checkers()
    ComplianceChecker.run_checker(
        str(path),
        ["cf:1.11"],
        verbose=0,
        criteria="strict",
        output_filename=str(report),
        output_format="json",
    )
    found = json.loads(report.read_text())["cf:1.11"]
    assert found["scored_points"] > 100
    warnings = [
        f"{group['name']}: {message}"
        for priority in ("high", "medium", "low")
        for group in found[f"{priority}_priorities"]
        for message in group["msgs"]
        if not message.startswith(UNSIGNED)
    ]
    assert warnings == []
    with xr.open_dataset(path) as again:
        xr.testing.assert_equal(again, scene)

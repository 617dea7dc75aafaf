"""Maps follow the CF conventions: others judge."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from chart_maps import chart_map, decision
from compliance_checker.runner import CheckSuite, ComplianceChecker

from seaice_model.decision import Decision
from seaice_model.maps import write_netcdf

UNSIGNED = "Variable is not of type byte, short, or int as required"
"""Bytes are unsigned, which CF allows since 1.9 (section 2.2, "ubyte"); the checker still
knows the signed ones only where data are packed."""


@pytest.mark.parametrize(
    "decided", [decision(), replace(decision(), spread=None, probabilities=None), None]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_compliance_checker_finds_no_error(
    tmp_path: Path, decided: Decision | None
) -> None:
    path, report = tmp_path / "map.nc", tmp_path / "report.json"
    write_netcdf(replace(chart_map(), decision=decided), path)
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
    assert found["high_count"] == 0
    warnings = [
        message
        for priority in ("high", "medium", "low")
        for group in found[f"{priority}_priorities"]
        for message in group["msgs"]
        if not message.startswith(UNSIGNED)
    ]
    assert warnings == []

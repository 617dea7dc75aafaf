"""Check netCDF files with the compliance checker for CF."""

import json
from pathlib import Path
from typing import Any

from compliance_checker.runner import CheckSuite, ComplianceChecker

UNSIGNED = "Variable is not of type byte, short, or int as required"
"""Our packed data are unsigned bytes, which CF has allowed since 1.9 (section 2.2,
"ubyte"); the checker still accepts only signed ones."""


def check_cf(path: Path) -> dict[str, Any]:
    """Check a file against CF 1.11; return the report."""
    report = path.with_name("report.json")
    CheckSuite.load_all_available_checkers()
    ComplianceChecker.run_checker(
        str(path),
        ["cf:1.11"],
        verbose=0,
        criteria="strict",
        output_filename=str(report),
        output_format="json",
    )
    found: dict[str, Any] = json.loads(report.read_text())["cf:1.11"]
    assert found["scored_points"] > 100
    return found


def faults_in(found: dict[str, Any]) -> list[str]:
    """Return all messages of a report except `UNSIGNED`."""
    return [
        f"{group['name']}: {message}"
        for priority in ("high", "medium", "low")
        for group in found[f"{priority}_priorities"]
        for message in group["msgs"]
        if not message.startswith(UNSIGNED)
    ]

"""Check netCDF files with the compliance checker for CF."""

import json
import re
from pathlib import Path
from typing import Any

from compliance_checker.runner import CheckSuite, ComplianceChecker

UNSIGNED = "Variable is not of type byte, short, or int as required"
"""Our packed data are unsigned bytes, which CF has allowed since 1.9 (section 2.2,
"ubyte"); the checker still accepts only signed ones."""

NEWER = '§2.6.1 Conventions global attribute does not contain "CF-1.11"'
"""Our files follow CF 1.12."""

NOT_DEGREES = re.compile(r".* variable '(store_)?[xy]' should define valid units for l")
"""CF 4 allows ``axis`` on any horizontal coordinate; the checker takes each for degrees."""


def check_cf(path: Path) -> dict[str, Any]:
    """Check a file against CF 1.11, the last that the checker knows; return the report."""
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
    """Return all messages of a report except those that the constants above explain."""
    return [
        f"{group['name']}: {message}"
        for priority in ("high", "medium", "low")
        for group in found[f"{priority}_priorities"]
        for message in group["msgs"]
        if not message.startswith(UNSIGNED)
        and message != NEWER
        and not NOT_DEGREES.match(message)
    ]

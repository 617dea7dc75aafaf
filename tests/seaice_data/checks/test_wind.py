"""The axes of the wind are found, whichever they are."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.checked_scenes import write_checked

from seaice_data.checks.finding import Finding
from seaice_data.checks.tie_points import measure_placement
from seaice_data.checks.wind import (
    Wind,
    check_axes,
    check_rotation,
    check_sign,
    measure_wind,
)
from seaice_data.scenes.files import open_scene

N = 12


def winds(folder: Path, axes: tuple[str, str], *, is_rotated: bool = True) -> list[Wind]:
    """Return the winds of scenes, every other one descending."""
    found = []
    for number in range(N):
        path = write_checked(
            folder, number, shape=(252, 277), ascending=number % 2 == 0, axes=axes,
            is_rotated=is_rotated,
        )  # fmt: skip
        with open_scene(path) as scene:
            found.append(measure_wind(scene, measure_placement(scene)))
        path.unlink()
    return found


def outcomes(scenes: list[Wind]) -> list[str]:
    checks = check_axes(scenes), check_sign(scenes), check_rotation(scenes)
    return [finding.outcome for finding in checks]


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        (("samples", "lines"), ["holds", "holds", "holds"]),
        (("-samples", "-lines"), ["holds", "does not hold", "holds"]),
        (("lines", "-samples"), ["does not hold", "does not hold", "holds"]),
        (("lines", "samples"), ["does not hold", "does not hold", "does not hold"]),
        (("samples", "-lines"), ["does not hold", "does not hold", "does not hold"]),
    ],
)
def test_axes_and_signs_are_found(
    tmp_path: Path, axes: tuple[str, str], expected: list[str]
) -> None:
    scenes = winds(tmp_path, axes)
    assert outcomes(scenes) == expected
    assert f"so wind_axes = [{', '.join(axes)}]" in check_sign(scenes).evidence


def test_a_wind_that_was_not_rotated_is_found_out(tmp_path: Path) -> None:
    scenes = winds(tmp_path, ("samples", "lines"), is_rotated=False)
    found = check_rotation(scenes)
    assert found.outcome == "does not hold"
    assert (
        "in 6 pairs of scenes that cross, the winds differ by 0% if not" in found.evidence
    )
    assert "so wind_axes" not in check_sign(scenes).evidence
    # Without pairs, ascending and descending scenes tell by their means.
    apart = [
        replace(scenes[k], acquired=datetime(2000 + k, 1, 1, tzinfo=UTC)) for k in range(N)
    ]
    found = check_rotation(apart)
    assert found.outcome == "does not hold"
    assert "of 6 ascending and 6 descending scenes differ by 0." in found.evidence


def test_few_scenes_or_pairs_do_not_decide(tmp_path: Path) -> None:
    scenes = winds(tmp_path, ("samples", "lines"))
    few = scenes[:4]
    findings: list[Finding] = [check_axes(few), check_sign(few), check_rotation(few)]
    assert {finding.outcome for finding in findings} == {"cannot tell"}
    assert "2 pairs of scenes within 12 hours and 300 km" in findings[2].evidence
    # Scenes that fly alike do not cross.
    ascending = scenes[::2] * 2
    for finding in (check_rotation(ascending), check_sign(ascending)):
        assert finding.outcome == "cannot tell"
        assert "12 scenes are ascending, 0 descending; at least 3" in finding.evidence

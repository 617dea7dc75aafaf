"""The axes of the wind are found, whichever they are."""

from pathlib import Path

import pytest
from support.checked_scenes import write_checked

from seaice_data.checks.finding import Finding
from seaice_data.checks.tie_points import measure_placement
from seaice_data.checks.wind import (
    Wind,
    check_axes,
    check_pairs,
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
    checks = check_axes(scenes), check_sign(scenes), check_pairs(scenes)
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
    found = check_pairs(winds(tmp_path, ("samples", "lines"), is_rotated=False))
    assert found.outcome == "does not hold"
    assert "0% if not rotated" in found.evidence


def test_few_scenes_or_pairs_do_not_decide(tmp_path: Path) -> None:
    scenes = winds(tmp_path, ("samples", "lines"))
    few = scenes[:4]
    findings: list[Finding] = [check_axes(few), check_sign(few), check_pairs(few)]
    assert {finding.outcome for finding in findings} == {"cannot tell"}
    assert "2 pairs of scenes within 6 hours and 300 km" in findings[2].evidence
    # Scenes that fly alike do not cross.
    assert check_pairs(scenes[::2]).evidence.startswith("0 pairs")

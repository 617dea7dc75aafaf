"""What is inferred about files holds where it is so, and does not where it is not."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.checked_scenes import LAND, Arrays, write_checked
from support.own_scenes import backscatter, chart, write_own

from seaice_data.checks.check import CheckReport, check_scenes
from seaice_data.checks.finding import Finding
from seaice_data.errors import SceneError

N = 10


def findings(report: CheckReport) -> dict[str, Finding]:
    return {finding.name: finding for finding in report.findings}


def checked(folder: Path, n: int = 2, **changes: Any) -> dict[str, Finding]:
    for number in range(n):
        write_checked(folder, number, ascending=number % 2 == 0, **changes)
    return findings(check_scenes(folder))


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finding]:
    return checked(tmp_path_factory.mktemp("good"), N)


NEEDS_RAW = (
    "positions of tie points",
    "2 x 2 of charts",
    "threshold of dominance",
    "2 x 2 of SAR",
)
"""Checks that ready-to-train files cannot decide alone."""


def test_everything_holds_in_scenes_as_they_should_be(good: dict[str, Finding]) -> None:
    undecided = {*NEEDS_RAW, "means and deviations"}  # no attributes min and max
    outcomes = {name: finding.outcome for name, finding in good.items()}
    expected = {n: "cannot tell" if n in undecided else "holds" for n in outcomes}
    assert outcomes == expected
    assert "wind_axes = [samples, lines]" in good["sign of the wind"].evidence


def test_the_page_lists_every_check(good: dict[str, Finding]) -> None:
    page = (Path(__file__).parents[3] / "docs" / "unchecked.md").read_text()
    table = re.findall(r"^\| ([^|]*) \|", page, re.MULTILINE)
    assert table == ["check", *good]


# ---- 2 km cells


@pytest.mark.parametrize("shift", [-12, 12])
def test_cells_measured_at_a_corner_are_found_out(tmp_path: Path, shift: float) -> None:
    found = checked(tmp_path, 6, shift=shift)["2 km registration"]
    assert found.outcome == "does not hold"
    measured = [float(word) for word in found.evidence.split() if word[0] in "+-"]
    np.testing.assert_allclose(measured, shift * 0.08, atol=0.2)


def test_few_scenes_do_not_decide_where_cells_are(tmp_path: Path) -> None:
    found = checked(tmp_path, 2)["2 km registration"]
    assert found.outcome == "cannot tell"
    assert found.evidence.startswith("2 of 2 scenes have edges")


def test_cells_beyond_the_whole_ones_are_found_out(tmp_path: Path) -> None:
    def one_more(arrays: Arrays) -> None:
        for name, values in arrays.items():
            if values.shape == (24, 25):
                arrays[name] = np.pad(values, ((0, 1), (0, 0)), mode="edge")

    found = checked(tmp_path, alter=one_more)["2 km grid"]
    assert found.outcome == "does not hold"
    assert "(25, 25) cells where (24, 25) fit" in found.evidence


# ---- tie points


def evenly(n_pixels: int) -> np.ndarray:
    return np.linspace(-0.25, n_pixels - 0.75, 21)


def test_even_tie_points_are_found_out(tmp_path: Path) -> None:
    found = checked(tmp_path, positions=evenly)
    assert found["last interval of tie points"].outcome == "does not hold"


def swapped(arrays: Arrays) -> None:
    for name in ("sar_grid2d_latitude", "sar_grid2d_longitude"):
        arrays[name] = arrays[name].T


def upside_down(arrays: Arrays) -> None:
    for name in ("sar_grid2d_latitude", "sar_grid2d_longitude"):
        arrays[name] = arrays[name][::-1]


def test_tie_points_in_another_order_are_found_out(tmp_path: Path) -> None:
    found = checked(tmp_path / "swapped", alter=swapped)
    assert found["span of tie points"].outcome == "does not hold"
    assert found["orientation"].outcome == "does not hold"
    found = checked(tmp_path / "upside_down", alter=upside_down)
    assert found["orientation"].outcome == "does not hold"


# ---- values


def with_charts_on_land(arrays: Arrays) -> None:
    arrays["SIC"][:, : LAND // 2] = 0


def with_sar_on_land(arrays: Arrays) -> None:
    arrays["nersc_sar_primary"][:, : LAND // 2] = 0.3


def with_a_class_too_many(arrays: Arrays) -> None:
    arrays["FLOE"][300, 300] = 7


def with_other_water(arrays: Arrays) -> None:
    arrays["SOD"][300, 300], arrays["SIC"][300, 300] = 0, 4


def in_decibel(arrays: Arrays) -> None:
    hh = arrays["nersc_sar_primary"]
    arrays["nersc_sar_primary"] = np.where(hh == 0, 0, hh * 5.66 - 14.5).astype(np.float32)


def in_celsius(arrays: Arrays) -> None:
    arrays["t2m"] = arrays["t2m"] * 9.5 - 9.5  # a few degrees below the mean


def with_zones_of_a_kilometre(arrays: Arrays) -> None:
    km = (np.arange(arrays["SIC"].shape[1]) - LAND + 1) * 0.08
    zone = np.where(km > 0, 1 + np.clip(km, 0, 39) // 1, 0)
    zones = np.repeat(zone[None], len(arrays["SIC"]), axis=0) + 0.0
    zones[0] += 0.25
    zones = (zones - 23.627669500714102) / 14.99018630794473
    arrays["distance_map"] = zones.astype(np.float32)


def with_whole_zones(arrays: Arrays) -> None:
    zones = (arrays["distance_map"] * 14.99018630794473 + 23.627669500714102).round()
    arrays["distance_map"] = ((zones - 23.627669500714102) / 14.99018630794473).astype("f4")


def with_too_many_zones(arrays: Arrays) -> None:
    arrays["distance_map"][-1, -1] = 2.0  # 53.6


@pytest.mark.parametrize(
    ("alter", "name", "words"),
    [
        (with_charts_on_land, "masks", "42140 have a class but no SAR, 0 SAR"),
        (with_sar_on_land, "masks", "0 have a class but no SAR, 42140 SAR but no class"),
        (with_a_class_too_many, "classes", "2 pixels are not classes"),
        (with_other_water, "classes", "2 are water in one chart"),
        (in_decibel, "units", "hh of a ready file -14."),
        (in_celsius, "units", "t2m of a ready file -9."),
        (with_zones_of_a_kilometre, "distance zones", "400 m have the zone"),
        (with_too_many_zones, "distance zones", "zone 54"),
        (with_whole_zones, "means of zones", "0.000% of the pixels"),
    ],
)
def test_other_values_are_found_out(
    tmp_path: Path, alter: Callable[[Arrays], None], name: str, words: str
) -> None:
    found = checked(tmp_path, alter=alter)
    wrong = {key for key, finding in found.items() if finding.outcome == "does not hold"}
    assert wrong == {name}
    assert words in found[name].evidence


def test_names_that_do_not_agree_are_found_out(tmp_path: Path) -> None:
    name = "S1A_EW_20190101T000000_20190101T000100_1F75_icechart_dmi_1_North_RIC.nc"
    other = {"original_id": name}
    assert checked(tmp_path, attributes=other)["ids"].outcome == "does not hold"


# ---- files


def test_a_file_that_cannot_be_read_is_listed(tmp_path: Path) -> None:
    write_checked(tmp_path, 0)
    (tmp_path / "broken.nc").write_bytes(b"no netCDF")
    report = check_scenes(tmp_path)
    assert (report.n_ready, report.n_raw) == (1, 0)
    (failure,) = report.failed
    assert "broken.nc" in failure.name


def test_nothing_that_can_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.nc").write_bytes(b"no netCDF")
    with pytest.raises(SceneError, match=r"none of 1 file can be read: .*broken\.nc"):
        check_scenes(tmp_path)
    with pytest.raises(SceneError, match="no folder at"):
        check_scenes(tmp_path / "absent")


# ---- own scenes


def test_own_scenes_are_checked_for_what_holds_in_every_scene(tmp_path: Path) -> None:
    sar = np.random.default_rng(0).gamma(4, 0.02, (250, 300))
    write_own(tmp_path, backscatter(sar.shape, hh=sar, hv=sar / 9 - 0.002))
    bare = backscatter(sar.shape, hh=sar, has_hv=False)
    write_own(tmp_path, bare, has_cells=False, burnt=chart(sar.shape))
    report = check_scenes(tmp_path)
    assert (report.n_ready, report.n_raw, report.n_ingested) == (0, 0, 2)
    assert report.failed == ()
    found = findings(report)
    for name in ("2 km grid", "span of tie points", "units", "classes"):
        assert found[name].outcome == "holds", name
    for name in ("2 km registration", "axes of the wind", "rotation of the wind"):
        assert found[name].outcome == "cannot tell"
        assert "only own scenes" in found[name].evidence
    assert "does not hold" not in {finding.outcome for finding in report.findings}


def test_own_scenes_do_not_decide_about_files_of_the_dataset(tmp_path: Path) -> None:
    write_own(tmp_path)
    write_checked(tmp_path, 0)
    report = check_scenes(tmp_path)
    assert (report.n_ready, report.n_ingested) == (1, 1)
    found = findings(report)
    assert found["2 km grid"].evidence == "the shape fits in 2 of 2 scenes"
    assert "1 of 1 scenes" in found["2 km registration"].evidence

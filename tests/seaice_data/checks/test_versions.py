"""Ready-to-train files are compared with the raw ones from which they were made."""

import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from seaice_data.channels import find_channel
from seaice_data.charts import CHARTS
from seaice_data.checks.check import check_scenes
from seaice_data.egg_codes import PolygonTable, paint_charts
from seaice_data.scenes.files import open_scene
from seaice_data.synthetic.scene_set import write_scenes

Paths = tuple[Path, Path]
CODES = (
    "poly_id;CT;CA;SA;FA;CB;SB;FB;CC;SC;FC;CN;CD;CF;POLY_TYPE",
    # Old ice has 6/9 of the ice: enough for 0.65, not for 0.70.
    "1;90;60;95;05;30;87;03;-9;-9;-9;-9;-9;-9;I",
    "2;01;-9;-9;-9;-9;-9;-9;-9;-9;-9;-9;-9;-9;W",
    "3;50;-9;87;04;-9;-9;-9;-9;-9;-9;-9;-9;-9;I",
)
TABLE = PolygonTable.parse(CODES)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """Write both versions of a scene, with polygons of 7 x 11 pixels of 40 m."""
    folder = tmp_path_factory.mktemp("both")
    ready, *_ = write_scenes(folder / "ready", 1, 300).written
    (raw,) = write_scenes(folder / "raw", 1, 300, "raw").written
    with h5py.File(raw, "a") as file:
        known = ~np.isnan(file["polygon_icechart"][...])
        y, x = np.indices(known.shape)
        file["polygon_icechart"][...] = np.where(known, 1 + (y // 7 + x // 11) % 3, np.nan)
        del file["polygon_codes"]
        file["polygon_codes"] = CODES
    write_charts(ready, painted((ready, raw)).max(axis=2))
    return ready, raw


def fours(both: Paths, name: str) -> np.ndarray:
    """Return the four 40 m pixels of each pixel along a last axis."""
    with h5py.File(both[1]) as raw, open_scene(both[0]) as scene:
        height, width = scene.grid.shape
        plane = raw[name][: 2 * height, : 2 * width]
    return np.stack([plane[y::2, x::2] for y in (0, 1) for x in (0, 1)], axis=-1)


def painted(both: Paths) -> np.ndarray:
    """Return the classes of the four, shape ``(y, x, four, chart)``."""
    ids = fours(both, "polygon_icechart")
    return paint_charts(ids.reshape(len(ids), -1), TABLE).reshape(*ids.shape, 3)


def write_charts(ready: Path, charts: np.ndarray) -> None:
    """Replace the charts where there is one, shape ``(y, x, chart)``."""
    with h5py.File(ready, "a") as file:
        known = file["SIC"][...] != 255
        for k, chart in enumerate(CHARTS):
            file[chart.name][...] = np.where(known, charts[..., k], 255)


def copied(both: Paths, folder: Path) -> Path:
    """Copy the files; return the ready-to-train one."""
    for path in both:
        shutil.copy(path, folder)
    return folder / both[0].name


def outcomes(folder: Path) -> dict[str, str]:
    found = {finding.name: finding.outcome for finding in check_scenes(folder).findings}
    rules = ("2 x 2 of charts", "threshold of dominance", "2 x 2 of SAR")
    assert found["positions of tie points"] == "holds"
    return {rule: found[rule] for rule in rules}


def test_the_rules_hold_in_twins(both: Paths, tmp_path: Path) -> None:
    copied(both, tmp_path)
    assert {*outcomes(tmp_path).values()} == {"holds"}


def test_another_rule_for_charts_is_found_out(both: Paths, tmp_path: Path) -> None:
    four = painted(both)
    for number, charts in enumerate((four.min(axis=2), four[:, :, 0])):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_charts(copied(both, folder), charts)
        assert outcomes(folder)["2 x 2 of charts"] == "does not hold"


def test_a_mean_of_power_is_found_out(both: Paths, tmp_path: Path) -> None:
    hh = find_channel("hh")
    power = 10 * np.log10((10 ** (fours(both, "nersc_sar_primary") / 10)).mean(axis=-1))
    with h5py.File(copied(both, tmp_path), "a") as file:
        is_fill = file["nersc_sar_primary"][...] == 0
        file["nersc_sar_primary"][...] = np.where(is_fill, 0, (power - hh.mean) / hh.std)
    assert outcomes(tmp_path)["2 x 2 of SAR"] == "does not hold"


def test_the_threshold_of_the_first_edition_is_found_out(
    both: Paths, tmp_path: Path
) -> None:
    with h5py.File(copied(both, tmp_path), "a") as file:
        sod = file["SOD"][...]
        file["SOD"][...] = np.where(sod == 5, 255, sod)  # no stage has 0.70 of the ice
    assert outcomes(tmp_path)["threshold of dominance"] == "does not hold"


def test_files_of_different_sizes_are_not_compared(both: Paths, tmp_path: Path) -> None:
    (raw,) = write_scenes(tmp_path, 1, 260, "raw").written
    ready = Path(shutil.copy(both[0], tmp_path))
    assert raw.name == both[1].name
    report = check_scenes(tmp_path)
    (failure,) = report.failed
    assert failure.name == str(ready)
    shapes = r"\d+ x \d+ pixels of 80 m, but .* of its raw version '.*' make \d+ x \d+"
    assert re.search(shapes, failure.reason)
    assert (report.n_ready, report.n_raw) == (1, 1)

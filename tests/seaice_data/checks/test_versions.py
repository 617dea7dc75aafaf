"""Ready-to-train files are compared with the raw ones from which they were made."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from seaice_data.channels import find_channel
from seaice_data.checks.check import check_scenes
from seaice_data.checks.versions import compare_versions
from seaice_data.egg_codes import PolygonTable, paint_charts
from seaice_data.scenes.files import open_scene
from seaice_data.synthetic.scene_set import write_scenes

Paths = tuple[Path, Path]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    folder = tmp_path_factory.mktemp("both")
    ready, *_ = write_scenes(folder / "ready", 1, 500).written
    (raw,) = write_scenes(folder / "raw", 1, 500, "raw").written
    return ready, raw


def altered(both: Paths, folder: Path, **arrays: np.ndarray) -> dict[str, str]:
    """Return the outcomes after variables of the ready-to-train file have changed."""
    for path in both:
        shutil.copy(path, folder)
    with h5py.File(folder / both[0].name, "a") as file:
        for name, values in arrays.items():
            file[name][...] = values
    return {f.name: f.outcome for f in check_scenes(folder).findings}


def fours(both: Paths, name: str) -> np.ndarray:
    """Return the four 40 m pixels of each pixel along a last axis."""
    with h5py.File(both[1]) as raw, open_scene(both[0]) as scene:
        height, width = scene.grid.shape
        plane = raw[name][: 2 * height, : 2 * width]
    return np.stack([plane[y::2, x::2] for y in (0, 1) for x in (0, 1)], axis=-1)


def test_the_rules_hold_in_twins(both: Paths, tmp_path: Path) -> None:
    found = altered(both, tmp_path)
    assert "does not hold" not in found.values()
    for name in ("2 x 2 of charts", "2 x 2 of SAR", "positions of tie points"):
        assert found[name] == "holds"


def test_another_rule_for_charts_is_found_out(both: Paths, tmp_path: Path) -> None:
    with open_scene(both[1]) as scene:
        table = scene.polygons
    assert isinstance(table, PolygonTable)
    ids = fours(both, "polygon_icechart")
    lowest = (
        paint_charts(ids.reshape(len(ids), -1), table).reshape(*ids.shape, 3).min(axis=2)
    )
    charts = {name: lowest[..., k] for k, name in enumerate(("SIC", "SOD", "FLOE"))}
    found = altered(both, tmp_path, **charts)
    assert found["2 x 2 of charts"] == "does not hold"


def test_a_mean_of_power_is_found_out(both: Paths, tmp_path: Path) -> None:
    hh = find_channel("hh")
    power = 10 * np.log10((10 ** (fours(both, "nersc_sar_primary") / 10)).mean(axis=-1))
    plane = np.nan_to_num((power - hh.mean) / hh.std)
    found = altered(both, tmp_path, nersc_sar_primary=plane.astype(np.float32))
    assert found["2 x 2 of SAR"] == "does not hold"


def test_another_threshold_is_found_out(both: Paths, tmp_path: Path) -> None:
    # One polygon with a type of 6/9: above 0.65, below 0.70.
    header = "poly_id;CT;CA;SA;FA;CB;SB;FB;CC;SC;FC;CN;CD;CF;POLY_TYPE"
    row = "{};90;60;95;05;30;87;03;-9;-9;-9;-9;-9;-9;I"
    raw = Path(shutil.copy(both[1], tmp_path))
    ready = Path(shutil.copy(both[0], tmp_path))
    with h5py.File(raw, "a") as file:
        codes = file["polygon_codes"]
        ids = [text.split(b";")[0].decode() for text in codes[1:]]
        codes[...] = [header, *(row.format(number) for number in ids)]
    for value, expected in ((5, (1, 0)), (255, (0, 1))):  # old ice, or no dominant stage
        with h5py.File(ready, "a") as file:
            known = file["SIC"][...] != 255
            file["SIC"][...] = np.where(known, 9, 255)
            file["SOD"][...] = np.where(known, value, 255)
            file["FLOE"][...] = np.where(known, 4, 255)  # 6/9 in both editions
        twins = compare_versions(ready, raw)
        assert twins.n_decisive > 1000
        shares = [n / twins.n_decisive for n in twins.n_by_threshold]
        assert shares == list(expected)
        found = {f.name: f.outcome for f in check_scenes(tmp_path).findings}
        holds = "holds" if value == 5 else "does not hold"
        assert found["threshold of dominance"] == holds

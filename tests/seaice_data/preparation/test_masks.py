"""Charts have no classes where SAR is missing; otherwise the lost mask is reported."""

from pathlib import Path

import numpy as np
import pytest
from support.coded_scenes import SCENE_ID, coded_arrays, write_coded

from seaice_data.errors import SceneError
from seaice_data.preparation.assemble import assemble
from seaice_data.preparation.prepare import prepare
from seaice_data.scenes.files import open_scene
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store

SAR = ("nersc_sar_primary", "nersc_sar_secondary", "sar_incidenceangle")
CHARTS = ("SIC", "SOD", "FLOE")


def write_scene(
    folder: Path, n_unseen: int, n_labelled: int = 100_000, charts: tuple[str, ...] = CHARTS
) -> Path:
    """Write a scene with a number of labelled pixels, some of them without SAR."""
    arrays = coded_arrays(503, 528)
    for name in CHARTS:
        arrays[name].reshape(-1)[n_labelled:] = 255
        if name not in charts:
            arrays[name].reshape(-1)[:n_unseen] = 255
    for name in SAR:
        arrays[name].reshape(-1)[:n_unseen] = 0
    return write_coded(folder, **arrays)


@pytest.mark.parametrize("charts", [CHARTS, ("SIC",), ("FLOE",)])
def test_classes_without_sar_are_refused(tmp_path: Path, charts: tuple[str, ...]) -> None:
    path = write_scene(tmp_path, 1_001, charts=charts)
    match = r"_prep\.nc': 1001 of 100000 labelled pixels \(1\.0%\) have no SAR"
    with open_scene(path) as scene:
        with pytest.raises(SceneError, match=match) as caught:
            assemble(scene, Recipe())
        assert "--accept-masks" in str(caught.value.hint)
        prepared = assemble(scene, Recipe(), accept_masks=True)
    assert prepared.n_unseen == 1_001
    assert (prepared.full_charts[CHARTS.index(charts[0])].reshape(-1)[:1_001] != 255).all()


def test_a_few_classes_without_sar_are_reported(tmp_path: Path) -> None:
    write_scene(tmp_path / "raw", 1_000)
    report = prepare(tmp_path / "raw", str(tmp_path / "store.zarr"))
    assert report.written == (SCENE_ID,)
    assert report.unseen == {SCENE_ID: 1_000}
    stored = Store.open(str(tmp_path / "store.zarr")).scene(SCENE_ID)
    assert stored.attributes["n_unseen"] == 1_000


def test_intact_masks_are_not_reported(tmp_path: Path) -> None:
    write_coded(tmp_path / "raw")
    report = prepare(tmp_path / "raw", str(tmp_path / "store.zarr"))
    assert report.unseen == {}
    stored = Store.open(str(tmp_path / "store.zarr")).scene(SCENE_ID)
    assert "n_unseen" not in stored.attributes


def test_prepare_accepts_lost_masks_on_request(tmp_path: Path) -> None:
    write_scene(tmp_path / "raw", 50_000)
    report = prepare(tmp_path / "raw", str(tmp_path / "store.zarr"))
    assert "50000 of 100000 labelled pixels (50.0%) have no SAR" in report.failed[0].reason
    report = prepare(tmp_path / "raw", str(tmp_path / "store.zarr"), accept_masks=True)
    assert report.written == (SCENE_ID,)
    assert report.unseen == {SCENE_ID: 50_000}


def test_charts_of_a_reference_file_are_compared_with_the_sar(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "whole", 2_000)
    for name in ("test", "charts"):
        (tmp_path / name).mkdir()
    arrays = coded_arrays(503, 528)
    for name in SAR:
        arrays[name].reshape(-1)[:2_000] = 0
    test = write_coded(tmp_path / "test", **{**arrays, **dict.fromkeys(CHARTS)})
    with open_scene(test) as scene:
        assert assemble(scene, Recipe()).n_unseen == 0
    path.rename(test.with_name(f"{test.stem}_reference.nc"))
    with (
        open_scene(test) as scene,
        pytest.raises(SceneError, match="2000 of 100000 labelled pixels"),
    ):
        assemble(scene, Recipe())


@pytest.mark.parametrize("ratio", [1, 7, 10])
def test_all_rows_and_columns_are_looked_at(tmp_path: Path, ratio: int) -> None:
    arrays = coded_arrays(503, 528)
    for name in SAR:
        arrays[name][-3:] = arrays[name][:, -8:] = 0
    with open_scene(write_coded(tmp_path, **arrays)) as scene:
        prepared = assemble(scene, Recipe(ratio=ratio), accept_masks=True)
    assert prepared.n_unseen == 3 * 528 + 8 * 503 - 3 * 8
    assert np.count_nonzero(prepared.full_flags & 1) == prepared.n_unseen

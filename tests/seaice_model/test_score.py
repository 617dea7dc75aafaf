import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from learnable_scenes import RECIPE, SCENES, TEST_SCENE, UNCHARTED, prepared_scene

from seaice_data.charted import charts_of
from seaice_data.grid import Grid
from seaice_data.prepare import finish
from seaice_data.store import Store
from seaice_model.errors import MapError
from seaice_model.maps import read_netcdf
from seaice_model.metrics import ChartScorer
from seaice_model.predict import PredictSettings, predict_store
from seaice_model.score import ScoreProgress, ScoreReport, score_maps


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory, run: Path, store: Store) -> Path:
    path = tmp_path_factory.mktemp("maps")
    scenes = [TEST_SCENE, UNCHARTED, SCENES[0]]
    predict_store(store, run, path, PredictSettings(pictures=False), scenes=scenes)
    return path


@pytest.fixture(scope="module")
def report(maps: Path, store: Store) -> ScoreReport:
    return score_maps(maps, charts_of(store))


def test_scenes_are_pooled_pixel_by_pixel(
    report: ScoreReport, maps: Path, store: Store
) -> None:
    scorer = ChartScorer()
    for scene in (TEST_SCENE, SCENES[0]):
        charts = store.scene(scene).full_charts()
        scorer.add(charts, read_netcdf(maps / f"{scene}.nc").charts)
    assert report.pooled == scorer.scores()
    assert set(report.scenes) == {TEST_SCENE, SCENES[0]}
    n_pixels = sum(s.charts["SIC"].n_pixels for s in report.scenes.values())
    assert n_pixels == report.pooled.charts["SIC"].n_pixels


def test_scenes_without_charts_are_listed(report: ScoreReport) -> None:
    assert report.without_charts == (UNCHARTED,)


def test_the_baselines_stand_beside(report: ScoreReport) -> None:
    assert list(report.baselines) == ["majority class", "best constant", "climatology"]
    scores = {}
    for name, baseline in report.baselines.items():
        sic = baseline.scores.charts["SIC"]
        assert sic.score is not None
        assert sic.score <= 0  # no constant explains more than the mean
        assert sic.n_pixels == report.pooled.charts["SIC"].n_pixels
        scores[name] = sic.score
    assert scores["majority class"] <= scores["best constant"]


def test_the_confusion_counts_every_pixel_once(report: ScoreReport) -> None:
    for name, matrix in report.grids["original"].confusion.items():
        assert np.sum(matrix) == report.pooled.charts[name].n_pixels


def test_a_report_is_ready_for_json(report: ScoreReport) -> None:
    assert json.loads(json.dumps(asdict(report)))["grids"]["original"]["pooled"]


def test_progress_is_told_for_every_map(maps: Path, store: Store) -> None:
    told: list[ScoreProgress] = []
    score_maps(maps, charts_of(store), progress=told.append)
    assert [(t.n_done, t.n_maps) for t in told] == [(1, 3), (2, 3), (3, 3)]


def test_an_empty_folder_is_named(tmp_path: Path, store: Store) -> None:
    with pytest.raises(MapError, match="no maps in"):
        score_maps(tmp_path, charts_of(store))


def test_maps_without_any_chart_cannot_be_scored(
    tmp_path: Path, store: Store, run: Path
) -> None:
    predict_store(store, run, tmp_path, PredictSettings(pictures=False), scenes=[UNCHARTED])
    with pytest.raises(MapError, match=r"none of the 1 maps in .* has charts"):
        score_maps(tmp_path, charts_of(store))


def test_a_map_of_another_size_is_refused(tmp_path: Path, maps: Path) -> None:
    other = Store.create(str(tmp_path / "other.zarr"), RECIPE)
    for scene in (TEST_SCENE, UNCHARTED, SCENES[0]):
        other.write(prepared_scene(scene, source=Grid(60, 90, 80.0)), {})
    finish(other)
    with pytest.raises(MapError, match="has 81 x 90 pixels, its scene has 60 x 90"):
        score_maps(maps, charts_of(Store.open(other.path)))


def test_a_scene_is_not_scored_twice(tmp_path: Path, maps: Path, store: Store) -> None:
    shutil.copytree(maps, tmp_path / "maps")
    shutil.copy(maps / f"{TEST_SCENE}.nc", tmp_path / "maps" / "copy.nc")
    with pytest.raises(MapError, match=f"'{TEST_SCENE}' has two maps: .* and 'copy.nc'"):
        score_maps(tmp_path / "maps", charts_of(store))

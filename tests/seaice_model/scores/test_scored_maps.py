"""The store whose charts maps are scored against is the one that they were made from."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.learnable_scenes import RECIPE, TEST_SCENE, StoreMaker
from support.rewriting import Model, rewrite

from seaice_data.sources.charts import charts_of
from seaice_data.store.store import Store
from seaice_model.errors import MapError
from seaice_model.maps.netcdf import describe, write_netcdf
from seaice_model.pages.index import write_index
from seaice_model.prediction.compose import compose_chart_map
from seaice_model.prediction.predict import PredictSettings, predict_store
from seaice_model.scores.score import ScoreReport, score_maps
from seaice_model.scores.scored_maps import find_truth
from seaice_model.study.paper_figures import plot_figures


@pytest.fixture
def moved(tmp_path: Path, run: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Predict from a store named by a relative path, and go elsewhere."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    (home / "store.zarr").symlink_to(store.path)
    monkeypatch.chdir(home)
    here = Store.open("store.zarr")
    predict_store(here, run, "maps", PredictSettings(plots=False), scenes=[TEST_SCENE])
    monkeypatch.chdir(elsewhere)
    return home


def test_maps_find_their_store_from_anywhere(moved: Path) -> None:
    truth = find_truth(moved / "maps")
    assert truth.path == str(moved / "store.zarr")
    assert TEST_SCENE in truth.scenes


def test_a_store_of_the_same_name_with_another_recipe_is_refused(
    moved: Path, make_store: StoreMaker
) -> None:
    other = make_store(Path("store.zarr"), recipe=replace(RECIPE, ratio=3))
    for path in (moved / "maps").glob("*.nc"):
        with h5py.File(path, "a") as file:
            file.attrs["store"] = "store.zarr"  # as version 0.1 wrote it
    with pytest.raises(MapError, match=f"'store.zarr' has '{other.fingerprint}'") as caught:
        find_truth(moved / "maps")
    assert "--truth" in str(caught.value.hint)
    assert find_truth(moved / "maps", "store.zarr").path == "store.zarr"


def test_composed_maps_name_their_store_by_its_absolute_path(
    moved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(moved)
    store = Store.open("store.zarr")
    classes = np.zeros((3, *store.scene(TEST_SCENE).inputs.shape[:2]), np.uint8)
    made = compose_chart_map(store, TEST_SCENE, classes, network="my CNN")
    write_netcdf(made, "map.nc")
    assert describe(Path("map.nc")).provenance.store == str(moved / "store.zarr")


@pytest.mark.parametrize("model", ["NETCDF3_64BIT_DATA", "NETCDF4_CLASSIC"])
def test_maps_that_other_programs_wrote_again_are_scored_and_shown(
    tmp_path: Path, maps: Path, report: ScoreReport, store: Store, model: Model
) -> None:
    again = tmp_path / "again"
    again.mkdir()
    for path in maps.glob("*.nc"):
        rewrite(path, again / path.name, model)
    assert find_truth(again).path == store.path
    assert score_maps(again, charts_of(store)).pooled == report.pooled
    figures = plot_figures({"again": again}, charts_of(store), tmp_path / "figures")
    assert figures.figures
    assert TEST_SCENE in write_index(again).read_text()

"""Whatever takes a store or charts also takes their path."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from support.learnable_scenes import SCENES, TEST_SCENE, TINY
from support.small_studies import CANDIDATES

from seaice_data.charts import CHARTS
from seaice_data.errors import StoreError
from seaice_data.sources.charts import charts_of
from seaice_data.store.description import describe_store
from seaice_data.store.division import folds_of
from seaice_data.store.selection import select
from seaice_data.store.store import Store
from seaice_model.pages.index import write_index
from seaice_model.pages.scores import write_report
from seaice_model.prediction.compose import compose_chart_map
from seaice_model.prediction.predict import PredictSettings, predict_store
from seaice_model.scores.score import score_maps
from seaice_model.study.paper_figures import plot_figures
from seaice_model.study.plan import plan_study
from seaice_model.training.seeds import train_seeds
from seaice_model.training.train import train

BARE = PredictSettings(plots=False)


@pytest.fixture(scope="module")
def path(store: Store) -> Path:
    return Path(store.storage.url)


def test_maps_are_predicted_scored_and_shown(
    path: Path, store: Store, run: Path, tmp_path: Path
) -> None:
    maps = tmp_path / "maps"
    report = predict_store(path, run, maps, BARE, scenes=[TEST_SCENE])
    assert report.maps == (maps / f"{TEST_SCENE}.nc",)
    scored = replace(score_maps(maps, charts_of(store)), elapsed_s=0.0)
    for truth in (str(path), None):
        assert replace(score_maps(maps, truth), elapsed_s=0.0) == scored
    assert write_index(maps, path).is_file()
    for show in (  # that they read the path is enough here: plots take seconds
        partial(score_maps, maps),
        partial(write_report, scored, tmp_path / "scores.html"),
        partial(plot_figures, {"tiny": str(maps)}, out=str(tmp_path / "figures")),
    ):
        with pytest.raises(StoreError, match=r"no store at .*none\.zarr"):
            show(truth=tmp_path / "none.zarr")


def test_a_store_is_described_chosen_from_and_divided(path: Path, store: Store) -> None:
    assert describe_store(path) == describe_store(store)
    assert select(str(path), "year == 2019") == SCENES
    assert folds_of(path, 2) == folds_of(store, 2)


def test_a_network_is_trained(path: Path, tmp_path: Path) -> None:
    short = replace(TINY, train=replace(TINY.train, n_epochs=1, n_iterations=1))
    assert train(path, tmp_path / "one", short, device="cpu").is_complete
    (report,) = train_seeds(str(path), tmp_path / "many", short, [3], device="cpu")
    assert report.run == tmp_path / "many" / "seed-3"


def test_a_study_is_planned(path: Path, store: Store, tmp_path: Path) -> None:
    plans = [
        plan_study(tmp_path, stores, CANDIDATES, n_runs=1)
        for stores in (path, str(path), [path], [store])
    ]
    assert plans == [plans[0]] * 4


def test_a_map_is_composed(path: Path, store: Store) -> None:
    shape = store.scene(TEST_SCENE).grid.shape
    classes = np.ones((len(CHARTS), *shape), np.uint8)
    composed = [
        compose_chart_map(place, TEST_SCENE, classes, network="ones")
        for place in (str(path), store)
    ]
    np.testing.assert_array_equal(composed[0].charts, composed[1].charts)

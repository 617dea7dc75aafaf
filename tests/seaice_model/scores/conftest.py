"""Maps of three scenes and their scores, made once; read only."""

from pathlib import Path

import pytest
from support.learnable_scenes import SCENES, TEST_SCENE, UNCHARTED

from seaice_data.sources.charts import charts_of
from seaice_data.store.store import Store
from seaice_model.prediction.predict import PredictSettings, predict_store
from seaice_model.scores.score import ScoreReport, score_maps


@pytest.fixture(scope="package")
def maps(tmp_path_factory: pytest.TempPathFactory, run: Path, store: Store) -> Path:
    """Predict a test scene, one without charts, and one of training."""
    path = tmp_path_factory.mktemp("maps")
    scenes = [TEST_SCENE, UNCHARTED, SCENES[0]]
    predict_store(store, run, path, PredictSettings(plots=False), scenes=scenes)
    return path


@pytest.fixture(scope="package")
def report(maps: Path, store: Store) -> ScoreReport:
    """Score them."""
    return score_maps(maps, charts_of(store))

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.learnable_scenes import SCENES, TEST_SCENE, TINY, UNCHARTED

from seaice_data.errors import SettingsError
from seaice_data.scene_id import SceneId
from seaice_data.store.division import split_store
from seaice_data.store.split import SplitSettings
from seaice_data.store.store import Store
from seaice_model.errors import RunError
from seaice_model.prediction.predict import PredictSettings, predict_store
from seaice_model.prediction.predictor import Predictor
from seaice_model.prediction.selection import scenes_to_predict
from seaice_model.runs.checkpoint import load_best
from seaice_model.training.train import train

DATA_ONLY = PredictSettings(plots=False)
FOLDS = (SCENES[:2], SCENES[2:4])


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory, store: Store) -> tuple[Path, ...]:
    """Return a run for each fold, validated on other scenes than the store has."""
    folder = tmp_path_factory.mktemp("folds")
    for number, fold in enumerate(FOLDS):
        listed = replace(
            TINY.train,
            n_epochs=1,
            validation="listed",
            validation_scenes=tuple(map(SceneId, fold)),
        )
        train(store, folder / f"run-{number}", replace(TINY, train=listed), device="cpu")
    return tuple(folder / f"run-{number}" for number in range(len(FOLDS)))


def predictor(*runs: Path) -> Predictor:
    return Predictor.load(runs, torch.device("cpu"))


def test_splits_are_those_of_the_run_not_of_the_store(
    tmp_path: Path, store: Store, folds: tuple[Path, ...]
) -> None:
    assert {*store.splits["validation"]} != {*FOLDS[0]}
    report = predict_store(
        store, folds[0], tmp_path, DATA_ONLY, split="validation", device="cpu"
    )
    assert {path.stem for path in report.maps} == {*FOLDS[0]}
    assert scenes_to_predict(store, predictor(folds[0]), "train") == SCENES[2:]


def test_several_runs_have_seen_what_one_of_them_has(
    store: Store, folds: tuple[Path, ...]
) -> None:
    both = predictor(*folds)
    # Each validates on a fold that the other was trained on.
    assert scenes_to_predict(store, both, "train") == SCENES
    assert scenes_to_predict(store, both, "unseen") == (TEST_SCENE, UNCHARTED)
    with pytest.raises(RunError, match=r"no scene that the run .*run-0, .*run-1") as caught:
        scenes_to_predict(store, both, "validation")
    assert "train, test, unseen, all" in str(caught.value.hint)


def test_a_condition_narrows_the_scenes_of_a_split(
    store: Store, folds: tuple[Path, ...]
) -> None:
    run = predictor(folds[0])
    assert scenes_to_predict(store, run, where="month in 1..9") == (TEST_SCENE, UNCHARTED)
    assert scenes_to_predict(store, run, where="service == dmi") == (TEST_SCENE,)
    where = f"id in ['{SCENES[0]}', '{SCENES[4]}']"
    assert scenes_to_predict(store, run, "validation", where) == (SCENES[0],)
    assert scenes_to_predict(store, run, "all", where) == (SCENES[0], SCENES[4])
    assert scenes_to_predict(store, run, "all", "split == validation") == FOLDS[0]


def test_a_condition_that_only_seen_scenes_satisfy_is_refused(
    store: Store, folds: tuple[Path, ...]
) -> None:
    with pytest.raises(RunError, match="none of 2 scenes for testing") as caught:
        scenes_to_predict(store, predictor(folds[0]), where="year == 2019")
    assert "but 6 others do" in str(caught.value)
    assert "--split" in str(caught.value.hint)


def test_scenes_that_a_run_was_trained_on_never_test_it(
    tmp_path: Path, folds: tuple[Path, ...], store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(store.path, tmp_path / "store.zarr")
    tests = (*map(SceneId, SCENES[:3]), SceneId(TEST_SCENE))
    split_store(Store.open(tmp_path / "store.zarr"), SplitSettings(test=tests))
    divided = Store.open(tmp_path / "store.zarr")
    run = predictor(folds[0])
    with caplog.at_level(logging.WARNING):
        assert scenes_to_predict(divided, run, "test") == (TEST_SCENE,)
    assert "3 test scenes" in caplog.text
    assert scenes_to_predict(divided, run, "validation") == FOLDS[0]
    split_store(divided, SplitSettings(test=tests[:3]))
    with pytest.raises(RunError, match="no scene for testing that the run"):
        scenes_to_predict(Store.open(divided.path), run, "test")


def test_an_unknown_split_is_refused(store: Store, run: Path) -> None:
    with pytest.raises(SettingsError, match="unknown split 'tests'") as caught:
        scenes_to_predict(store, predictor(run), "tests")
    assert caught.value.hint == "did you mean 'test'?"


def test_the_lists_are_those_of_the_checkpoint(store: Store, run: Path) -> None:
    settings = load_best(run).settings
    assert scenes_to_predict(store, predictor(run), "train") == settings.train_scenes
    found = scenes_to_predict(store, predictor(run), "validation")
    assert found == settings.validation_scenes

"""Which store and which scenes a run trains and validates on."""

import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.learnable_scenes import SCENES, TEST_SCENE, TINY, StoreMaker

from seaice_data.errors import StoreError
from seaice_data.scene_id import SceneId
from seaice_data.store.division import split_store
from seaice_data.store.split import TEST_IDS, SplitSettings, read_id_file, split_scenes
from seaice_data.store.store import Store
from seaice_model.config.presets import LISTED_VALIDATION, find_profile
from seaice_model.config.run_config import TrainConfig
from seaice_model.errors import RunError
from seaice_model.runs.checkpoint import load_settings, save_settings
from seaice_model.runs.folder import RunFolder
from seaice_model.training.run_settings import divide, new_settings, store_to_resume

TRAIN_IDS = read_id_file(Path(__file__).parents[2] / "data" / "train_ids.txt")
ALL = (*TRAIN_IDS, *TEST_IDS)
MATE = f"{TEST_SCENE[:11]}4659_dmi"  # a minute before the test scene


def sizes(config: TrainConfig) -> tuple[int, int, int]:
    train, validation, test = (
        set(ids) for ids in divide(ALL, split_scenes(ALL), config).values()
    )
    assert not train & validation | train & test | validation & test
    assert test == TEST_IDS
    return len(train), len(validation), len(test)


def test_the_lists_of_the_challenge_have_512_and_20_scenes() -> None:
    assert len(set(TRAIN_IDS)) == 512
    assert len(set(ALL)) == 532
    assert set(LISTED_VALIDATION) < set(TRAIN_IDS)


def test_profile_official_trains_on_495_scenes_and_validates_on_17() -> None:
    config = find_profile("official").config.train
    assert sizes(config) == (495, 17, 20)
    assert sizes(replace(config, allow_leaks=False)) == (490, 16, 20)


def test_profile_paper_validates_on_20_of_all_training_scenes() -> None:
    config = find_profile("paper").config.train
    assert sizes(config) == (492, 20, 20)
    splits = split_scenes(ALL)
    runs = [divide(ALL, splits, replace(config, seed=seed)) for seed in range(3)]
    assert len({run["validation"] for run in runs}) == 3


def test_by_default_a_run_keeps_the_splits_of_the_store() -> None:
    splits = split_scenes(ALL)
    assert divide(ALL, splits, TrainConfig()) == splits
    leaking = divide(ALL, splits, TrainConfig(allow_leaks=True))
    assert leaking["validation"] == splits["validation"]
    assert len(leaking["train"]) == 492


def test_scenes_of_one_pass_in_two_splits_are_named(
    tmp_path: Path, make_store: StoreMaker, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_store(tmp_path / "store.zarr", (*SCENES, TEST_SCENE, MATE))
    assert all(MATE not in ids for ids in store.splits.values())
    caplog.set_level(logging.WARNING)
    train = replace(TINY.train, validation="listed", validation_scenes=(SCENES[0], MATE))
    kept = new_settings(store, replace(TINY, train=train))
    assert set(kept.validation_scenes) == {SCENES[0]}
    assert (
        "1 of 2 listed validation scenes are test scenes, or of the orbit pass of one: "
        f"{MATE}" in caplog.text
    )
    caplog.clear()
    leaking = new_settings(store, replace(TINY, train=replace(train, allow_leaks=True)))
    assert set(leaking.validation_scenes) == {SCENES[0], MATE}
    assert (
        "scenes of one orbit pass are in different splits, so scores may be "
        f"too high: {MATE} (validation) and {TEST_SCENE} (test)" in caplog.text
    )


SAME_PASS = ("20190101T120000_dmi", "20190101T120100_dmi")


def test_the_store_of_a_run_is_found_from_any_folder(
    store: Store, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store_to_resume(run).storage.location == store.storage.location
    monkeypatch.chdir(Path(store.path).parent)
    relative = Store.open(os.path.relpath(store.path))
    assert new_settings(relative, TINY).store.path == store.storage.location


def test_a_store_that_has_moved_must_be_named(tmp_path: Path, run: Path) -> None:
    shutil.copytree(run, tmp_path / "a run")
    path = RunFolder(tmp_path / "a run").settings
    settings = load_settings(path)
    for named, words, hint in (
        ("/moved/store.zarr", "cannot be opened: no store at '/moved/store.zarr'", "STORE"),
        (
            "s3://other/s.zarr",
            "'s3://other/s.zarr'; URLs named in files",
            "s3://other/s.zarr",
        ),
    ):
        save_settings(replace(settings, store=replace(settings.store, path=named)), path)
        with pytest.raises(RunError, match=words) as caught:
            store_to_resume(tmp_path / "a run")
        again = f"`seaice train {hint} --resume --run '{tmp_path}/a run'`"
        assert again in str(caught.value.hint)


def test_a_store_without_splits_is_not_one_with_too_few_scenes(
    tmp_path: Path, make_store: StoreMaker
) -> None:
    store = make_store(tmp_path / "store.zarr", scenes=SCENES)
    store.attributes.pop("splits")
    with pytest.raises(StoreError, match=r"6 scenes .* not divided into splits") as caught:
        new_settings(store, TINY)
    assert "without --part" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("scenes", "validation", "hint"),
    [
        (
            (TEST_SCENE,),
            None,
            "0 of its 1 scenes may be trained or validated on, in 0 orbit passes",
        ),
        (
            SAME_PASS,
            None,
            "2 of its 2 scenes may be trained or validated on, in 1 orbit passes",
        ),
        (SCENES[:2], SCENES[:2], "divide the store again with `seaice split`"),
    ],
)
def test_missing_scenes_are_explained_by_the_store(
    tmp_path: Path,
    make_store: StoreMaker,
    scenes: tuple[str, ...],
    validation: tuple[str, ...] | None,
    hint: str,
) -> None:
    store = make_store(tmp_path / "store.zarr", scenes=scenes)
    if validation:
        split_store(store, SplitSettings(validation=tuple(map(SceneId, validation))))
        store = Store.open(store.path)
    with pytest.raises(RunError, match=r"has no (training|validation) scenes") as caught:
        new_settings(store, TINY)
    assert hint in str(caught.value.hint)

"""Which store and which scenes a run trains and validates on."""

import json
import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.learnable_scenes import (
    ERA5,
    RECIPE,
    SCENES,
    TEST_SCENE,
    TINY,
    StoreMaker,
)

from seaice_data.errors import StoreError
from seaice_data.sampling.augmentation import Augmentation
from seaice_data.scene_id import SceneId
from seaice_data.store.division import split_store
from seaice_data.store.origin import Origin
from seaice_data.store.split import TEST_IDS, SplitSettings, read_id_file, split_scenes
from seaice_data.store.store import Store
from seaice_model.config.presets import LISTED_VALIDATION, find_profile
from seaice_model.config.run_config import ModelConfig, RunConfig, TrainConfig
from seaice_model.errors import RunError
from seaice_model.runs.folder import RunFolder
from seaice_model.runs.settings import load_settings, save_settings
from seaice_model.training.run_settings import (
    check_channels,
    divide,
    new_settings,
    store_to_resume,
)
from seaice_model.training.train import train

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


def test_a_run_counts_how_its_training_scenes_were_denoised(
    tmp_path: Path, make_store: StoreMaker
) -> None:
    esa = Origin(version="ingested", denoising="esa")
    whole = make_store(tmp_path / "whole.zarr")
    store = make_store(tmp_path / "mixed.zarr", origins=dict.fromkeys(SCENES[:3], esa))
    assert new_settings(whole, TINY).denoising == {"nersc": 5}
    settings = new_settings(store, TINY)
    n_esa = len({*SCENES[:3]} & {*settings.train_scenes})
    assert settings.denoising == {"esa": n_esa, "nersc": 5 - n_esa}
    assert settings.denoisings == ("esa", "nersc")
    save_settings(settings, tmp_path / "settings.json")
    assert load_settings(tmp_path / "settings.json") == settings


def test_runs_of_earlier_versions_were_trained_on_scenes_of_ai4arctic(
    tmp_path: Path, store: Store
) -> None:
    settings = new_settings(store, TINY)
    save_settings(settings, tmp_path / "settings.json")
    mapping = json.loads((tmp_path / "settings.json").read_text())
    del mapping["denoising"]
    (tmp_path / "settings.json").write_text(json.dumps(mapping))
    earlier = load_settings(tmp_path / "settings.json")
    assert earlier == replace(settings, denoising={})
    assert earlier.denoisings == ("nersc",)


def test_scenes_that_lack_a_channel_are_refused_before_training(
    tmp_path: Path, make_store: StoreMaker
) -> None:
    bare = Origin(version="ingested", absent_channels=("hv", *ERA5))
    store = make_store(tmp_path / "store.zarr", origins=dict.fromkeys(SCENES[:5], bare))
    used = {*store.splits["train"], *store.splits["validation"]}
    n_bare = len({*SCENES[:5]} & used)
    match = rf"{n_bare} of the 6 scenes of '.*store\.zarr' to train and validate on lack "
    with pytest.raises(RunError, match=match) as caught:
        train(store, tmp_path / "run", TINY, device="cpu")
    assert "(hv), " in str(caught.value)  # ERA5 is not read
    assert str(caught.value).endswith(" ...")
    assert "\n" not in str(caught.value)
    assert "--set channels=[...]" in str(caught.value.hint)
    assert not (tmp_path / "run").exists()
    # What the hint says helps.
    alone = ModelConfig(channels=("hh",), filters=(4, 8))
    check_channels(store, new_settings(store, replace(TINY, model=alone)))


def test_only_whole_scenes_are_trained_on_if_asked(
    tmp_path: Path, make_store: StoreMaker
) -> None:
    bare = Origin(version="ingested", absent_channels=("hv",))
    complete = make_store(tmp_path / "complete.zarr")
    lacking = complete.splits["train"][:2]
    store = make_store(tmp_path / "store.zarr", origins=dict.fromkeys(lacking, bare))
    with pytest.raises(RunError, match="2 of the 6 scenes") as caught:
        check_channels(store, new_settings(store, TINY))
    assert caught.value.hint == (
        "leave these channels out with --set channels=[...], or train on others with "
        "--where 'absent == none'"
    )
    chosen = replace(TINY, train=replace(TINY.train, where="absent == none"))
    settings = new_settings(store, chosen)
    check_channels(store, settings)
    assert {*settings.train_scenes} == {*store.splits["train"]} - {*lacking}


def test_validation_scenes_need_the_channels_too(
    tmp_path: Path, make_store: StoreMaker
) -> None:
    bare = Origin(version="ingested", absent_channels=("hv",))
    (validated,) = make_store(tmp_path / "complete.zarr").splits["validation"]
    store = make_store(tmp_path / "store.zarr", origins={validated: bare})
    with pytest.raises(
        RunError, match=rf"(?m)1 of the 6 .*: {validated} \(hv\)$"
    ) as caught:
        check_channels(store, new_settings(store, TINY))
    assert "seaice split" in str(caught.value.hint)
    assert "--where" not in str(caught.value.hint)


def test_a_resumed_run_needs_the_channels_too(
    tmp_path: Path, store: Store, make_store: StoreMaker
) -> None:
    config = replace(TINY, train=replace(TINY.train, n_epochs=1))
    train(store, tmp_path / "run", config, device="cpu")
    bare = Origin(version="ingested", absent_channels=("hv",))
    other = make_store(tmp_path / "store.zarr", origins=dict.fromkeys(SCENES, bare))
    with pytest.raises(RunError, match="6 of the 6 scenes"):
        train(other, tmp_path / "run", resume=True, device="cpu")


def era5_dropped() -> RunConfig:
    """Return settings of a network of HH and ERA5, which some patches lack."""
    model = ModelConfig(channels=("hh", "t2m", "u10m"), filters=(4, 8))
    return replace(TINY, model=model, augmentation=Augmentation(drop_era5=0.5))


def test_scenes_may_lack_what_patches_lack_anyway(
    tmp_path: Path, make_store: StoreMaker, caplog: pytest.LogCaptureFixture
) -> None:
    bare = Origin(version="ingested", absent_channels=("hv", *ERA5))
    recipe = replace(RECIPE, channels=("t2m", "u10m", "hh", "hv"))
    path = tmp_path / "store.zarr"
    store = make_store(path, recipe=recipe, origins=dict.fromkeys(SCENES[:2], bare))
    config = era5_dropped()
    caplog.set_level(logging.INFO)
    check_channels(store, new_settings(store, config))
    assert "2 of 6 scenes to train and validate on lack era5" in caplog.messages
    whole = replace(config, augmentation=Augmentation())
    with pytest.raises(RunError, match=r"2 of the 6 .*\(era5\)") as caught:
        check_channels(store, new_settings(store, whole))
    assert "learn to do without them with --set drop_era5=0.2" in str(caught.value.hint)


def test_scenes_may_not_lack_a_part_of_a_group(
    tmp_path: Path, make_store: StoreMaker
) -> None:
    recipe = replace(RECIPE, channels=("t2m", "u10m", "hh", "hv"))
    part = Origin(version="ingested", absent_channels=("u10m",))
    store = make_store(tmp_path / "store.zarr", recipe=recipe, origins={SCENES[0]: part})
    config = era5_dropped()
    with pytest.raises(RunError, match=r"(?m)1 of the 6 .*\(u10m\)$"):
        check_channels(store, new_settings(store, config))
    # All that the network reads of the group is not a part of it.
    model = replace(config.model, channels=("hh", "u10m"))
    check_channels(store, new_settings(store, replace(config, model=model)))

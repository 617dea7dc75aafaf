"""The scenes of networks are counted by month; those of seeds each, if they differ."""

from dataclasses import replace
from pathlib import Path

import pytest

from seaice_data.scene_id import SceneId
from seaice_model.pages.training_data import (
    training_data_in_words,
    training_data_table,
    validation_in_words,
)
from seaice_model.runs.folder import RunFolder
from seaice_model.runs.settings import RunSettings, load_settings

JUNE, JULY, AUGUST = (SceneId(f"20180{month}07T184326_dmi") for month in (6, 7, 8))


@pytest.fixture
def settings(run: Path) -> RunSettings:
    """Return settings of a run with two scenes to train on, one to validate on."""
    found = load_settings(RunFolder(run).settings)
    return replace(found, train_scenes=(JUNE, JULY), validation_scenes=(AUGUST,))


def test_scenes_that_all_have_seen_are_listed_once(settings: RunSettings) -> None:
    lines = training_data_table({"seed-0": settings, "seed-1": settings}).splitlines()
    assert lines[2:] == [
        "| training | - | - | - | - | - | 1 | 1 | - | - | - | - | - | 2 dmi | 2018 |",
        "| validation | - | - | - | - | - | - | - | 1 | - | - | - | - | 1 dmi | 2018 |",
    ]
    assert "Trained on 2 scenes of the store store.zarr" in training_data_in_words(
        [settings]
    )
    assert validation_in_words([settings, settings]) == "1 validation scene"


def test_scenes_that_differ_are_listed_for_each(settings: RunSettings) -> None:
    other = replace(settings, train_scenes=(JUNE,), validation_scenes=(JULY, AUGUST))
    lines = training_data_table({"seed-0": settings, "seed-1": other}).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| training of seed-0", "| validation of seed-0",
        "| training of seed-1", "| validation of seed-1",
    ]  # fmt: skip
    assert "on 1 to 2 scenes of" in training_data_in_words([settings, other])
    assert validation_in_words([settings, other]) == (
        "1 to 2 validation scenes, others for each network"
    )

"""Scenes of a store are divided again, and the report says what became of the lists."""

from pathlib import Path

import pytest
from support.coded_scenes import write_coded

from seaice_data.errors import StoreError
from seaice_data.preparation.prepare import prepare
from seaice_data.scene_id import SceneId
from seaice_data.store.division import divided, folds_of, split_store
from seaice_data.store.split import SplitSettings
from seaice_data.store.store import Store

FIRST, SECOND, SAME_PASS, OTHER = (
    SceneId("20190114T101830_dmi"),
    SceneId("20190214T101830_dmi"),
    SceneId("20190214T101930_dmi"),
    SceneId("20180124T194759_dmi"),  # a test scene of the challenge
)
ABSENT = SceneId("20210314T101830_dmi")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    for scene_id in (FIRST, SECOND, SAME_PASS, OTHER):
        write_coded(tmp_path / "raw", 203, 251, scene_id)
    prepare(tmp_path / "raw", str(tmp_path / "store.zarr"))
    return Store.open(tmp_path / "store.zarr")


def test_lists_say_which_scenes_validate_and_test(store: Store) -> None:
    settings = SplitSettings(test=(SECOND,), validation=(FIRST, ABSENT))
    report = split_store(store, settings)
    assert report.splits == {
        "train": (OTHER,),
        "validation": (FIRST,),
        "test": (SECOND,),
    }
    assert report.left_out == (SAME_PASS,)
    assert report.absent == {"test": (), "validation": (ABSENT,)}
    assert (report.tested, report.failed) == ((), ())
    assert Store.open(store.storage.url).splits == report.splits


def test_scenes_of_the_validation_list_that_test_are_named(store: Store) -> None:
    report = split_store(store, SplitSettings(validation=(FIRST, OTHER)))
    assert report.tested == (OTHER,)
    assert report.splits["validation"] == (FIRST,)
    assert report.splits["test"] == (OTHER,)


def test_folds_divide_what_trains_and_validates(store: Store) -> None:
    before = store.splits
    assert folds_of(store, 2) == ((SECOND, SAME_PASS), (FIRST,))
    assert Store.open(store.storage.url).splits == before


def test_a_store_of_parts_is_not_divided_yet(tmp_path: Path) -> None:
    write_coded(tmp_path / "raw", 203, 251, FIRST)
    path = str(tmp_path / "store.zarr")
    prepare(tmp_path / "raw", path, part=(1, 1))
    with pytest.raises(StoreError, match="not divided into splits yet") as caught:
        divided(Store.open(path))
    assert "without --part" in str(caught.value.hint)
    prepare(tmp_path / "raw", path)
    assert FIRST in divided(Store.open(path))["train"]

"""A store is described from the metadata of its scenes."""

import json
import shutil
from pathlib import Path

import pytest
from support.coded_scenes import write_coded

from seaice_data.channels import find_channel
from seaice_data.preparation.prepare import prepare
from seaice_data.scene_id import SceneId
from seaice_data.store.description import describe_store
from seaice_data.store.division import split_store
from seaice_data.store.recipe import Recipe
from seaice_data.store.split import SplitSettings
from seaice_data.store.store import Store

IDS = ("20190114T101830_dmi", "20190214T101830_cis", "20190215T101830_cis")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("description")
    for scene_id, height in zip(IDS, (203, 150, 170), strict=True):
        write_coded(folder / "raw", height, 251, scene_id)
    prepare(folder / "raw", str(folder / "store.zarr"), Recipe(ratio=10))
    return folder / "store.zarr"


def test_scenes_are_counted_by_split_service_and_month(whole: Path) -> None:
    described = describe_store(Store.open(whole))
    assert described.n_scenes == 3
    assert described.splits == {"train": 2, "validation": 1, "test": 0}
    assert described.services == {"dmi": 1, "cis": 2}
    assert described.regions == {"unknown": 3}
    assert described.to_rows()["regions"] == "unknown 3"
    assert described.months == {1: 1, 2: 2}
    assert (described.smallest_shape, described.largest_shape) == ((15, 25), (20, 25))
    assert described.oddities == ()


def test_shares_of_classes_add_up(whole: Path) -> None:
    described = describe_store(Store.open(whole))
    assert set(described.class_percent) == {"SIC", "SOD", "FLOE"}
    for shares in described.class_percent.values():
        assert sum(shares.values()) == pytest.approx(100)


def test_ranges_are_in_the_unit_of_the_channel(whole: Path) -> None:
    store = Store.open(whole)
    found = describe_store(store).channel_ranges["t2m"]
    position, channel = store.channels.index("t2m"), find_channel("t2m")
    values = [store.scene(i).inputs[..., position] for i in store.splits["train"]]
    lowest = min(float(plane.min()) for plane in values)
    assert found.lowest == pytest.approx(lowest * channel.std + channel.mean)
    assert found.lowest <= found.highest
    assert found.unit == "K"


def test_the_disk_use_is_the_size_of_all_files(whole: Path) -> None:
    n_bytes = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file())
    assert describe_store(Store.open(whole)).disk_use_bytes == n_bytes


def test_oddities_are_listed(whole: Path, tmp_path: Path) -> None:
    store = tmp_path / "store.zarr"
    shutil.copytree(whole, store)
    (gone,) = Store.open(store).splits["validation"]
    shutil.rmtree(store / "scenes" / gone)
    (store / "notes.txt").write_text("mine")
    foreign, absent = describe_store(Store.open(store)).oddities
    assert foreign == "'notes.txt' is not part of a store"
    assert absent.endswith(f"not in the store: {gone}")


def test_a_part_of_a_store_has_no_splits_yet(tmp_path: Path) -> None:
    write_coded(tmp_path / "raw", 203, 251)
    prepare(tmp_path / "raw", str(tmp_path / "store.zarr"), part=(1, 1))
    described = describe_store(Store.open(tmp_path / "store.zarr"))
    assert (described.channel_ranges, described.class_percent) == ({}, {})
    assert "no splits yet" in described.oddities[0]
    assert "without --part" in described.oddities[0]


def test_scenes_in_no_split_are_there_for_a_reason(tmp_path: Path) -> None:
    """Beside a scene of another split, or added by a run that is not finished."""
    for scene_id in (*IDS, "20190215T101930_cis"):
        write_coded(tmp_path / "raw", 150, 251, scene_id)
    path = str(tmp_path / "store.zarr")
    prepare(tmp_path / "raw", path)
    split_store(Store.open(path), SplitSettings(validation=(SceneId(IDS[2]),)))
    write_coded(tmp_path / "more", 150, 251, "20190414T101830_dmi")
    prepare(tmp_path / "more", path, part=(1, 1))
    beside, new = describe_store(Store.open(path)).oddities
    assert beside.startswith("1 scene is in no split: others of its orbit pass")
    assert new.startswith("1 scene is in no split yet, such as 20190414T101830_dmi")
    assert "without --part" in new


def test_shares_are_those_of_the_plot_or_not_known(whole: Path, tmp_path: Path) -> None:
    described = describe_store(Store.open(whole))
    assert described.to_rows()["classes"].endswith("of the training scenes at 80 m")
    counts = Store.open(whole).full_class_counts
    assert counts is not None
    *labelled, _ = counts["SIC"]
    shares = [100 * count / sum(labelled) for count in labelled]
    assert list(described.class_percent["SIC"].values()) == pytest.approx(shares)
    write_coded(tmp_path / "raw", 203, 251, "20180124T194759_dmi")  # a test scene
    prepare(tmp_path / "raw", str(tmp_path / "store.zarr"))
    described = describe_store(Store.open(tmp_path / "store.zarr"))
    assert described.class_percent == {}
    assert described.to_rows()["classes"] == "not known: no training scene has labels"
    assert "SIC" not in described.to_rows()


def test_a_description_is_a_mapping_and_rows(whole: Path) -> None:
    described = describe_store(Store.open(whole))
    mapping = described.to_mapping()
    assert json.loads(json.dumps(mapping))["months"] == {"1": 1, "2": 2}
    rows = described.to_rows()
    assert rows["sizes"] == "15 x 25 to 20 x 25 pixels"
    assert rows["odd"] == "nothing"
    assert rows["sar"].startswith("hh ")

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.coded_scenes import write_coded

from seaice_data.errors import SceneError, StoreError
from seaice_data.preparation.prepare import prepare
from seaice_data.sources.charts import charts_of, find_charts
from seaice_data.store.store import Store
from seaice_data.synthetic.scene_set import write_scenes


def test_a_folder_and_its_store_give_the_same_charts(
    raw_folder: Path, store_path: str
) -> None:
    folder, store = find_charts(str(raw_folder)), find_charts(store_path)
    assert list(folder.scenes) == list(store.scenes)
    assert (folder.ratio, store.ratio) == (10, 5)
    for ours, theirs in zip(folder.scenes.values(), store.scenes.values(), strict=True):
        assert (ours.region, ours.service) == (theirs.region, theirs.service)
        assert (ours.grid, ours.acquired) == (theirs.grid, theirs.acquired)
        np.testing.assert_array_equal(ours.read(), theirs.read())


def test_raw_files_are_painted(tmp_path: Path) -> None:
    write_scenes(tmp_path / "raw", 1, 203, "raw")
    prepare(tmp_path / "raw", str(tmp_path / "store.zarr"), jobs=1)
    (ours,) = find_charts(str(tmp_path / "raw")).scenes.values()
    (theirs,) = find_charts(str(tmp_path / "store.zarr")).scenes.values()
    np.testing.assert_array_equal(ours.read(), theirs.read())


def test_reference_files_need_no_scene_beside_them(
    raw_folder: Path, store_path: str, tmp_path: Path
) -> None:
    (path,) = raw_folder.glob("*_reference.nc")
    shutil.copy(path, tmp_path)
    (scene,) = find_charts(str(tmp_path)).scenes.values()
    stored = find_charts(store_path)
    assert stored.expected == (scene.id,)
    np.testing.assert_array_equal(scene.read(), stored.scenes[scene.id].read())


def test_a_submission_contains_the_test_scenes_of_a_folder(
    raw_folder: Path, store_path: str
) -> None:
    folder, store = find_charts(str(raw_folder)), find_charts(store_path)
    assert len(folder.scenes) > len(folder.expected)
    assert folder.expected == store.expected


def test_test_scenes_without_their_reference_files_are_uncharted(
    raw_folder: Path, tmp_path: Path
) -> None:
    (reference,) = raw_folder.glob("*_reference.nc")
    scene = reference.with_name(reference.name.replace("_reference", ""))
    shutil.copy(scene, tmp_path)
    with pytest.raises(SceneError, match=r"none of 1 file in .* contains a chart"):
        find_charts(str(tmp_path))
    charted = next(p for p in raw_folder.glob("*_prep.nc") if p != scene)
    shutil.copy(charted, tmp_path)
    found = find_charts(str(tmp_path))
    assert found.uncharted == {scene.name[:19]}
    assert found.expected == (charted.name[:19],)


def test_a_store_without_charts_has_none_to_offer(tmp_path: Path) -> None:
    write_coded(tmp_path / "raw", 203, 251, SIC=None, SOD=None, FLOE=None)
    prepare(tmp_path / "raw", str(tmp_path / "store.zarr"), jobs=1)
    found = charts_of(Store.open(str(tmp_path / "store.zarr")))
    assert (len(found.scenes), len(found.uncharted)) == (0, 1)


def test_a_folder_that_is_neither_a_store_nor_scenes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="neither a store nor a folder with netCDF files"):
        find_charts(str(tmp_path))
    with pytest.raises(StoreError, match="no store at"):
        find_charts(str(tmp_path / "absent"))


def test_a_scene_that_is_there_twice_is_taken_once(
    raw_folder: Path, tmp_path: Path
) -> None:
    path = min(raw_folder.glob("*_cis_prep.nc"))
    first = shutil.copy(path, tmp_path)
    second = tmp_path / "other.nc"
    shutil.copy(path, tmp_path / "copy.nc")
    shutil.copy(path, second)
    with h5py.File(second, "a") as file:
        file.attrs["original_id"] = "another file"
    found = find_charts(str(tmp_path))
    assert list(found.scenes) == [path.name[:19]]
    (failure,) = found.failed  # a copy is harmless
    assert failure.reason == f"'{second}': same scene as '{first}'"


def test_a_reference_file_brings_the_charts_of_a_scene_in_another_folder(
    raw_folder: Path, tmp_path: Path
) -> None:
    (reference,) = raw_folder.glob("*_reference.nc")
    scene = reference.with_name(reference.name.replace("_reference", ""))
    for file, folder in ((scene, "a"), (reference, "b")):
        (tmp_path / folder).mkdir()
        shutil.copy(file, tmp_path / folder)
    found = find_charts(str(tmp_path))
    assert ([*found.scenes], found.uncharted) == ([scene.name[:19]], frozenset())


def test_a_damaged_file_is_named_and_does_not_stop_the_others(
    raw_folder: Path, tmp_path: Path
) -> None:
    good, bad = sorted(raw_folder.glob("*_cis_prep.nc"))
    (tmp_path / bad.name).write_bytes(bad.read_bytes()[:5000])
    with pytest.raises(SceneError, match=f"none of 1 file .*{bad.name}"):
        find_charts(str(tmp_path))
    shutil.copy(good, tmp_path)
    found = find_charts(str(tmp_path))
    assert list(found.scenes) == [good.name[:19]]
    assert [failure.name for failure in found.failed] == [str(tmp_path / bad.name)]


def test_damaged_metadata_of_one_scene_do_not_hide_the_charts_of_others(
    store_path: str, tmp_path: Path
) -> None:
    path = Path(shutil.copytree(store_path, tmp_path / "store.zarr"))
    first, *others = find_charts(store_path).scenes
    document = path / "scenes" / first / "zarr.json"
    document.write_bytes(document.read_bytes()[:100])
    found = find_charts(str(path))
    assert list(found.scenes) == others
    (failure,) = found.failed
    assert failure.name == first
    assert "metadata" in failure.reason

"""The consolidated metadata is whole, is dropped by every writer, and never misleads."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import xarray as xr
import zarr
from support.coded_scenes import SCENE_ID, write_coded

from seaice_data.preparation.prepare import prepare
from seaice_data.store.consolidated import (
    array_documents,
    drop_consolidated,
    is_stale,
    write_consolidated,
)
from seaice_data.store.division import split_store
from seaice_data.store.recipe import Recipe
from seaice_data.store.split import SplitSettings
from seaice_data.store.store import Store
from seaice_data.store.verify import remove_damaged, verify
from seaice_data.store.writer import StoreWriter

LATER = "20200314T101830_cis"


@pytest.fixture(scope="module", params=[2, 3])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepare two small scenes in one format of zarr."""
    folder = tmp_path_factory.mktemp("made")
    for scene_id in (SCENE_ID, LATER):
        write_coded(folder / "raw", 63, 71, scene_id)
    prepare(folder / "raw", folder / "store.zarr", Recipe(zarr_format=request.param))
    return folder


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Store:
    shutil.copytree(made / "store.zarr", tmp_path / "store.zarr")
    return Store(tmp_path / "store.zarr")


def has_consolidated(store: Store) -> bool:
    folder = Path(store.path, "scenes")
    if store.recipe.zarr_format == 2:
        return (folder / ".zmetadata").exists()
    return "consolidated_metadata" in json.loads((folder / "zarr.json").read_text())


def attributes_file(store: Store, *names: str) -> Path:
    return Path(store.path, "scenes", *names, store.documents[0])


def change(path: Path, key: str, value: Any) -> None:
    document = json.loads(path.read_text())
    (document.get("attributes") or document)[key] = value
    path.write_text(json.dumps(document))


def test_plain_zarr_and_xarray_read_it_without_a_warning(store: Store) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        group = zarr.open_consolidated(f"{store.path}/scenes")
        tree = xr.open_datatree(f"{store.path}/scenes", engine="zarr")
    assert sorted(group.group_keys()) == [SCENE_ID, LATER]
    assert sorted(tree.children) == [SCENE_ID, LATER]
    np.testing.assert_array_equal(tree[SCENE_ID].charts, store[SCENE_ID].charts)
    assert group.attrs["source_times"] == store.source_times


def test_it_is_what_zarr_would_write(store: Store) -> None:
    folder = Path(store.path, "scenes")
    name = ".zmetadata" if store.recipe.zarr_format == 2 else "zarr.json"
    ours = zarr.open_group(folder, mode="r").metadata.consolidated_metadata
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(str(folder))
    theirs = zarr.open_group(folder, mode="r").metadata.consolidated_metadata
    assert (folder / name).exists()
    assert ours is not None
    assert theirs is not None
    assert ours.to_dict() == theirs.to_dict()


def test_preparing_again_leaves_it_as_it_is(made: Path) -> None:
    store = Store(made / "store.zarr")
    name = ".zmetadata" if store.recipe.zarr_format == 2 else "zarr.json"
    before = (made / "store.zarr/scenes" / name).stat().st_mtime_ns
    prepare(made / "raw", store.path, store.recipe)
    assert (made / "store.zarr/scenes" / name).stat().st_mtime_ns == before


@pytest.mark.parametrize("part", [None, (2, 2)])
def test_added_scenes_are_in_it_once_all_parts_are_there(
    made: Path, store: Store, tmp_path: Path, part: tuple[int, int] | None
) -> None:
    shutil.copytree(made / "raw", tmp_path / "raw")
    added = "20210314T101830_cis"
    write_coded(tmp_path / "raw", 63, 71, added)
    prepare(tmp_path / "raw", store.path, store.recipe, part=(2, 3) if part else None)
    prepare(tmp_path / "raw", store.path, store.recipe, part=(3, 3) if part else None)
    assert has_consolidated(store) == (part is None)
    found = Store(store.path)
    assert sorted(found.to_datatree()["scenes"].children) == list(found.scenes)
    assert added in found


def test_a_split_keeps_it_whole(store: Store) -> None:
    split_store(store, SplitSettings(seed=3))
    assert has_consolidated(store)
    assert not is_stale(Store(store.path))


def test_a_split_writes_it_where_it_is_missing(store: Store) -> None:
    StoreWriter(store.path).note_source_times({})
    assert not has_consolidated(store)
    split_store(store, SplitSettings())
    assert has_consolidated(store)


def test_removing_a_scene_drops_it(store: Store) -> None:
    StoreWriter(store.path).remove(SCENE_ID)
    assert not has_consolidated(store)
    assert list(Store(store.path).to_datatree()["scenes"].children) == [LATER]


def test_removing_damaged_scenes_writes_it_again(store: Store) -> None:
    change(attributes_file(store, SCENE_ID), "region", "elsewhere")
    assert remove_damaged(store.path, verify(store.path)) == (SCENE_ID,)
    assert has_consolidated(store)
    assert not is_stale(Store(store.path))


def test_a_store_with_a_damaged_scene_has_none(store: Store) -> None:
    attributes_file(store, SCENE_ID).write_text("{")
    write_consolidated(Store(store.path))
    assert not has_consolidated(store)
    assert list(Store(store.path).to_datatree()["scenes"].children) == [LATER]


def test_a_copy_of_other_scenes_is_not_used(store: Store) -> None:
    """As if seaice 0.1 had removed and changed scenes, which leaves the copy as it is."""
    shutil.rmtree(Path(store.path, "scenes", SCENE_ID))
    assert has_consolidated(store)
    assert is_stale(Store(store.path))
    assert list(Store(store.path).to_datatree()["scenes"].children) == [LATER]
    change(attributes_file(store, LATER), "region", "elsewhere")
    tree = Store(store.path).to_datatree()
    assert tree[f"scenes/{LATER}"].attrs["region"] == "elsewhere"
    write_consolidated(Store(store.path))
    assert not is_stale(Store(store.path))


def test_verify_reports_a_copy_that_does_not_fit(store: Store) -> None:
    document = attributes_file(store, SCENE_ID, "charts")
    if store.recipe.zarr_format == 3:
        document.write_text(json.dumps(json.loads(document.read_text()), indent=1))
        assert not verify(store.path).foreign_entries  # the same in other words
    wrong = Path(
        store.path, "scenes", ".zmetadata" if store.recipe.zarr_format == 2 else "zarr.json"
    )
    wrong.write_text(wrong.read_text().replace("ice charts as classes", "something else"))
    report = verify(store.path)
    assert report.damages == ()
    ((name, what),) = report.foreign_entries.items()
    assert name == f"scenes/{wrong.name}"
    assert what.startswith("consolidated metadata does not fit")
    split_store(Store(store.path), SplitSettings())
    assert not verify(store.path).foreign_entries


def test_damaged_copies_are_not_used(store: Store) -> None:
    name = ".zmetadata" if store.recipe.zarr_format == 2 else "zarr.json"
    path = Path(store.path, "scenes", name)
    for content in ("{", "[]", '{"metadata": 3, "consolidated_metadata": {}}'):
        path.write_text(content)
        found = Store(store.path)
        scenes, _ = found.open_scenes()
        assert {*array_documents(found, scenes)[0]} == {SCENE_ID, LATER}


@pytest.mark.parametrize("content", ["{", '{"consolidated_metadata": {}}'])
def test_verify_reports_a_damaged_copy(store: Store, content: str) -> None:
    name = ".zmetadata" if store.recipe.zarr_format == 2 else "zarr.json"
    if store.recipe.zarr_format == 3:
        content = content.replace("{}", '{}, "attributes": {}') + " "
    path = Path(store.path, "scenes", name)
    path.write_text(content)
    if store.recipe.zarr_format == 2 or "consolidated" in content:
        assert {*verify(store.path).foreign_entries} == {f"scenes/{name}"}
    write_consolidated(Store(store.path))
    assert not is_stale(Store(store.path))


def test_a_scene_that_changed_since_it_was_opened_is_not_copied(store: Store) -> None:
    before = Store(store.path)
    assert before.scenes
    assert Store(store.path).has_same_scenes(before)
    change(attributes_file(store, SCENE_ID), "region", "elsewhere")
    assert not Store(store.path).has_same_scenes(before)
    write_consolidated(before)
    assert not has_consolidated(store)


@pytest.mark.parametrize("content", [None, "{"])
def test_a_scene_that_goes_while_it_is_copied_is_no_error(
    store: Store, content: str | None
) -> None:
    before = Store(store.path)
    assert before.scenes
    path = attributes_file(store, SCENE_ID)
    path.unlink() if content is None else path.write_text(content)
    write_consolidated(before)
    assert not has_consolidated(store)


def test_an_object_store_that_refuses_the_copy_is_logged(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    files = fsspec.filesystem("memory")
    files.put(store.path, "/refusing.zarr", recursive=True)
    writer = StoreWriter("memory://refusing.zarr")
    drop_consolidated(writer.storage, writer.recipe.zarr_format)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("this bucket is read-only")

    with monkeypatch.context() as patch:
        patch.setattr(type(files), "pipe_file", refuse)
        write_consolidated(writer)
    assert "no consolidated metadata: cannot reach 'memory://refusing.zarr'" in caplog.text
    assert not is_stale(writer)
    files.rm("/refusing.zarr", recursive=True)


def test_names_that_lead_out_of_the_store_are_not_read(store: Store) -> None:
    path = attributes_file(store, SCENE_ID)
    document = json.loads(path.read_text())
    (document.get("attributes") or document)["checksums"]["../../x"] = "00000000"
    path.write_text(json.dumps(document))
    found = Store(store.path)
    described, (failure,) = array_documents(found, found.open_scenes()[0])
    assert {*described} == {LATER}
    assert "'../../x' cannot be read: it is not an array" in failure.reason

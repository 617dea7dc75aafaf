"""Whole runs of prepare: resumed, extended, with bad files, in several processes."""

import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import pytest
import xarray as xr
from support.coded_scenes import SCENE_ID, write_coded

from seaice_data.egg_codes import SIC_CLASSES
from seaice_data.errors import SceneError, StoreError
from seaice_data.preparation.prepare import prepare
from seaice_data.scenes.files import open_scene
from seaice_data.scenes.fingerprints import file_fingerprint, unchanged
from seaice_data.storage.local_folder import LocalFolder
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.store.writer import StoreWriter
from seaice_data.synthetic.scene_set import write_scenes

IDS = [f"2019{month:02d}14T101830_dmi" for month in range(1, 8)]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    for scene_id in IDS:
        write_coded(tmp_path / "raw", 203, 251, scene_id)
    return tmp_path / "raw"


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "store.zarr")


def test_all_scenes_arrive_and_are_split(raw: Path, store: str) -> None:
    seen: list[tuple[int, int, str]] = []
    report = prepare(raw, store, progress=lambda *step: seen.append(step))
    assert report.written == tuple(IDS)
    assert [step[:2] for step in seen] == [(k + 1, 7) for k in range(7)]
    opened = Store.open(store)
    assert opened.scenes == tuple(IDS)
    assert [len(ids) for ids in opened.splits.values()] == [6, 1, 0]
    assert sum(opened.attributes["class_counts"]["SIC"]) == 6 * 20 * 25


def test_several_processes_give_the_same_bytes(
    raw: Path, store: str, tmp_path: Path
) -> None:
    prepare(raw, store, jobs=2)
    prepare(raw, str(tmp_path / "one.zarr"), jobs=1)
    for scene_id in IDS:
        np.testing.assert_array_equal(
            Store.open(store).scene(scene_id).inputs,
            Store.open(str(tmp_path / "one.zarr")).scene(scene_id).inputs,
        )


def test_a_second_run_does_nothing_and_new_files_are_added(raw: Path, store: str) -> None:
    prepare(raw, store)
    again = prepare(raw, store)
    assert (again.written, again.kept) == ((), tuple(IDS))
    write_coded(raw, 203, 251, "20200101T000000_cis")
    assert prepare(raw, store).written == ("20200101T000000_cis",)


def test_a_bad_file_does_not_stop_the_others(raw: Path, store: str) -> None:
    (raw / "a_bad.nc").write_bytes(b"no netCDF")
    write_coded(raw, 203, 251, IDS[3], SIC=np.full((203, 251), 42, np.uint8))
    report = prepare(raw, store, jobs=2)
    assert len(report.written) == 6
    assert [Path(failure.name).name for failure in report.failed] == [
        f"{IDS[3]}_prep.nc",
        "a_bad.nc",
    ]
    assert "SIC contains 42" in report.failed[0].reason
    assert IDS[3] not in Store.open(store).scenes


def test_scenes_reached_by_links_arrive_and_what_cannot_be_read_is_reported(
    raw: Path, store: str, tmp_path: Path
) -> None:
    folder = tmp_path / "linked"
    (folder / "sub").mkdir(parents=True)
    (folder / "train").symlink_to(raw)
    (folder / "sub" / "test").symlink_to("../nowhere")
    report = prepare(folder, store)
    assert report.written == tuple(IDS)
    (failure,) = report.failed
    assert failure.name == f"{folder}/sub/test"
    assert "a link to a file or folder that is gone" in failure.reason
    assert prepare(raw, store).kept == tuple(IDS)


def test_strict_stops_at_a_bad_file(raw: Path, store: str) -> None:
    write_coded(raw, 203, 251, IDS[3], SIC=np.full((203, 251), 42, np.uint8))
    with pytest.raises(SceneError, match="SIC contains 42"):
        prepare(raw, store, strict=True)


def test_the_same_scene_twice_is_reported(raw: Path, store: str) -> None:
    write_coded(raw / "other", 203, 251, IDS[0], SIC=np.full((203, 251), 4, np.uint8))
    report = prepare(raw, store)
    assert len(report.written) == 7
    assert "same scene as" in report.failed[0].reason
    assert str(report.failed[0].hint).startswith("the files differ")


def test_a_copy_of_a_scene_is_harmless(
    raw: Path, store: str, caplog: pytest.LogCaptureFixture
) -> None:
    (raw / "copy").mkdir()
    path = raw / f"{IDS[0]}_prep.nc"
    copy = shutil.copy(path, raw / "copy")
    (raw / "link.nc").symlink_to(path)
    report = prepare(raw, store)
    assert (len(report.written), report.failed) == (7, ())
    assert f"'{copy}' left out: it is a copy of " in caplog.text


def test_a_file_that_changed_is_reported(raw: Path, store: str) -> None:
    prepare(raw, store)
    write_coded(raw, 203, 251, IDS[0], SIC=np.full((203, 251), 1, np.uint8))
    report = prepare(raw, store)
    assert "not the file that scene" in report.failed[0].reason


def correct(path: Path, chart: str = "SIC") -> None:
    """Change a row of a chart where no sample for the hash of the file is taken."""
    before = file_fingerprint(path)
    for row in range(0, 503, 20):
        with h5py.File(path, "a") as file:
            whole = file[chart][row]
            file[chart][row] = 4
        if file_fingerprint(path) == before:
            return
        with h5py.File(path, "a") as file:
            file[chart][row] = whole
    raise AssertionError("samples everywhere")


def forget_times(store: str) -> None:
    """Make a store look as version 0.1 wrote it."""
    document = Path(store, "scenes", "zarr.json")
    group = json.loads(document.read_text())
    assert set(group.pop("attributes")) == {"source_times"}
    document.write_text(json.dumps({**group, "attributes": {}}))


def test_a_corrected_file_of_equal_size_and_samples_is_reported(
    store: str, tmp_path: Path
) -> None:
    paths = [write_coded(tmp_path / "raw", scene_id=scene_id) for scene_id in IDS[:2]]
    prepare(tmp_path / "raw", store)
    correct(paths[0])
    for _ in range(2):  # the second run has not noted the time of the corrected file
        report = prepare(tmp_path / "raw", store)
        assert (report.written, report.kept) == ((), (IDS[1],))
        (failure,) = report.failed
        assert failure.name == str(paths[0])
        assert failure.reason.endswith(
            f"scene {IDS[0]} in the store was made from other data: full_charts differ"
        )
    assert prepare(tmp_path / "raw", store, overwrite=True).written == (*IDS[:2],)
    with open_scene(paths[0]) as scene:
        charts = np.empty((3, *scene.grid.shape), np.uint8)
        scene.read_charts(slice(0, scene.grid.height), charts)
    np.testing.assert_array_equal(Store.open(store).scene(IDS[0]).full_charts(), charts)


def test_a_corrected_reference_file_is_reported(store: str, tmp_path: Path) -> None:
    path = write_coded(tmp_path / "raw", SIC=None, SOD=None, FLOE=None)
    reference = path.with_name(f"{path.stem}_reference.nc")
    write_coded(tmp_path).rename(reference)
    prepare(path, store)
    assert prepare(path, store).kept == (SCENE_ID,)
    correct(reference)
    assert "full_charts differ" in prepare(path, store).failed[0].reason


def test_a_touched_copied_or_renamed_file_is_kept(store: str, tmp_path: Path) -> None:
    path = write_coded(tmp_path / "raw", 203, 251)
    prepare(path.parent, store)
    os.utime(path, ns=(1, 1))
    assert prepare(path.parent, store).kept == (SCENE_ID,)
    assert Store.open(store).source_times == {SCENE_ID: [1]}
    path.rename(path.with_name("renamed.nc"))
    report = prepare(path.parent, store)
    assert (report.kept, report.failed) == ((SCENE_ID,), ())


def test_the_bytes_of_a_scene_do_not_depend_on_the_time_of_its_file(
    store: str, tmp_path: Path
) -> None:
    path = write_coded(tmp_path / "raw", 203, 251)
    prepare(path, store)
    os.utime(path, ns=(1, 1))
    prepare(path, str(tmp_path / "other.zarr"))
    assert Store.open(tmp_path / "other.zarr").source_times == {SCENE_ID: [1]}
    ours, theirs = (Path(s, "scenes", SCENE_ID) for s in (store, tmp_path / "other.zarr"))
    files = [file.relative_to(ours) for file in ours.rglob("*") if file.is_file()]
    assert len(files) > 10
    for file in files:
        assert (ours / file).read_bytes() == (theirs / file).read_bytes()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_times_are_noted_by_parts_and_read_again(
    store: str, tmp_path: Path, zarr_format: Literal[2, 3]
) -> None:
    path = write_coded(tmp_path / "raw", 203, 251)
    prepare(path, store, Recipe(zarr_format=zarr_format), part=(1, 1))
    assert Store.open(store).source_times == {SCENE_ID: [path.stat().st_mtime_ns]}
    assert xr.open_datatree(store, engine="zarr", consolidated=False)


def test_files_of_a_store_of_version_0_1_are_compared_once(
    store: str, tmp_path: Path
) -> None:
    path = write_coded(tmp_path / "raw")
    prepare(path, store)
    forget_times(store)
    assert prepare(path, store).kept == (SCENE_ID,)
    assert Store.open(store).source_times == {SCENE_ID: [path.stat().st_mtime_ns]}
    correct(path)
    forget_times(store)
    assert "full_charts differ" in prepare(path, store).failed[0].reason


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = write_coded(tmp_path, 203, 251)
    with pytest.raises(SceneError, match="changed while it was read"), unchanged(path):
        os.utime(path, ns=(1, 1))


def test_overwrite_replaces_a_store_and_nothing_else(raw: Path, store: str) -> None:
    prepare(raw, store)
    assert len(prepare(raw, store, Recipe(ratio=5), overwrite=True).written) == 7
    assert Store.open(store).recipe.ratio == 5
    with pytest.raises(StoreError, match="is not a seaice store"):
        prepare(raw, str(raw), overwrite=True)
    assert len(list(raw.glob("*.nc"))) == 7


def test_what_killed_writers_left_is_removed(raw: Path, store: str) -> None:
    prepare(raw, store)
    host = socket.gethostname().replace(".", "-")
    abandoned = Path(store, ".staging", f"{IDS[0]}.{host}.abcdef012345")
    abandoned.mkdir(parents=True)
    prepare(raw, store)
    assert not Path(store, ".staging").exists()


def test_a_raw_scene_and_its_ready_twin_give_the_same_store(tmp_path: Path) -> None:
    stores = []
    for version in ("ready", "raw"):
        write_scenes(tmp_path / version, 3, 260, version)  # type: ignore[arg-type]
        path = str(tmp_path / f"{version}.zarr")
        prepare(tmp_path / version, path, Recipe(ratio=4, dtype="float32"))
        stores.append(Store.open(path))
    assert stores[0].scenes == stores[1].scenes
    for scene_id in stores[0].scenes:
        ready, raw = (store.scene(scene_id) for store in stores)
        # float32 in the ready file, float64 in the raw one: they agree to 1e-4 deviations.
        np.testing.assert_allclose(raw.inputs, ready.inputs, atol=1e-4)
        np.testing.assert_array_equal(raw.charts, ready.charts)
        np.testing.assert_array_equal(raw.full_charts(), ready.full_charts())
        np.testing.assert_array_equal(raw.full_flags(), ready.full_flags())
        assert raw.attributes["region"] == ready.attributes["region"]


def test_polygons_of_raw_scenes_are_kept(tmp_path: Path) -> None:
    write_scenes(tmp_path / "raw", 1, 260, "raw")
    prepare(tmp_path / "raw", str(tmp_path / "store.zarr"), Recipe(ratio=4))
    store = Store.open(str(tmp_path / "store.zarr"))
    group = f"scenes/{store.scenes[0]}"
    scene = xr.open_zarr(store.path, group=group, consolidated=False).load()
    np.testing.assert_array_equal(scene.polygon_id == -1, scene.charts[..., 0] == 255)
    # If a pixel is in a single polygon, the total concentration gives its class of SIC.
    total = scene.polygons.sel(polygon_column="CT").values
    classes = np.array([SIC_CLASSES.get(int(code), 255) for code in total])
    ids = scene.polygons.sel(polygon_column="id").values
    for polygon_id, expected in zip(ids, classes, strict=True):
        found = scene.charts[..., 0].values[scene.polygon_id == polygon_id]
        assert found.size == 0 or np.mean(found == expected) > 0.9


def test_a_good_store_outlives_files_that_cannot_replace_it(raw: Path, store: str) -> None:
    prepare(raw, store)
    bad = raw.parent / "bad"
    bad.mkdir()
    (bad / "a.nc").write_bytes(b"no netCDF")
    with pytest.raises(SceneError, match=r"none of 1 file can be prepared.*left as it is"):
        prepare(bad, store, overwrite=True)
    with pytest.raises(SceneError, match=r"none of 7 files .*_prep.nc'"):
        prepare(raw, store, Recipe(ratio=1000), overwrite=True)
    assert Store.open(store).scenes == tuple(IDS)


def test_bad_files_alone_do_not_make_a_store(tmp_path: Path) -> None:
    path = write_coded(tmp_path, 203, 251, SIC=np.full((203, 251), 42, np.uint8))
    for recipe in (Recipe(), Recipe(ratio=1000)):  # bad at the end, bad at first sight
        (failure,) = prepare(path, str(tmp_path / "store.zarr"), recipe).failed
        assert path.name in failure.reason
        assert not (tmp_path / "store.zarr").exists()


def test_a_link_to_a_store_is_followed(raw: Path, store: str, tmp_path: Path) -> None:
    link = tmp_path / "link.zarr"
    link.symlink_to("store.zarr")
    assert len(prepare(raw, str(link)).written) == 7
    assert len(prepare(raw, str(link), Recipe(ratio=5), overwrite=True).written) == 7
    assert link.is_symlink()
    assert Store.open(store).recipe.ratio == 5


def test_overwrite_loses_no_scene_whose_file_is_bad_now(raw: Path, store: str) -> None:
    prepare(raw, store)
    write_coded(raw, 203, 251, IDS[3], SIC=np.full((203, 251), 42, np.uint8))
    with pytest.raises(
        SceneError, match=r"left as it is: it contains a scene.*SIC contains 42"
    ):
        prepare(raw, store, Recipe(ratio=5), overwrite=True)
    assert Store.open(store).recipe.ratio == 10
    assert Store.open(store).scenes == tuple(IDS)
    assert {path.name for path in raw.parent.iterdir()} == {"raw", "store.zarr"}


def test_overwrite_loses_no_scene_whose_folder_cannot_be_read(
    raw: Path, store: str, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (raw / "linked").symlink_to(elsewhere)
    (raw / f"{IDS[3]}_prep.nc").rename(elsewhere / f"{IDS[3]}_prep.nc")
    prepare(raw, store)
    elsewhere.rename(tmp_path / "moved")
    with pytest.raises(SceneError, match=f"not found again, such as {IDS[3]}; .*linked'"):
        prepare(raw, store, overwrite=True)
    assert Store.open(store).scenes == tuple(IDS)


def test_overwrite_replaces_a_store_of_another_version_beside_a_bad_folder(
    raw: Path, store: str
) -> None:
    prepare(raw, store)
    document = Path(store, "zarr.json")
    text = document.read_text()
    document.write_text(text.replace('"format_version": 1', '"format_version": 9'))
    (raw / "linked").symlink_to(raw / "nowhere")
    report = prepare(raw, store, overwrite=True)
    assert (len(report.written), len(report.failed)) == (7, 1)
    assert Store.open(store).scenes == tuple(IDS)


def test_overwrite_leaves_out_a_bad_file_that_is_not_in_the_store(
    raw: Path, store: str
) -> None:
    prepare(raw, store)
    (raw / "new.nc").write_bytes(b"no netCDF")
    report = prepare(raw, store, Recipe(ratio=5), overwrite=True)
    assert (len(report.written), len(report.failed)) == (7, 1)
    assert Store.open(store).recipe.ratio == 5


def test_what_a_killed_replacement_left_is_removed(raw: Path, store: str) -> None:
    prepare(raw, store)
    with LocalFolder(store).replacement() as beside:
        prepare(raw, beside.path, part=(1, 2))
        folder = beside.local().parent
        assert prepare(raw, store).kept == tuple(IDS)
        assert folder.exists()  # its process is alive
        shutil.copytree(folder, raw / ".copy")
        StoreWriter.erase(beside.path)
        beside.drop_folder()
    assert {path.name for path in raw.parent.iterdir()} == {"raw", "store.zarr"}
    (raw / ".copy").rename(folder)  # nobody has it locked now
    assert prepare(raw, store).kept == tuple(IDS)
    assert {path.name for path in raw.parent.iterdir()} == {"raw", "store.zarr"}


def test_a_store_that_was_moved_away_by_a_killed_exchange_comes_back(
    raw: Path, store: str
) -> None:
    prepare(raw, store)
    with LocalFolder(store).replacement() as beside:
        # The first of three renames on systems that cannot exchange names in one step.
        Path(store).rename(f"{beside.path}.replaced")
        folder = beside.local().parent
        folder.rename(raw / "held")
    (raw / "held").rename(folder)  # nobody has it locked now
    assert prepare(raw, store).kept == tuple(IDS)
    assert {path.name for path in raw.parent.iterdir()} == {"raw", "store.zarr"}


def test_what_only_looks_like_a_replacement_is_left_alone(
    raw: Path, store: str, tmp_path: Path
) -> None:
    prepare(raw, store)
    with LocalFolder(store).replacement() as beside:
        name = beside.local().parent.name
    unmarked, more = tmp_path / name, tmp_path / f"{name[:-12]}{12 * 'a'}"
    for path in (tmp_path / "store.zarr.replacement", unmarked / "store.zarr"):
        shutil.copytree(store, path)
    with LocalFolder(store).replacement() as beside:
        shutil.copytree(beside.local().parent, more)
    (more / "notes.txt").write_text("mine")
    (tmp_path / "store.zarr.replaced").mkdir()
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert prepare(raw, store).kept == tuple(IDS)
    prepare(raw, store, overwrite=True)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before
    assert (tmp_path / "store.zarr.replaced").exists()


def test_a_system_that_cannot_exchange_names_also_replaces_stores(
    raw: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "seaice_data.storage.local_folder._RENAME_EXCHANGE", 1 << 20
    )  # no such flag
    prepare(raw, store)
    prepare(raw, store, Recipe(ratio=5), overwrite=True)
    assert Store.open(store).recipe.ratio == 5
    assert {path.name for path in raw.parent.iterdir()} == {"raw", "store.zarr"}


def test_a_scene_too_large_for_memory_does_not_stop_the_others(
    raw: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = StoreWriter.write

    def fail_once(self: StoreWriter, scene: Any, provenance: Any) -> None:
        if scene.id == IDS[2]:
            raise MemoryError
        write(self, scene, provenance)

    monkeypatch.setattr(StoreWriter, "write", fail_once)
    report = prepare(raw, store)
    assert (len(report.written), report.failed[0].reason) == (
        6,
        f"'{raw / f'{IDS[2]}_prep.nc'}': not enough memory",
    )
    assert len(report.failed) == 1

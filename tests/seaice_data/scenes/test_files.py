"""Opening files: what is not a scene is refused with a reason."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.coded_scenes import SCENE_ID, write_coded

from seaice_data.errors import SceneError
from seaice_data.preparation.assemble import assemble
from seaice_data.preparation.prepare import prepare
from seaice_data.scenes.files import Scene, find_scene_files, find_scenes, open_scene
from seaice_data.store.recipe import Recipe


def read_charts(scene: Scene, n_rows: int) -> np.ndarray:
    charts = np.empty((3, n_rows, scene.grid.width), np.uint8)
    scene.read_charts(slice(0, n_rows), charts)
    return charts


def test_a_ready_scene_says_what_it_is(tmp_path: Path) -> None:
    path = write_coded(tmp_path)
    with h5py.File(path, "a") as file:
        file.attrs["original_id"] = (
            "S1A_EW_GRDM_1SDH_20190314T101830_20190314T101930_026000_02E5A1_0F1C_icechart_"
            "cis_SGRDIEA_20190314T1020Z_pl_a.nc"
        )
    with open_scene(path) as scene:
        assert scene.id == SCENE_ID
        assert (scene.version, scene.service, scene.region) == ("ready", "cis", "SGRDIEA")
        assert scene.grid.shape == (503, 528)
        assert scene.acquired.isoformat() == "2019-03-14T10:18:30+00:00"
        assert scene.has_charts
        assert not scene.is_test_file


@pytest.mark.parametrize("own", [None, np.full((503, 528), 255, np.uint8)])
def test_the_reference_file_brings_the_charts_of_a_test_scene(
    tmp_path: Path, own: np.ndarray | None
) -> None:
    charts = dict.fromkeys(("SIC", "SOD", "FLOE"), own)
    path = write_coded(tmp_path, **charts)
    with open_scene(path) as scene:
        assert scene.has_charts == (own is not None)
        assert (read_charts(scene, 5) == 255).all()
    with h5py.File(tmp_path / f"{SCENE_ID}_prep_reference.nc", "w") as file:
        for name in charts:
            file[name] = np.full((503, 528), 3, np.uint8)
    assert find_scenes(tmp_path) == (path,)
    with open_scene(path) as scene:
        assert scene.has_charts
        assert scene.is_test_file
        assert (read_charts(scene, 5) == 3).all()


def test_a_file_with_classes_of_its_own_needs_no_reference_file(tmp_path: Path) -> None:
    path = write_coded(tmp_path)
    with open_scene(path) as scene:
        expected = read_charts(scene, 503)
    with h5py.File(tmp_path / f"{SCENE_ID}_prep_reference.nc", "w") as file:
        for name in ("SIC", "SOD", "FLOE"):
            file[name] = np.full((503, 528), 3, np.uint8)
    with open_scene(path) as scene:
        assert not scene.is_test_file
        np.testing.assert_array_equal(read_charts(scene, 503), expected)


def test_a_folder_without_scenes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="no netCDF file in"):
        find_scenes(tmp_path)
    with pytest.raises(SceneError, match="no folder at"):
        find_scenes(tmp_path / "absent")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot read it as netCDF"),
        (b"hello, not a netCDF file here", "cannot read it as netCDF"),
        (b"CDF\x01" + bytes(60), "not a scene"),
    ],
)
def test_what_is_not_netcdf_is_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "bad.nc").write_bytes(content)
    with pytest.raises(SceneError, match=message):
        open_scene(tmp_path / "bad.nc")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = write_coded(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(SceneError, match="truncated") as caught:
        open_scene(path)
    assert caught.value.hint == "the file is truncated; fetch it again"


def test_a_netcdf_file_of_something_else_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.nc", "w") as file:
        file["temperature"] = np.zeros(3)
    with pytest.raises(SceneError, match="not a scene"):
        open_scene(tmp_path / "other.nc")


def read_all(path: Path) -> None:
    with open_scene(path) as scene:
        assemble(scene, Recipe())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"btemp_89_0v": None}, "variable 'btemp_89_0v' is missing"),
        ({"SOD": None}, "chart 'SOD' is missing"),
        ({"nersc_sar_secondary": np.zeros((503, 527), np.float32)}, "has shape"),
        ({"FLOE": np.zeros((502, 528), np.uint8)}, "'FLOE' has shape"),
        ({"t2m": np.zeros((9, 21), np.float32)}, "does not fit 503 x 528 SAR pixels"),
        ({"t2m": np.zeros(20, np.float32)}, "not 2 axes"),
        ({"nersc_sar_primary": np.full((503, 528), b"x")}, "not numbers"),
        ({"sar_grid2d_longitude": np.full((21, 21), np.nan)}, "tie points"),
        ({"sar_grid2d_latitude": np.full((21, 21), 1e9)}, "tie points are outside"),
        (
            {"SIC": np.full((503, 528), 11, np.uint8)},
            "SIC contains 11, which is not a class",
        ),
    ],
)
def test_a_broken_scene_is_refused_with_the_variable(
    tmp_path: Path, changed: dict[str, np.ndarray | None], message: str
) -> None:
    path = write_coded(tmp_path, **changed)
    with pytest.raises(SceneError, match=message) as caught:
        read_all(path)
    assert str(path) in str(caught.value)


def test_a_scene_without_an_id_is_refused(tmp_path: Path) -> None:
    path = write_coded(tmp_path).rename(tmp_path / "renamed.nc")
    with h5py.File(path, "a") as file:
        file.attrs["scene_id"] = "unknown"
    with (
        pytest.raises(SceneError, match="attribute 'scene_id' is 'unknown'"),
        open_scene(path) as scene,
    ):
        _ = scene.id


@pytest.mark.parametrize("kind", ["hard link", "link"])
@pytest.mark.parametrize("place", ["a", "b"])
def test_a_file_with_two_names_is_found_by_the_one_with_charts_beside_it(
    tmp_path: Path, place: str, kind: str
) -> None:
    path = write_coded(tmp_path / "ab".replace(place, ""), SIC=None, SOD=None, FLOE=None)
    named = tmp_path / place / path.name
    named.parent.mkdir()
    if kind == "link":
        named.symlink_to(path)
    else:
        named.hardlink_to(path)
    write_coded(tmp_path / "c").rename(named.with_name(f"{path.stem}_reference.nc"))
    assert find_scene_files(tmp_path).files == {SCENE_ID: named}


@pytest.mark.parametrize("present", ["SOD", "FLOE"])
def test_a_chart_without_the_others_is_refused(tmp_path: Path, present: str) -> None:
    absent = dict.fromkeys({"SIC", "SOD", "FLOE"} - {present})
    path = write_coded(tmp_path, **absent)
    with pytest.raises(SceneError, match="chart 'SIC' is missing"):
        open_scene(path)
    whole = write_coded(tmp_path, **dict.fromkeys(["SIC", "SOD", "FLOE"]))
    lone = write_coded(tmp_path / "lone", **absent)
    lone.rename(whole.with_name(f"{whole.stem}_reference.nc"))
    with pytest.raises(SceneError, match=r"_reference.nc.*chart 'SIC' is missing"):
        open_scene(whole)


def test_files_are_found_by_what_they_are(tmp_path: Path) -> None:
    for name in ("a.nc", "B.NC", ".hidden.nc", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / ".trash").mkdir()
    (tmp_path / ".trash" / "d.nc").touch()
    (tmp_path / "folder.nc").mkdir()
    assert [path.name for path in find_scenes(tmp_path)] == ["B.NC", "a.nc"]


def test_what_may_be_a_scene_but_cannot_be_read_is_reported(tmp_path: Path) -> None:
    path = write_coded(tmp_path)
    os.mkfifo(tmp_path / "pipe.nc")
    (tmp_path / "gone").symlink_to("nowhere")
    found = find_scene_files(tmp_path)
    assert found.files == {SCENE_ID: path}
    reasons = [failure.reason for failure in found.failed]
    assert reasons == [
        f"'{tmp_path}/gone': a link to a file or folder that is gone",
        f"'{tmp_path}/pipe.nc' is not a regular file",
    ]
    with pytest.raises(SceneError, match=r"gone': a link to .* gone \(and 1 more\)"):
        find_scenes(tmp_path)


def test_a_scene_is_found_once_however_many_links_lead_to_it(tmp_path: Path) -> None:
    path = write_coded(tmp_path / "raw" / "z")
    (tmp_path / "raw" / "a").symlink_to("z")
    (tmp_path / "raw" / "link.nc").symlink_to(path)
    found = find_scene_files(tmp_path / "raw")
    assert (found.files, found.failed) == ({SCENE_ID: path}, ())
    copy = tmp_path / "raw" / "copy.nc"
    copy.write_bytes(path.read_bytes())
    found = find_scene_files(tmp_path / "raw")
    assert (found.files, found.failed) == ({SCENE_ID: copy}, ())


def test_a_store_or_a_pipe_in_place_of_a_folder_is_refused_with_a_reason(
    tmp_path: Path,
) -> None:
    prepare(write_coded(tmp_path, 203, 251), str(tmp_path / "store.zarr"))
    with pytest.raises(SceneError, match="no netCDF file in") as caught:
        find_scenes(tmp_path / "store.zarr")
    assert caught.value.hint == "it is a zarr store; name the folder of the netCDF files"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SceneError, match="pipe' is neither a folder nor a file"):
        find_scenes(tmp_path / "pipe")
    with pytest.raises(SceneError, match="Not a directory"):
        find_scenes(tmp_path / "store.zarr" / "zarr.json" / "raw")
    path = (tmp_path / "scene").absolute()
    path.write_bytes(b"")
    assert find_scenes(path) == (path,)
    assert "cannot read it as netCDF" in find_scene_files(path).failed[0].reason

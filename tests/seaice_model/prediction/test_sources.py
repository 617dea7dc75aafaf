import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from seaice_data.errors import SceneError, StoreError
from seaice_data.preparation.prepare import prepare
from seaice_data.scenes.fingerprints import UNKNOWN_FILE, file_fingerprint, is_same_file
from seaice_data.sources.inputs import StoreSource
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.synthetic.scene_set import write_scenes
from seaice_model.config.run_config import ModelConfig, RunConfig, TrainConfig
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.netcdf import read_netcdf
from seaice_model.prediction.predict import (
    PredictReport,
    PredictSettings,
    predict_files,
    predict_store,
)
from seaice_model.training.train import train

CONFIG = RunConfig(
    model=ModelConfig(channels=("hv", "t2m", "latitude", "month"), filters=(4, 8)),
    train=TrainConfig(patch_size=32, batch_size=4, n_iterations=4, n_epochs=1),
)
DATA_ONLY = PredictSettings(plots=False)


@pytest.fixture(scope="module")
def seen_run(tmp_path_factory: pytest.TempPathFactory, store_path: str) -> Path:
    path = tmp_path_factory.mktemp("sources") / "run"
    train(Store.open(store_path), path, CONFIG, device="cpu")
    return path


@pytest.fixture(scope="module")
def raw_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of two scenes of 40 m, with odd numbers of pixels."""
    folder = tmp_path_factory.mktemp("sources") / "raw"
    write_scenes(folder, 2, 251, "raw")
    return folder


def same(ours: ChartMap, theirs: ChartMap) -> None:
    np.testing.assert_array_equal(ours.charts, theirs.charts)
    np.testing.assert_array_equal(ours.flags, theirs.flags)
    assert ours.grid == theirs.grid
    assert ours.decision is not None
    assert theirs.decision is not None
    np.testing.assert_array_equal(ours.decision.entropy, theirs.decision.entropy)
    hashes = ours.provenance.file_hash, theirs.provenance.file_hash
    assert is_same_file(*hashes)
    assert UNKNOWN_FILE not in hashes


def test_files_give_the_maps_that_their_store_gives(
    tmp_path: Path, raw_folder: Path, store_path: str, seen_run: Path
) -> None:
    store = Store.open(store_path)
    predict_store(store, seen_run, tmp_path / "a", DATA_ONLY, scenes=store.scenes)
    report = predict_files(raw_folder, seen_run, tmp_path / "b", DATA_ONLY)
    assert len(report.maps) == len(store.scenes) == 6
    for path in report.maps:
        same(read_netcdf(path), read_netcdf(tmp_path / "a" / path.name))


def test_a_map_of_another_file_of_the_same_scene_is_not_kept(
    tmp_path: Path, raw_folder: Path, seen_run: Path
) -> None:
    file = sorted(raw_folder.glob("*_prep.nc"))[0]
    path = Path(shutil.copy(file, tmp_path))
    predict_files(path, seen_run, tmp_path / "maps", DATA_ONLY)
    assert predict_files(path, seen_run, tmp_path / "maps", DATA_ONLY).n_kept == 1
    with h5py.File(path, "a") as scene:
        scene["nersc_sar_primary"][...] *= 0.5
    (failure,) = predict_files(path, seen_run, tmp_path / "maps", DATA_ONLY).failed
    assert "made from another file of its scene" in failure.reason
    again = PredictSettings(plots=False, overwrite=True)
    assert predict_files(path, seen_run, tmp_path / "maps", again).n_written == 1


def correct(path: Path) -> None:
    """Change a row of a plane where no sample for the hash of the file is taken."""
    before = file_fingerprint(path)
    for row in range(320):
        with h5py.File(path, "a") as file:
            plane = file["nersc_sar_primary"]
            whole, plane[row] = plane[row], plane[row] + 1
        if file_fingerprint(path) == before:
            return
        with h5py.File(path, "a") as file:
            file["nersc_sar_primary"][row] = whole
    raise AssertionError("samples everywhere")


def test_maps_of_a_corrected_file_with_equal_samples_are_not_kept(
    tmp_path: Path, raw_folder: Path, seen_run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = min(raw_folder.glob("*_cis_prep.nc"))
    path = Path(shutil.copy(file, tmp_path))
    recipe, url = Recipe(ratio=5), str(tmp_path / "store.zarr")
    prepare(path, url, recipe)
    for name in ("files", "old"):
        predict_files(path, seen_run, tmp_path / name, DATA_ONLY)
    old = tmp_path / "old" / f"{file.name[:19]}.nc"
    with h5py.File(old, "a") as opened:  # as version 0.1 wrote it
        samples = opened.attrs["file_hash"].decode().split()[0]
        opened.attrs["file_hash"] = samples

    def from_store(maps: str) -> PredictReport:
        store = Store.open(url)
        folder = tmp_path / maps
        return predict_store(store, seen_run, folder, DATA_ONLY, scenes=store.scenes)

    assert from_store("store").n_written == 1
    assert from_store("store").n_kept == 1
    assert not caplog.records
    correct(path)
    prepare(path, url, recipe, overwrite=True)
    reports = [
        predict_files(path, seen_run, tmp_path / "files", DATA_ONLY),
        from_store("store"),
    ]
    for report in reports:
        assert "made from another file of its scene" in report.failed[0].reason
    assert not caplog.records
    assert predict_files(path, seen_run, tmp_path / "old", DATA_ONLY).n_kept == 1
    assert "by samples alone" in caplog.text


def test_raw_files_give_maps_of_40_m_or_if_requested_80_m(
    tmp_path: Path, raw_files: Path, seen_run: Path
) -> None:
    fine = predict_files(raw_files, seen_run, tmp_path / "40", DATA_ONLY)
    coarse = predict_files(
        raw_files, seen_run, tmp_path / "80", replace(DATA_ONLY, grid="80m")
    )
    for fine_path, coarse_path in zip(fine.maps, coarse.maps, strict=True):
        ours, theirs = read_netcdf(fine_path), read_netcdf(coarse_path)
        assert (ours.grid.pixel_spacing_m, theirs.grid.pixel_spacing_m) == (40, 80)
        height, width = theirs.grid.shape
        assert ours.grid.height // 2 == height
        four = ours.charts[:, : 2 * height, : 2 * width]
        np.testing.assert_array_equal(four[:, 1::2, ::2], theirs.charts)
        # The centre of an 80 m pixel is in the middle of its four pixels.
        rows, columns = np.arange(height), np.arange(width)
        np.testing.assert_allclose(
            ours.tie_points.latitudes(2.0 * rows + 0.5, 2.0 * columns + 0.5),
            theirs.tie_points.latitudes(1.0 * rows, 1.0 * columns),
            atol=1e-7,
        )


def test_maps_on_the_grid_of_the_store_show_its_pixels(
    tmp_path: Path, raw_folder: Path, seen_run: Path
) -> None:
    on_store = replace(DATA_ONLY, grid="store")
    coarse = predict_files(raw_folder, seen_run, tmp_path / "store", on_store)
    fine = predict_files(raw_folder, seen_run, tmp_path / "80", DATA_ONLY)
    for coarse_path, fine_path in zip(coarse.maps, fine.maps, strict=True):
        ours, theirs = read_netcdf(coarse_path), read_netcdf(fine_path)
        height, width = theirs.grid.height // 5, theirs.grid.width // 5
        assert ours.grid.shape == (height, width)
        assert ours.grid.pixel_spacing_m == 400
        assert ours.decision is not None
        shown = ours.charts != 255
        np.testing.assert_array_equal(ours.charts[shown], ours.decision.classes[shown])
        # A pixel has the flags of half of its 25 pixels; the last ones represent more.
        blocks = theirs.flags[: height * 5, : width * 5].reshape(height, 5, width, 5)
        for bit in (1, 2):
            share = (blocks & bit != 0).mean(axis=(1, 3))
            has_bit = ours.flags & bit != 0
            np.testing.assert_array_equal(has_bit[:-1, :-1], share[:-1, :-1] >= 0.5)
        rows, columns = 5.0 * np.arange(height) + 2, 5.0 * np.arange(width) + 2
        np.testing.assert_allclose(
            ours.tie_points.latitudes(np.arange(height) * 1.0, np.arange(width) * 1.0),
            theirs.tie_points.latitudes(rows, columns),
            atol=0.002,
        )


def test_a_bad_file_does_not_stop_the_others(
    tmp_path: Path, raw_folder: Path, seen_run: Path
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    good, cut, twin = sorted(raw_folder.glob("*_prep.nc"))[:3]
    shutil.copy(good, files)
    (files / cut.name).write_bytes(cut.read_bytes()[:-4000])
    shutil.copy(good, files / twin.name)
    with h5py.File(files / twin.name, "a") as file:
        file.attrs["comment"] = "not a copy"
    report = predict_files(files, seen_run, tmp_path / "maps", DATA_ONLY)
    assert report.n_written == 1
    assert len(report.failed) == 2
    assert any("same scene as" in failure.reason for failure in report.failed)
    assert any(cut.name in failure.reason for failure in report.failed)


def test_a_scene_can_be_named(tmp_path: Path, raw_folder: Path, seen_run: Path) -> None:
    wanted = sorted(raw_folder.glob("*_prep.nc"))[1].name[:19]
    report = predict_files(raw_folder, seen_run, tmp_path, DATA_ONLY, scenes=[wanted])
    assert [path.stem for path in report.maps] == [wanted]
    with pytest.raises(SceneError, match="no scene 'other' in"):
        predict_files(raw_folder, seen_run, tmp_path, DATA_ONLY, scenes=["other"])
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / f"{wanted}_prep.nc").symlink_to("nowhere.nc")
    with pytest.raises(SceneError, match=f"no scene '{wanted}' .*: .* a link to a file"):
        predict_files(tmp_path / "raw", seen_run, tmp_path, DATA_ONLY, scenes=[wanted])


def test_a_scene_that_cannot_be_opened_is_left_out(
    store_path: str, seen_run: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "store.zarr"
    shutil.copytree(store_path, copy)
    first, *others = Store.open(copy).scenes
    (copy / "scenes" / first / "zarr.json").write_text("{")
    report = predict_store(
        Store.open(copy), seen_run, tmp_path / "m", DATA_ONLY, scenes=(first, others[0])
    )
    assert [path.stem for path in report.maps] == [others[0]]
    assert "is damaged: it is not JSON" in report.failed[0].reason
    with pytest.raises(StoreError, match="no scene"):
        StoreSource(Store.open(copy), ["20990101T000000_dmi"])

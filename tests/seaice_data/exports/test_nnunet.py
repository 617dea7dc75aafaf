"""Datasets of nnU-Net: its rules, by its own checker where that is installed."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.export_stores import BARE, HELD_OUT, LARGE, SMALL

from seaice_data.charts import CHARTS
from seaice_data.errors import StoreError
from seaice_data.exports.export import export_patches
from seaice_data.exports.settings import SPLITS, ExportSettings
from seaice_data.store.division import split_store
from seaice_data.store.split import SplitSettings
from seaice_data.store.store import Store

NAMES = ("Dataset501_SeaIceSIC", "Dataset502_SeaIceSOD", "Dataset503_SeaIceFLOE")

CHECK = """
import sys
from pathlib import Path
from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity
if __name__ == "__main__":
    for folder in sorted(Path(sys.argv[1]).glob("Dataset*")):
        verify_dataset_integrity(str(folder), 1)
"""


@pytest.fixture(scope="module")
def out(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nnunet")
    export_patches(store, folder, ExportSettings(to="nnunet", size=32))
    return folder


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_channel_is_a_float_picture_and_fill_is_zero(out: Path, store: Store) -> None:
    folder = out / NAMES[0] / "imagesTr"
    inputs = store.scene(SMALL).inputs
    for k in range(3):
        plane = picture(folder / f"{SMALL}_y00000_x00000_{k:04d}.tif")
        assert (plane.shape, plane.dtype) == ((32, 32), np.float32)
        np.testing.assert_array_equal(plane[:26, :27], inputs[..., k].astype(np.float32))
        assert not plane[26:].any()
        assert not plane[:, 27:].any()


@pytest.mark.parametrize(
    ("name", "k", "label"), [*zip(NAMES, range(3), (11, 6, 7), strict=True)]
)
def test_fill_is_the_label_after_the_last_class(
    out: Path, store: Store, name: str, k: int, label: int
) -> None:
    case = f"{LARGE}_y00018_x00028.tif"
    found = picture(out / name / "labelsTr" / case)
    chart = store.scene(LARGE).charts[18:, 28:, k]
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, np.where(chart == 255, label, chart))
    labels = json.loads((out / name / "dataset.json").read_text())["labels"]
    assert [*labels.values()] == [*range(label + 1)]
    assert (labels["background"], labels["ignore"]) == (0, label)
    assert [*labels][1:-1] == [*CHARTS[k].class_names[1:]]


def test_validation_scenes_are_cases_that_the_split_holds_out(out: Path) -> None:
    folder = out / NAMES[0]
    (fold,) = json.loads((folder / "splits_final.json").read_text())
    cases = {path.stem for path in (folder / "labelsTr").iterdir()}
    assert {*fold["train"]} | {*fold["val"]} == cases
    assert {name[:19] for name in fold["val"]} == {HELD_OUT}
    assert {name[:19] for name in fold["train"]} == {LARGE, SMALL}
    described = json.loads((folder / "dataset.json").read_text())
    assert described["numTraining"] == len(cases)
    assert described["channel_names"] == {"0": "noNorm", "1": "noNorm", "2": "noNorm"}
    assert described["channels"] == ["hh", "hv", "t2m"]
    assert {path.name[:19] for path in (folder / "imagesTs").iterdir()} == {BARE}


def test_a_case_has_a_class_of_the_chart(out: Path) -> None:
    cases = [sorted(p.name for p in (out / name / "labelsTr").iterdir()) for name in NAMES]
    assert cases[0] == cases[1]
    assert {name for name in cases[0] if name not in cases[2]} == {
        name for name in cases[0] if name.startswith(SMALL)
    }


def test_pictures_are_written_once(out: Path) -> None:
    file = f"imagesTr/{LARGE}_y00018_x00028_0000.tif"
    assert len({(out / name / file).stat().st_ino for name in NAMES}) == 1


def test_a_store_without_training_scenes_is_refused(store: Store, tmp_path: Path) -> None:
    settings = ExportSettings(to="nnunet", size=32, splits=("test",))
    with pytest.raises(StoreError, match="nnU-Net needs training cases"):
        export_patches(store, tmp_path / "out", settings)
    assert not (tmp_path / "out").exists()


def test_a_chart_that_no_training_patch_has_gets_no_dataset(
    store: Store, tmp_path: Path
) -> None:
    settings = ExportSettings(to="nnunet", size=32, where=f"id == {SMALL}")
    report = export_patches(store, tmp_path, settings)
    assert report.without_dataset == ("FLOE",)
    assert sorted(path.name for path in tmp_path.glob("Dataset*")) == [*NAMES[:2]]
    assert not (tmp_path / NAMES[0] / "splits_final.json").exists()


def test_patches_that_no_dataset_has_are_left_out_and_counted(
    store: Store, tmp_path: Path
) -> None:
    shutil.copytree(store.path, tmp_path / "store.zarr")
    other = Store(tmp_path / "store.zarr")
    # The scene without charts is given to validation: 4 tiles without a class.
    split_store(other, SplitSettings(test=(HELD_OUT,), validation=(BARE,)))
    settings = ExportSettings(to="nnunet", size=32)
    report = export_patches(tmp_path / "store.zarr", tmp_path / "out", settings)
    n_train, n_validation, n_test = (report.splits[n] for n in SPLITS)
    assert (n_validation, n_test, report.n_unlabelled) == (0, 4, 4)
    assert (report.n_written, report.n_kept) == (n_train + n_test, 0)
    rows = (tmp_path / "out" / "patches.csv").read_text().splitlines()
    assert len(rows) == 1 + n_train + n_test
    assert not any(BARE in row or row.endswith(",") for row in rows)
    again = export_patches(tmp_path / "store.zarr", tmp_path / "out", settings)
    assert (again.n_written, again.n_kept) == (0, n_train + n_test)


@pytest.mark.adapters
def test_the_checker_of_nnunet_passes(out: Path) -> None:
    python = os.environ.get("NNUNET_PYTHON", sys.executable)
    if python == sys.executable and importlib.util.find_spec("nnunetv2") is None:
        pytest.skip("run by `make adapters`; NNUNET_PYTHON names a Python with nnunetv2")
    check = [python, "-c", CHECK, str(out)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("verify_dataset_integrity Done.") == 3
    assert "rror:" not in done.stdout

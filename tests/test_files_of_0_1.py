"""This version opens, continues and scores files that version 0.1 wrote.

``make_files_of_0_1.py`` made them. People have stores, runs and maps of 0.1, so these tests
must keep passing, whatever else changes. Planes from networks are compared with a
tolerance, because processors round differently.
"""

import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from safetensors import safe_open
from safetensors.numpy import save_file
from typer.testing import CliRunner

from seaice.main import app
from seaice_data.errors import StoreError
from seaice_data.preparation.prepare import prepare
from seaice_data.settings import fingerprint, read_toml
from seaice_data.sources.charts import charts_of, find_charts
from seaice_data.store.recipe import Recipe
from seaice_data.store.split import read_id_file
from seaice_data.store.store import Store
from seaice_data.store.verify import verify
from seaice_data.store.writer import StoreWriter
from seaice_model.config.resolve import resolve
from seaice_model.config.run_config import RunConfig
from seaice_model.errors import MapError, RunError, StudyError
from seaice_model.formats.convert import convert_maps
from seaice_model.maps.listing import find_maps
from seaice_model.maps.netcdf import read_netcdf
from seaice_model.prediction.predict import PredictSettings, predict_files, predict_store
from seaice_model.runs.checkpoint import load, load_best
from seaice_model.runs.folder import RunFolder
from seaice_model.runs.log import read_log
from seaice_model.runs.settings import load_settings
from seaice_model.scores.score import score_maps
from seaice_model.study.records import load_record
from seaice_model.training.train import train

ARCHIVE = Path(__file__).parent / "data" / "seaice-0.1.tar.xz"
MISSING = "20190902T032653_cis"
RECIPES = {
    "default.zarr": Recipe(),
    "store.zarr": Recipe(ratio=5),
    "zstd.zarr": Recipe(ratio=5, channels=("hh", "hv", "t2m"), codec="zstd"),
    "other.zarr": Recipe(
        ratio=4,
        channels=("t2m", "hv", "hh", "latitude"),
        sar="nearest",
        charts="nearest",
        ancillary="nearest",
        dominance_threshold=0.5,
        dtype="float32",
        codec="zstd",
        zarr_format=2,
    ),
}
SOURCES = {
    "default.zarr": "raw40",
    "store.zarr": "raw",
    "zstd.zarr": "raw",
    "other.zarr": "raw40",
}
RUNS = ("run", "runs/seed-0", "runs/seed-1", "study/runs/model1/seed-0")
ROW = (
    "model1: ratio=5, channels=[hh, hv], filters=[4, 4], patch_size=12, batch_size=4, "
    "n_iterations=6, n_epochs=1, wind_axes=[samples, lines]"
)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the files; tests change only copies of them."""
    folder = tmp_path_factory.mktemp("files")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder / "seaice-0.1"


@pytest.fixture
def expected(
    unpacked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Change to a copy of the files; return what version 0.1 reported about them."""
    monkeypatch.chdir(shutil.copytree(unpacked, tmp_path / "seaice-0.1"))
    reported: dict[str, Any] = json.loads(Path("expected.json").read_text())
    return reported


def hash_of(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]


def contents(folder: str) -> dict[Path, bytes]:
    """Return all files, except what saves time: times of source files, copied metadata."""
    names = ("zarr.json", ".zattrs", ".zmetadata")
    notes = [Path(folder, "scenes", name) for name in names]
    paths = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in paths if path not in notes}


def command(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    return str(result.stdout)


def assert_alike(ours: Path, theirs: Path) -> None:
    """Check that two maps agree: under 0.5 % of the pixels of a byte plane may differ."""
    with h5py.File(ours) as one, h5py.File(theirs) as other:
        assert {*other} <= {*one}
        for name, plane in other.items():
            if plane.dtype == np.uint8:
                steps = np.abs(np.subtract(one[name][...], plane[...], dtype=np.int16))
                assert np.mean(steps != 0) < 0.005, name
            elif name in ("latitude", "longitude", "time"):
                np.testing.assert_allclose(one[name][...], plane[...], rtol=1e-7)


@pytest.mark.parametrize("name", RECIPES)
def test_a_store_contains_the_same_values(expected: dict[str, Any], name: str) -> None:
    store, known = Store.open(name), expected["stores"][name]
    assert store.recipe == RECIPES[name]
    assert store.fingerprint == known["fingerprint"] == fingerprint(RECIPES[name])
    assert store.splits == {split: tuple(ids) for split, ids in known["splits"].items()}
    assert store.scenes == tuple(known["scenes"])
    for scene_id, hashes in known["scenes"].items():
        scene = store.scene(scene_id)
        assert hash_of(scene.inputs) == hashes["inputs"]
        assert hash_of(scene.charts) == hashes["charts"]
        assert hash_of(scene.full_charts()) == hashes["full_charts"]
        assert hash_of(scene.full_flags()) == hashes["full_flags"]
        assert hash_of(scene.tie_points.latitude) == hashes["tie_latitude"]
    assert verify(name).damages == ()


@pytest.mark.parametrize("name", RECIPES)
def test_preparing_again_changes_nothing_in_a_store(
    expected: dict[str, Any], name: str
) -> None:
    before = contents(name)
    report = prepare(SOURCES[name], name, RECIPES[name])
    assert report.kept == tuple(expected["stores"][name]["scenes"])
    assert (report.written, report.failed) == ((), ())
    assert contents(name) == before


@pytest.mark.parametrize("name", RECIPES)
def test_a_missing_scene_is_prepared_with_the_same_values(
    expected: dict[str, Any], name: str
) -> None:
    known = expected["stores"][name]
    scene_id = max(known["scenes"])
    StoreWriter(name).remove(scene_id)
    assert prepare(SOURCES[name], name, RECIPES[name]).written == (scene_id,)
    scene = zarr.open_group(name, mode="r")[f"scenes/{scene_id}"]
    assert isinstance(scene, zarr.Group)
    assert {*scene.array_keys()} == {*known["scenes"][scene_id]}
    for array, hashed in known["scenes"][scene_id].items():
        assert hash_of(np.asarray(scene[array])) == hashed, array
    assert verify(name).damages == ()


def test_files_that_users_wrote_are_read(expected: dict[str, Any]) -> None:
    assert read_toml(Recipe, Path("recipe.toml")) == RECIPES["other.zarr"]
    # Version 0.1 turned the wind unless asked not to.
    wind = "wind_axes=[samples, lines]"
    with pytest.warns(FutureWarning, match="'drawing' is now 'sampling'"):
        config = resolve("default", "tiny", Path("config.toml"), [wind])
    assert config == load_settings(RunFolder(Path("run")).settings).config
    ids = read_id_file(Path("validation.json"))
    assert tuple(ids) == (MISSING,) == Store.open("zstd.zarr").splits["validation"]
    assert expected["stores"]["zstd.zarr"]["splits"]["validation"] == [MISSING]


def test_the_configuration_of_a_run_is_the_one_it_was_given(
    expected: dict[str, Any],
) -> None:
    settings = load_settings(RunFolder(Path("run")).settings)
    assert settings.software == "seaice 0.1.0"
    assert settings.store.path == "store.zarr"
    assert settings.store.recipe == RECIPES["store.zarr"]
    assert settings.store.fingerprint == expected["stores"]["store.zarr"]["fingerprint"]
    config = settings.config
    assert config.model.filters == (4, 4)
    assert config.train.class_loss == "focal"
    assert config.sampling.over == "area"
    assert config.augmentation.flip_y == 0.25
    assert config.augmentation.wind_axes == ("samples", "lines")
    assert config.train.weight_decay == RunConfig().train.weight_decay


@pytest.mark.parametrize("name", RUNS)
def test_a_run_has_the_same_weights(expected: dict[str, Any], name: str) -> None:
    folder = RunFolder(Path(name))
    for checkpoint, hashed in (
        (load_best(name), expected["runs"][name]["best"]),
        (load(folder.last), expected["runs"][name]["last"]),
    ):
        weights = checkpoint.weights
        flat = np.concatenate([weights[n].numpy().ravel() for n in sorted(weights)])
        assert hash_of(flat) == hashed
        assert checkpoint.settings == load_settings(folder.settings)


def test_a_run_continues_as_with_version_0_1(expected: dict[str, Any]) -> None:
    known = expected["third_epoch"]
    before = read_log(Path("run/log.jsonl"))
    assert [entry.epoch for entry in before] == [1, 2]
    command("train", "store.zarr", "--run", "run", "--resume", "--epochs", "3",
            "--device", "cpu")  # fmt: skip
    *kept, entry = read_log(Path("run/log.jsonl"))
    assert kept == before
    assert (entry.epoch, entry.n_patches) == (3, known["n_patches"])
    assert entry.learning_rate == known["learning_rate"]
    for name in ("loss", "loss_sic", "loss_sod", "loss_floe"):
        assert math.isclose(getattr(entry, name), known[name], rel_tol=0.02), name
    last = load(RunFolder(Path("run")).last)
    assert last.state.n_epochs == 3
    assert all(bool(weights.isfinite().all()) for weights in last.weights.values())


def test_a_finished_run_is_not_changed(expected: dict[str, Any]) -> None:
    del expected
    before = contents("runs/seed-1")
    settings = load_settings(RunFolder(Path("runs/seed-1")).settings)
    report = train(
        Store.open("store.zarr"), "runs/seed-1", settings.config, resume=True, device="cpu"
    )
    assert report.n_epochs == 2
    after = contents("runs/seed-1")
    assert {path: after[path] for path in before if path.suffix != ".png"} == before


def test_maps_are_kept_and_a_missing_one_is_predicted_as_by_version_0_1(
    expected: dict[str, Any],
) -> None:
    store = Store.open("store.zarr")
    before = contents("maps")
    report = predict_store(
        store,
        "run",
        "maps",
        PredictSettings(probabilities=True),
        scenes=store.scenes,
        device="cpu",
    )
    assert (report.n_kept, report.n_written, report.failed) == (4, 1, ())
    after = contents("maps")
    index = Path("maps/index.html")  # it lists all maps
    kept = {*before} - {index}
    assert {path: after[path] for path in kept} == {path: before[path] for path in kept}
    assert after[index].count(b"<section") == 5
    assert_alike(Path(f"maps/{MISSING}.nc"), Path(f"missing/{MISSING}.nc"))
    assert f"missing/{MISSING}.nc" in expected["maps"]


def test_maps_of_several_networks_and_of_files_are_kept(expected: dict[str, Any]) -> None:
    del expected
    (of_seeds,) = find_maps(Path("maps_of_seeds"))
    before = of_seeds.read_bytes()
    settings = PredictSettings(plots=False)
    store = Store.open("store.zarr")
    report = predict_store(store, "runs", "maps_of_seeds", settings, device="cpu")
    assert (report.n_kept, report.n_written) == (1, 0)
    assert of_seeds.read_bytes() == before
    settings = PredictSettings(plots=False, grid="store")
    report = predict_files(
        "raw", "run", "maps_of_files", settings, scenes=[MISSING], device="cpu"
    )
    assert (report.n_kept, report.n_written, report.failed) == (1, 0, ())


@pytest.mark.parametrize("folder", ["maps_of_seeds", "maps_of_files"])
def test_maps_are_predicted_as_by_version_0_1(
    expected: dict[str, Any], folder: str
) -> None:
    (path,) = find_maps(Path(folder))
    assert str(path) in expected["maps"]
    if folder == "maps_of_seeds":
        settings = PredictSettings(plots=False)
        predict_store(Store.open("store.zarr"), "runs", "new", settings, device="cpu")
    else:
        settings = PredictSettings(plots=False, grid="store")
        predict_files("raw", "run", "new", settings, scenes=[MISSING], device="cpu")
    assert_alike(Path("new") / path.name, path)


def test_maps_are_read_as_they_were_written(expected: dict[str, Any]) -> None:
    for name, hashes in expected["maps"].items():
        chart_map = read_netcdf(Path(name))
        decision = chart_map.decision
        assert decision is not None
        assert hash_of(chart_map.charts[1]) == hashes["stage_of_development"]
        assert hash_of(chart_map.charts[2]) == hashes["floe_size"]
        assert hash_of(chart_map.flags) == hashes["status_flag"]
        assert hash_of(decision.classes[0]) == hashes["class_sic"]
        assert hash_of(decision.concentration) == hashes["concentration"]
        assert hash_of(decision.entropy[2]) == hashes["entropy_floe"]
        for chart, planes in (decision.probabilities or {}).items():
            assert hash_of(planes) == hashes[f"probability_{chart.lower()}"]
        assert chart_map.provenance.software == "seaice 0.1.0"
        assert chart_map.scene == Path(name).stem


def test_maps_have_the_same_scores(expected: dict[str, Any]) -> None:
    Path(f"missing/{MISSING}.nc").rename(f"maps/{MISSING}.nc")
    charts = charts_of(Store.open("store.zarr"))
    for folder in ("maps", "maps_of_seeds"):
        report = score_maps(folder, charts)
        assert report.pooled.by_name == pytest.approx(expected["pooled"][folder])
    # Several networks: these maps do not say what their spread comes from.
    assert report.calibration is not None
    assert report.calibration.coverage is not None
    assert report.calibration.coverage.expected is None
    report = score_maps("submission/submission.nc", find_charts("raw"))
    assert report.pooled.by_name == pytest.approx(expected["pooled"]["submission"])
    # The maps name their store.
    printed = json.loads(command("score", "maps", "--json"))
    assert printed["pooled"] == pytest.approx(expected["pooled"]["maps"])


def test_maps_are_converted(expected: dict[str, Any]) -> None:
    del expected
    Path(f"missing/{MISSING}.nc").rename(f"maps/{MISSING}.nc")
    report = convert_maps(Path("maps"), Path("new"), ["submission", "tif"])
    assert report.failed == ()
    with (
        h5py.File("new/submission.nc") as ours,
        h5py.File("submission/submission.nc") as theirs,
    ):
        charts = [name for name in theirs if not name[-1].isdigit()]
        assert len(charts) == 15
        for name in charts:
            np.testing.assert_array_equal(ours[name][...], theirs[name][...])
    assert len([path for path in report.written if path.suffix == ".tif"]) == 15


def test_a_store_is_described(expected: dict[str, Any]) -> None:
    for name, known in expected["stores"].items():
        described = json.loads(command("info", name, "--json"))
        assert described["software"] == "seaice 0.1.0"
        assert described["scenes"] == len(known["scenes"])
        assert described["splits"] == {n: len(ids) for n, ids in known["splits"].items()}
        assert described["channels"] == known["recipe"]["channels"]
        for setting in ("ratio", "sar", "dominance_threshold", "codec", "zarr_format"):
            assert described["recipe"][setting] == known["recipe"][setting]


def test_a_study_continues(expected: dict[str, Any]) -> None:
    del expected
    finished = Path("study/runs/model1/seed-0.json")
    before = {**contents("study/runs/model1/seed-0"), finished: finished.read_bytes()}
    known = json.loads(Path("study/table.json").read_text())
    command("study", "store.zarr", "--presets", "", "--variant", ROW, "--runs", "2",
            "--out", "study", "--device", "cpu")  # fmt: skip
    after = contents("study")
    assert {path: after[path] for path in before} == before
    table = json.loads(Path("study/table.json").read_text())
    ours, theirs = (
        mapping["rows"][0]["splits"]["test"]["runs_percent"] for mapping in (table, known)
    )
    assert len(ours) == 2
    assert ours["0"] == pytest.approx(theirs["0"])
    assert load_record(finished).best_epoch == 1


LATER_VERSION = """
import importlib.metadata
from dataclasses import dataclass, field
from pathlib import Path

import pytest

version = importlib.metadata.version
importlib.metadata.version = lambda name: "99.0" if name == "seaice" else version(name)

from seaice_data.store import recipe
from seaice_data.settings import ADDED

@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe(recipe.Recipe):
    despeckle: bool = field(default=False, metadata=ADDED)

recipe.Recipe = Recipe  # before others import it

from seaice_data.errors import StoreError
from seaice_data.preparation.prepare import prepare
from seaice_data.store.store import Store
from seaice_data.store.verify import verify
from seaice_model.training.run_settings import resumed_settings
from seaice_model.prediction.predict import PredictSettings, predict_store
from seaice_model.runs.folder import RunFolder

if __name__ == "__main__":
    store = Store.open("store.zarr")
    assert store.recipe == Recipe(ratio=5)
    assert verify("store.zarr").damages == ()
    assert len(prepare("raw", "store.zarr", Recipe(ratio=5)).kept) == 5
    resumed = resumed_settings(store, RunFolder(Path("run")), None)
    assert resumed.store.recipe == store.recipe
    settings = PredictSettings(plots=False)
    report = predict_store(store, "run", "maps", settings, scenes=store.splits["test"])
    assert report.n_kept == 1
    with pytest.raises(StoreError, match="recipe: despeckle: true instead of false"):
        prepare("raw", "store.zarr", Recipe(ratio=5, despeckle=True))
    prepare("raw", "later.zarr", Recipe(ratio=5, despeckle=True))
    assert verify("later.zarr").damages == ()
    assert verify("store.zarr").damages == ()
    print("done")
"""


def test_a_later_version_with_one_more_setting_accepts_these_files(
    expected: dict[str, Any],
) -> None:
    del expected
    before = contents("store.zarr")
    Path("later.py").write_text(LATER_VERSION)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    result = subprocess.run(
        [sys.executable, "later.py"], capture_output=True, text=True, env=environment
    )
    assert result.stdout == "done\n", result.stderr
    assert contents("store.zarr") == before
    with pytest.raises(StoreError) as caught:
        Store.open("later.zarr")
    assert str(caught.value).startswith(
        "'later.zarr' was written by seaice 99.0, which is later than this one, "
    )
    assert "unknown setting 'despeckle'" in str(caught.value)
    assert caught.value.hint == "read it with seaice 99.0 or later"


@pytest.mark.parametrize("name", ["default.zarr", "store.zarr", "other.zarr"])
def test_a_store_described_in_the_words_of_another_version_is_not_damaged(
    expected: dict[str, Any], name: str
) -> None:
    (root,) = (
        path for path in Path(name).iterdir() if path.name in ("zarr.json", ".zattrs")
    )
    text = root.read_text()
    text = text.replace('"software": "seaice 0.1.0"', '"software": "seaice 99.0", "new": 1')
    root.write_text(text.replace("HH", "copolarised"))
    before = contents(name)
    assert verify(name).damages == ()
    prepare(SOURCES[name], name, RECIPES[name])
    assert json.loads(root.read_text()) == json.loads(before[root])
    fingerprint_of = expected["stores"][name]["fingerprint"]
    root.write_text(root.read_text().replace(fingerprint_of, "0123456789abcdef"))
    (damage,) = verify(name).damages
    assert damage.reason == "attributes do not fit the scenes: fingerprint"


OF_LATER = "was written by seaice 99.0, which is later than this one, .*"


def written_later(path: Path) -> None:
    """Turn a document of a run into one of a later version, with a setting of its own."""
    text = path.read_text().replace("seaice 0.1.0", "seaice 99.0")
    path.write_text(text.replace('"seed": ', '"dropout": 0.1, "seed": '))


def test_errors_name_the_later_version_that_wrote_a_run(expected: dict[str, Any]) -> None:
    del expected
    folder = RunFolder(Path("run"))
    written_later(folder.settings)
    with pytest.raises(RunError, match=OF_LATER + "unknown setting 'dropout'") as caught:
        load_settings(folder.settings)
    assert caught.value.hint == "read it with seaice 99.0 or later"
    with safe_open(folder.best, framework="np") as file:
        header = json.loads(file.metadata()["seaice"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    header["settings"]["software"] = "seaice 99.0"
    save_file(tensors, folder.best, metadata={"seaice": json.dumps(header)})
    assert load_best("run").settings.software == "seaice 99.0"  # has no unknown setting
    header["format_version"] = 2
    save_file(tensors, folder.best, metadata={"seaice": json.dumps(header)})
    with pytest.raises(RunError, match=OF_LATER + "has format version 2"):
        load_best("run")


def test_errors_name_the_later_version_that_wrote_a_study(expected: dict[str, Any]) -> None:
    del expected
    record = Path("study/runs/model1/seed-0.json")
    written_later(record)
    with pytest.raises(StudyError, match=OF_LATER + "unknown setting 'dropout'"):
        load_record(record)


def test_errors_name_the_later_version_that_split_a_store(expected: dict[str, Any]) -> None:
    del expected
    root = Path("zstd.zarr/zarr.json")
    text = root.read_text().replace("seaice 0.1.0", "seaice 99.0")
    root.write_text(text.replace('"allow_leaks": ', '"by_year": true, "allow_leaks": '))
    with pytest.raises(StoreError, match=OF_LATER + "unknown setting 'by_year'"):
        prepare("raw", "zstd.zarr", RECIPES["zstd.zarr"])


def test_errors_name_the_later_version_that_wrote_a_map(expected: dict[str, Any]) -> None:
    del expected
    (path,) = find_maps(Path("maps_of_seeds"))
    with h5py.File(path, "r+") as file:
        file.attrs["software"] = "seaice 99.0"
    assert read_netcdf(path).provenance.software == "seaice 99.0"
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = "seaice map 99"
    with pytest.raises(MapError, match=OF_LATER + "has format 'seaice map 99'"):
        read_netcdf(path)

"""The command line, in process: what it prints on stdout and stderr, and its exit codes."""

import csv
import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5netcdf
import h5py
import numpy as np
import pytest
import xarray as xr
from support.coded_scenes import write_coded
from support.other_systems import OtherSystem, resume
from support.webpages import check_page
from typer.main import get_command

from seaice.main import app
from seaice_data.store.store import Store
from seaice_model.training import recorder


def run_app(*arguments: object) -> int:
    """Run a command in process and return its exit code."""
    with pytest.raises(SystemExit) as caught:
        app([str(argument) for argument in arguments], prog_name="seaice")
    return int(caught.value.code or 0)


class Result:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def seaice(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    def run(*arguments: object) -> Result:
        return Result(run_app(*arguments), *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def run_path(store_path: str, config_path: Path) -> Path:
    path = config_path.parent / "run"
    assert run_app("train", store_path, "--run", path, "--config", config_path) == 0
    return path


@pytest.fixture(scope="module")
def maps_path(store_path: str, run_path: Path) -> Path:
    path = run_path.parent / "maps"
    assert run_app("predict", store_path, "--run", run_path, "--out", path) == 0
    return path


COMMANDS = [
    "fetch",
    "synth",
    "prepare",
    "info",
    "verify",
    "split",
    "patches",
    "train",
    "predict",
    "convert",
    "export",
    "card",
    "score",
    "figures",
    "study",
    "bench",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_an_example_and_help_for_each_option(
    seaice, command
) -> None:
    result = seaice(command, "--help")
    assert result.code == 0
    assert f"Example: seaice {command} " in result.out
    parameters = get_command(app).commands[command].params
    assert [p.name for p in parameters if not p.help and p.name != "help"] == []


def test_the_version_is_printed(seaice) -> None:
    assert re.fullmatch(r"seaice \d+\.\d+\.\d+\n", seaice("--version").out)


def test_synth_writes_scenes_and_keeps_them(seaice, tmp_path) -> None:
    options = ("--scenes", 3, "--size", 200, "--jobs", 1)
    result = seaice("synth", tmp_path / "raw", *options)
    assert result.code == 0
    assert result.out.startswith("4 files (0.00 GB) of 3 scenes written")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "raw").iterdir()}
    next(p for p in before if p.name.endswith("_reference.nc")).unlink()
    again = seaice("synth", tmp_path / "raw", *options)
    assert again.out.startswith("1 file (0.00 GB) of 3 scenes written")
    assert "3 kept" in again.out
    after = {p: p.stat().st_mtime_ns for p in (tmp_path / "raw").iterdir()}
    assert sum(before[p] == after[p] for p in before) == 3


def test_synth_refuses_existing_files_of_another_size(seaice, tmp_path) -> None:
    options = ("--scenes", 1, "--jobs", 1)
    assert seaice("synth", tmp_path / "raw", *options, "--size", 200).code == 0
    assert "1 kept" in seaice("synth", tmp_path / "raw", *options, "--size", 200).out
    other = seaice("synth", tmp_path / "raw", *options, "--size", 250)
    assert other.code == 1
    assert "pixels, but scenes of this set have 247 x 259" in other.err
    options = (*options, "--size", 250, "--overwrite")
    assert "1 file " in seaice("synth", tmp_path / "raw", *options).out


def test_synth_refuses_a_folder_with_other_netcdf_files(seaice, tmp_path) -> None:
    path = write_coded(tmp_path / "raw", 50, 50)
    result = seaice("synth", tmp_path / "raw", "--size", 200, "--overwrite")
    assert result.code == 1
    assert "contains 1 other netCDF files" in result.err
    assert list((tmp_path / "raw").iterdir()) == [path]


def test_synth_rejects_a_size_too_small_for_a_scene(seaice, tmp_path) -> None:
    result = seaice("synth", tmp_path / "raw", "--size", 20)
    assert result.code == 1
    assert "20" in result.err


def test_prepare_prints_how_many_scenes_it_wrote_and_kept(
    seaice, raw_folder, tmp_path
) -> None:
    result = seaice(
        "prepare", raw_folder, tmp_path / "store.zarr", "--ratio", 10, "--jobs", 1
    )
    assert result.code == 0
    assert re.match(r"6 scenes written to .*store.zarr, 0 kept, 0 left out, in", result.out)
    again = seaice("prepare", raw_folder, tmp_path / "store.zarr", "--json", "--jobs", 1)
    assert len(json.loads(again.out)["kept"]) == 6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "no netCDF file in"),
        (lambda raw: raw.rmdir(), "no folder at"),
    ],
)
def test_prepare_without_scenes_is_an_error(seaice, tmp_path, make, message) -> None:
    (tmp_path / "raw").mkdir()
    make(tmp_path / "raw")
    result = seaice("prepare", tmp_path / "raw", tmp_path / "store.zarr")
    assert result.code == 1
    assert result.err.count("\n") <= 2
    assert message in result.err
    assert not (tmp_path / "store.zarr").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ratio", "0"], "ratio must be at least 1, got 0"),
        (["--ratio", "500"], "ratio 500 is larger than the scene"),
        (["--channels", "hh,amsr"], "unknown channel or group 'amsr'"),
    ],
)
def test_prepare_rejects_recipes_that_cannot_work(
    seaice, tmp_path, options, message
) -> None:
    write_coded(tmp_path / "raw", 203, 251)
    result = seaice("prepare", tmp_path / "raw", tmp_path / "store.zarr", *options)
    assert result.code == 1
    assert message in result.err


def test_prepare_lists_bad_files_and_prepares_the_others(seaice, tmp_path) -> None:
    good = write_coded(tmp_path / "raw", 203, 251)
    truncated = tmp_path / "raw" / "20200101T000000_cis_prep.nc"
    truncated.write_bytes(good.read_bytes()[:100_000])
    (tmp_path / "raw" / "notes.nc").write_text("no netCDF")
    write_coded(tmp_path / "raw", 203, 251, "20200301T000000_cis", t2m=None)
    result = seaice("prepare", tmp_path / "raw", tmp_path / "store.zarr", "--jobs", 1)
    assert result.code == 1
    left_out = [line for line in result.err.splitlines() if line.startswith("left out: ")]
    assert len(left_out) == 3
    assert "truncated" in left_out[0]
    assert "variable 't2m' is missing" in left_out[1]
    assert "notes.nc" in left_out[2]
    assert result.out.startswith("1 scene written")


def test_scenes_with_labelled_pixels_without_sar_are_accepted_on_request(
    seaice, tmp_path, run_path
) -> None:
    masked = np.zeros((203, 251), np.float32)
    masked[:, 50:] = 1
    names = ("nersc_sar_primary", "nersc_sar_secondary", "sar_incidenceangle")
    write_coded(tmp_path / "raw", 203, 251, **dict.fromkeys(names, masked))
    prepare = ("prepare", tmp_path / "raw", tmp_path / "store.zarr", "--jobs", 1)
    predict = ("predict", tmp_path / "raw", "--run", run_path, "--out", tmp_path / "maps")
    for command in (prepare, predict):
        result = seaice(*command)
        assert result.code == 1
        assert "10150 of 50953 labelled pixels (19.9%) have no SAR" in result.err
        result = seaice(*command, "--accept-masks")
        assert result.code == 0
    assert (tmp_path / "maps" / "20190314T101830_cis.nc").is_file()
    shutil.rmtree(tmp_path / "store.zarr")
    result = seaice(*prepare, "--accept-masks")
    assert "20190314T101830_cis: 10150 labelled pixels have no SAR" in result.err


def test_prepare_refuses_a_store_of_another_recipe_and_a_folder(seaice, tmp_path) -> None:
    write_coded(tmp_path / "raw", 203, 251)
    store = tmp_path / "store.zarr"
    assert seaice("prepare", tmp_path / "raw", store).code == 0
    other = seaice("prepare", tmp_path / "raw", store, "--ratio", 5)
    assert other.code == 1
    assert "has another recipe: ratio: 5 instead of 10" in other.err
    folder = seaice("prepare", tmp_path / "raw", tmp_path / "raw", "--overwrite")
    assert folder.code == 1
    assert "is not a seaice store" in folder.err


def test_parts_and_a_last_run_make_a_store(seaice, raw_folder, tmp_path) -> None:
    store = tmp_path / "store.zarr"
    for part in ("1/2", "2/2"):
        result = seaice("prepare", raw_folder, store, "--part", part, "--jobs", 1)
        assert result.out.startswith("3 scenes written")
    assert json.loads(seaice("info", store, "--json").out)["splits"]["train"] == 0
    result = seaice("prepare", raw_folder, store, "--jobs", 1)
    assert result.out.startswith("0 scenes written")
    assert json.loads(seaice("info", store, "--json").out)["splits"]["train"] == 4


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--part", "3/2"], 1, "there is no part 3 of 2\nhint: parts are 1/2 to 2/2"),
        (["--part", "0/4"], 1, "there is no part 0 of 4\nhint: parts are 1/4 to 4/4"),
        (["--part", "half"], 2, "'half' is not a part"),
        (["--part", "1/2", "--overwrite"], 1, "cannot replace a store of all"),
        (["--zarr-format", "4"], 1, "zarr_format must be one of 2, 3, got 4"),
        (["--codec", "lzma"], 1, "codec must be one of none, zstd, got 'lzma'"),
        (["--scheduler", "nonsense://a"], 1, "no dask scheduler at 'nonsense://a'"),
    ],
)
def test_prepare_rejects_invalid_options(
    seaice, raw_folder, tmp_path, options, code, message
) -> None:
    result = seaice("prepare", raw_folder, tmp_path / "store.zarr", *options)
    assert (result.code, result.out) == (code, "")
    assert message in result.err


def test_options_override_the_recipe(seaice, raw_folder, tmp_path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('ratio = 20\ncodec = "zstd"\nchannels = ["hh", "t2m"]\n')
    store = tmp_path / "store.zarr"
    options = ["--recipe", recipe, "--codec", "none", "--zarr-format", 2, "--jobs", 1]
    assert seaice("prepare", raw_folder, store, *options).code == 0
    made = json.loads(seaice("info", store, "--json").out)
    assert made["channels"] == ["hh", "t2m"]
    assert {"ratio": 20, "codec": "none", "zarr_format": 2}.items() <= made[
        "recipe"
    ].items()


def test_verify_names_a_damaged_array_and_how_to_repair_it(
    seaice, raw_folder, tmp_path
) -> None:
    store = tmp_path / "store.zarr"
    assert seaice("prepare", raw_folder, store, "--jobs", 1).code == 0
    result = seaice("verify", store, "--jobs", 1)
    assert (result.code, result.err) == (0, "")
    assert re.match(r"6 scenes in .*store.zarr, 0 damaged, in", result.out)
    chunk = min(store.glob("scenes/*/inputs/c/0/0/0"))
    chunk.write_bytes(bytes(chunk.stat().st_size))
    result = seaice("verify", store, "--json", "--jobs", 1)
    assert result.code == 1
    scene_id = chunk.relative_to(store).parts[1]
    assert f"damaged: {scene_id} inputs: values are not" in result.err
    assert "hint: remove them with --remove" in result.err
    assert json.loads(result.out)["damaged"][0]["array"] == "inputs"
    assert seaice("verify", store, "--remove", "--jobs", 1).code == 1
    again = seaice("prepare", raw_folder, store, "--jobs", 1)
    assert again.out.startswith("1 scene written")
    assert seaice("verify", store, "--jobs", 1).code == 0


def test_info_shows_a_store_on_one_screen(seaice, store_path) -> None:
    result = seaice("info", store_path)
    assert result.code == 0
    assert result.out.count("\n") < 25
    described = json.loads(seaice("info", store_path, "--json").out)
    assert described["scenes"] == sum(described["regions"].values()) == 6
    for shown in (
        f"labelled   {described['labelled_percent']:.0f} % of the pixels",
        "regions    " + ", ".join(f"{k} {n}" for k, n in described["regions"].items()),
        f"disk use   {described['disk_use_bytes'] / 1e9:.2f} GB",
        "{} x {} to ".format(*described["smallest_shape"]),
        f"t2m {described['channel_ranges']['t2m']['lowest']:.4g}..",
        f"open water: {described['class_percent']['SOD']['open water']:.1f} %",
    ):
        assert shown in result.out


def test_info_names_scenes_that_lack_a_channel(seaice, raw_folder, tmp_path) -> None:
    file = Path(shutil.copy(sorted(raw_folder.glob("*_prep.nc"))[0], tmp_path))
    with h5py.File(file, "a") as scene:
        scene["t2m"][...] = np.nan
    store = tmp_path / "store.zarr"
    assert seaice("prepare", file, store, "--jobs", 1).code == 0
    scene_id = Store.open(store).scenes[0]
    shown = seaice("info", store).out.splitlines()
    odd = next(line for line in shown if line.startswith("odd"))
    assert f"1 scene has no t2m: {scene_id}" in odd
    described = json.loads(seaice("info", store, "--json").out)
    assert "t2m" not in described["channel_ranges"]
    assert "t2m" in described["channels"]


@pytest.mark.parametrize("command", ["info", "verify", "train", "predict"])
def test_a_missing_store_is_an_error(seaice, tmp_path, command) -> None:
    result = seaice(command, tmp_path / "absent.zarr")
    assert result.code == 1
    assert "no store at" in result.err
    assert "hint: make one with `seaice prepare" in result.err


def test_a_run_is_only_replaced_on_request(
    seaice, store_path, config_path, run_path
) -> None:
    before = (run_path / "best.safetensors").read_bytes()
    result = seaice("train", store_path, "--run", run_path, "--config", config_path)
    assert result.code == 1
    assert "--resume" in result.err
    assert (run_path / "best.safetensors").read_bytes() == before


def test_a_run_can_be_resumed_for_more_epochs(
    seaice, store_path, run_path, tmp_path
) -> None:
    shutil.copytree(run_path, tmp_path / "run")
    options = ["--run", tmp_path / "run", "--resume", "--json"]
    result = seaice("train", store_path, *options, "--epochs", 3)
    assert json.loads(result.out)["epochs"] == 3
    again = seaice("train", store_path, *options, "--epochs", 2)
    assert again.code == 1
    assert "has 3 epochs already, more than the 2 asked for" in again.err


def test_another_seed_is_refused_when_resuming(seaice, store_path, run_path) -> None:
    options = ["--run", run_path, "--resume", "--seed", 5]
    result = seaice("train", store_path, *options)
    assert result.code == 1
    assert "has other settings: seed: 5 instead of 0" in result.err


def test_the_nearest_known_name_is_suggested(seaice, store_path) -> None:
    for options, hint in (
        (["--preset", "tinny"], "did you mean 'tiny'?"),
        (["--profile", "offical"], "did you mean 'official'?"),
        (["--set", "batchsize=4"], "did you mean 'batch_size'?"),
    ):
        result = seaice("train", store_path, *options)
        assert result.code == 1
        assert f"hint: {hint}" in result.err


def test_presets_are_listed_with_the_scores_of_the_paper(seaice) -> None:
    lines = seaice("train", "--list-presets").out.splitlines()
    models = [line for line in lines if line.startswith("model")]
    assert len(models) == 9
    assert re.split("  +", models[2]) == [
        "model3",
        "HH and HV only",
        "10",
        "2",
        "87.9 (2.6) 91.1 86.8 83.5",
        "78.6 (1.4) 84.8 75.1 73.1",
    ]
    listed = json.loads(seaice("train", "--list-presets", "--json").out)
    assert listed["presets"]["model2"]["ratio"] == 1
    assert listed["presets"]["model9"]["paper_test_percent"]["combined"] == 87.3
    assert list(listed["profiles"]) == ["default", "paper", "official"]


def test_the_configuration_that_a_run_prints_reproduces_its_weights(
    seaice, store_path, config_path, run_path, tmp_path
) -> None:
    options = ["--config", config_path, "--set", "seed=0", "--run", tmp_path / "run"]
    err = seaice("train", store_path, *options).err
    shown = err[err.index("[model]") : err.index("epoch 1/2")].strip()
    (tmp_path / "shown.toml").write_text(shown)
    options = ["--config", tmp_path / "shown.toml", "--run", tmp_path / "again"]
    assert seaice("train", store_path, *options).code == 0
    runs = (run_path, tmp_path / "run", tmp_path / "again")
    assert len({(run / "best.safetensors").read_bytes() for run in runs}) == 1


def test_a_preset_that_does_not_fit_the_store_is_noted(
    seaice, store_path, tmp_path
) -> None:
    options = ["--run", tmp_path / "run", "--set", "patch_size=32", "--epochs", 1]
    options += ["--set", "n_iterations=1, batch_size=2", "--preset", "model2"]
    result = seaice("train", store_path, *options)
    assert result.code == 0
    assert "note: this store was not prepared as preset 'model2'" in result.err
    assert "ratio: 5 instead of 1" in result.err
    assert "1 epoch of 1 batch on " in result.err
    assert result.out.startswith("1 epoch in ")


def test_an_epoch_is_reported_in_a_line(seaice, store_path, config_path, tmp_path) -> None:
    options = ["--config", config_path, "--run", tmp_path / "run", "--epochs", 1]
    line = seaice("train", store_path, *options).err.splitlines()[-1]
    for words in (
        "epoch 1/1, loss ",
        "(SIC ",
        "learning rate ",
        "combined ",
        "FLOE ",
        "(best)",
        " patches/s, ",
        " % waiting",
    ):
        assert words in line


def test_a_stop_reports_how_many_seeds_are_finished(
    seaice, store_path, config_path, tmp_path, monkeypatch
) -> None:
    plot = recorder.plot_learning_curve

    def plot_and_stop(*arguments):  # the last step of a training
        signal.raise_signal(signal.SIGTERM)
        return plot(*arguments)

    options = ["--run", tmp_path / "run", "--epochs", 1, "--json"]
    with monkeypatch.context() as patched:
        patched.setattr(recorder, "plot_learning_curve", plot_and_stop)
        # On a slow machine it would also be plotted before the end.
        patched.setattr(recorder, "_PLOT_EVERY_S", math.inf)
        result = seaice(
            "train", store_path, "--config", config_path, "--seeds", "0-1", *options
        )
    assert result.code == 75
    assert "stopped after 1 of 2 seeds; continue with --resume" in result.err
    assert [run["complete"] for run in json.loads(result.out)["runs"]] == [True]
    more = seaice("train", store_path, "--seeds", "0-1", "--resume", *options)
    assert more.code == 0
    assert [run["epochs"] for run in json.loads(more.out)["runs"]] == [1, 1]


def test_several_seeds_train_from_one_command(
    seaice, store_path, config_path, tmp_path
) -> None:
    options = ["--run", tmp_path / "run", "--epochs", 1, "--json"]
    result = seaice(
        "train", store_path, "--config", config_path, "--seeds", "0,2", *options
    )
    runs = json.loads(result.out)["runs"]
    assert [Path(run["run"]).name for run in runs] == ["seed-0", "seed-2"]
    refused = seaice("train", store_path, "--config", config_path, "--seeds", "2", *options)
    assert refused.code == 1
    assert "there is a run at" in refused.err
    before = (tmp_path / "run" / "seed-2" / "best.safetensors").read_bytes()
    more = seaice("train", store_path, "--seeds", "0-2", "--resume", *options)
    assert [run["epochs"] for run in json.loads(more.out)["runs"]] == [1, 1, 1]
    assert (tmp_path / "run" / "seed-2" / "best.safetensors").read_bytes() == before
    again = seaice("train", store_path, "--seeds", "0-2", "--resume", *options[:-1])
    assert "3 seeds: mean of their best combined scores" in again.out


def test_predict_chooses_scenes_not_used_in_training(maps_path: Path) -> None:
    assert len(list(maps_path.glob("*.nc"))) == 1
    assert len(list(maps_path.glob("*.png"))) == 1


def test_predict_reads_netcdf_files_without_a_store(
    seaice, raw_folder, run_path, tmp_path
) -> None:
    result = seaice(
        "predict", raw_folder, "--run", run_path, "--out", tmp_path, "--no-plots",
        "--grid", "store", "--probabilities", "--json",
    )  # fmt: skip
    assert result.code == 0
    report = json.loads(result.out)
    assert (report["written"], report["kept"], report["failed"]) == (6, 0, [])
    with xr.open_dataset(report["maps"][0]) as opened:
        assert opened.attrs["grid_name"] == "store"
        assert "probability_sod" in opened


def test_predict_with_flips_says_so_and_needs_a_folder_of_its_own(
    seaice, store_path, run_path, maps_path, tmp_path
) -> None:
    predict = ("predict", store_path, "--run", run_path, "--no-plots", "--flips")
    result = seaice(*predict, "--out", tmp_path, "--json")
    assert result.code == 0
    assert json.loads(result.out)["flips"] is True
    assert "flips may make maps worse" not in result.err
    (path,) = tmp_path.glob("*.nc")
    with xr.open_dataset(path) as opened:
        assert opened.attrs["flips"] == "x, y, xy"
    mixed = seaice(*predict, "--out", maps_path)
    assert mixed.code == 1
    assert "was predicted without flips" in mixed.err
    assert "hint: choose another folder, or replace it with --overwrite" in mixed.err


def test_predict_names_bad_files_and_predicts_the_others(
    seaice, raw_folder, run_path, tmp_path
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    good, bad = sorted(raw_folder.glob("*_prep.nc"))[:2]
    shutil.copy(good, files)
    (files / bad.name).write_text("half")
    arguments = ("predict", files, "--run", run_path, "--out", tmp_path / "maps")
    result = seaice(*arguments, "--no-plots")
    assert result.code == 1
    assert "1 map written" in result.out
    assert "1 left out" in result.out
    assert f"left out: '{files / bad.name}': cannot read it as netCDF" in result.err
    again = seaice(*arguments, "--no-plots")
    assert (again.code, "0 maps written" in again.out) == (1, True)


def test_predict_accepts_a_condition_only_for_scenes_of_a_store(
    seaice, store_path, raw_folder, run_path, tmp_path
) -> None:
    arguments = ("--run", run_path, "--out", tmp_path, "--where", "split == test")
    assert seaice("predict", store_path, *arguments, "--no-plots").code == 0
    assert len(list(tmp_path.glob("*.nc"))) == 1
    seen = seaice("predict", store_path, *arguments, "--split", "validation")
    assert (seen.code, "none of 1 scene that the run" in seen.err) == (1, True)
    result = seaice("predict", raw_folder, *arguments)
    assert result.code == 2
    assert "choose scenes of a store" in result.err


def test_convert_writes_the_requested_formats(seaice, maps_path, tmp_path) -> None:
    result = seaice(
        "convert", maps_path, "--to", "tif", "--to", "shp", "--to", "submission",
        "--out", tmp_path, "--spacing", "400", "--max-kb", "100",
    )  # fmt: skip
    assert result.code == 0
    assert "0 kept, 0 left out" in result.out
    suffixes = {path.suffix for path in tmp_path.iterdir()}
    beside = {".qml", ".xml"}
    assert suffixes == {".tif", ".shp", ".shx", ".dbf", ".prj", ".cpg", ".nc", *beside}


def test_convert_adds_a_format_and_counts_the_files_it_keeps(
    seaice, maps_path, tmp_path
) -> None:
    arguments = ("convert", maps_path, "--to", "tif", "--out", tmp_path, "--spacing", "400")
    assert seaice(*arguments).code == 0
    result = seaice(*arguments, "--to", "gpkg")
    assert result.code == 0
    assert "2 files written" in result.out
    assert "9 kept, 0 left out" in result.out
    assert "note: 9 existing files are kept" in result.err
    result = seaice(*arguments, "--to", "gpkg", "--json")
    report = json.loads(result.out)
    assert (result.code, report["files"], report["failed"]) == (0, [], [])
    assert len(report["kept"]) == 11


def test_convert_names_the_map_and_the_format_that_failed(
    seaice, maps_path, tmp_path
) -> None:
    arguments = (
        "convert", maps_path, "--to", "gpkg", "--to", "tif", "--out", tmp_path,
        "--max-kb", "1", "--spacing", "400",
    )  # fmt: skip
    result = seaice(*arguments)
    scene = next(maps_path.glob("*.nc")).stem
    assert result.code == 1
    assert "9 files written" in result.out
    assert f"left out: {scene} as gpkg: polygons of {scene} need at least" in result.err
    (failure,) = json.loads(seaice(*arguments, "--json").out)["failed"]
    assert (failure["map"], failure["format"]) == (scene, "gpkg")


@pytest.mark.parametrize("option", ["--spacing", "--max-kb"])
@pytest.mark.parametrize("value", ["0", "-80", "inf", "nan"])
def test_convert_rejects_sizes_that_are_not_positive_numbers(
    seaice, maps_path, tmp_path, option: str, value: str
) -> None:
    out = tmp_path / "out"
    result = seaice("convert", maps_path, "--to", "tif", "--out", out, option, value)
    assert result.code == 2
    assert f"{value} is not finite and above 0" in result.err
    assert not out.exists()


def test_convert_writes_the_charts_of_a_store(seaice, store_path, tmp_path) -> None:
    result = seaice(
        "convert", store_path, "--to", "geojson", "--out", tmp_path, "--min-area", "5",
        "--json",
    )  # fmt: skip
    report = json.loads(result.out)
    assert (result.code, report["failed"]) == (0, [])
    assert {path.name for path in tmp_path.iterdir()} == {
        Path(path).name for path in report["files"]
    }
    assert all(path.endswith("_chart.geojson") for path in report["files"])
    wrong = seaice("convert", store_path, "--to", "tif", "--crs", "EPSG:4326")
    assert (wrong.code, "not a projection in metres" in wrong.err) == (1, True)


def test_convert_without_maps_is_an_error(seaice, tmp_path) -> None:
    result = seaice("convert", tmp_path, "--to", "tif", "--out", tmp_path)
    assert result.code == 1
    assert "no maps in" in result.err


def test_export_writes_a_network_and_its_difference_from_pytorch(
    seaice, run_path, tmp_path
) -> None:
    path = tmp_path / "model.onnx"
    result = seaice("export", run_path, path)
    assert result.code == 0
    assert "from PyTorch on 4 sizes" in result.out
    assert path.stat().st_size > 1000
    assert seaice("export", run_path, path).code == 1


def test_predict_without_a_run_is_an_error(seaice, store_path, tmp_path) -> None:
    result = seaice(
        "predict", store_path, "--run", tmp_path / "run", "--out", tmp_path / "maps"
    )
    assert result.code == 1
    assert "hint: " in result.err


def test_predict_into_a_file_is_an_error(seaice, store_path, run_path, tmp_path) -> None:
    (tmp_path / "maps").write_text("a file")
    result = seaice("predict", store_path, "--run", run_path, "--out", tmp_path / "maps")
    assert result.code == 1
    assert result.err.startswith("error: ")


def test_predict_with_an_unknown_split_is_an_error(seaice, store_path, run_path) -> None:
    result = seaice("predict", store_path, "--run", run_path, "--split", "tests")
    assert result.code == 1
    assert "did you mean 'test'?" in result.err


def test_predict_with_an_empty_split_is_an_error(seaice, run_path, tmp_path) -> None:
    write_coded(tmp_path / "raw", 203, 251)
    store = tmp_path / "store.zarr"
    assert seaice("prepare", tmp_path / "raw", store, "--ratio", 5).code == 0
    result = seaice("predict", store, "--run", run_path, "--split", "validation")
    assert result.code == 1
    assert "has no scene that the run" in result.err
    assert "hint: splits with scenes are unseen, all" in result.err


def test_score_finds_the_store_of_the_maps(seaice, maps_path) -> None:
    result = seaice("score", maps_path)
    assert result.code == 0
    assert "baseline: majority class" in result.out
    scores = json.loads(seaice("score", maps_path, "--json").out)
    assert set(scores["pooled"]) == {"combined", "SIC", "SOD", "FLOE"}


def test_score_prints_tables_that_fit_a_terminal(seaice, maps_path) -> None:
    result = seaice("score", maps_path)
    lines = result.out.splitlines()
    assert max(map(len, lines[:-1])) <= 80  # the last line contains the path of the store
    for words in (
        "original charts (the challenge)", "charts enlarged again (official test)",
        "downscaled (official validation)", "baseline: climatology", "SOD old ice",
        "ice in the map only",
    ):  # fmt: skip
        assert words in result.out
    assert (
        "All pixels with a charted class count, even where the map has none" in result.err
    )


def test_score_writes_csv_a_report_and_the_index(seaice, maps_path, tmp_path) -> None:
    report = tmp_path / "scores.html"
    result = seaice("score", maps_path, "--csv", "--report", report)
    assert result.code == 0
    rows = list(csv.DictReader(result.out.splitlines()))
    (pooled,) = [
        row
        for row in rows
        if (row["grid"], row["by"], row["chart"]) == ("original", "all", "combined")
    ]
    scores = json.loads(seaice("score", maps_path, "--json").out)
    assert float(pooled["value"]) == scores["pooled"]["combined"]
    assert scores["grids"]["original"]["classes"]["SOD"]["class_recall"]
    assert all(image.startswith("data:") for image in check_page(report))
    assert len(check_page(maps_path / "index.html")) == 6
    assert seaice("score", maps_path, "--csv", "--json").code == 2


def test_score_accepts_a_folder_of_files_with_charts(seaice, maps_path, raw_folder) -> None:
    ours = json.loads(seaice("score", maps_path, "--json").out)
    folder = json.loads(seaice("score", maps_path, "--truth", raw_folder, "--json").out)
    assert folder["pooled"] == ours["pooled"]
    # Files do not say at which ratio a network sees them; the maps do.
    assert (ours["ratio"], folder["ratio"]) == (5, 5)
    for grid, scored in ours["grids"].items():
        assert folder["grids"][grid]["all"] == scored["all"]
    assert folder["baselines"] == {}
    result = seaice("score", maps_path, "--truth", raw_folder)
    assert f"no baselines: {raw_folder} has no training scenes" in result.out


def test_score_of_a_submission_needs_the_truth(seaice, tmp_path, store_path) -> None:
    (scene,) = Store.open(store_path).splits["test"]
    shape = Store.open(store_path).scene(scene).source_grid.shape
    with h5netcdf.File(tmp_path / "upload.nc", "w") as file:
        for chart in ("SIC", "SOD", "FLOE"):
            file.dimensions.update({f"{chart}0": shape[0], f"{chart}1": shape[1]})
            name = f"{scene}_{chart}"
            file.create_variable(name, (f"{chart}0", f"{chart}1"), np.uint8)
    result = seaice("score", tmp_path / "upload.nc", "--truth", store_path, "--json")
    assert json.loads(result.out)["pooled"]["SIC"] <= 0  # open water everywhere
    result = seaice("score", tmp_path / "upload.nc")
    assert result.code == 1
    assert "does not say where the charts of its scenes are" in result.err


def test_score_continues_if_the_index_cannot_be_written(
    seaice, maps_path, tmp_path
) -> None:
    shutil.copytree(maps_path, tmp_path / "maps")
    shutil.rmtree(tmp_path / "maps" / "index", ignore_errors=True)
    (tmp_path / "maps" / "index").write_text("a file in the way")
    result = seaice("score", tmp_path / "maps")
    assert result.code == 0
    assert "index.html in" in result.err


def test_score_against_a_store_without_charts_is_an_error(
    seaice, maps_path, tmp_path, raw_folder
) -> None:
    scene = next(maps_path.glob("*.nc")).stem
    (tmp_path / "raw").mkdir()
    shutil.copy(raw_folder / f"{scene}_prep.nc", tmp_path / "raw")
    store = tmp_path / "store.zarr"
    assert seaice("prepare", tmp_path / "raw", store, "--jobs", 1).code == 0
    result = seaice("score", maps_path, "--truth", store)
    assert result.code == 1
    assert "none of 1 map in" in result.err


def test_figures_are_plotted_from_maps_and_runs(
    seaice, maps_path, run_path, store_path, tmp_path
) -> None:
    out = tmp_path / "figures"
    options = ["--truth", store_path, "--out", out]
    result = seaice("figures", f"Model 1={maps_path}", run_path, *options, "--json")
    assert result.code == 0
    scene = next(maps_path.glob("*.nc")).stem
    figures = {p["shows"]: p["path"] for p in json.loads(result.out)["pictures"]}
    assert figures == {
        f"Charts of scene {scene}": str(out / f"scene_{scene}.png"),
        "Figure 4: Model 1": str(out / "confusion_Model_1.png"),
        "Figure 4: run": str(out / "confusion_run.png"),
        "Figure 5": str(out / "classes.png"),
    }
    assert all(Path(path).stat().st_size for path in figures.values())
    assert seaice("figures", maps_path, maps_path, *options).code == 2
    assert seaice("figures", "a=", *options).code == 2
    result = seaice("figures", maps_path, *options, "--scene", "20190101T000000_dmi")
    assert result.code == 1
    assert "has no map of scene '20190101T000000_dmi'" in result.err


def test_score_without_the_store_of_the_maps_is_an_error(
    seaice, store_path, run_path, tmp_path
) -> None:
    moved = tmp_path / "moved.zarr"
    shutil.copytree(store_path, moved)
    maps = tmp_path / "maps"
    assert seaice("predict", moved, "--run", run_path, "--out", maps).code == 0
    moved.rename(tmp_path / "elsewhere.zarr")
    result = seaice("score", maps)
    assert result.code == 1
    assert "were made from a store that cannot be opened: no store at" in result.err
    assert "hint: pass the store with the charts as --truth" in result.err
    assert seaice("score", maps, "--truth", tmp_path / "elsewhere.zarr").code == 0


def test_score_without_maps_is_an_error(seaice, tmp_path) -> None:
    result = seaice("score", tmp_path)
    assert result.code == 1
    assert result.err.startswith("error: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["prepare"],
        ["train", "a", "b"],
        ["train", "a", "--resume", "--overwrite"],
        ["train"],
        ["train", "a", "--seed", "1", "--seeds", "0-2"],
        ["train", "a", "--seeds", "4-2"],
        ["train", "a", "--seeds", "0-3,2"],
        ["train", "a", "--seeds", "all"],
        ["train", "a", "--seeds", "9" * 5000],
        ["train", "a", "--seeds", "0-30000000"],
        ["train", "a", "--seeds", f"0-{'9' * 19}"],
        ["train", "a", "--seeds", "\u0661"],
        ["prepare", "a", "b", "--part", f"{'9' * 5000}/{'9' * 5000}"],
        ["prepare", "a", "b", "--part", "\u0661/2"],
        ["predict", "--nope"],
        ["predict", "a", "--split", "test", "--scene", "b"],
        ["predict", "a", "--scene", ""],
    ],
)
def test_wrong_usage_ends_with_exit_code_2(arguments: list[str], capsys) -> None:
    assert run_app(*arguments) == 2
    assert "Usage: seaice" in capsys.readouterr().err


def test_a_closed_pipe_is_not_an_error(store_path: str) -> None:
    command = Path(sys.executable).with_name("seaice")
    done = subprocess.run(
        [
            "bash",
            "-c",
            f"'{command}' info '{store_path}' | head -1; echo ${{PIPESTATUS[0]}}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""


def test_ctrl_c_ends_prepare_with_a_message_and_loses_nothing(
    tmp_path: Path, other_system: OtherSystem
) -> None:
    raw, store = tmp_path / "raw", tmp_path / "store.zarr"
    for month in range(1, 7):
        write_coded(raw, 203, 251, f"2019{month:02d}01T101830_dmi")
    command = [Path(sys.executable).with_name("seaice"), "prepare", raw, store, "--jobs"]
    process = other_system.start_to_stop(120, store, *command, 2)
    assert list(store.glob("scenes/*/zarr.json"))
    os.killpg(process.pid, signal.SIGINT)
    resume(process)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.startswith("error: interrupted\nhint: nothing is lost")
    assert "Traceback" not in err
    assert run_app("prepare", str(raw), str(store), "--jobs", "1") == 0
    assert len(list(store.glob("scenes/*/zarr.json"))) == 6
    assert not (store / ".staging").exists()


def test_split_also_applies_to_scenes_that_are_added_later(
    seaice, raw_folder, tmp_path
) -> None:
    store = tmp_path / "store.zarr"
    assert seaice("prepare", raw_folder, store, "--ratio", 10, "--jobs", 1).code == 0
    ids = Store.open(str(store)).splits["train"]
    (tmp_path / "list.json").write_text(json.dumps([f"{i}_prep.nc" for i in ids[:2]]))
    result = seaice("split", store, "--validation", tmp_path / "list.json")
    assert result.out.startswith("scenes: train 3, validation 2, test 1;")
    again = seaice("split", store, "--validation", tmp_path / "list.json", "--json")
    assert json.loads(again.out)["splits"]["validation"] == list(ids[:2])
    (tests,) = Store.open(store).splits["test"]
    (tmp_path / "list.json").write_text(json.dumps([*ids[:2], tests]))
    result = seaice("split", store, "--validation", tmp_path / "list.json")
    assert "note: 1 scene of the validation list is a test scene instead" in result.err
    assert seaice("prepare", raw_folder, store, "--ratio", 10, "--jobs", 1).code == 0
    assert Store.open(str(store)).splits["validation"] == ids[:2]


def test_a_training_is_resumed_on_the_store_of_its_run(
    seaice, run_path, tmp_path, monkeypatch
) -> None:
    shutil.copytree(run_path, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    result = seaice("train", "--resume", "--epochs", 3)
    assert (result.code, result.out[:18]) == (0, "3 epochs in run: b")
    assert seaice("train", "--resume", "--run", "other").code == 1
    assert seaice("train").code == 2


def test_score_does_not_open_a_url_that_a_map_names(
    seaice, maps_path, store_path, tmp_path
) -> None:
    maps = tmp_path / "maps"
    shutil.copytree(maps_path, maps)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/internal?x=1"
        for named in (url, f"simplecache::{url}"):
            with h5py.File(next(maps.glob("*.nc")), "a") as file:
                file.attrs["store"] = named
            result = seaice("score", maps)
            assert result.code == 1
            assert "URLs named in files are not opened" in result.err
            assert f"--truth {named}" in result.err
        server.setblocking(False)
        with pytest.raises(BlockingIOError):  # nothing has connected
            server.accept()
    assert seaice("score", maps, "--truth", store_path).code == 0


def test_score_names_bad_maps_at_the_end(seaice, maps_path, tmp_path) -> None:
    maps = tmp_path / "maps"
    shutil.copytree(maps_path, maps)
    (maps / "a.nc").write_text("not a map")
    result = seaice("score", maps, "--json")
    assert result.code == 1
    scores = json.loads(result.out)
    assert (
        scores["pooled"] == json.loads(seaice("score", maps_path, "--json").out)["pooled"]
    )
    assert [failed["map"] for failed in scores["failed"]] == [str(maps / "a.nc")]
    assert "not scored: " in result.err
    assert "a.nc': not a netCDF-4 file" in result.err


def test_files_that_seaice_did_not_write_stay_without_overwrite(
    seaice, maps_path, store_path, tmp_path
) -> None:
    maps = tmp_path / "maps"
    shutil.copytree(maps_path, maps)
    report, scenes, index = (
        tmp_path / "r.html", tmp_path / "scenes.png", maps / "index.html",
    )  # fmt: skip
    commands = {
        report: ["score", maps, "--report", report],
        scenes: ["info", store_path, "--plot", tmp_path],
    }
    for path, command in commands.items():
        path.write_text("mine")
        result = seaice(*command)
        assert result.code == 1
        assert f"{path.name}' that seaice did not write" in result.err
        assert "--overwrite" in result.err
        assert result.out == ""
        assert path.read_text() == "mine"
        assert seaice(*command, "--overwrite").code == 0
        assert path.read_bytes() != b"mine"
        assert seaice(*command).code == 0  # it is ours now
    # The user did not ask for the page, so scores are printed all the same.
    index.write_text("mine")
    result = seaice("score", maps)
    assert result.code == 0
    assert "index.html in" in result.err
    assert index.read_text() == "mine"
    assert seaice("score", maps, "--overwrite").code == 0
    assert len(check_page(index)) == 6

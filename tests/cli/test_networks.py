"""A network of another package, through the command line: from training to scores."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.command_results import Result
from support.network_packages import installed

from seaice_model.maps.netcdf import read_netcdf
from seaice_model.runs.checkpoint import load, load_best
from seaice_model.runs.folder import RunFolder


def same_weights(one: Path, other: Path) -> bool:
    first, second = (load(RunFolder(path).last).weights for path in (one, other))
    return all(np.array_equal(first[name], second[name]) for name in {*first, *second})


@pytest.fixture
def other_config(config_path: Path, tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(
        config_path.read_text().replace("[8, 8]", '[8, 8]\nnetwork = "small-cnn"')
    )
    return path


def test_it_trains_resumes_predicts_and_scores(
    store_path: str,
    other_config: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    whole, resumed, maps = (tmp_path / name for name in ("whole", "resumed", "maps"))
    train = ("train", store_path, "--config", other_config, "--device", "cpu")
    with installed(tmp_path / "site"):
        assert Result(*train, "--run", whole).code == 0
        assert load_best(whole).settings.network_package == "ice-networks 1.2"
        assert Result(*train, "--run", resumed, "--epochs", 1).code == 0
        more = Result("train", "--resume", "--run", resumed, "--epochs", 2)
        assert (more.code, caplog.text) == (0, "")
        # Dropout included: an interrupted training is the same one.
        assert same_weights(whole, resumed)
        predict = ("predict", store_path, "--run", whole, "--out", maps, "--no-plots")
        assert Result(*predict).code == 0
        (path,) = maps.glob("*.nc")
        chart_map = read_netcdf(path)
        assert chart_map.provenance.network == "small-cnn (ice-networks 1.2)"
        decision = chart_map.decision
        assert decision is not None
        assert min(decision.classes.shape[1:]) > 32  # more than one tile
        scored = Result("score", maps)
        assert (scored.code, "SIC" in scored.out) == (0, True)

    shutil.rmtree(maps)
    for command in (predict, ("train", "--resume", "--run", whole, "--epochs", 3)):
        refused = Result(*command)
        assert refused.code == 1
        assert "error: the run needs the network 'small-cnn' of the package" in refused.err
        assert "hint: install that package, if you trust it" in refused.err
        assert "Traceback" not in refused.err
    assert not maps.exists()
    unknown = Result(*train, "--run", tmp_path / "new")
    assert "error: unknown network 'small-cnn'" in unknown.err
    assert not (tmp_path / "new").exists()

    with installed(tmp_path / "site", version="1.3"):
        other = Result(*predict)
        assert other.code == 0
        assert "is from ice-networks 1.2, here it is from ice-networks 1.3" in caplog.text
    with installed(tmp_path / "site", version="2.0"):
        module = tmp_path / "site" / "ice_networks.py"
        convolution = "nn.Conv2d(n_channels, 8, 3, padding=1)"
        module.write_text(module.read_text().replace(convolution, "nn.Linear(1, 8)"))
        other = Result(*predict)
        assert other.code == 1
        assert "'small-cnn' of 'ice-networks 1.2', here it is from 'ice-networks 2.0'" in (
            other.err
        )
        assert "hint: install the version that the run was trained with" in other.err
    with installed(tmp_path / "site", name="impostor"):
        assert "'ice-networks 1.2', here it is from 'impostor 1.2'" in Result(*predict).err


def test_swin_trains_two_epochs_and_predicts(store_path: str, tmp_path: Path) -> None:
    run, maps = tmp_path / "run", tmp_path / "maps"
    settings = (
        "filters=[12, 24, 48, 96], patch_size=64, batch_size=2, n_iterations=2, n_epochs=2"
    )
    train = ("train", store_path, "--run", run, "--preset", "swin", "--device", "cpu")
    assert Result(*train, "--set", settings, "--epochs", 1).code == 0
    assert Result("train", "--resume", "--run", run, "--epochs", 2).code == 0
    assert load_best(run).settings.network_package.startswith("monai ")
    whole = tmp_path / "whole"
    assert Result(*train, "--set", settings, "--run", whole).code == 0
    assert same_weights(run, whole)
    assert (
        Result("predict", store_path, "--run", run, "--out", maps, "--no-plots").code == 0
    )
    assert Result("score", maps).code == 0


def test_a_broken_network_is_refused_before_anything_is_written(
    store_path: str, other_config: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with installed(tmp_path / "site"):
        for name, reason in {
            "raises": "cannot be built: ValueError",
            "half-size": r"returns shape",
        }.items():
            refused = Result(
                "train", store_path, "--config", other_config, "--run", run,
                "--set", f"network={name}",
            )  # fmt: skip
            assert refused.code == 1
            assert f"error: network '{name}' (ice-networks 1.2) {reason}" in refused.err
            assert not run.exists()

"""Exported networks run in onnxruntime, without seaice."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from support.command_results import Result
from support.learnable_scenes import TEST_SCENE
from support.network_packages import installed

from seaice_data.channels import find_channel
from seaice_data.store.store import Store
from seaice_model.config.network_names import package_of
from seaice_model.config.run_config import ModelConfig
from seaice_model.errors import RunError
from seaice_model.maps.netcdf import read_netcdf
from seaice_model.networks.build import build_network
from seaice_model.networks.unet import MultiTaskUNet
from seaice_model.prediction.predict import PredictSettings, predict_store
from seaice_model.runs.checkpoint import Checkpoint, load_best, save
from seaice_model.runs.folder import RunFolder
from seaice_model.runs.onnx_export import OnnxReport, export_run

SMALL: Any = {"channels": ("hh", "t2m"), "filters": (4, 4)}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, run: Path) -> OnnxReport:
    return export_run(run, tmp_path_factory.mktemp("export") / "model.onnx")


def session_of(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_a_file_is_whole_and_close_to_pytorch(exported: OnnxReport) -> None:
    onnx.checker.check_model(exported.path, full_check=True)
    assert exported.n_bytes == exported.path.stat().st_size
    assert 0 <= exported.largest_difference < 1e-5


@pytest.mark.parametrize("shape", [(4, 4), (5, 4), (33, 70), (64, 96), (101, 43)])
def test_any_size_gives_what_pytorch_gives(
    exported: OnnxReport, run: Path, shape: tuple[int, int]
) -> None:
    inputs = torch.randn(3, 2, *shape, generator=torch.Generator().manual_seed(1))
    inputs[:, :, :2] = torch.nan
    with torch.inference_mode():
        expected = load_best(run).network()(inputs.nan_to_num(0.0))
    *found, classes = session_of(exported.path).run(None, {"inputs": inputs.numpy()})
    for ours, theirs in zip(expected, found, strict=True):
        np.testing.assert_allclose(theirs, ours.numpy(), atol=1e-5)
    assert classes.dtype == np.uint8
    # A number half way between two classes may be rounded either way.
    assert (classes == expected.classes().numpy()).mean() > 0.999


def test_the_metadata_are_enough_to_predict_the_same_map(
    exported: OnnxReport, run: Path, store: Store, tmp_path: Path
) -> None:
    settings = PredictSettings(plots=False)
    predict_store(store, run, tmp_path, settings, scenes=[TEST_SCENE])
    decision = read_netcdf(tmp_path / f"{TEST_SCENE}.nc").decision
    assert decision is not None
    session = session_of(exported.path)
    known = session.get_modelmeta().custom_metadata_map
    physical = store.scene(TEST_SCENE).to_xarray()
    planes = [
        (physical[name].values - mean) / std
        for name, mean, std in zip(
            *(json.loads(known[key]) for key in ("channels", "means", "stds")), strict=True
        )
    ]
    inputs = np.stack(planes)[np.newaxis].astype(np.float32)
    classes = session.run(["classes"], {"inputs": inputs})[0][0]
    assert (classes == decision.classes).mean() > 0.999
    assert json.loads(known["units"]) == [find_channel("hh").unit, find_channel("hv").unit]
    assert json.loads(known["pixel_spacing_m"]) == 160
    assert json.loads(known["recipe"])["ratio"] == 2
    assert json.loads(known["trained_on_denoising"]) == ["nersc"]
    assert json.loads(known["classes"])["SOD"][5] == "old ice"
    assert known["weights"] == read_netcdf(tmp_path / f"{TEST_SCENE}.nc").provenance.weights


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        ModelConfig(**SMALL, decoders="separate", fill="mask"),
        ModelConfig(
            channels=("hh", "t2m"), filters=(4, 8, 8), sic="classes", fill="constant"
        ),
        ModelConfig(**SMALL, fusion="bottleneck", sic="classes", fill_class=True),
        ModelConfig(**SMALL, sic="both", fill_class=True),
    ],
    ids=[
        "three decoders, masks of fill",
        "sic as classes, constants for fill",
        "late fusion, output for fill",
        "both, output for fill",
    ],
)
def test_every_kind_of_network_is_exported(
    run: Path, tmp_path: Path, model: ModelConfig
) -> None:
    settings = load_best(run).settings
    checkpoint = Checkpoint(
        settings=replace(settings, config=replace(settings.config, model=model)),
        state=load_best(run).state,
        weights=MultiTaskUNet(model, seed=3).state_dict(),
    )
    (tmp_path / "run").mkdir()
    save(checkpoint, tmp_path / "run" / "best.safetensors")
    report = export_run(tmp_path / "run", tmp_path / "model.onnx")
    assert report.largest_difference < 1e-5
    outputs = {o.name: o.shape[1] for o in session_of(report.path).get_outputs()}
    assert (outputs["sod"], outputs["floe"]) == (6, 7)
    if model.sic == "both":
        known = session_of(report.path).get_modelmeta().custom_metadata_map
        assert outputs["sic"] == 12
        assert json.loads(known["sic_output"]) == "class number, then logits"


def test_a_run_in_an_archive_is_exported_like_its_folder(
    exported: OnnxReport, run: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "run.zip", "w") as packed:
        packed.write(RunFolder(run).best, "run/best.safetensors")
    url = f"zip://run::{tmp_path / 'run.zip'}"
    done = Result("export", url, tmp_path / "model.onnx")
    assert (done.code, done.err) == (0, "")
    ours, theirs = (onnx.load(p) for p in (tmp_path / "model.onnx", exported.path))
    assert ours.graph == theirs.graph
    assert {p.key: p.value for p in ours.metadata_props}["run"] == url


def test_an_existing_file_is_kept(exported: OnnxReport, run: Path) -> None:
    before = exported.path.read_bytes()
    with pytest.raises(RunError, match="there is a file at") as caught:
        export_run(run, exported.path)
    assert "--overwrite" in str(caught.value.hint)
    assert exported.path.read_bytes() == before


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run at"):
        export_run(tmp_path, tmp_path / "model.onnx")


@pytest.mark.slow
def test_a_network_that_needs_tiles_is_exported_for_one_size(
    run: Path, tmp_path: Path
) -> None:
    model = ModelConfig(
        channels=("hh", "hv"), network="swin-unetr", filters=(12, 24, 48, 96)
    )
    report = export_run(saved_run(run, tmp_path, model, size=64), tmp_path / "model.onnx")
    assert report.largest_difference < 1e-5
    assert report.sizes == ((64, 64),)
    session = session_of(report.path)
    assert [i.shape for i in session.get_inputs()] == [["batch", 2, 64, 64]]
    known = session.get_modelmeta().custom_metadata_map
    assert (known["smallest_side"], known["largest_side"]) == ("64", "64")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("small-cnn", ""),
        ("looks-at-values", "cannot be exported as ONNX"),
        ("bfloat16", "cannot be exported as ONNX: InvalidGraph"),
    ],
)
def test_a_network_of_others_is_exported_or_says_why_not(
    run: Path, tmp_path: Path, name: str, reason: str
) -> None:
    with installed(tmp_path / "site"):
        model = ModelConfig(channels=("hh", "hv"), network=name)
        path = saved_run(run, tmp_path, model, size=16)
        if not reason:
            assert export_run(path, tmp_path / "model.onnx").largest_difference < 1e-5
            return
        with pytest.raises(RunError, match=reason) as caught:
            export_run(path, tmp_path / "model.onnx")
    assert str(caught.value).startswith(f"the network {name!r} ")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model.onnx").exists()


def saved_run(run: Path, folder: Path, model: ModelConfig, size: int) -> Path:
    """Return the folder of an untrained run of another network."""
    settings = load_best(run).settings
    train = replace(settings.config.train, patch_size=size)
    config = replace(settings.config, model=model, train=train)
    package = package_of(model.network)
    checkpoint = Checkpoint(
        settings=replace(settings, config=config, network_package=package),
        state=load_best(run).state,
        weights=build_network(model, seed=3, patch_size=size).state_dict(),
    )
    (folder / "run").mkdir()
    save(checkpoint, folder / "run" / "best.safetensors")
    return folder / "run"


@pytest.mark.parametrize("name", ["model.pt", "model.PTH", "best.safetensors"])
def test_the_ending_of_another_format_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match="ending of another format") as caught:
        export_run(tmp_path / "run", tmp_path / name)
    assert f"{tmp_path / name.split('.')[0]}.onnx'" in str(caught.value.hint)
    assert "run/best.safetensors'" in str(caught.value.hint)
    assert not (tmp_path / name).exists()

"""Settings beyond the paper train, stop, resume and are saved as all others are."""

import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from support.learnable_scenes import SCENES, TEST_SCENE, TINY
from support.polygon_scenes import polygon_table, write_polygons

from seaice_data.sampling.augmentation import Augmentation
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_model.config.run_config import RunConfig
from seaice_model.errors import RunError
from seaice_model.maps.netcdf import read_netcdf
from seaice_model.prediction.predict import PredictSettings, predict_store
from seaice_model.prediction.predictor import Predictor
from seaice_model.runs.checkpoint import load, load_best, weights_fingerprint
from seaice_model.runs.folder import RunFolder
from seaice_model.runs.log import read_log
from seaice_model.training.progress import TrainProgress
from seaice_model.training.stop import StopRequest
from seaice_model.training.train import train
from seaice_model.training.validation import Validation

SHORT = replace(TINY, train=replace(TINY.train, n_epochs=2))
TRAINED_BY = {
    "weight_average": {"train": {"weight_average": 0.8}},
    "learned_weights": {"train": {"learned_weights": True}},
    "sic": {"model": {"sic": "both"}},
    "all of them": {
        "model": {"sic": "both", "fill_class": True},
        "train": {
            "weight_average": 0.8, "learned_weights": True, "divide_by_probability": True
        },
    },
}  # fmt: skip


def changed(name: str) -> RunConfig:
    parts = TRAINED_BY[name]
    return replace(
        SHORT,
        model=replace(SHORT.model, **parts.get("model", {})),  # type: ignore[arg-type]
        train=replace(SHORT.train, **parts.get("train", {})),  # type: ignore[arg-type]
    )


def stop_in_the_second_epoch(step: TrainProgress) -> None:
    if (step.epoch, step.iteration, step.scores) == (2, 2, None):
        signal.raise_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def beyond(tmp_path_factory: pytest.TempPathFactory, store: Store) -> RunFolder:
    """Return a run with all of the settings."""
    path = tmp_path_factory.mktemp("beyond") / "run"
    train(store, path, changed("all of them"), device="cpu")
    return RunFolder(path)


@pytest.mark.parametrize("name", TRAINED_BY)
def test_an_interrupted_run_ends_with_the_same_bytes(
    tmp_path: Path, store: Store, name: str
) -> None:
    whole, parts = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "parts")
    train(store, whole.path, changed(name), device="cpu")
    stopped = train(
        store, parts.path, changed(name), device="cpu", progress=stop_in_the_second_epoch
    )
    assert not stopped.is_complete
    train(store, parts.path, resume=True, device="cpu")
    assert parts.last.read_bytes() == whole.last.read_bytes()
    assert parts.best.read_bytes() == whole.best.read_bytes()


def with_everything() -> RunConfig:
    """Return settings that use all that goes beyond the paper, in one U-Net."""
    channels = ("hh", "hv", "btemp_18_7h", "t2m")
    model = replace(
        SHORT.model, channels=channels, sic="both", fill="constant", fill_class=True,
        fusion="bottleneck", decoders="separate",
    )  # fmt: skip
    train_config = replace(
        SHORT.train, region_loss=0.5, learned_weights=True, weight_average=0.8,
        divide_by_probability=True,
    )  # fmt: skip
    augmentation = Augmentation(drop_amsr2=0.3, drop_era5=0.3)
    return replace(SHORT, model=model, train=train_config, augmentation=augmentation)


def test_all_settings_together_resume_to_the_same_bytes(tmp_path: Path) -> None:
    config = with_everything()
    rows, columns = np.indices((24, 20))
    # The last scene is smaller than a patch.
    scenes = dict.fromkeys(SCENES, (rows // 9 + columns // 8) % 3)
    scenes[SCENES[-1]] = scenes[SCENES[0]][:12, :14]
    codes = {0: (90, 50, 85, 4, 40, 93, 5), 1: (50, 30, 81, 3, 20, 87, 4), 2: (92, -9, 95)}
    recipe = Recipe(ratio=1, channels=config.model.channels)
    store = write_polygons(
        str(tmp_path / "store.zarr"), scenes, polygon_table(codes), recipe, mixed=[0, 1]
    )
    whole, parts = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "parts")
    train(store, whole.path, config, device="cpu")
    train(store, parts.path, config, device="cpu", progress=stop_in_the_second_epoch)
    train(store, parts.path, resume=True, device="cpu")
    assert parts.last.read_bytes() == whole.last.read_bytes()
    last = load(whole.last)
    for tensors in (last.weights, last.average):
        assert tensors["filling.numbers"].all()
    assert last.weights["heads.0.bias"].shape == (1 + 11 + 1,)


def test_the_average_is_what_a_run_results_in(beyond: RunFolder, store: Store) -> None:
    best = load_best(beyond.path)
    assert set(best.average) == set(best.weights)
    assert any(not torch.equal(best.average[n], w) for n, w in best.weights.items())
    for name, weights in best.network().state_dict().items():
        assert torch.equal(weights, best.average[name])
    scenes = [store.scene(scene) for scene in best.settings.validation_scenes]
    channels = best.settings.config.model.channels
    validation = Validation(scenes, channels, "auto", largest_kept=0)
    scores = validation.score(best.network(), StopRequest()).scores()
    assert scores.combined == best.state.best_score


def test_the_fingerprint_is_that_of_the_average(beyond: RunFolder) -> None:
    checkpoint = load(beyond.last)
    plain = replace(checkpoint, weights=checkpoint.average, average={})
    assert weights_fingerprint(checkpoint) == weights_fingerprint(plain)
    checkpoint.weights["heads.0.bias"].add_(1)
    assert weights_fingerprint(checkpoint) == weights_fingerprint(plain)


@pytest.mark.parametrize(
    ("name", "tensor", "words"),
    [
        ("average.heads.0.bias", None, "average of the weights, 'heads.0.bias' is missing"),
        ("average.heads.1.bias", torch.full((7,), torch.inf), "'heads.1.bias' are not fin"),
        ("loss_weights.log_variances", None, "the losses, 'log_variances' is missing"),
        ("loss_weights.momentum", torch.zeros(2), r"'momentum' has shape \(2,\)"),
        ("loss_weights.momentum", None, "in the weights of the losses, 'momentum' is miss"),
    ],
)
def test_a_damaged_average_or_weight_is_named(
    tmp_path: Path, beyond: RunFolder, name: str, tensor: torch.Tensor | None, words: str
) -> None:
    with safe_open(beyond.last, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(beyond.last)
    del tensors[name]
    save_file(
        tensors | ({} if tensor is None else {name: tensor}), tmp_path / "last", metadata
    )
    with pytest.raises(RunError, match=f"is damaged: .*{words}"):
        load(tmp_path / "last")


def test_learned_weights_are_logged_and_in_no_network(beyond: RunFolder) -> None:
    checkpoint, entries = load(beyond.last), read_log(beyond.log)
    learned = checkpoint.loss_weights["log_variances"]
    assert entries[-1].loss_weights == pytest.approx(torch.exp(-learned).tolist())
    assert entries[-1].loss_weights != entries[0].loss_weights
    assert not torch.equal(torch.exp(-learned), torch.tensor(TINY.train.loss_weights))
    assert not {n for n in checkpoint.network().state_dict() if "variance" in n}


def test_maps_of_sic_as_both_say_how_sure_a_single_network_is(
    tmp_path: Path, beyond: RunFolder, store: Store
) -> None:
    settings = PredictSettings(plots=False, probabilities=True)
    predict_store(store, beyond.path, tmp_path, settings, scenes=[TEST_SCENE])
    decision = read_netcdf(tmp_path / f"{TEST_SCENE}.nc").decision
    assert decision is not None
    assert (decision.n_networks, decision.sic_basis) == (1, "probabilities")
    assert decision.spread is not None
    assert decision.probabilities is not None
    assert decision.probabilities["SIC"].shape[0] == 11
    known = decision.concentration != 255
    tenths = decision.concentration_percent()[known] / 10
    # The number decides; it is stored in steps of 0.05.
    assert abs(decision.classes[0][known] - tenths).max() <= 0.55
    assert decision.entropy[0][known].max() < 255


def test_sic_as_both_does_not_decide_together_with_another_kind(
    beyond: RunFolder, run: Path
) -> None:
    with pytest.raises(RunError, match=r"differ in .*sic: both and regression"):
        Predictor.load([beyond.path, run], torch.device("cpu"))

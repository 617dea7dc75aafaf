"""Networks that see tiles of one size predict whole scenes, without seams."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from support.network_packages import installed

from seaice_data.sampling.augmentation import Augmentation
from seaice_model.config.run_config import ModelConfig
from seaice_model.networks.build import Network, build_network
from seaice_model.networks.device import to_device
from seaice_model.networks.unet import MultiTaskUNet, Prediction
from seaice_model.prediction.flips import Flips
from seaice_model.prediction.network_tiles import Parts, parts_of, predict_blended
from seaice_model.prediction.parts import TileView, tile_views
from seaice_model.prediction.predictor import predict_classes
from seaice_model.prediction.tiling import predict_tiled

SIDE = 64
SWIN = ModelConfig(channels=("hh", "hv"), network="swin-unetr", filters=(12, 24, 48, 96))
OTHER = ModelConfig(channels=("hh", "hv"), network="small-cnn")
CPU = torch.device("cpu")


def other_network(**settings: str) -> Network:
    """Return a network that predicts several classes, and others at the edge of a tile."""
    config = ModelConfig(channels=("hh", "hv"), network="small-cnn", **settings)  # type: ignore[arg-type]
    network = build_network(config, seed=1, patch_size=16).eval()
    with torch.no_grad():
        for name, weights in network.named_parameters():
            if "heads" in name:
                weights *= 0 if name.endswith("bias") else 20
    return network


@pytest.fixture(scope="module")
def swin() -> Network:
    return build_network(SWIN, seed=0, patch_size=SIDE).eval()


@pytest.fixture
def package(tmp_path: Path) -> Iterator[None]:
    with installed(tmp_path / "site"):
        yield


def seam(plane: np.ndarray, overlap: int) -> float:
    """Return how large steps are where tiles overlap, relative to those elsewhere.

    Each step between rows is compared with those of the same place in a token and in a
    coarser one, because the network makes some there.
    """
    steps = np.abs(np.diff(plane, axis=0)).mean(axis=1)
    starts = range(SIDE - overlap, len(plane) - SIDE + 1, SIDE - overlap)
    shared = {start + k for start in starts for k in range(-1, overlap)}
    ratios = []
    for row in shared:
        alike = [r for r in range(row % 16, len(steps), 16) if r not in shared]
        ratios.append(steps[row] / steps[alike].mean())
    return float(np.max(ratios))


@pytest.mark.parametrize(("overlap", "is_seamless"), [(16, True), (0, False)])
def test_swin_has_no_seams_where_tiles_overlap(
    swin: Network, overlap: int, *, is_seamless: bool
) -> None:
    # Structure that is larger than a token, so that steps are small without seams.
    y, x = np.mgrid[:256, :64] / 9
    scene = np.stack([np.sin(y + np.cos(x)), np.cos(x - y / 2)], axis=-1)

    def predict(part: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            logits = swin(to_device(part[np.newaxis], CPU)).sod[0]
        return np.asarray(logits)

    planes = predict_tiled(predict, scene.astype(np.float32), tile=SIDE, overlap=overlap)
    ratios = [seam(plane, overlap) for plane in planes]
    assert (max(ratios) < 1.6) == is_seamless
    assert is_seamless or min(ratios) > 3


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("sic", ["regression", "classes", "both"])
def test_numbers_and_probabilities_are_averaged(sic: str) -> None:
    network = other_network(sic=sic)
    part = np.random.default_rng(0).normal(size=(16, 28, 2)).astype(np.float32)
    with torch.inference_mode():
        blended = predict_blended(network, part, 16)
        left, right = (network(to_device(part[None, :, c : c + 16], CPU)) for c in (0, 12))
    where = (..., slice(13, 14))  # of the four columns that both see, the second
    share = np.sin(np.pi / 2 * 1.5 / 4) ** 2
    both = ((p.sic_number(), p.sic_logits(), *p[1:]) for p in (blended, left, right))
    for number, (plane, first, second) in enumerate(zip(*both, strict=True)):
        if plane is None:
            continue
        one, other = first[..., 13:14], second[..., 1:2]
        if number > 0:
            plane, one, other = plane.exp(), one.softmax(dim=1), other.softmax(dim=1)
        expected = (1 - share) * one + share * other
        torch.testing.assert_close(plane[where], expected, rtol=1e-5, atol=1e-6)
    if (logits := blended.sic_logits()) is not None:
        torch.testing.assert_close(logits.exp().sum(dim=1), torch.ones(1, 16, 28))


@pytest.mark.usefixtures("package")
def test_parts_of_a_scene_are_predicted_as_the_whole() -> None:
    network = other_network()
    inputs = np.random.default_rng(0).normal(size=(301, 170, 2)).astype(np.float32)
    assert parts_of([network], tile=16, margin=2) == Parts(stride=12, tile=128, margin=2)
    whole = predict_classes(network, inputs)
    assert all(len(np.unique(plane)) > 2 for plane in whole)
    np.testing.assert_array_equal(predict_classes(network, inputs, tile=16), whole)


@pytest.mark.usefixtures("package")
def test_parts_are_those_of_mirrored_scenes_too() -> None:
    network = other_network()
    inputs = np.random.default_rng(0).normal(size=(131, 45, 2)).astype(np.float32)
    parts = parts_of([network], tile=16, margin=2)

    def forward(part: np.ndarray, view: TileView) -> Prediction:
        with torch.inference_mode():
            return Prediction(*map(view.crop, predict_blended(network, part, 16)))

    flips = Flips(
        augmentation=Augmentation(),
        channels=network.config.channels,
        stride=parts.stride,
        margin=parts.margin,
    )
    (whole,) = tile_views((131, 45), 12, tile=999, margin=2)
    expected = flips.predict(forward, inputs, whole)
    views = [*tile_views((131, 45), parts.stride, tile=36, margin=parts.margin)]
    assert len(views) > 3
    for view in views:
        for found, plane in zip(
            flips.predict(forward, inputs, view), expected, strict=True
        ):
            torch.testing.assert_close(found, plane[..., *view.tile])


@pytest.mark.usefixtures("package")
def test_parts_suit_every_network() -> None:
    exact = MultiTaskUNet(ModelConfig(channels=("hh", "hv"), filters=(4, 8, 8)))
    assert parts_of([exact], tile=1024, margin=8) == Parts(8, 1024, 8)
    # Tiles begin every 12 pixels, the grid of the U-Net every 8: both every 24.
    assert parts_of([exact, other_network()], tile=1024, margin=8) == Parts(24, 1024, 3)


@pytest.mark.usefixtures("package")
def test_a_scene_smaller_than_a_tile_is_predicted() -> None:
    inputs = np.full((5, 9, 2), np.nan, np.float32)
    assert predict_classes(other_network(), inputs).shape == (3, 5, 9)

import numpy as np
import pytest
import torch

from seaice_model.config.run_config import ModelConfig
from seaice_model.networks.unet import MultiTaskUNet
from seaice_model.prediction.parts import tile_views
from seaice_model.prediction.predictor import predict_classes


@pytest.mark.parametrize("shape", [(160, 131), (97, 203), (150, 20)])
@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(channels=("hh", "t2m"), filters=(4, 8)),
        ModelConfig(channels=("hh", "t2m"), filters=(4, 8), decoders="separate"),
        ModelConfig(channels=("hh", "t2m"), filters=(4, 8), fusion="bottleneck"),
    ],
    ids=["shared", "separate", "late fusion"],
)
def test_a_plane_in_tiles_is_predicted_as_a_whole(
    config: ModelConfig, shape: tuple[int, int]
) -> None:
    network = with_contrast(MultiTaskUNet(config, seed=1))
    inputs = np.random.default_rng(0).normal(size=(*shape, 2)).astype(np.float32)
    whole = predict_classes(network, inputs)
    assert all(len(np.unique(plane)) > 2 for plane in whole)
    assert [view.place for view in tile_views(shape, 4)] == [None]
    assert len(list(tile_views(shape, 4, tile=32))) > 2
    # Sums of floats in another order: a class in ten thousand may be a tie.
    assert (whole != predict_classes(network, inputs, tile=32)).mean() < 1e-4


def with_contrast(network: MultiTaskUNet) -> MultiTaskUNet:
    """Make an untrained network predict several classes."""
    with torch.no_grad():
        for head, scale in zip(network.heads, (200.0, 50.0, 50.0), strict=True):
            head.weight *= scale
    return network.eval()

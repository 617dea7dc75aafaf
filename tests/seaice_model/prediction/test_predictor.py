import numpy as np
import pytest
import torch

from seaice_model.config.run_config import ModelConfig
from seaice_model.networks.unet import MultiTaskUNet
from seaice_model.prediction.predictor import (
    TileView,
    predict_classes,
    predict_in_parts,
    tile_views,
)


def test_tiles_cover_every_pixel_and_see_their_margins() -> None:
    n = 2 * 1024 + 700
    views = list(tile_views((n, 5), stride=16))
    assert [view.tile[0].start for view in views] == [0, 1024, 2048]
    assert views[-1].tile == (slice(2048, n), slice(0, 5))
    assert [(view.seen[0].start, view.seen[0].stop) for view in views] == [
        (0, 1024 + 128),
        (1024 - 128, 2048 + 128),
        (2048 - 128, n),
    ]


def test_a_mean_of_neighbours_has_no_seams() -> None:
    inputs = np.random.default_rng(0).normal(size=(37, 50, 1))

    def smoothed(plane: torch.Tensor) -> torch.Tensor:
        windows = torch.nn.functional.pad(plane[None], (2, 2, 2, 2), mode="constant")
        return windows.unfold(1, 5, 1).unfold(2, 5, 1).mean(dim=(-1, -2))[0]

    def predict(part: np.ndarray, view: TileView) -> dict[str, np.ndarray]:
        plane = torch.from_numpy(np.ascontiguousarray(part[..., 0]))
        return {"mean": view.crop(smoothed(plane)).numpy()}

    tiled = predict_in_parts(predict, inputs, 1, tile=10, margin=2)["mean"]
    whole = predict_in_parts(predict, inputs, 1)["mean"]
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-12)


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

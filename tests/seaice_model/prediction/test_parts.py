import numpy as np
import torch

from seaice_model.prediction.parts import TileView, predict_in_parts, tile_views


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

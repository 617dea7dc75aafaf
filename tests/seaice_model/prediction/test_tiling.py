"""Tiles of one size are blended to planes of any size."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seaice_data.store.store import Store
from seaice_model.errors import ConfigError, MapError
from seaice_model.prediction.tiling import predict_tiled

SCENE = np.random.default_rng(0).normal(size=(50, 37, 2)).astype(np.float32)


def difference(part: np.ndarray) -> np.ndarray:
    """Return planes, as a network that needs no neighbours does."""
    return np.stack([part[..., 0] - part[..., 1], part[..., 0]])


def edge_of_tile(part: np.ndarray) -> np.ndarray:
    """Return 1 in the outermost pixels of a tile: what no network should know."""
    plane = np.zeros(part.shape[:2])
    plane[[0, -1]] = plane[:, [0, -1]] = 1
    return plane


@given(
    height=st.integers(1, 50),
    width=st.integers(1, 37),
    tile=st.integers(1, 20),
    share=st.floats(0, 0.99),
    weights=st.sampled_from(["cosine", "flat", "own"]),
)
def test_a_function_of_single_pixels_comes_out_exactly(
    height: int, width: int, tile: int, share: float, weights: str
) -> None:
    scene = SCENE[:height, :width]
    own = np.random.default_rng(tile).uniform(0.1, 9, size=(tile, tile))
    chosen: Any = own if weights == "own" else weights
    found = predict_tiled(
        difference, scene, tile=tile, overlap=int(share * tile), weights=chosen
    )
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, difference(scene))


def test_neighbours_fade_into_each_other() -> None:
    values = iter([0.0, 1.0])
    found = predict_tiled(
        lambda part: np.full(part.shape[:2], next(values)),
        np.zeros((4, 6, 1)),
        tile=4,
        overlap=2,
    )
    # Two pixels are shared; a quarter and three quarters of a pixel into the overlap.
    np.testing.assert_allclose(found[0], [0, 0, 0.146447, 0.853553, 1, 1], atol=1e-6)
    values = iter([0.0, 1.0])
    flat = predict_tiled(
        lambda part: np.full(part.shape[:2], next(values)),
        np.zeros((4, 6, 1)),
        tile=4,
        overlap=2,
        weights="flat",
    )
    np.testing.assert_array_equal(flat[0], [0, 0, 0.5, 0.5, 1, 1])


def test_own_weights_decide() -> None:
    values = iter([0.0, 1.0])
    weights = np.ones((2, 2))
    weights[:, 0] = 3
    found = predict_tiled(
        lambda part: np.full(part.shape[:2], next(values)),
        np.zeros((2, 3, 1)),
        tile=2,
        overlap=1,
        weights=weights,
    )
    np.testing.assert_array_equal(found, [[0, 0.75, 1], [0, 0.75, 1]])


def test_edges_of_tiles_disappear_within_the_scene() -> None:
    found = predict_tiled(edge_of_tile, np.zeros((96, 96, 1)), tile=32, overlap=16)
    assert found[1:-1, 1:-1].max() < 0.01
    hard = predict_tiled(edge_of_tile, np.zeros((96, 96, 1)), tile=32, overlap=0)
    assert hard[1:-1, 1:-1].max() == 1


def test_a_small_scene_is_extended_with_fill() -> None:
    seen: list[np.ndarray] = []

    def look(part: np.ndarray) -> np.ndarray:
        seen.append(part)
        return part[..., 0]

    found = predict_tiled(look, np.ones((2, 3, 1)), tile=4)
    np.testing.assert_array_equal(found, np.ones((2, 3)))
    assert [part.shape for part in seen] == [(4, 4, 1)]
    assert np.isnan(seen[0]).sum() == 16 - 6
    predict_tiled(look, np.ones((2, 3, 1)), tile=4, fill=0.0)
    assert seen[1].sum() == 6


def test_planes_by_name_stay_by_name(store: Store) -> None:
    scene = store.scene(store.scenes[0])

    def function(part: np.ndarray) -> Mapping[str, np.ndarray]:
        assert part.shape == (16, 16, 3)
        part = np.nan_to_num(part)
        return {"first": part[..., 0], "both": np.stack([part[..., 1], part[..., 2]])}

    found = predict_tiled(function, scene, tile=16, overlap=3)
    inputs = np.nan_to_num(np.asarray(scene.inputs))
    np.testing.assert_array_equal(found["first"], inputs[..., 0])
    np.testing.assert_array_equal(found["both"], np.moveaxis(inputs[..., 1:], -1, 0))


def test_classes_are_not_averaged() -> None:
    with pytest.raises(MapError, match="of type int64, which cannot be averaged") as caught:
        predict_tiled(lambda part: part[..., 0].astype(np.int64), SCENE, tile=8)
    assert "probabilities" in str(caught.value.hint)


def test_what_the_function_should_not_return_is_refused() -> None:
    with pytest.raises(MapError, match=r"of shape \(7, 8\), not \(..., 8, 8\)"):
        predict_tiled(lambda part: part[1:, :, 0], SCENE, tile=8)
    kinds = iter([{"a": np.zeros((8, 8))}, {"b": np.zeros((8, 8))}])
    with pytest.raises(MapError, match="for a tile"):
        predict_tiled(lambda _: next(kinds), SCENE, tile=8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tile": 0}, "tile must be at least 1, got 0"),
        ({"tile": 8, "overlap": 8}, "overlap must be at least 0 and below the tile 8"),
        ({"tile": 8, "overlap": -1}, "got -1"),
        ({"tile": 8, "weights": "cosin"}, "unknown weights 'cosin'"),
        ({"tile": 8, "weights": np.ones((8, 7))}, r"got shape \(8, 7\)"),
        ({"tile": 2, "weights": np.zeros((2, 2))}, "positive"),
    ],
)
def test_invalid_tiles_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        predict_tiled(difference, SCENE, **settings)


def test_a_plane_without_channels_is_refused() -> None:
    with pytest.raises(ConfigError, match="axes"):
        predict_tiled(difference, SCENE[..., 0], tile=8)

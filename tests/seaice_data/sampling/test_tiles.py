"""Tiles cover every pixel, and their weights sum to one."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seaice_data.errors import SettingsError
from seaice_data.sampling.tiles import TileGrid


@given(
    height=st.integers(1, 90), width=st.integers(1, 90),
    size=st.integers(1, 40), overlap=st.integers(0, 39),
)  # fmt: skip
def test_tiles_cover_every_pixel_and_sum_to_one(
    height: int, width: int, size: int, overlap: int
) -> None:
    overlap = min(overlap, size - 1)
    grid = TileGrid(shape=(height, width), size=size, overlap=overlap)
    total, n = np.zeros((height, width)), 0
    for tile in grid:
        rows, columns = tile.window
        assert tile.weights.shape == total[tile.window].shape
        assert rows.stop - rows.start == min(size, height)
        assert columns.stop - columns.start == min(size, width)
        assert tile.weights.min() > 0
        total[tile.window] += tile.weights
        n += 1
    assert n == len(grid)
    np.testing.assert_allclose(total, 1, rtol=1e-6)


def test_neighbours_share_the_overlap_at_least() -> None:
    grid = TileGrid(shape=(64, 1000), size=64, overlap=16)
    columns = [tile.window[1] for tile in grid]
    assert (columns[0].start, columns[-1].stop) == (0, 1000)
    assert all(a.stop - b.start >= 16 for a, b in pairwise(columns))


def test_a_blend_of_equal_tiles_is_the_plane() -> None:
    plane = np.random.default_rng(0).normal(size=(70, 130)).astype(np.float32)
    blend = np.zeros_like(plane)
    for tile in TileGrid(shape=plane.shape, size=32, overlap=12):
        blend[tile.window] += tile.weights * plane[tile.window]
    np.testing.assert_allclose(blend, plane, rtol=1e-5, atol=1e-6)


def test_weights_fall_off_towards_shared_borders_only() -> None:
    first, *_ = TileGrid(shape=(10, 34), size=10, overlap=4)
    np.testing.assert_allclose(first.weights[0, :6], 1)
    assert (np.diff(first.weights[0, 6:]) < 0).all()
    assert (first.weights == first.weights[0]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, "size must be at least 1, got 0"),
        ({"overlap": 256}, "below the size 256, got 256"),
        ({"overlap": -1}, "at least 0"),
        ({"shape": (0, 5)}, "has no pixels to cover"),
    ],
)
def test_what_covers_nothing_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        TileGrid(**{"shape": (9, 9), **change})  # type: ignore[arg-type]

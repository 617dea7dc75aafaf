from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.errors import RecipeError
from seaice_data.grid import Grid
from seaice_data.preparation.blocks import average_blocks, vote_blocks
from seaice_data.preparation.resample import (
    downscale_chart,
    interpolate,
    interpolate_nearest,
)


def downscale(plane: FloatArray, ratio: int) -> FloatArray:
    """Average blocks of a plane, like each of the four planes of a band."""
    shape = Grid(*plane.shape, 80.0).downscaled(ratio).shape
    means = np.empty((4, *shape), np.float32)
    band, nowhere = np.stack([plane] * 4), np.full(3, np.inf, np.float32)
    flags = np.empty(plane.shape, np.uint8)
    sums = np.empty((8, plane.shape[1]), np.float32)
    assert average_blocks(band, nowhere, ratio, np.float32(-np.inf), means, flags, sums)
    np.testing.assert_array_equal(flags, np.isnan(plane))
    for mean in means[1:]:
        np.testing.assert_array_equal(mean, means[0])
    return means[0]


def vote(chart: ChartArray, ratio: int) -> ChartArray:
    """Vote on the blocks of a chart, like those of each chart of a band."""
    votes = np.empty((chart.shape[0] // ratio, chart.shape[1] // ratio), np.uint8)
    counts, differs = np.zeros(256, np.int64), np.empty(chart.shape[1], np.uint8)
    vote_blocks(chart, ratio, 11, 255, votes, counts, differs)
    np.testing.assert_array_equal(counts, np.bincount(chart.ravel(), minlength=256))
    return votes


both_votes = pytest.mark.parametrize("vote_on", [vote, downscale_chart])
Vote = Callable[[ChartArray, int], ChartArray]


def test_fill_does_not_pull_the_mean() -> None:
    plane = np.array([[2, np.nan], [4, np.nan]], dtype=np.float32)
    np.testing.assert_array_equal(downscale(plane, 2), [[3]])


def test_a_block_of_fill_is_fill_and_its_neighbour_is_not() -> None:
    plane = np.array([[np.nan, np.nan, 1, 3], [np.nan, np.nan, 5, 7]], dtype=np.float32)
    np.testing.assert_array_equal(downscale(plane, 2), [[np.nan, 4]])


def test_rows_after_the_last_block_are_dropped() -> None:
    plane = np.array([[1, 1, 9], [1, 1, 9], [9, 9, 9]], dtype=np.float32)
    np.testing.assert_array_equal(downscale(plane, 2), [[1]])


def test_ratio_below_one_is_refused() -> None:
    with pytest.raises(RecipeError, match="at least 1, got 0"):
        downscale(np.zeros((4, 4), np.float32), 0)


def test_ratio_larger_than_the_plane_is_refused() -> None:
    with pytest.raises(RecipeError, match="no block of ratio 5 fits into 4 x 9"):
        downscale_chart(np.zeros((4, 9), np.uint8), 5)


@pytest.mark.parametrize("ratio", [1, 2, 5])
def test_mean_of_a_full_plane_survives(ratio: int) -> None:
    plane = np.random.default_rng(0).normal(size=(20, 30)).astype(np.float32)
    np.testing.assert_allclose(downscale(plane, ratio).mean(), plane.mean(), rtol=1e-4)


@pytest.mark.parametrize(
    ("block", "winner"),
    [
        ([[1, 1], [1, 7]], 1),
        ([[7, 1], [7, 1]], 1),  # equally frequent: the lowest
        ([[255, 255], [3, 2]], 2),  # half valid is enough
        ([[255, 255], [255, 3]], 255),
        ([[255, 9], [9, 2]], 9),
        ([[255, 255], [255, 255]], 255),
    ],
)
@both_votes
def test_most_frequent_class_of_a_block(
    block: list[list[int]], winner: int, vote_on: Vote
) -> None:
    chart = np.array(block, dtype=np.uint8)
    np.testing.assert_array_equal(vote_on(chart, 2), [[winner]])


@both_votes
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_most_frequent_equals_counting_each_block(
    vote_on: Vote, seed: int, ratio: int
) -> None:
    classes = np.array([0, 1, 2, 10, 255], dtype=np.uint8)
    chart = np.random.default_rng(seed).choice(classes, (13, 17))
    coarse = vote_on(chart, ratio)
    for y, x in np.ndindex(coarse.shape):
        block = chart[y * ratio : (y + 1) * ratio, x * ratio : (x + 1) * ratio]
        valid = block[block != 255]
        expected = np.bincount(valid).argmax() if 2 * valid.size >= block.size else 255
        assert coarse[y, x] == expected


def test_interpolation_is_exact_on_a_slope_and_flat_beyond_the_ends() -> None:
    cells = np.array([[0.0, 25.0, 50.0]])
    at, to = np.array([12.0, 37.0, 62.0]), np.array([0.0, 12.0, 20.0, 40.5, 62.0, 70.0])
    row = np.zeros(1)
    np.testing.assert_allclose(
        interpolate(cells, (row, at), (row, to)), [[0, 0, 8, 28.5, 50, 50]]
    )


def test_fill_does_not_spread_to_positions_with_a_valid_neighbour() -> None:
    cells = np.array([[2.0, np.nan, np.nan, np.nan]])
    at, row = np.arange(4.0), np.zeros(1)
    got = interpolate(cells, (row, at), (row, np.array([0.0, 0.5, 1.0, 2.5])))
    np.testing.assert_array_equal(got, [[2, 2, np.nan, np.nan]])


def test_nearest_takes_the_lower_one_half_way() -> None:
    cells, row = np.array([[1.0, 2.0]]), np.zeros(1)
    got = interpolate_nearest(cells, (row, np.arange(2.0)), (row, np.array([0.5, 0.6])))
    np.testing.assert_array_equal(got, [[1, 2]])

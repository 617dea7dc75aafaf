"""Values that follow from a seed and a number."""

import numpy as np
import pytest

from seaice_data.errors import SettingsError
from seaice_data.sampling.random_numbers import MAX_SEED, Stream, below, check_seed, uniform


def test_values_never_change() -> None:
    """Numpy may change, patches may not: a training may resume on another machine."""
    values = uniform(MAX_SEED - 1, Stream.PLACE, [0, 1, 2**40], 2)
    np.testing.assert_array_equal((values * 2**53).astype(np.int64), KEPT)


KEPT = [
    [8338925565172856, 1635439422946252],
    [7281877709492396, 5603162773746696],
    [8550807301596973, 7932087322220670],
]


def test_values_are_uniform_and_independent() -> None:
    values = uniform(1, Stream.TURN, range(20000), 3)
    counts, _ = np.histogramdd(values, bins=(4, 4, 4), range=[(0, 1)] * 3)
    expected = 20000 / 64
    chi2 = ((counts - expected) ** 2 / expected).sum()
    assert abs(chi2 - 63) < 5 * (2 * 63) ** 0.5
    assert values.min() >= 0
    assert values.max() < 1


def test_seed_stream_and_number_each_matter() -> None:
    first = uniform(1, Stream.PLACE, [5], 4)
    for other in (
        uniform(2, Stream.PLACE, [5], 4),
        uniform(1, Stream.TURN, [5], 4),
        uniform(1, Stream.PLACE, [6], 4),
    ):
        assert not np.isin(other, first).any()
    np.testing.assert_array_equal(uniform(1, Stream.PLACE, [5], 9)[:, :4], first)


def test_whole_numbers_stay_below_their_end() -> None:
    almost = np.nextafter(1.0, 0)
    assert below(np.array([0.0, 0.5, almost]), 3).tolist() == [0, 1, 2]
    assert below(np.array([almost]), 2**60).tolist() == [2**60 - 128]
    assert below(np.array([almost, almost]), np.array([1, 7])).tolist() == [0, 6]


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(SettingsError, match="seed must be in"):
        check_seed(seed)


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(
        ValueError, match="expected non-negative numbers of patches, got -3"
    ):
        uniform(0, Stream.PLACE, [4, -3], 1)

import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label

from seaice_model.formats.outlines import merged, regions_of


@given(arrays(np.int32, st.tuples(st.integers(1, 7), st.integers(1, 7)),
              elements=st.integers(0, 3)))  # fmt: skip
def test_regions_are_the_connected_areas_of_each_key(keys: np.ndarray) -> None:
    found = regions_of(keys)
    np.testing.assert_array_equal(found.labels == 0, keys == 0)
    assert found.labels.max() == len(found.keys)
    is_shown = found.labels > 0
    np.testing.assert_array_equal(found.keys[found.labels[is_shown] - 1], keys[is_shown])
    n_areas = sum(label(keys == key)[1] for key in np.unique(keys[is_shown]))
    assert n_areas == len(found.keys)
    firsts = [int((found.labels.ravel() == k + 1).argmax()) for k in range(n_areas)]
    assert firsts == sorted(firsts)
    for number in range(1, len(found.keys) + 1):
        assert label(found.labels == number)[1] == 1


def test_regions_of_a_large_plane_need_little_memory() -> None:
    numbers = np.arange(1, 401, dtype=np.int32).reshape(20, 20)
    keys = np.kron(numbers, np.ones((50, 20), np.int32))
    regions_of(keys[:2])  # imports
    tracemalloc.start()
    found = regions_of(keys)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.keys) == 20 * 20
    assert most < 20 * keys.size  # bytes a pixel


def test_small_areas_go_to_their_largest_neighbour() -> None:
    keys = np.full((6, 6), 1, np.int32)
    keys[:, 4:] = 2
    keys[0, 0] = 3  # among 1 only
    keys[3, 3] = 4  # between 1 and 2
    keys[5, 5] = 0
    found = merged(keys, 3)
    expected = np.full((6, 6), 1)
    expected[:, 4:] = 2
    expected[5, 5] = 0
    np.testing.assert_array_equal(found, expected)
    assert merged(keys, 1) is keys


def test_an_island_of_its_own_stays() -> None:
    keys = np.zeros((5, 5), np.int32)
    keys[2, 2] = 7
    np.testing.assert_array_equal(merged(keys, 10), keys)

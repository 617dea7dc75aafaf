import numpy as np
import pytest

from seaice_data.system.byte_tables import first_of, translated

EVEN = np.arange(256) % 2 == 0


def test_any_plane_is_translated_as_by_an_index() -> None:
    rng = np.random.default_rng(0)
    table = rng.permutation(256).astype(np.uint8)
    plane = rng.integers(0, 256, (7, 9, 4)).astype(np.uint8)
    for view in (plane, plane[::2, ::-1], plane[:0], plane[3, 2, 1:2]):
        found = translated(view, table)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, table[view])


def test_the_first_byte_is_that_of_the_order_of_rows() -> None:
    plane = np.array([[1, 3, 5], [7, 8, 6]], np.uint8)
    assert first_of(plane, EVEN) == 8
    assert first_of(plane.T, EVEN) == 8  # rows of the view: 1 7, 3 8, 5 6
    assert first_of(plane[:1], EVEN) is None
    assert first_of(plane[:0], EVEN) is None


@pytest.mark.parametrize("n_entries", [11, 255, 257])
def test_a_table_of_another_length_is_refused(n_entries: int) -> None:
    plane = np.zeros((2, 2), np.uint8)
    with pytest.raises(ValueError, match=rf"256 entries, got shape \({n_entries},\)"):
        translated(plane, np.zeros(n_entries, np.uint8))
    with pytest.raises(ValueError, match="256 entries"):
        first_of(plane, np.zeros(n_entries, bool))


def test_numbers_that_are_not_bytes_are_refused() -> None:
    for plane in (np.array([10**6, 10**9]), np.zeros(3, np.int8)):
        with pytest.raises(TypeError, match="has type uint8, got int"):
            translated(plane, np.zeros(256, np.uint8))
        with pytest.raises(TypeError, match="has type uint8, got int"):
            first_of(plane, EVEN)

"""The plan of a batch, by numbers to check by eye."""

import numpy as np

from seaice_data.sampling.plan import Cuts


def cuts(affine: list[list[float]], bounds: list[int]) -> Cuts:
    """Return how one patch is cut."""
    return Cuts(
        scene=np.array([0]),
        probability=np.array([1.0]),
        affine=np.array([affine]),
        bounds=np.array([bounds]),
        wind=np.zeros((1, 0, 3)),
    )


def test_a_patch_needs_its_window_and_one_pixel_around() -> None:
    still = cuts([[1, 0, 20], [0, 1, 30]], [0, 100, 0, 100])
    assert still.is_window.tolist() == [True]
    assert still.parts(np.array([0, 8, 0, 8])).tolist() == [[19, 29, 29, 39]]
    assert still.parts(np.array([2, 4, 0, 8])).tolist() == [[21, 25, 29, 39]]


def test_a_turned_patch_needs_what_its_corners_span() -> None:
    quarter = cuts([[0, 1, 20], [-1, 0, 30]], [0, 100, 0, 100])
    assert quarter.is_window.tolist() == [False]
    assert quarter.parts(np.array([0, 8, 0, 4])).tolist() == [[19, 25, 22, 32]]


def test_what_a_patch_needs_stays_in_its_bounds() -> None:
    still = cuts([[1, 0, -2], [0, 1, 96]], [0, 100, 0, 100])
    assert still.parts(np.array([0, 8, 0, 8])).tolist() == [[0, 7, 95, 100]]
    assert still.parts(np.array([0, 1, 0, 8])).tolist() == [[0, 1, 95, 100]]

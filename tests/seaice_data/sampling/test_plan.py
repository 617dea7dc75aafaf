"""The plan of a batch, by numbers to check by eye."""

import numpy as np
import pytest

from seaice_data.channels import find_channels
from seaice_data.sampling.augmentation import Augmentation, Direction, Turns
from seaice_data.sampling.plan import WIND, Cuts, turned_wind


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


def turned(
    axes: tuple[Direction, ...], flip_x: float = 1, flip_y: float = 1, angle_deg: float = 0
) -> list[float]:
    """Return what becomes of a wind of u = 3 and v = 1 m/s."""
    turns = Turns(*(np.array([value]) for value in (flip_x, flip_y, angle_deg, 1.0)))
    factors = turned_wind(turns, Augmentation(wind_axes=axes), WIND)[0]
    u, v = find_channels(WIND)
    stored = [(3 - u.mean) / u.std, (1 - v.mean) / v.std, 1]
    found = factors @ stored * [u.std, v.std] + [u.mean, v.mean]
    return [float(value) for value in found.round(9)]


@pytest.mark.parametrize(
    ("axes", "mirrored", "upside_down", "quarter"),
    [
        # To the right 3, down 1; after a quarter turn clockwise down 3, to the left 1.
        (("samples", "lines"), [-3, 1], [3, -1], [-1, 3]),
        # To the left 3, up 1; then up 3, right 1.
        (("-samples", "-lines"), [-3, 1], [3, -1], [-1, 3]),
        # To the right 3, up 1; then down 3, right 1.
        (("samples", "-lines"), [-3, 1], [3, -1], [1, -3]),
        # To the left 3, down 1; then up 3, left 1.
        (("-samples", "lines"), [-3, 1], [3, -1], [1, -3]),
        # Down 3, to the right 1; then left 3, down 1.
        (("lines", "samples"), [3, -1], [-3, 1], [1, -3]),
        # Up 3, to the left 1; then right 3, up 1.
        (("-lines", "-samples"), [3, -1], [-3, 1], [1, -3]),
        # Down 3, to the left 1; then left 3, up 1.
        (("lines", "-samples"), [3, -1], [-3, 1], [-1, 3]),
        # Up 3, to the right 1; then right 3, down 1.
        (("-lines", "samples"), [3, -1], [-3, 1], [-1, 3]),
    ],
)
def test_the_wind_turns_about_its_axes(
    axes: tuple[Direction, ...],
    mirrored: list[float],
    upside_down: list[float],
    quarter: list[float],
) -> None:
    assert turned(axes, flip_x=-1) == mirrored
    assert turned(axes, flip_y=-1) == upside_down
    assert turned(axes, angle_deg=90) == quarter

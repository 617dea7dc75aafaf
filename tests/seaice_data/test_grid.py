import numpy as np
import pytest

from seaice_data.errors import RecipeError
from seaice_data.grid import (
    Grid,
    block_centres,
    blocks_of_pixels,
    nearest_indices,
    picks_of_pixels,
)


@pytest.mark.parametrize("n_pixels", [7, 20, 503, 5003])
@pytest.mark.parametrize("ratio", [1, 2, 5, 7])
def test_each_pixel_is_in_the_block_whose_centre_is_nearest(
    n_pixels: int, ratio: int
) -> None:
    centres = block_centres(n_pixels, ratio)
    distance = np.abs(np.arange(n_pixels) - centres[blocks_of_pixels(n_pixels, ratio)])
    whole = slice(0, n_pixels - n_pixels % ratio)
    assert distance[whole].max() <= (ratio - 1) / 2
    assert distance.max() < 1.5 * ratio


@pytest.mark.parametrize(
    ("n_pixels", "ratio"), [(5003, 10), (1237, 10), (100, 7), (40, 40)]
)
def test_the_inverse_of_nearest_finds_each_picked_pixel(n_pixels: int, ratio: int) -> None:
    picked = nearest_indices(n_pixels, ratio)
    back = picks_of_pixels(n_pixels, ratio)
    assert back.max() == len(picked) - 1
    # floor(floor(i n / m) m / n) is i or i - 1.
    assert np.abs(back[picked] - np.arange(len(picked))).max() <= 1


def test_a_ratio_larger_than_the_scene_is_refused() -> None:
    with pytest.raises(RecipeError, match="ratio 10 is larger than the scene of 9 x 400"):
        Grid(9, 400, 80.0).downscaled(10)

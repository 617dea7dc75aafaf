import numpy as np
import pytest
from support.swaths import swath

from seaice_data.grid import Grid
from seaice_model.formats.projection import locate, project


@pytest.mark.parametrize("latitude", [70.0, 83.0, 90.0])
def test_pixels_between_a_few_tie_points_are_on_the_great_circles(latitude: float) -> None:
    grid = Grid(1250, 1250, 80.0)  # 100 km
    points = swath(latitude, -30.0, grid, n_points=(2, 2))
    every = swath(latitude, -30.0, grid, n_points=(26, 26))
    found = locate(points, every.lines, every.samples, "EPSG:3413")
    expected = project(every.longitude, every.latitude, "EPSG:3413")
    assert np.hypot(*(found - expected)).max() < 10

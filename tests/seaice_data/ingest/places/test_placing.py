from datetime import UTC, datetime

import numpy as np
import pyproj
import pytest
from support.swaths import swath

from seaice_data.errors import SceneError
from seaice_data.geolocation import TiePoints, unit_vectors
from seaice_data.grid import Grid
from seaice_data.ingest.frame import Frame
from seaice_data.ingest.places.placing import Placing, pixel_areas

TIME = datetime(2020, 11, 2, tzinfo=UTC)


def frame_of(grid: Grid, points: TiePoints) -> Frame:
    return Frame(grid, points, TIME, TIME)


@pytest.mark.parametrize(
    ("latitude", "longitude", "spacing"),
    [
        (75, -60, 80),
        (90, 0, 80),
        (89.5, 179, 80),
        (0, 180, 80),
        (-89.9, 20, 80),
        (70, 0, 900),
    ],
)
def test_positions_are_the_inverse_of_places(
    latitude: float, longitude: float, spacing: float
) -> None:
    grid = Grid(3000, 2900, spacing)
    points = swath(latitude, longitude, grid)
    # Real grids are uneven, and stand on terrain: hundreds of metres beside the plane.
    rng = np.random.default_rng(0)
    away = rng.normal(scale=0.002, size=(2, *points.latitude.shape))
    points = TiePoints(
        points.latitude + away[0],
        points.longitude + away[1],
        np.append(points.lines[:-1] * 0.99, points.lines[-1]),
        points.samples + rng.uniform(-5, 5, 21),
    )
    frame = frame_of(grid, points)
    rows, columns = rng.uniform(-4, 3003, 40), rng.uniform(-4, 2903, 50)
    placing = Placing(frame)
    plane = placing.plane(unit_vectors(*points.places(rows, columns)))
    found = placing.positions(plane.reshape(-1, 2)).reshape(40, 50, 2)
    np.testing.assert_allclose(found[..., 0], np.broadcast_to(columns, (40, 50)), atol=1e-5)
    np.testing.assert_allclose(found[..., 1].T, np.broadcast_to(rows, (50, 40)), atol=1e-5)


def test_pixel_areas_are_those_on_the_ellipsoid() -> None:
    grid = Grid(300, 500, 80.0)
    frame = frame_of(grid, swath(72.0, 179.0, grid))
    latitude, longitude = frame.tie_points.places(
        np.linspace(-0.5, 299.5, 30), np.linspace(-0.5, 499.5, 30)
    )
    edge = [
        np.concatenate([plane[0], plane[:, -1], plane[-1, ::-1], plane[::-1, 0]])
        for plane in (longitude, latitude)
    ]
    expected, _ = pyproj.Geod(ellps="WGS84").polygon_area_perimeter(*edge)
    bands = list(pixel_areas(frame))
    assert [rows for rows, _ in bands][-1] == slice(256, 300)
    assert all(len(pixel) == 500 for _, pixel in bands)
    total = sum((rows.stop - rows.start) * pixel.sum() for rows, pixel in bands)
    assert total == pytest.approx(abs(expected) / 1e6, rel=1e-6)


def test_tie_points_in_disorder_are_refused() -> None:
    grid = Grid(100, 100, 80.0)
    points = swath(72.0, 10.0, grid, n_points=(5, 5))
    shuffled = np.random.default_rng(0).permutation(points.latitude.ravel()).reshape(5, 5)
    folded = TiePoints(shuffled, points.longitude, points.lines, points.samples)
    placing = Placing(frame_of(grid, folded))
    places = unit_vectors(*points.places(np.arange(0, 99, 3.0), np.arange(0, 99, 3.0)))
    with pytest.raises(SceneError, match="tie points of the scene do not say"):
        placing.positions(placing.plane(places).reshape(-1, 2))

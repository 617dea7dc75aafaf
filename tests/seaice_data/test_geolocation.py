import numpy as np
import pytest
from support.swaths import distance_m, swath, vectors

from seaice_data.geolocation import TiePoints, tie_point_plane, tie_point_positions
from seaice_data.grid import Grid


def test_a_slope_over_uneven_tie_points_is_exact() -> None:
    lines, samples = tie_point_positions(503), tie_point_positions(528)
    values = 60 + 0.01 * lines[:, np.newaxis] + 0.002 * samples
    rows, columns = np.arange(503.0), np.arange(528.0)
    plane = tie_point_plane(values, lines, samples, rows, columns)
    np.testing.assert_allclose(plane, 60 + 0.01 * rows[:, np.newaxis] + 0.002 * columns)


def test_longitudes_do_not_jump_over_the_prime_meridian_at_the_date_line() -> None:
    ends = np.array([0.0, 10.0])
    tie = TiePoints(np.full((2, 2), 75.0), np.array([[179.0, -179.0]] * 2), ends, ends)
    longitudes = tie.longitudes(np.zeros(1), np.array([0.0, 2.5, 5.0, 7.5]))
    np.testing.assert_allclose(longitudes, [[179, 179.5, -180, -179.5]])


def test_tie_points_of_the_published_raw_shape() -> None:
    # A raw scene of 10006 lines has its points at 0, 501, ..., 9519, 10005.
    raw = 2 * tie_point_positions(5003) + 0.5
    np.testing.assert_allclose(raw[[0, 1, 19, 20]], [0, 501, 9519, 10005])


PLACES = [(83.0, 10.0), (75.0, 179.95), (89.5, 0.0), (90.0, 0.0), (-62.0, -180.0)]
"""Centres of scenes: near the pole, on the date line, and with a pole inside."""


@pytest.mark.parametrize(("latitude", "longitude"), PLACES)
def test_places_are_on_the_great_circles_between_tie_points(
    latitude: float, longitude: float
) -> None:
    grid = Grid(5000, 5000, 80.0)
    points = swath(latitude, longitude, grid)
    fine = swath(latitude, longitude, grid, n_points=(81, 81))
    found = vectors(*points.places(fine.lines, fine.samples))
    expected = vectors(fine.latitude, fine.longitude)
    assert distance_m(found, expected).max() < 0.3


def test_bilinear_degrees_are_what_networks_have_seen_and_not_where_pixels_are() -> None:
    grid = Grid(5000, 5000, 80.0)
    points, fine = swath(83.0, 10.0, grid), swath(83.0, 10.0, grid, n_points=(41, 41))
    to = fine.lines, fine.samples
    degrees = vectors(points.latitudes(*to), points.longitudes(*to))
    off = distance_m(degrees, vectors(fine.latitude, fine.longitude)).max()
    assert 80 < off < 100


def test_places_before_the_first_tie_point_continue_the_slope() -> None:
    ends = np.array([0.0, 10.0])
    points = TiePoints(
        np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[0, 1], [0, 1]]), ends, ends
    )
    latitude, longitude = points.places(np.array([-1.0]), np.array([11.0]))
    np.testing.assert_allclose([latitude, longitude], [[[-0.1]], [[1.1]]], atol=1e-4)

import numpy as np

from seaice_data.geolocation import TiePoints, tie_point_plane, tie_point_positions


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

from datetime import UTC, datetime

import numpy as np
import pytest

from seaice_data.channels import find_channel
from seaice_data.geolocation import TiePoints, encode_time, tie_point_plane
from seaice_data.grid import tie_point_positions


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


@pytest.mark.parametrize(("month", "stored"), [(1, -1.0), (6, -1 / 11), (12, 1.0)])
def test_stored_month_is_that_of_the_reference(month: int, stored: float) -> None:
    channel = find_channel("month")
    value = encode_time(datetime(2019, month, 28, 23, 59, 59, tzinfo=UTC))["month"]
    assert (value - channel.mean) / channel.std == pytest.approx(stored, abs=1e-12)


def test_december_lies_next_to_january() -> None:
    december, january, july = (
        np.array([v[k] for k in ("month_sin", "month_cos")])
        for v in (encode_time(datetime(2020, m, 1, tzinfo=UTC)) for m in (12, 1, 7))
    )
    assert np.linalg.norm(december - january) < np.linalg.norm(july - january)

from collections.abc import Sequence

import numpy as np
import pytest

from seaice_data.arrays import FloatArray
from seaice_data.ingest.weather.grid import EarthGrid, Reading, axis_vectors

TENS = np.arange(0.0, 360.0, 10.0)


def reading(field: FloatArray, noted: list[tuple[slice, slice]] | None = None) -> Reading:
    def read(rows: slice, columns: slice) -> FloatArray:
        if noted is not None:
            noted.append((rows, columns))
        return field[rows, columns]

    return read


def at(grid: EarthGrid, field: FloatArray, latitude: float, longitude: float) -> float:
    places = np.array([[latitude]]), np.array([[longitude]])
    assert grid.covers(*places)
    return float(grid.corners(*places).interpolate(reading(field)).item())


def test_the_middle_of_four_points_has_their_mean() -> None:
    grid = EarthGrid(np.array([71.0, 70.0]), np.array([10.0, 12.0]))
    field = np.array([[0.0, 1.0], [2.0, 7.0]])
    assert at(grid, field, 70.5, 11) == 2.5
    assert at(grid, field, 70.25, 10) == 1.5
    assert at(grid, field, 70, 12) == 7


@pytest.mark.parametrize("rows", [slice(None), slice(None, None, -1)])
@pytest.mark.parametrize("columns", [slice(None), slice(None, None, -1)])
@pytest.mark.parametrize("turn", [0, 360, -360])
def test_order_and_range_of_the_axes_do_not_matter(
    rows: slice, columns: slice, turn: float
) -> None:
    latitude, longitude = np.array([60.0, 70, 80]), np.array([170.0, 180, 190, 200])
    field = np.arange(12.0).reshape(3, 4)
    grid = EarthGrid(latitude[rows], longitude[columns] + turn)
    for east in (175, -185):
        assert at(grid, field[rows, columns], 65, east) == 2.5
    assert at(grid, field[rows, columns], 75, -175) == 7.5


@pytest.mark.parametrize(
    "longitude",
    [
        TENS,
        TENS - 180,
        np.where(TENS >= 180, TENS - 360, TENS),
        np.append(TENS, 360),
        TENS[::-1],
        np.append(TENS, 360)[::-1],
    ],
    ids=["0-360", "-180-180", "jumps", "repeats", "falls", "falls, repeats"],
)
def test_a_grid_around_the_earth_has_no_gap(longitude: FloatArray) -> None:
    field = np.tile(longitude % 360, (2, 1))
    grid = EarthGrid(np.array([60.0, 50.0]), longitude)
    assert grid.is_cyclic
    assert at(grid, field, 55, -5) == 175  # between 350 and 0
    assert at(grid, field, 55, 183) == 183
    assert at(grid, field, 55, -177) == pytest.approx(183)


def test_only_what_is_around_the_places_is_read() -> None:
    grid = EarthGrid(np.arange(90.0, -91, -10), TENS)
    field = np.zeros(grid.shape)
    noted: list[tuple[slice, slice]] = []
    corners = grid.corners(np.array([[42.0, 58.0]]), np.array([[-5.0, 12.0]]))
    corners.interpolate(reading(field, noted))
    assert noted == [(slice(3, 6), slice(35, 36)), (slice(3, 6), slice(0, 3))]


def test_a_gap_stays_a_gap_unless_it_has_no_weight() -> None:
    grid = EarthGrid(np.array([71.0, 70.0]), np.array([10.0, 12.0]))
    field = np.array([[np.nan, 1.0], [2.0, 7.0]])
    assert np.isnan(at(grid, field, 70.01, 11.99))
    assert at(grid, field, 70, 11) == 4.5


def test_the_row_at_the_pole_is_used() -> None:
    grid = EarthGrid(np.array([90.0, 80.0]), TENS)
    field = np.array([[5.0], [1.0]]) * np.ones(36)
    assert at(grid, field, 90, 123) == 5
    assert at(grid, field, 85, -123) == 3


@pytest.mark.parametrize("sign", [1, -1])
def test_a_grid_that_ends_a_step_before_the_pole_reaches_it(sign: int) -> None:
    grid = EarthGrid(sign * np.array([85.0, 75.0]), TENS)
    field = np.array([np.arange(36.0), np.zeros(36)])
    assert at(grid, field, sign * 90, 77) == 17.5  # the mean of the nearest row
    assert not grid.covers(-sign * np.array([90.0]), np.array([77.0]))


@pytest.mark.parametrize("latitude", [(90.0, 89.0, 88.0), (89.5, 88.5, 87.5)])
def test_a_wind_across_the_pole_is_the_same_on_both_sides(
    latitude: Sequence[float],
) -> None:
    # Everywhere towards longitude 0 beyond the pole: from the north at longitude 0.
    rows, columns = np.radians(np.array(latitude))[:, None], np.radians(TENS)
    wind = np.array([1.0, 0, 0])
    places = np.array([[90.0, 89.7, 89.7, 88.6]]), np.array([[0.0, 5.0, -175.0, 90.0]])
    corners = EarthGrid(np.array(latitude), TENS).corners(*places)
    found = np.zeros((1, 4, 3))
    for direction in ("east", "north"):
        component = axis_vectors(rows, columns, direction) @ wind
        found += corners.interpolate_vector(reading(component), direction)
    np.testing.assert_allclose(found[0], np.tile(wind, (4, 1)), atol=0.04)
    np.testing.assert_allclose(np.linalg.norm(found[0], axis=1), 1, atol=0.005)


@pytest.mark.parametrize(
    ("latitude", "longitude"), [(59.9, 15), (70.1, 15), (65, 9.9), (65, 20.1), (65, -170)]
)
def test_places_beyond_the_grid_are_not_covered(latitude: float, longitude: float) -> None:
    grid = EarthGrid(np.array([70.0, 60.0]), np.array([10.0, 20.0]))
    assert grid.covers(np.array([60.0, 70.0]), np.array([10.0, 20.0]))
    assert not grid.covers(np.array([65.0, latitude]), np.array([15.0, longitude]))


def test_the_extent_is_said_in_words() -> None:
    grid = EarthGrid(np.array([70.0, 60.0]), np.array([170.0, 190.0]))
    assert grid.extent == "60 to 70 north, 170 to -170 east"
    assert (
        EarthGrid(np.array([-90.0, 90]), TENS).extent == "-90 to 90 north, all longitudes"
    )


@pytest.mark.parametrize(
    ("latitude", "longitude", "reason"),
    [
        ([70.0], [10.0, 11.0], "2 or more latitudes, not \\(1,\\)"),
        ([70.0, 71.0], [[10.0, 11.0]], "2 or more longitudes"),
        ([70.0, 71.0, 70.5], [10.0, 11.0], "latitudes neither rise nor fall"),
        ([70.0, 71.0], [10.0, 10.0], "longitudes neither rise nor fall"),
        ([70.0, np.nan], [10.0, 11.0], "some latitudes are not numbers"),
        ([70.0, 710.0], [10.0, 11.0], "a latitude is 710 degrees"),
        ([70.0, 71.0], np.arange(0.0, 500, 10), "longitudes are 490 degrees wide"),
    ],
)
def test_what_is_not_a_grid_is_refused(
    latitude: object, longitude: object, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        EarthGrid(np.array(latitude), np.array(longitude))

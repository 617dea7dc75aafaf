"""Outlines of scenes in degrees: at the date line, at the pole."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from seaice_data.geolocation import TiePoints
from seaice_data.store.views.footprint import footprint_wkt


def tie_points(longitude: object, latitude: object) -> TiePoints:
    lon, lat = (np.array(values, float) for values in (longitude, latitude))
    ends = [np.arange(float(n)) for n in lon.shape]
    return TiePoints(lat, lon, *ends)


def swath(centre: float, north: float, width: float) -> TiePoints:
    """Return 5 x 5 points on a square in a polar plane, `width` degrees wide."""
    steps = np.linspace(-width / 2, width / 2, 5)
    x, y = np.meshgrid(steps, steps + 90 - north)
    colatitude: NDArray[np.float64] = np.hypot(x, y)
    return tie_points(
        (centre + np.degrees(np.arctan2(x, y)) + 180) % 360 - 180, 90 - colatitude
    )


def test_a_scene_across_the_date_line_has_two_parts() -> None:
    outline = shapely.from_wkt(
        footprint_wkt(tie_points([[178, -178], [178, -178]], [[70, 70], [72, 72]]))
    )
    assert outline.geom_type == "MultiPolygon"
    east, west = outline.geoms
    assert east.bounds == (178, 70, 180, 72)
    assert west.bounds == (-180, 70, -178, 72)


def test_a_scene_that_touches_the_date_line_has_one() -> None:
    text = footprint_wkt(tie_points([[178, 180], [178, 180]], [[70, 70], [72, 72]]))
    assert text == "POLYGON ((178 70, 180 70, 180 72, 178 72, 178 70))"


def test_a_scene_around_the_pole_includes_it() -> None:
    outline = shapely.from_wkt(footprint_wkt(swath(30, 89.5, 4)))
    assert outline.is_valid
    assert outline.geom_type == "Polygon"
    assert outline.bounds[0::2] == (-180, 180)
    assert outline.bounds[3] == 90


@given(centre=st.floats(-180, 180), north=st.floats(55, 88.9), width=st.floats(0.5, 4))
def test_every_scene_has_a_valid_outline_with_its_middle_inside(
    centre: float, north: float, width: float
) -> None:
    points = swath(centre, north, width)
    outline = shapely.from_wkt(footprint_wkt(points))
    assert outline.is_valid
    assert -180 <= outline.bounds[0] < outline.bounds[2] <= 180
    middle = shapely.Point(points.longitude[2, 2], points.latitude[2, 2])
    assert outline.distance(middle) < 1e-6


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_sense_of_rotation_does_not_matter(mirrored: bool) -> None:
    points = swath(179, 89, 5)
    step = -1 if mirrored else 1
    turned = tie_points(points.longitude[:, ::step], points.latitude[:, ::step])
    outline = shapely.from_wkt(footprint_wkt(turned))
    assert outline.area == pytest.approx(shapely.from_wkt(footprint_wkt(points)).area)

"""Polar stereographic coordinates are those of PROJ."""

import numpy as np
import pyproj
import pytest

from seaice_data.store.views.polar import NORTH, SOUTH, PolarPlane, plane_of


@pytest.mark.parametrize("plane", [NORTH, SOUTH])
def test_places_are_those_of_proj(plane: PolarPlane) -> None:
    rng = np.random.default_rng(0)
    latitude = np.sign(plane.true_latitude) * rng.uniform(40, 90, 200)
    longitude = rng.uniform(-180, 180, 200)
    transformer = pyproj.Transformer.from_crs("EPSG:4326", plane.crs, always_xy=True)
    expected = np.array(transformer.transform(longitude, latitude)) / 1000
    found = np.array(plane.project(latitude, longitude))
    np.testing.assert_allclose(found, expected, atol=1e-6)  # millimetres


def test_each_hemisphere_has_its_plane() -> None:
    assert plane_of(np.array([70.0, 80.0])) is NORTH
    assert plane_of(np.array([-70.0, -60.0])) is SOUTH

"""Places as vectors: pixels to places and back, chords to geodesics."""

import dataclasses

import numpy as np
import pyproj
import pytest
from support.placed_frames import frame_at

from seaice_data.geolocation import unit_vectors
from seaice_data.ingest.places.ellipsoid import arc_km, on_ellipsoid
from seaice_data.ingest.places.positions import TieVectors, pixel_positions, pixel_vectors


@pytest.mark.parametrize(
    "place", [(70.0, 0.0), (90.0, 0.0), (-78.0, 180.0), (35.264, 45.0)]
)
def test_pixels_are_found_again_from_their_places(place: tuple[float, float]) -> None:
    points = frame_at(*place, (5000, 5200), azimuth=-40).tie_points
    # A tie point on a mountain lies 700 m beside its place.
    latitude = points.latitude.copy()
    latitude[3, 4] += 0.007
    points = dataclasses.replace(points, latitude=latitude)
    ties = TieVectors.of(points)
    rows, columns = np.random.default_rng(0).uniform(-200, 5300, (2, 5000))
    found = pixel_positions(ties, pixel_vectors(ties, rows, columns))
    np.testing.assert_allclose(found, np.stack([rows, columns], axis=-1), atol=1e-4)


def test_places_are_those_of_tie_points() -> None:
    points = frame_at(84.0, 170.0, (400, 300), azimuth=80).tie_points
    vectors = pixel_vectors(TieVectors.of(points), np.array([17.3]), np.array([250.8]))
    latitude, longitude = points.places(np.array([17.3]), np.array([250.8]))
    expected = unit_vectors(latitude, longitude)[0]
    np.testing.assert_allclose(vectors / np.linalg.norm(vectors), expected, atol=1e-12)


def test_the_far_half_of_the_earth_has_no_pixels() -> None:
    ties = TieVectors.of(frame_at(70.0, 0.0, (400, 300)).tie_points)
    assert np.isnan(pixel_positions(ties, -ties.middle[None])).all()


@pytest.mark.parametrize("latitude", [0.0, 60.0, 89.0])
@pytest.mark.parametrize("azimuth", [0.0, 50.0, 90.0])
def test_arcs_are_geodesics(latitude: float, azimuth: float) -> None:
    for km in (0.08, 20.0, 300.0):
        east, north, _ = pyproj.Geod(ellps="WGS84").fwd(10, latitude, azimuth, 1000 * km)
        ends = on_ellipsoid(
            unit_vectors(np.array([latitude, north]), np.array([10.0, east]))
        )
        chord = np.linalg.norm(ends[1] - ends[0])
        assert arc_km(np.array([chord]))[0] == pytest.approx(km, abs=1e-6 + 1e-8 * km**3)

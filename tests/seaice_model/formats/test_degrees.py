"""Polygons in degrees end at the date line and the pole, where pyproj and GEOS agree."""

import numpy as np
import pytest
import shapely
from pyproj import Geod, Transformer

from seaice_model.formats.degrees import PLANE, bounds_in_degrees, in_degrees

PLACE = Transformer.from_crs("EPSG:4326", PLANE, always_xy=True)
BACK = Transformer.from_crs(PLANE, "EPSG:4326", always_xy=True)


def square(longitude: float, latitude: float, half_m: float) -> shapely.Polygon:
    x, y = PLACE.transform(longitude, latitude)
    return shapely.box(x - half_m, y - half_m, x + half_m, y + half_m)


@pytest.mark.parametrize(
    ("longitude", "latitude", "n_parts"),
    [
        (-60.0, 75.0, 1),
        (0.0, 80.0, 1),
        (180.0, 75.0, 2),
        (-179.5, 80.0, 2),
        (20.0, 89.9, 1),
    ],
)
def test_places_keep_their_longitude_and_latitude(
    longitude: float, latitude: float, n_parts: int
) -> None:
    outline = square(longitude, latitude, 100e3)
    (found,) = in_degrees(np.array([outline]))
    assert found.is_valid
    assert len(shapely.get_parts(found)) == n_parts
    west, south, east, north = found.bounds
    assert -180 <= west < east <= 180
    assert south >= 50
    assert north <= 90
    # Points in the plane and their places in degrees are in both polygons, or in none.
    x, y = (
        np.random.default_rng(0).uniform(*np.reshape(outline.bounds, (2, 2)), (2000, 2)).T
    )
    points = shapely.points(*BACK.transform(2 * x - x.mean(), 2 * y - y.mean()))
    inside = shapely.contains_xy(outline, 2 * x - x.mean(), 2 * y - y.mean())
    off = shapely.contains(found, points) != inside
    # Edges are not quite the same: they are straight in the one, or in the other.
    away = shapely.distance(
        shapely.points(2 * x[off] - x.mean(), 2 * y[off] - y.mean()), outline.exterior
    )
    assert inside.any()
    assert not inside.all()
    assert (away < 40).all()


def test_a_polygon_around_the_pole_reaches_it() -> None:
    (found,) = in_degrees(np.array([square(0.0, 90.0, 100e3)]))
    assert found.geom_type == "Polygon"
    assert found.bounds[0::2] == (-180, 180)
    assert found.bounds[3] == 90
    assert found.contains(shapely.Point(17, 89.99))


def test_a_hole_at_the_date_line_stays_a_hole() -> None:
    ring = square(180.0, 75.0, 100e3).difference(square(180.0, 75.0, 20e3))
    (found,) = in_degrees(np.array([ring]))
    assert found.is_valid
    for longitude in (180, -180, 179.9, -179.9):
        assert not found.contains(shapely.Point(longitude, 75.0))
    assert found.contains(shapely.Point(179, 75.5))


def test_neighbours_share_their_borders() -> None:
    x, y = PLACE.transform(180.0, 80.0)
    corners = np.arange(-300e3, 300e3, 100e3)
    cells = [
        shapely.box(x + a, y + b, x + a + 100e3, y + b + 100e3)
        for a in corners
        for b in corners
    ]
    turned = shapely.transform(
        np.array(cells), lambda at: (at - [x, y]) @ [[0.8, 0.6], [-0.6, 0.8]] + [x, y]
    )
    found = in_degrees(turned)
    parts = shapely.get_parts(found)
    assert shapely.is_valid(found).all()
    assert shapely.coverage_is_valid(parts)
    whole = shapely.union_all(found).area
    assert whole == pytest.approx(shapely.area(found).sum(), rel=1e-9)
    assert len(parts) > len(found)


def test_rings_have_the_order_of_geojson() -> None:
    (found,) = in_degrees(np.array([square(-60.0, 75.0, 10e3)]))
    assert found.exterior.is_ccw
    area_m2, _ = Geod(ellps="WGS84").geometry_area_perimeter(found)
    # The scale of the projection is 1 at 70 degrees north.
    assert area_m2 == pytest.approx(20e3**2, rel=0.05)


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([(10, 70, 20, 75)], (10, 70, 20, 75)),
        ([(-5, 70, 3, 75), (8, 60, 9, 71)], (-5, 60, 9, 75)),
        ([(-180, 70, -170, 75), (175, 70, 180, 75)], (175, 70, -170, 75)),
        # One within another; the gap after the wider one counts.
        ([(-180, 70, 0, 75), (-170, 70, -160, 75), (175, 70, 180, 75)], (175, 70, 0, 75)),
        ([(-180, 70, 0, 90), (0, 70, 180, 90)], (-180, 70, 180, 90)),
        ([(-180, 70, 180, 75)], (-180, 70, 180, 75)),
    ],
)
def test_bounds_are_the_narrowest_range_of_longitudes(
    boxes: list[tuple[float, ...]], expected: tuple[float, ...]
) -> None:
    polygons = np.array([shapely.box(*each) for each in boxes])
    assert bounds_in_degrees(polygons) == expected
    assert bounds_in_degrees(polygons[::-1]) == expected

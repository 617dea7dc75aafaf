"""Burning polygons: by centres of pixels, the last one prevails."""

import numpy as np
import pytest

shapely = pytest.importorskip("shapely", reason="needs the extra ingest")
features = pytest.importorskip("rasterio.features", reason="needs the extra ingest")

from seaice_data.ingest.rasters import burn_in  # noqa: E402


def test_pixels_are_those_with_their_centre_inside() -> None:
    out = np.zeros((3, 4), np.uint8)
    polygons = np.array([shapely.box(0.4, 0.4, 2.6, 1.6), shapely.box(2.6, 2.6, 3.4, 3)])
    burn_in(out, polygons, np.array([1, 2]))
    np.testing.assert_array_equal(out, [[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]])


def test_the_last_polygon_prevails_and_holes_stay() -> None:
    out = np.full((3, 3), 9, np.int32)
    ring = shapely.box(0, 0, 3, 3) - shapely.box(1, 1, 2, 2)
    burn_in(out, np.array([ring, shapely.box(2, 0, 3, 3)]), np.array([1, -1]))
    np.testing.assert_array_equal(out, [[1, 1, -1], [1, 9, -1], [1, 1, -1]])


def test_an_array_may_begin_at_any_row() -> None:
    out = np.zeros((2, 2), np.uint8)
    burn_in(out, np.array([shapely.box(0, 11, 1, 20)]), np.array([1]), top=10)
    np.testing.assert_array_equal(out, [[0, 0], [1, 0]])


def test_many_small_polygons_are_burnt_as_gdal_burns_them_at_once() -> None:
    rng = np.random.default_rng(0)
    centres = shapely.points(rng.uniform(-5, 65, (3000, 2)))
    polygons = shapely.buffer(centres, rng.gamma(1, 1, 3000))
    out = np.zeros((60, 50), np.int32)
    burn_in(out, polygons, np.arange(1, 3001))
    shapes = zip(polygons, range(1, 3001), strict=True)
    whole = features.rasterize(shapes, out_shape=out.shape, dtype=np.int32)
    np.testing.assert_array_equal(out, whole)
    assert len(np.unique(out)) > 100


def test_nothing_is_burnt_without_polygons() -> None:
    out = np.zeros((2, 2), np.uint8)
    burn_in(out, np.array([], dtype=object), np.array([], dtype=np.intp))
    assert not out.any()

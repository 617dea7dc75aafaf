"""Compiled loops over bands give what the same steps in numpy give."""

from typing import Any

import numpy as np
import pytest

from seaice_data.charts import CHART_FILL
from seaice_data.egg_codes import PolygonTable, paint_charts
from seaice_data.geolocation import tie_point_plane
from seaice_data.scenes.band_loops import (
    interpolate_angles,
    mask_invalid,
    mean_of_four,
    paint_polygons,
)

HEADER = "poly_id;CT;CA;SA;FA;CB;SB;FB;CC;SC;FC;CN;CD;CF;POLY_TYPE"
TABLE = PolygonTable.parse(
    [
        HEADER,
        "3;40;-9;83;04;-9;-9;-9;-9;-9;-9;-9;-9;-9;I",
        "5;92;-9;95;08;-9;-9;-9;-9;-9;-9;-9;-9;-9;I",
        "7;55;-9;-9;-9;-9;-9;-9;-9;-9;-9;-9;-9;-9;W",
    ]
)
NAN = np.nan


def painted(ids: Any, ratio: int) -> tuple[Any, Any, int]:
    shape = ids.shape[0] // ratio, ids.shape[1] // ratio
    charts, first = np.empty((3, *shape), np.uint8), np.empty(shape, np.int32)
    unknown = paint_polygons(ids, ratio, *TABLE.by_id(), charts, first)
    return charts, first, unknown


def test_means_of_four_are_nan_where_one_pixel_is() -> None:
    values = np.array([[1, 3, NAN, 1, 9], [5, 7, 1, 1, 9]], np.float32)
    means = np.empty((1, 2), np.float32)
    assert not mean_of_four(values, np.float32(2), np.float32(4), means)
    np.testing.assert_array_equal(means, [[0.5, NAN]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_means_are_those_of_numpy_to_the_last_bit(dtype: Any) -> None:
    values = np.random.default_rng(5).normal(-20, 300, (8, 37)).astype(dtype)
    means = np.empty((4, 18), np.float32)
    assert mean_of_four(values, np.float32(-17.3), np.float32(6.1), means)
    rows = values[0::2, :36] + values[1::2, :36]
    four = (rows[:, 0::2] + rows[:, 1::2]).astype(np.float32) / np.float32(4)
    expected = (four - np.float32(-17.3)) / np.float32(6.1)
    np.testing.assert_array_equal(means, expected)


def test_an_infinite_mean_is_noticed() -> None:
    means = np.empty((1, 1), np.float32)
    one = np.float32(1)
    assert not mean_of_four(np.full((2, 2), 1e39), one, one, means)
    assert np.isinf(means).all()


def test_a_block_has_its_highest_classes_and_its_upper_left_id() -> None:
    ids = np.array([[3, 3, 3, 5, NAN, 3], [3, 3, 3, 3, 3, 3]], np.float32)
    charts, first, unknown = painted(ids, 2)
    assert unknown == -1
    assert charts[0].tolist() == [[4, 10, CHART_FILL]]
    assert charts[1].tolist() == [[2, 5, CHART_FILL]]
    assert first.tolist() == [[3, 3, -1]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
@pytest.mark.parametrize("ratio", [1, 2, 3])
@pytest.mark.parametrize("n_kinds", [2, 40])
def test_polygons_are_painted_as_pixel_by_pixel(
    dtype: Any, ratio: int, n_kinds: int
) -> None:
    rng = np.random.default_rng(n_kinds)
    runs = rng.integers(1, n_kinds, 400)  # lengths of runs of one id
    kinds = [3, 5, 7] if dtype is np.int16 else [3, 5, 7, NAN]
    flat = np.repeat(rng.choice(kinds, 400), runs)[:396]
    flat = np.resize(flat, 12 * 33).reshape(12, 33).astype(dtype)
    charts, first, unknown = painted(flat, ratio)
    assert unknown == -1
    height, width = first.shape
    ids = flat[: height * ratio, : width * ratio]
    blocks = paint_charts(ids, TABLE).reshape(height, ratio, width, ratio, 3)
    np.testing.assert_array_equal(charts, np.moveaxis(blocks.max(axis=(1, 3)), -1, 0))
    upper_left = ids[::ratio, ::ratio]
    np.testing.assert_array_equal(first, np.nan_to_num(upper_left, nan=-1))


@pytest.mark.parametrize("unknown", [4.0, 8.0, 5.5, -1.0, 1e30, np.inf])
@pytest.mark.parametrize("place", [(0, 0), (1, 1), (2, 5), (3, 0)])
def test_the_place_of_an_unlisted_id_is_returned(
    unknown: float, place: tuple[int, int]
) -> None:
    ids = np.full((4, 7), 3.0)
    ids[place] = unknown
    assert painted(ids, 2)[2] == place[0] * 7 + place[1]


def test_angles_are_those_of_the_bilinear_plane() -> None:
    rng = np.random.default_rng(8)
    lines, samples = np.array([-0.25, 7.5, 11.0]), np.array([-0.25, 4.0, 9.75, 20.0])
    angles = rng.uniform(19, 47, (3, 4))
    rows, columns = np.arange(12.0), np.arange(23.0)
    starts = np.array([0, 4, 10, 23])
    interval = np.repeat([0, 1, 2], [4, 6, 13])
    weights = (columns - samples[interval]) / np.diff(samples)[interval]
    along_y = tie_point_plane(angles, lines, samples, rows, samples)
    plane = np.empty((12, 23), np.float32)
    interpolate_angles(along_y, starts, weights, 33.0, 8.5, plane)
    expected = (tie_point_plane(angles, lines, samples, rows, columns) - 33.0) / 8.5
    np.testing.assert_array_equal(plane, expected.astype(np.float32))


@pytest.mark.parametrize("is_charted", [True, False])
def test_pixels_without_sar_or_class_are_masked(is_charted: bool) -> None:
    planes = np.arange(1, 17, dtype=np.float32).reshape(4, 1, 4)
    planes[0, 0, 1] = planes[1, 0, 2] = NAN
    charts = np.array([[[3, 3, 3, 255]], [[1] * 4], [[2] * 4]], np.uint8)
    ids = np.full((1, 4), 9, np.int32)
    mask_invalid(planes, *charts, ids, CHART_FILL, is_charted)
    is_valid = [True, False, False, not is_charted]
    for k in range(3):
        expected = np.where(is_valid, np.arange(4) + 4 * k + 1, 0)
        np.testing.assert_array_equal(planes[k, 0], expected)
    assert planes[3].tolist() == [[13, 14, 15, 16]]
    assert ids.tolist() == [np.where(is_valid, 9, -1).tolist()]
    assert charts[1].tolist() == [np.where(is_valid, 1, 255).tolist()]
    assert charts[2].tolist() == [np.where(is_valid, 2, 255).tolist()]

"""The chart of the Canadian Ice Service under the stretched grid of a real product."""

import re
import zipfile
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pyogrio
import pyproj
import pytest
import shapely
from support.shared_data import SHARED, needs_shared

from seaice_data.charts import CHART_FILL
from seaice_data.egg_codes import PolygonTable, paint_charts
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_data.ingest.chart import read_chart
from seaice_data.ingest.frame import Frame
from seaice_data.ingest.parts import BurntChart
from seaice_data.ingest.places.placing import pixel_areas
from seaice_data.polygon_shares import polygon_shares

pytestmark = needs_shared

CHART = SHARED / "cis_SGRDREA_20201102T.gpkg"
GRID = Grid(5354, 5243, 80.0)
GEOD = pyproj.Geod(ellps="WGS84")


def grid_of_the_product() -> np.ndarray:
    """Return lines, pixels, latitudes and longitudes of the product's tie points."""
    (product,) = SHARED.glob("S1A_EW_GRDM_1SDH_20221130T014342_*.SAFE.zip")
    with zipfile.ZipFile(product) as archive:
        names = archive.namelist()
        (name,) = (n for n in names if re.search(r"/annotation/[^/]*-hh-[^/]*\.xml$", n))
        root = ET.fromstring(archive.read(name))  # noqa: S314 - a file we know
    points = [
        [float(point.findtext(key)) for key in ("line", "pixel", "latitude", "longitude")]
        for point in root.iter("geolocationGridPoint")
    ]
    return np.moveaxis(np.reshape(points, (23, 21, 4)), -1, 0)


def moved(scale: float | None) -> Frame:
    """Move the grid over the chart: as large as it is, or `scale` times the chart."""
    lines, samples, latitude, longitude = grid_of_the_product()
    info = pyogrio.read_info(CHART)
    middle = f"+lat_0={latitude[11, 10]} +lon_0={longitude[11, 10]}"
    flat = pyproj.Transformer.from_crs(4326, f"+proj=laea {middle}", always_xy=True)
    degrees = pyproj.Transformer.from_crs(info["crs"], 4326, always_xy=True)
    left, bottom, right, top = info["total_bounds"]
    x, y = flat.transform(longitude, latitude)
    x, y = x - x.mean(), y - y.mean()
    if scale is not None:
        x *= scale * (right - left) / np.ptp(x)
        y *= scale * (top - bottom) / np.ptp(y)
    longitude, latitude = degrees.transform((left + right) / 2 + x, (bottom + top) / 2 + y)
    points = TiePoints(latitude, longitude, (lines[:, 0] - 0.5) / 2, (samples[0] - 0.5) / 2)
    time = datetime(2020, 11, 2, 18, tzinfo=UTC)
    return Frame(GRID, points, time, time)


@pytest.fixture(scope="module")
def frame() -> Frame:
    """Stretch the grid so that all polygons of ice and water are inside; it is tilted."""
    return moved(1.6)


@pytest.fixture(scope="module")
def chart(frame: Frame) -> BurntChart:
    return read_chart(CHART, frame)


@pytest.fixture(scope="module")
def polygons() -> Any:
    """Return the polygons of ice and water by the number that they have in the chart."""
    table = pyogrio.read_dataframe(CHART)
    table.index = table.index + 1
    return table[table.POLY_TYPE.isin(["I", "W"])]


def test_every_polygon_of_ice_and_water_is_burnt(chart: BurntChart, polygons: Any) -> None:
    table = PolygonTable.parse(chart.rows)
    assert table.ids.tolist() == polygons.index.tolist()
    assert (table.classes() != CHART_FILL).sum(axis=0).tolist() == [297, 259, 33]
    assert np.count_nonzero(table.is_water) == 1
    assert np.unique(chart.polygon_ids).tolist() == [-1, *table.ids.tolist()]
    assert chart.polygon_ids.dtype == np.int32
    assert (chart.service, chart.name) == ("cis", "cis_SGRDREA_20201102T")
    assert chart.valid == datetime(2020, 11, 2, 18, tzinfo=UTC)


def test_polygons_have_shares_of_ice_types(chart: BurntChart, polygons: Any) -> None:
    table = PolygonTable.parse(chart.rows)
    shares = polygon_shares(table)
    is_known = np.isfinite(shares)
    classes = table.classes()
    sod, floe = is_known[:, 0], is_known[:, 6]
    # The 38 polygons without a dominant stage are mixed; four have a fourth type (CD).
    assert (sod.sum(), floe.sum()) == (293, 25)
    assert (sod & (classes[:, 1] == CHART_FILL)).sum() == 34
    short = polygons[~sod]
    assert short["CD"].tolist() == ["85", "85", "85", "84"]
    # Floe sizes are fast ice (08) or undetermined (99) elsewhere.
    codes = polygons[["FA", "FB", "FC"]].isin(["08", "99"]).any(axis=1).to_numpy()
    is_water = classes[:, 0] == 0
    assert not floe[codes & ~is_water].any()
    assert (~floe & ~codes).sum() == 4
    for block in (shares[sod, :6], shares[floe, 6:]):
        np.testing.assert_allclose(block.sum(axis=1), 1, rtol=1e-6)
    assert shares[is_water][:, [0, 6]].tolist() == [[1, 1]] * is_water.sum()
    # Where one stage dominates, it has the largest share of the ice.
    largest = shares[:, 1:6].argmax(axis=1) + 1
    is_one = sod & ~is_water & (classes[:, 1] != CHART_FILL)
    np.testing.assert_array_equal(largest[is_one], classes[is_one, 1])


def test_codes_are_those_of_the_file(chart: BurntChart, polygons: Any) -> None:
    header = chart.rows[0].split(";")
    for row in chart.rows[1:]:
        values = dict(zip(header, row.split(";"), strict=True))
        number = int(values.pop("poly_id"))
        expected = polygons.loc[number, list(values)].to_dict()
        assert values == expected
    assert {"99-9", "0499"} <= {row.split(";")[-2] for row in chart.rows}
    assert "00" in {row.split(";")[1] for row in chart.rows}


def pixels_and_areas(
    ids: np.ndarray, frame: Frame, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels and area in square kilometres of the ids 0 to `n`."""
    km2 = np.zeros(n + 2)
    for rows, pixel in pixel_areas(frame):
        weights = np.broadcast_to(pixel, (rows.stop - rows.start, len(pixel))).ravel()
        km2 += np.bincount(ids[rows].ravel() + 1, weights, minlength=n + 2)
    return np.bincount(ids.ravel() + 1, minlength=n + 2)[1:], km2[1:]


def areas_and_outlines(polygons: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return square kilometres on the ellipsoid and kilometres of outline."""
    # Edges are straight in the projection of the chart, not on the Earth.
    outlines = polygons.segmentize(1000).to_crs(4326)
    found = [GEOD.geometry_area_perimeter(s) for s in shapely.orient_polygons(outlines)]
    area, length = np.array(found).T
    return area / 1e6, length / 1e3


def test_areas_are_those_on_the_ellipsoid(
    chart: BurntChart, polygons: Any, frame: Frame
) -> None:
    n, km2 = pixels_and_areas(chart.polygon_ids, frame, polygons.index.max())
    n, km2 = n[polygons.index], km2[polygons.index]
    area, length = areas_and_outlines(polygons.geometry)
    is_large = n >= 10_000
    assert is_large.sum() > 60
    np.testing.assert_allclose(km2[is_large], area[is_large], rtol=0.01)
    assert (np.abs(km2 - area) < length * np.sqrt(km2 / n)).all()
    # In all a hundred times better, and the planar areas of the file would not pass.
    assert abs(km2.sum() / area.sum() - 1) < 1e-4
    planar = polygons["AREA"].to_numpy() / 1e6
    assert (np.abs(planar / area - 1)[is_large] > 0.01).any()


def test_areas_are_cut_at_the_border_of_a_scene_of_true_size(polygons: Any) -> None:
    frame = moved(None)
    ids = read_chart(CHART, frame).polygon_ids
    n, km2 = pixels_and_areas(ids, frame, polygons.index.max())
    rows = np.linspace(-0.5, GRID.height - 0.5, 200)
    columns = np.linspace(-0.5, GRID.width - 0.5, 200)
    latitude, longitude = frame.tie_points.places(rows, columns)
    border = [
        np.concatenate([plane[0], plane[1:, -1], plane[-1, -2::-1], plane[-2:0:-1, 0]])
        for plane in (longitude, latitude)
    ]
    degrees = pyproj.Transformer.from_crs(4326, polygons.crs, always_xy=True)
    scene = shapely.Polygon(np.stack(degrees.transform(*border), axis=-1))
    inside = polygons.geometry.intersection(scene)
    inside = inside[~inside.is_empty]
    assert 10 < len(inside) < 297
    area, length = areas_and_outlines(inside)
    n, km2 = n[inside.index], km2[inside.index]
    is_large = n >= 10_000
    np.testing.assert_allclose(km2[is_large], area[is_large], rtol=0.01)
    assert (np.abs(km2 - area) < length * 0.08).all()


def test_area_without_class_is_reported_by_code(chart: BurntChart, polygons: Any) -> None:
    assert chart.without_class_km2["SIC"] == {}
    assert chart.without_class_km2["SOD"] == {}  # 38 polygons are mixed, codes have classes
    assert set(chart.without_class_km2["FLOE"]) == {"08", "99"}
    fast = polygons[(polygons[["FA", "FB", "FC"]] == "08").any(axis=1)]
    area, _ = areas_and_outlines(fast.geometry)
    assert chart.without_class_km2["FLOE"]["08"] == pytest.approx(area.sum(), rel=0.005)


def test_pixels_take_the_classes_of_the_chart(chart: BurntChart) -> None:
    some = chart.polygon_ids[2400:2700].astype(np.float32)
    some[some < 0] = np.nan
    charts = paint_charts(some, PolygonTable.parse(chart.rows))
    assert ((charts[..., 0] != CHART_FILL) == ~np.isnan(some)).all()

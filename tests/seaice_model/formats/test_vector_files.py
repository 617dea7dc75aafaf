"""Files of polygons are read by geopandas, and by the reader of ice charts."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree as ET

import geopandas
import numpy as np
import pyogrio
import pytest
import shapely
from support.service_maps import map_at, quarters

from seaice_data.charts import CHART_FILL
from seaice_data.egg_codes import PolygonTable, paint_charts
from seaice_data.ingest.chart import read_chart
from seaice_data.ingest.frame import Frame
from seaice_model.formats.polygons import write_polygons
from seaice_model.formats.vector_files import PolygonFormat
from seaice_model.maps.chart_map import ChartMap

NAME = "20180607T184326_dmi"
RECORD = [
    "AREA", "PERIMETER", "CT", "CA", "SA", "FA", "CB", "SB", "FB", "CC", "SC", "FC", "CN",
    "CD", "CF", "POLY_TYPE", "POLY_ID",
]  # fmt: skip


def read(path: Path) -> geopandas.GeoDataFrame:
    if path.suffix == ".parquet":
        return geopandas.read_parquet(path)
    return geopandas.read_file(path)


@pytest.mark.parametrize("kind", get_args(PolygonFormat))
def test_every_format_has_the_record_and_says_what_it_is(
    tmp_path: Path, kind: PolygonFormat
) -> None:
    crs = "EPSG:4326" if kind == "geojson" else "EPSG:3995"
    write_polygons(map_at(75, -60), tmp_path, kind=kind, crs=crs)
    path = tmp_path / f"{NAME}.{kind}"
    table = read(path).sort_values("POLY_ID")
    assert table.crs.to_epsg() == int(crs[5:])
    assert [name for name in table.columns if name in RECORD] == RECORD
    assert sorted(table.CT) == ["01", "30", "70", "92"]
    # Four quarters of 24 x 30 pixels of 4 km, without 2 x 2 of land.
    n_pixels = dict(zip(table.CT, table.AREA / 16e6, strict=True))
    expected = {"01": 176, "70": 180, "92": 180, "30": 180}
    assert n_pixels == pytest.approx(expected, rel=0.01)
    perimeter = dict(zip(table.CT, table.PERIMETER, strict=True))
    assert perimeter["70"] == pytest.approx(2 * (12 + 15) * 4000, rel=0.01)
    said = path.read_bytes()
    if kind == "shp":
        said = path.with_suffix(".xml").read_bytes()
    else:
        assert {*table.SCENE} == {NAME}
        assert {*table.ACQUIRED.astype(str).str[:10]} == {"2018-06-07"}
        assert all("weights abc" in source for source in table.SOURCE)
        assert {*table.REMARK} == {"Not an official ice chart"}
    assert b"Predicted ice chart of Sentinel-1 scene" in said
    assert b"Not an official ice chart" in said


def test_metadata_of_a_shapefile_is_that_of_sigrid_3(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    write_polygons(map_at(75, -60), tmp_path, kind="shp", crs="EPSG:3413")
    root = ET.parse(tmp_path / f"{NAME}.xml").getroot()  # noqa: S314 - our own file
    assert root.findtext("idinfo/timeperd/timeinfo/sngdate/caldate") == "20180607"
    assert "FGDC" in str(root.findtext("metainfo/metstdn"))
    # The date of the metadata is not that of the scene.
    written = root.findtext("metainfo/metd")
    assert before.strftime("%Y%m%d") <= str(written)
    assert str(written) <= datetime.now(UTC).strftime("%Y%m%d")


@pytest.mark.parametrize("crs", ["EPSG:3995", "EPSG:4326"])
@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        # 24 x 30 pixels of 4 km, turned by 15 degrees: half of it is 62 km up and down and
        # 70 km to the sides, that is 0.55 degrees of latitude and 2.4 of longitude. From
        # corner to middle it is 77 km, 0.7 degrees.
        (75, -60, (-62.4, 74.45, -57.6, 75.55)),
        (75, 180, (177.6, 74.45, -177.6, 75.55)),
        (75, -179, (178.6, 74.45, -176.6, 75.55)),
        (90, 0, (-180, 89.3, 180, 90)),
        (89.9, 20, (-180, 89.25, 180, 90)),
    ],
)
def test_metadata_have_the_bounds_of_the_map(
    tmp_path: Path, crs: str, latitude: float, longitude: float, expected: tuple[float, ...]
) -> None:
    write_polygons(map_at(latitude, longitude), tmp_path, kind="shp", crs=crs)
    root = ET.parse(tmp_path / f"{NAME}.xml").getroot()  # noqa: S314 - our own file
    found = [
        float(root.findtext(f"idinfo/spdom/bounding/{side}bc") or "nan")
        for side in ("west", "south", "east", "north")
    ]
    assert found == pytest.approx(expected, abs=0.15)


def test_geojson_follows_its_standard_at_the_date_line(tmp_path: Path) -> None:
    write_polygons(map_at(75, 180), tmp_path, kind="geojson", crs="EPSG:4326")
    found = json.loads((tmp_path / f"{NAME}.geojson").read_text())
    assert found["type"] == "FeatureCollection"
    assert "crs" not in found
    longitudes = np.concatenate([
        shapely.get_coordinates(shapely.geometry.shape(feature["geometry"]))[:, 0]
        for feature in found["features"]
    ])  # fmt: skip
    assert np.abs(longitudes).max() == 180
    assert np.abs(longitudes).min() > 170
    for feature in found["features"]:
        for part in shapely.get_parts(shapely.geometry.shape(feature["geometry"])):
            assert np.ptp(shapely.get_coordinates(part)[:, 0]) < 10
            assert part.exterior.is_ccw


@pytest.mark.parametrize(("latitude", "longitude"), [(89.9, 20), (75, 180)])
def test_a_whole_simplified_map_in_degrees_has_no_overlaps(
    tmp_path: Path, latitude: float, longitude: float
) -> None:
    y, x = np.mgrid[:24, :30]
    sic = np.rint(5 + 5 * np.sin(y / 3) * np.cos(x / 4)).astype(np.uint8)
    scene = map_at(latitude, longitude, np.stack([sic, sic // 2 % 5 + 1, sic % 6 + 1]))
    report = write_polygons(scene, tmp_path, kind="gpkg", crs="EPSG:4326", min_area_km2=100)
    assert report.n_polygons > 20
    parts = shapely.get_parts(read(tmp_path / f"{NAME}.gpkg").geometry.values)
    assert shapely.is_valid(parts).all()
    # Neighbours share their vertices: none overlaps another, and there are no slits.
    assert shapely.coverage_is_valid(parts)
    whole = shapely.union_all(parts)
    assert whole.area == pytest.approx(shapely.area(parts).sum(), rel=1e-9)
    west, _, east, north = whole.bounds
    assert (west, east) == (-180, 180)
    assert (north == 90) == (latitude > 89)


def test_flatgeobuf_can_be_read_in_part(tmp_path: Path) -> None:
    write_polygons(map_at(75, -60), tmp_path, kind="fgb", crs="EPSG:3413")
    assert pyogrio.read_info(tmp_path / f"{NAME}.fgb")["capabilities"][
        "fast_spatial_filter"
    ]


def frame_of(chart_map: ChartMap) -> Frame:
    acquired = chart_map.acquired
    return Frame(chart_map.grid, chart_map.tie_points, acquired, acquired)


@pytest.mark.parametrize(
    ("kind", "crs", "latitude", "longitude"),
    [
        ("gpkg", "EPSG:3413", 75, -60),
        ("shp", "EPSG:3995", 82, 180),
        ("gpkg", "EPSG:4326", 75, 180),
        ("shp", "EPSG:4326", 89.9, 20),
        ("geojson", "EPSG:4326", 76, 179.9),
        ("fgb", "EPSG:4326", 90, 0),
        ("gpkg", "EPSG:32633", 76, 15),
    ],
)
def test_our_reader_of_charts_finds_the_same_classes(
    tmp_path: Path, kind: PolygonFormat, crs: str, latitude: float, longitude: float
) -> None:
    scene = map_at(latitude, longitude)
    write_polygons(scene, tmp_path, kind=kind, crs=crs)
    burnt = read_chart(tmp_path / f"{NAME}.{kind}", frame_of(scene))
    assert burnt.valid == scene.acquired.replace(second=0)
    ids = np.where(burnt.polygon_ids < 0, np.nan, burnt.polygon_ids)
    found = np.moveaxis(paint_charts(ids, PolygonTable.parse(burnt.rows)), -1, 0)
    # Borders are simplified by up to a tenth of a pixel of the store, one of the map.
    n_wrong = (found != scene.charts).any(axis=0).sum()
    assert n_wrong < 0.01 * scene.flags.size
    assert (found[:, 100, 100] != CHART_FILL).all()


def test_charts_that_contradict_each_other_are_read_back_as_the_concentration_says(
    tmp_path: Path,
) -> None:
    classes = quarters()
    classes[:, :12, :15] = np.array([0, 3, 4])[:, None, None]  # water of a stage
    classes[:, :12, 15:] = np.array([7, 0, 4])[:, None, None]  # ice of none
    classes[:, :6, 15:] = np.array([7, CHART_FILL, 4])[:, None, None]  # the same
    classes[:, 12:, 15:] = np.array([3, 2, 0])[:, None, None]
    scene = map_at(75, -60, classes)
    assert write_polygons(scene, tmp_path, kind="gpkg", crs="EPSG:3413").n_polygons == 4
    table = read(tmp_path / f"{NAME}.gpkg").set_index("CT")
    assert table.SA.to_dict() == {"01": "-9", "70": "99", "92": "95", "30": "83"}
    assert table.FA.to_dict() == {"01": "-9", "70": "05", "92": "05", "30": "99"}
    burnt = read_chart(tmp_path / f"{NAME}.gpkg", frame_of(scene))
    assert sorted(PolygonTable.parse(burnt.rows).classes().tolist()) == [
        [0, 0, 0], [3, 2, 255], [7, 255, 4], [10, 5, 4],
    ]  # fmt: skip


def test_merged_areas_are_read_back_as_the_mixture_that_they_are(tmp_path: Path) -> None:
    classes = quarters()
    classes[:, 14:16, 3:6] = np.array([10, 1, 1])[:, None, None]  # 6 of 180 pixels
    classes[:, 2, 20] = 0  # a hole of water in ice of seven tenths
    scene = map_at(75, -60, classes)
    report = write_polygons(
        scene, tmp_path, kind="gpkg", crs="EPSG:3413", min_area_km2=7 * 16.5
    )
    assert report.n_polygons == 4
    burnt = read_chart(tmp_path / f"{NAME}.gpkg", frame_of(scene))
    table = PolygonTable.parse(burnt.rows)
    assert sorted(table.classes().tolist()) == [
        [0, 0, 0], [3, 1, 2], [7, 4, 5], [10, 5, 4],
    ]  # fmt: skip
    mixed = read(tmp_path / f"{NAME}.gpkg").set_index("CT").loc["92"]
    # Three percent of new ice are less than half a tenth: the stage that is left.
    assert (mixed.CA, mixed.SA, mixed.CD, mixed.CF) == ("-9", "95", "81", "0502")

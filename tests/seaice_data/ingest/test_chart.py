import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyogrio
import pyproj
import pytest
import shapely
from support.swaths import swath

from seaice_data.egg_codes import PolygonTable
from seaice_data.errors import SceneError
from seaice_data.grid import Grid
from seaice_data.ingest.chart import read_chart
from seaice_data.ingest.frame import Frame

POLAR = "EPSG:3413"
GRID = Grid(60, 80, 80.0)
ALL = slice(None)


def frame_at(latitude: float, longitude: float, grid: Grid = GRID) -> Frame:
    start, stop = (datetime(2020, 11, 2, 18, 5, s, tzinfo=UTC) for s in (0, 50))
    points = swath(latitude, longitude, grid, n_points=(4, 5))
    return Frame(grid, points, start, stop)


FRAME = frame_at(74.0, -60.0)


def area(frame: Frame, rows: slice, columns: slice, crs: str = POLAR) -> shapely.Polygon:
    """Return the outline of a rectangle of pixels in a projection; slices need no end."""
    height, width = frame.grid.shape
    y = np.linspace(*(rows.start or 0, rows.stop or height), 9) - 0.5
    x = np.linspace(*(columns.start or 0, columns.stop or width), 9) - 0.5
    latitude, longitude = frame.tie_points.places(y, x)
    edge = [
        np.concatenate([plane[0, :-1], plane[:-1, -1], plane[-1, :0:-1], plane[:0:-1, 0]])
        for plane in (longitude, latitude)
    ]
    to_map = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    return shapely.Polygon(np.stack(to_map.transform(*edge), axis=-1))


def write(
    path: Path,
    shapes: Sequence[Any],
    crs: str | None = POLAR,
    layer: str | None = None,
    **fields: Any,
) -> Path:
    """Write a chart; by default all is old ice of nine tenths in big floes."""
    n = len(shapes)
    fields = {"CT": "90", "SA": "95", "FA": "05", "POLY_TYPE": "I"} | fields
    columns = {k: v if isinstance(v, list) else [v] * n for k, v in fields.items()}
    table = geopandas.GeoDataFrame(columns, geometry=list(shapes), crs=crs)
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_file(path, layer=layer, engine="pyogrio")
    return path


def halves(frame: Frame = FRAME, crs: str = POLAR) -> list[Any]:
    """Return the upper third and the rest of a scene."""
    return [area(frame, slice(0, 20), ALL, crs), area(frame, slice(20, None), ALL, crs)]


def expected_halves() -> np.ndarray:
    return np.where(np.arange(60) < 20, 1, 2)[:, None] * np.ones((1, 80), int)


# ---- burning


@pytest.mark.parametrize(
    ("latitude", "longitude", "crs"),
    [
        (74.0, -60.0, "EPSG:3413"),
        (74.0, 180.0, "EPSG:3413"),
        (90.0, 0.0, "EPSG:3413"),
        (89.99, 20.0, "EPSG:3995"),
        (-72.0, 180.0, "EPSG:3031"),
        (60.0, 25.0, "EPSG:4326"),
        (60.0, 25.0, "+proj=lcc +lat_1=49 +lat_2=77 +lon_0=-100 +units=km"),
    ],
)
def test_pixels_take_the_polygon_of_their_centre(
    tmp_path: Path, latitude: float, longitude: float, crs: str
) -> None:
    frame = frame_at(latitude, longitude)
    shapes = [
        area(frame, slice(10, 30), slice(20, 50), crs),
        area(frame, slice(30, 45), slice(20, 50), crs),
    ]
    found = read_chart(write(tmp_path / "chart.gpkg", shapes, crs), frame)
    expected = np.full((60, 80), -1)
    expected[10:30, 20:50], expected[30:45, 20:50] = 1, 2
    np.testing.assert_array_equal(found.polygon_ids, expected)
    assert found.polygon_ids.dtype == np.int32


@pytest.mark.parametrize(
    ("crs", "longitude"),
    [
        ("EPSG:3857", 180),
        ("EPSG:3857", 0),
        ("EPSG:3395", 180),
        ("EPSG:3413", 180),
        ("EPSG:32660", 180),
    ],
)
def test_the_border_of_a_projection_is_no_border(
    tmp_path: Path, crs: str, longitude: float
) -> None:
    frame = frame_at(74.0, longitude)
    path = write(tmp_path / "a.gpkg", [area(frame, slice(10, 30), slice(20, 50), crs)], crs)
    expected = np.full((60, 80), -1)
    expected[10:30, 20:50] = 1
    np.testing.assert_array_equal(read_chart(path, frame).polygon_ids, expected)


def test_polygons_in_degrees_cross_the_date_line(tmp_path: Path) -> None:
    frame = frame_at(74.0, 180.0)
    whole = area(frame, slice(10, 30), slice(20, 50), "EPSG:4326")
    assert np.ptp(shapely.get_coordinates(whole)[:, 0]) > 359  # 179 follows -179
    beyond = shapely.transform(whole, lambda at: at % [360, 181])
    pieces = [
        shapely.intersection(beyond, shapely.box(0, 0, 180, 90)),
        shapely.transform(
            shapely.intersection(beyond, shapely.box(180, 0, 360, 90)),
            lambda at: at - [360, 0],
        ),
    ]
    expected = np.full((60, 80), -1)
    expected[10:30, 20:50] = 1
    for n, shape in enumerate((whole, beyond, shapely.MultiPolygon(pieces))):
        path = write(tmp_path / f"chart{n}.gpkg", [shape], "EPSG:4326")
        np.testing.assert_array_equal(read_chart(path, frame).polygon_ids, expected)


def test_a_ring_in_degrees_around_the_pole_contains_it(tmp_path: Path) -> None:
    frame = frame_at(90.0, 0.0)
    around = np.stack([np.arange(-180, 181, 30.0), np.full(13, 89.0)], axis=-1)
    around[-1, 0] = -180
    cap = [(-180, 89), *around[1:-1], (180, 89), (180, 90), (-180, 90)]
    for n, shape in enumerate((shapely.Polygon(around), shapely.Polygon(cap))):
        path = write(tmp_path / f"chart{n}.gpkg", [shape], "EPSG:4326")
        assert (read_chart(path, frame).polygon_ids == 1).all()


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3413"])
def test_a_scene_can_be_inside_one_polygon(tmp_path: Path, crs: str) -> None:
    half_the_world = shapely.box(-180, 30, 180, 90)
    shape = half_the_world if crs == "EPSG:4326" else shapely.Point(0, 0).buffer(7e6, 32)
    for longitude in (-60.0, 180.0):
        path = write(tmp_path / f"chart{longitude}.gpkg", [shape], crs)
        found = read_chart(path, frame_at(74.0, longitude))
        assert (found.polygon_ids == 1).all()


def test_polygons_far_beyond_the_scene_do_not_fold_into_it(tmp_path: Path) -> None:
    far = [shapely.box(-3e6, y, 3e6, y + 2e5) for y in np.arange(-3e6, 3e6, 2e5)]
    path = write(tmp_path / "chart.gpkg", far)
    ids = read_chart(path, FRAME).polygon_ids
    to_map = pyproj.Transformer.from_crs("EPSG:4326", POLAR, always_xy=True)
    latitude, longitude = FRAME.tie_points.places(FRAME.pixel_rows, FRAME.pixel_columns)
    _, y = to_map.transform(longitude, latitude)
    np.testing.assert_array_equal(ids, np.floor((y + 3e6) / 2e5) + 1)


def test_long_edges_are_straight_in_the_projection_of_the_chart(tmp_path: Path) -> None:
    # A parallel at 74 degrees, drawn as one edge, bends by kilometres on the way.
    frame = frame_at(74.0, -60.0, Grid(600, 700, 80.0))
    path = write(tmp_path / "chart.gpkg", [shapely.box(-90, 74, -30, 80)], "EPSG:4326")
    ids = read_chart(path, frame).polygon_ids
    latitude, _ = frame.tie_points.places(frame.pixel_rows, frame.pixel_columns)
    is_clear = np.abs(latitude - 74) > 2e-5  # two metres
    np.testing.assert_array_equal((ids == 1)[is_clear], (latitude > 74)[is_clear])


def test_land_prevails_and_later_polygons_over_earlier_ones(tmp_path: Path) -> None:
    shapes = [
        area(FRAME, slice(0, 20), slice(0, 20)),
        area(FRAME, slice(0, 60), slice(0, 40)),
        area(FRAME, slice(10, 50), slice(10, 60)),
        area(FRAME, slice(5, 15), slice(5, 15)),
    ]
    types = ["L", "I", "W", "S"]
    found = read_chart(write(tmp_path / "c.gpkg", shapes, POLY_TYPE=types), FRAME)
    expected = np.full((60, 80), -1)
    expected[:60, :40] = 2
    expected[10:50, 10:60] = 3
    expected[:20, :20] = expected[5:15, 5:15] = -1
    np.testing.assert_array_equal(found.polygon_ids, expected)
    assert [row[0] for row in found.rows[1:]] == ["2", "3"]
    assert found.rows[2].endswith("W")


def test_holes_parts_and_invalid_polygons(tmp_path: Path) -> None:
    ring = area(FRAME, slice(0, 20), slice(0, 20)) - area(FRAME, slice(5, 10), slice(5, 10))
    parts = shapely.MultiPolygon(
        [area(FRAME, slice(30, 40), ALL), area(FRAME, slice(50, 60), ALL)]
    )
    corners = shapely.get_coordinates(area(FRAME, slice(0, 20), slice(40, 60)))[:-1:8]
    bow_tie = shapely.Polygon(corners[[0, 1, 3, 2]])
    assert not bow_tie.is_valid
    sliver = area(FRAME, slice(24, 26), slice(0, 10))
    sliver = shapely.affinity.scale(sliver, 1e-6, 1e-6)
    path = write(tmp_path / "c.gpkg", [ring, parts, bow_tie, sliver])
    ids = read_chart(path, FRAME).polygon_ids
    assert (ids[5:10, 5:10] == -1).all()
    assert np.count_nonzero(ids == 1) == 20 * 20 - 5 * 5
    assert (ids[30:40] == 2).all()
    assert (ids[50:60] == 2).all()
    assert np.count_nonzero(ids == 3) == pytest.approx(20 * 20 / 2, abs=10)
    # What has no pixel has no row.
    assert [row.split(";")[0] for row in read_chart(path, FRAME).rows[1:]] == list("123")


# ---- codes and fields


@pytest.mark.parametrize(
    ("fields", "row"),
    [
        ({"CT": "00"}, "00;-9;95;05;-9;-9;-9;-9;-9;-9;-9;-9;-9;I"),
        ({"CT": "2", "FA": " 8"}, "02;-9;95;08;-9;-9;-9;-9;-9;-9;-9;-9;-9;I"),
        ({"CT": 91, "CA": 40.0}, "91;40;95;05;-9;-9;-9;-9;-9;-9;-9;-9;-9;I"),
        ({"CT": 91.0, "CA": -9.0}, "91;-9;95;05;-9;-9;-9;-9;-9;-9;-9;-9;-9;I"),
        ({"CA": float("nan"), "CB": 9}, "90;-9;95;05;09;-9;-9;-9;-9;-9;-9;-9;-9;I"),
        ({"CA": "", "SB": None}, "90;-9;95;05;-9;-9;-9;-9;-9;-9;-9;-9;-9;I"),
        ({"CF": "99-9"}, "90;-9;95;05;-9;-9;-9;-9;-9;-9;-9;-9;99-9;I"),
        ({"CF": "0499"}, "90;-9;95;05;-9;-9;-9;-9;-9;-9;-9;-9;0499;I"),
        ({"CF": 499, "CN": "98"}, "90;-9;95;05;-9;-9;-9;-9;-9;-9;98;-9;0499;I"),
        ({"POLY_TYPE": "w"}, "90;-9;95;05;-9;-9;-9;-9;-9;-9;-9;-9;-9;W"),
    ],
)
def test_codes_get_the_form_of_raw_scenes(
    tmp_path: Path, fields: dict[str, Any], row: str
) -> None:
    path = write(tmp_path / "chart.gpkg", [area(FRAME, ALL, ALL)], **fields)
    found = read_chart(path, FRAME)
    header = "poly_id;CT;CA;SA;FA;CB;SB;FB;CC;SC;FC;CN;CD;CF;POLY_TYPE"
    assert found.rows == (header, f"1;{row}")
    assert len(PolygonTable.parse(found.rows).ids) == 1


@pytest.mark.parametrize("ending", ["gpkg", "shp"])
@pytest.mark.parametrize("name", ["poly_type", "POLYTYPE", "Poly_Type"])
def test_field_names_in_any_case(tmp_path: Path, name: str, ending: str) -> None:
    table = geopandas.GeoDataFrame(
        {"ct": ["92", "70", None], "sa": ["93", "81", None], name: ["I", "I", "L"]},
        geometry=[*halves(), area(FRAME, ALL, slice(70, None))],
        crs=POLAR,
    )
    table.to_file(tmp_path / f"chart.{ending}", engine="pyogrio")
    found = read_chart(tmp_path / f"chart.{ending}", FRAME)
    np.testing.assert_array_equal(found.polygon_ids[:, :70], expected_halves()[:, :70])
    assert (found.polygon_ids[:, 70:] == -1).all()
    classes = PolygonTable.parse(found.rows).classes()
    assert classes.tolist() == [[10, 4, 255], [7, 1, 255]]


def test_without_types_the_code_decides(tmp_path: Path) -> None:
    table = geopandas.GeoDataFrame(
        {"CT": ["01", "70", None], "SA": [None, "81", None]},
        geometry=[*halves(), area(FRAME, ALL, slice(70, None))],
        crs=POLAR,
    )
    table.to_file(tmp_path / "chart.gpkg", engine="pyogrio")
    found = read_chart(tmp_path / "chart.gpkg", FRAME)
    assert [row[-1] for row in found.rows[1:]] == ["W", "I"]
    assert (found.polygon_ids[:, :70] == expected_halves()[:, :70]).all()


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([7, 3], [7, 3]),
        (["7", "300"], [7, 300]),
        ([7.0, 3.0], [7, 3]),
        ([7, 7], [1, 2]),
        ([0, 3], [1, 2]),
        ([7.5, 3.0], [1, 2]),
        ([7, 2**24 + 1], [1, 2]),
        (["a", "b"], [1, 2]),
        ([None, 3], [1, 2]),
    ],
)
def test_own_ids_are_kept_if_they_can_be(
    tmp_path: Path, ids: list[Any], expected: list[int]
) -> None:
    path = write(tmp_path / "chart.gpkg", halves(), poly_id=ids)
    found = read_chart(path, FRAME)
    assert found.polygon_ids[[0, -1], 0].tolist() == expected
    assert [int(row.split(";")[0]) for row in found.rows[1:]] == expected


def test_areas_without_class_are_those_of_their_pixels(tmp_path: Path) -> None:
    path = write(tmp_path / "c.gpkg", halves(), CT=["99", "46"], SA="98", FA=["05", "08"])
    found = read_chart(path, FRAME).without_class_km2
    pixel = 0.08**2
    # Tie points are on a sphere; the Earth is up to half a percent wider there.
    assert found["SIC"] == {"99": pytest.approx(20 * 80 * pixel, rel=0.01)}
    assert found["SOD"] == {"98": pytest.approx(60 * 80 * pixel, rel=0.01)}
    assert found["FLOE"] == {"08": pytest.approx(40 * 80 * pixel, rel=0.01)}


# ---- files, archives, folders


def test_a_shapefile_in_the_archives_that_services_publish(tmp_path: Path) -> None:
    name = "cis_SGRDREA_20201102T1800Z_pl_a"
    shapefile = write(tmp_path / "plain" / f"{name}.shp", halves())
    (tmp_path / "plain" / f"{name}.dbf").rename(tmp_path / "plain" / f"{name}.DBF")
    parts = sorted(shapefile.parent.iterdir())
    paths = {"shapefile": shapefile, "folder": shapefile.parent}
    paths["zip"] = tmp_path / "download.zip"
    with zipfile.ZipFile(paths["zip"], "w") as archive:
        archive.writestr(f"__MACOSX/._{name}.shp", b"resource")
        archive.writestr("readme.txt", "an ice chart")
        for part in parts:
            archive.write(part, f"a/b/{part.name}")
    for mode, ending in (("w", "tar"), ("w:gz", "tar.gz"), ("w:gz", "tgz")):
        paths[ending] = tmp_path / f"download.{ending}"
        with tarfile.open(paths[ending], mode) as archive:
            for part in parts:
                archive.add(part, f"./{name}/{part.name}")
    paths["zip in zip"] = tmp_path / "week.zip"
    with zipfile.ZipFile(paths["zip in zip"], "w") as archive:
        archive.write(paths["zip"], "day/20201102.zip")
    paths["other ending"] = tmp_path / "download.dat"
    paths["other ending"].write_bytes(paths["tar.gz"].read_bytes())
    for path in paths.values():
        found = read_chart(path, FRAME)
        np.testing.assert_array_equal(found.polygon_ids, expected_halves())
        assert (found.name, found.service) == (name, "cis")
        assert found.valid == datetime(2020, 11, 2, 18, tzinfo=UTC)


def test_heights_and_measures_of_points_are_ignored(tmp_path: Path) -> None:
    high = [shapely.force_3d(shape, 12.5) for shape in halves()]
    path = write(tmp_path / "chart.shp", high)
    for part in (path, path.with_suffix(".shx")):  # polygons with measures: 25, not 15
        contents = bytearray(part.read_bytes())
        contents[32] = 25
        if part == path:
            contents[108] = 25
            second = 100 + 8 + 2 * int.from_bytes(contents[104:108], "big")
            contents[second + 8] = 25
        part.write_bytes(contents)
    with pytest.warns(UserWarning, match="Measured"):
        pyogrio.list_layers(path)
    np.testing.assert_array_equal(read_chart(path, FRAME).polygon_ids, expected_halves())


def test_other_layers_are_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "dmi_202011021750_North_RIC.gpkg", halves(), layer="ice")
    box = [area(FRAME, ALL, ALL)]
    for layer, shapes in (("a_coast", box), ("b_points", [box[0].centroid])):
        table = geopandas.GeoDataFrame({"code": [1]}, geometry=shapes, crs=POLAR)
        table.to_file(path, layer=layer, engine="pyogrio")
    found = read_chart(path, FRAME)
    np.testing.assert_array_equal(found.polygon_ids, expected_halves())
    assert (found.name, found.service) == ("ice", "dmi")
    assert found.valid == datetime(2020, 11, 2, 17, 50, tzinfo=UTC)


def test_the_nearest_chart_in_time_that_overlaps_is_taken(tmp_path: Path) -> None:
    here, there = [area(FRAME, ALL, ALL)], [area(frame_at(60.0, 30.0), ALL, ALL)]
    part = [area(FRAME, slice(0, 30), ALL)]
    for name, shapes in {
        "cis_A_20201031T1800Z": here,
        "cis_B_20201103T1800Z": here,
        "cis_C_20201103T1800Z": part,  # covers less
        "cis_D_20201102T1800Z": there,
        "undated": here,
    }.items():
        write(tmp_path / "year" / f"{name}.gpkg", shapes)
    write(tmp_path / ".hidden" / "cis_E_20201102T1800Z.gpkg", here)
    (tmp_path / "notes.txt").write_text("no chart")
    (tmp_path / "year" / "around").symlink_to(tmp_path)
    assert read_chart(tmp_path, FRAME).name == "cis_B_20201103T1800Z"
    for name in ("A", "B", "C", "D"):
        next(tmp_path.glob(f"year/cis_{name}_*")).unlink()
    assert read_chart(tmp_path, FRAME).name == "undated"
    assert read_chart(tmp_path, FRAME).valid is None


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("cis_SGRDREA_20201102T1800Z_pl_a", "cis"),
        ("NIC_arctic_20201102", "nic"),
        ("aari_arc_20201103_pl_a", "aari"),
        ("precision", "other"),
        ("my chart", "other"),
    ],
)
def test_the_service_is_in_the_name(tmp_path: Path, name: str, service: str) -> None:
    path = write(tmp_path / f"{name}.gpkg", halves())
    assert read_chart(path, FRAME).service == service
    assert read_chart(path, FRAME, service="FMI").service == "fmi"


def test_a_chart_without_crs_is_read_if_it_can_only_be_in_degrees(tmp_path: Path) -> None:
    path = write(tmp_path / "chart.shp", halves(crs="EPSG:4326"), "EPSG:4326")
    (tmp_path / "chart.prj").unlink()
    np.testing.assert_array_equal(read_chart(path, FRAME).polygon_ids, expected_halves())
    path = write(tmp_path / "flat.shp", halves())
    (tmp_path / "flat.prj").unlink()
    with pytest.raises(SceneError, match="does not say its coordinate reference") as caught:
        read_chart(path, FRAME)
    assert ".prj" in str(caught.value.hint)


# ---- what is refused


def refused(path: Path, frame: Frame = FRAME, service: str | None = None) -> str:
    """Return the message about a chart, one line that names its file."""
    with pytest.raises(SceneError) as caught:
        read_chart(path, frame, service)
    message = str(caught.value)
    assert "\n" not in message
    assert message.count(str(path)) == 1 or service
    return message


def test_a_chart_elsewhere_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", halves())
    away = frame_at(60.0, 25.0)
    message = refused(path, away)
    assert "shows no ice and no water in the scene, which is at 60.0 N, 25.0 E" in message
    write(tmp_path / "b.gpkg", halves())
    assert "none of the 2 charts" in refused(tmp_path, away)
    # The scene is there, but under land.
    land = write(tmp_path / "c" / "c.gpkg", halves(), POLY_TYPE=["I", "L"])
    below = Frame(Grid(20, 80, 80.0), FRAME.tie_points, FRAME.acquired, FRAME.stopped)
    assert read_chart(land, below).polygon_ids.max() == 1
    only = write(tmp_path / "d" / "d.gpkg", halves(), POLY_TYPE=["L", "N"])
    assert "no polygon of the chart is ice (POLY_TYPE I) or water (W)" in refused(only)


def test_values_that_are_not_codes_are_refused_where_they_are_shown(tmp_path: Path) -> None:
    shapes = [*halves(), area(frame_at(60.0, 25.0), ALL, ALL)]
    path = write(tmp_path / "a.gpkg", shapes, CT=["90", "9+", "x"])
    assert "CT is not a whole number: '9+' in '2;9+;" in refused(path)
    path = write(tmp_path / "b.gpkg", shapes, CT=["90", "80", "x"])
    assert len(read_chart(path, FRAME).rows) == 3
    path = write(tmp_path / "c.gpkg", shapes, CF="1;2")
    assert "CF of polygon 1 is '1;2'" in refused(path)


def test_what_is_not_a_chart_is_refused(tmp_path: Path) -> None:
    table = geopandas.GeoDataFrame({"E_CT": ["9+"]}, geometry=halves()[:1], crs=POLAR)
    table.to_file(tmp_path / "egg.gpkg", engine="pyogrio")
    assert "has no field 'CT' (total concentration), but E_CT" in refused(
        tmp_path / "egg.gpkg"
    )
    lines = [shapely.LineString(shape.exterior) for shape in halves()]
    assert "contains no ice chart" in refused(write(tmp_path / "a.gpkg", lines))
    assert "it has no polygon" in refused(write(tmp_path / "b.shp", lines))
    assert "no chart at" in refused(tmp_path / "absent.shp")
    (tmp_path / "text.shp").write_text("no shapes")
    assert "contains no ice chart" in refused(tmp_path / "text.shp")
    (tmp_path / "empty").mkdir()
    assert "contains no ice chart" in refused(tmp_path / "empty")
    path = write(tmp_path / "c.gpkg", halves())
    with pytest.raises(SceneError, match=r"service '\.\./cis' is not a name of 2 to 12"):
        read_chart(path, FRAME, service="../cis")


@pytest.mark.parametrize("ending", ["gpkg", "shp", "shx", "dbf", "zip", "tar.gz"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_files_that_are_cut_off_are_refused(
    tmp_path: Path, ending: str, share: float
) -> None:
    many = [area(FRAME, slice(n, n + 1), ALL) for n in range(60)]
    path = write(tmp_path / f"chart.{'gpkg' if ending == 'gpkg' else 'shp'}", many)
    if ending == "zip":
        with zipfile.ZipFile(tmp_path / "chart.zip", "w") as archive:
            for part in tmp_path.glob("chart.???"):
                if part.suffix != ".zip":
                    archive.write(part, part.name)
        path = tmp_path / "chart.zip"
    elif ending == "tar.gz":
        parts = list(tmp_path.glob("chart.???"))
        with tarfile.open(tmp_path / "chart.tar.gz", "w:gz") as archive:
            for part in parts:
                archive.add(part, part.name)
        path = tmp_path / "chart.tar.gz"
    cut = path.with_suffix(f".{ending}") if ending in ("shx", "dbf") else path
    whole = cut.read_bytes()
    cut.write_bytes(whole[: int(share * len(whole))])
    refused(path)


@pytest.mark.parametrize("text", ["no projection", ""])
def test_a_damaged_reference_system_is_refused(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "chart.shp", halves())
    (tmp_path / "chart.prj").write_text(text)
    assert "coordinate reference system" in refused(path)


def test_coordinates_off_the_earth_are_refused(tmp_path: Path) -> None:
    huge = write(tmp_path / "a.gpkg", [shapely.box(-1e12, -1e12, 1e12, 1e12)])
    assert "larger than the Earth" in refused(huge)
    wrong = write(tmp_path / "b.gpkg", [shapely.box(0, 95, 5, 99)], "EPSG:4326")
    assert "not on the Earth" in refused(wrong)
    nothing = write(tmp_path / "c.gpkg", [shapely.Polygon(), None, *halves()])
    assert read_chart(nothing, FRAME).polygon_ids.max() == 4


def test_reading_loads_its_libraries_late() -> None:
    code = "import sys, seaice_data.ingest.chart; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"pyogrio", "rasterio", "shapely", "pyproj", "pandas"} & set(loaded)


def test_layers_are_listed_as_they_are_named(tmp_path: Path) -> None:
    path = tmp_path / "charts.gpkg"
    for day in (1, 2):
        write(path, halves(), layer=f"cis_X_2020110{day}T1800Z")
    assert len(pyogrio.list_layers(path)) == 2
    found = read_chart(path, FRAME)
    assert found.name == "cis_X_20201102T1800Z"
    assert found.valid == datetime(2020, 11, 2, 18, tzinfo=UTC)

"""Polygons are read by geopandas and valid according to shapely."""

from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from support.chart_maps import chart_map
from support.learnable_scenes import tie_points

from seaice_data.charts import CHART_FILL
from seaice_data.egg_codes import SIC_CODES, PolygonTable
from seaice_data.grid import Grid
from seaice_model.errors import MapError
from seaice_model.formats.polygons import write_polygons
from seaice_model.formats.vector_files import PolygonFormat
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.decision import Decision

SHAPE = (60, 80)
RATIO = 10


def map_of(classes: np.ndarray, masked: slice = slice(0, 0)) -> ChartMap:
    """Return a map of these classes; the rows `masked` of the store are land."""
    shape = classes.shape[1:]
    grid = Grid(shape[0] * RATIO, shape[1] * RATIO, 80.0)
    plane = np.zeros(shape, np.uint8)
    decision = Decision(
        classes=classes.astype(np.uint8),
        concentration=plane,
        entropy=np.stack([plane] * 3),
        spread=None,
        probabilities=None,
        n_networks=1,
        rows=np.arange(grid.height) // RATIO,
        columns=np.arange(grid.width) // RATIO,
    )
    charts = decision.classes[:, decision.rows][:, :, decision.columns]
    flags = np.zeros(grid.shape, np.uint8)
    flags[masked.start * RATIO : masked.stop * RATIO] = 2
    charts[:, flags != 0] = CHART_FILL
    return replace(
        chart_map(),
        grid=grid,
        charts=charts,
        flags=flags,
        tie_points=tie_points(grid),
        decision=decision,
    )


def blobs() -> np.ndarray:
    """Return charts of round patches of ice in water, and a lone pixel here and there."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    field = np.sin(y / 9) * np.cos(x / 11)
    sic = np.clip(np.rint(field * 10), 0, 10)
    sic[rng.random(SHAPE) < 0.02] = 5
    return np.stack([sic, np.clip(sic // 2, 0, 5), np.clip(sic // 3, 0, 6)])


def read(folder: Path, kind: PolygonFormat) -> geopandas.GeoDataFrame:
    return geopandas.read_file(folder / f"20180607T184326_dmi.{kind}")


def area_of_a_pixel(table: geopandas.GeoDataFrame) -> float:
    """Return the area of a pixel of the store, which hardly changes over a small map."""
    return float(table.area.sum() / np.prod(SHAPE))


def size_kb(folder: Path) -> float:
    """Return the size of what is sent: without the style of a GeoPackage."""
    paths = (path for path in folder.iterdir() if path.suffix != ".qml")
    return sum(path.stat().st_size for path in paths) / 1000


@pytest.mark.parametrize("kind", ["gpkg", "shp"])
def test_polygons_share_their_borders_and_leave_no_gap(
    tmp_path: Path, kind: PolygonFormat
) -> None:
    scene = map_of(blobs(), slice(0, 6))
    report = write_polygons(scene, tmp_path, kind=kind, crs="EPSG:3413")
    table = read(tmp_path, kind)
    assert len(table) == report.n_polygons
    assert table.crs.to_epsg() == 3413
    assert table.is_valid.all()
    assert shapely.coverage_is_valid(table.geometry.values)
    whole = table.union_all()
    assert table.area.sum() == pytest.approx(whole.area, rel=1e-9)
    # No gap: what is not land is one piece, as large as its pixels.
    assert whole.geom_type == "Polygon"
    assert not whole.interiors
    n_pixels = (SHAPE[0] - 6) * SHAPE[1]
    pixel_m2 = shapely.box(0, 0, 800, 800).area
    assert whole.area == pytest.approx(n_pixels * pixel_m2, rel=0.1)
    assert {path.suffix for path in report.paths} >= {f".{kind}"}
    assert report.n_bytes / 1000 == size_kb(tmp_path)


def test_a_lone_pixel_keeps_its_area(tmp_path: Path) -> None:
    classes = np.zeros((3, *SHAPE))
    classes[:, 20:40, 20:40] = np.array([7, 4, 5])[:, None, None]
    for row, column in ((30, 60), (8, 70), (9, 70), (30, 30)):
        classes[:, row, column] = [10, 5, 6]
    write_polygons(map_of(classes), tmp_path, kind="gpkg", crs="EPSG:3413")
    table = read(tmp_path, "gpkg")
    areas = sorted(table.area[table.CT == "92"] / area_of_a_pixel(table))
    assert areas == pytest.approx([1, 1, 2], rel=0.02)


def test_every_class_keeps_its_area(tmp_path: Path) -> None:
    classes = blobs()
    write_polygons(map_of(classes), tmp_path, kind="gpkg", crs="EPSG:3413")
    table = read(tmp_path, "gpkg")
    areas = table.area.groupby(table.CT).sum() / area_of_a_pixel(table)
    found = {SIC_CODES.index(code): area for code, area in areas.items()}
    numbers, n_pixels = np.unique(classes[0], return_counts=True)
    assert found == pytest.approx(dict(zip(numbers, n_pixels, strict=True)), rel=0.01)


def test_an_edge_across_the_pixels_loses_their_steps(tmp_path: Path) -> None:
    classes = np.zeros((3, *SHAPE))
    rows, columns = np.indices(SHAPE)
    classes[:, rows > columns] = np.array([7, 4, 5])[:, None]
    write_polygons(map_of(classes), tmp_path, kind="gpkg", crs="EPSG:3413")
    table = read(tmp_path, "gpkg")
    assert len(table) == 2
    assert shapely.get_num_coordinates(table.geometry.values).sum() < SHAPE[0]  # of 240


def test_an_interrupted_shapefile_does_not_look_complete(tmp_path: Path) -> None:
    scene = map_of(blobs())
    paths = write_polygons(scene, tmp_path, kind="shp", crs="EPSG:3413").paths
    assert paths[-1].suffix == ".shp"
    index = paths[-1].with_suffix(".shx")
    index.unlink()
    index.mkdir()  # nothing can take the place of a folder
    with pytest.raises(MapError, match=r"cannot write polygons to .*\.shx"):
        write_polygons(scene, tmp_path, kind="shp", crs="EPSG:3413")
    assert not paths[-1].exists()


def test_fields_are_those_of_sigrid_3_and_give_the_classes_back(tmp_path: Path) -> None:
    classes = np.zeros((3, *SHAPE))
    classes[:, :20, :40] = np.array([7, 4, 5])[:, None, None]
    classes[:, 20:40, :40] = np.array([10, 5, 6])[:, None, None]
    classes[:, 40:, :40] = np.array([2, 0, 3])[:, None, None]
    write_polygons(map_of(classes), tmp_path, kind="gpkg", crs="EPSG:3413")
    table = read(tmp_path, "gpkg")
    rows = sorted(zip(table.CT, table.SA, table.FA, table.POLY_TYPE, strict=True))
    assert rows == [
        ("01", "-9", "-9", "W"),
        ("20", "99", "04", "I"),
        ("70", "93", "06", "I"),
        ("92", "95", "10", "I"),
    ]
    header = "poly_id;CT;CA;SA;FA;CB;SB;FB;CC;SC;FC;POLY_TYPE"
    lines = [
        f"{number};{ct};-9;{sa};{fa};-9;-9;-9;-9;-9;-9;{kind}"
        for number, (ct, sa, fa, kind) in enumerate(rows)
    ]
    again = PolygonTable.parse([header, *lines]).classes().tolist()
    assert again == [[0, 0, 0], [2, 255, 3], [7, 4, 5], [10, 5, 6]]


@pytest.mark.parametrize(("kind", "max_kb"), [("shp", 12), ("shp", 8), ("gpkg", 110)])
def test_polygons_fit_into_the_requested_size(
    tmp_path: Path, kind: PolygonFormat, max_kb: int
) -> None:
    scene = map_of(blobs())
    whole = write_polygons(scene, tmp_path, kind=kind, crs="EPSG:3413")
    for path in whole.paths:
        path.unlink()
    report = write_polygons(scene, tmp_path, kind=kind, crs="EPSG:3413", max_kb=max_kb)
    assert size_kb(tmp_path) <= max_kb
    assert report.n_polygons <= whole.n_polygons
    table = read(tmp_path, kind)
    assert table.is_valid.all()
    assert shapely.coverage_is_valid(table.geometry.values)
    assert table.area.sum() == pytest.approx(table.union_all().area, rel=1e-9)


def test_a_size_that_cannot_be_reached_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MapError, match=r"need at least .* kB as gpkg, more than 20"):
        write_polygons(map_of(blobs()), tmp_path, kind="gpkg", crs="EPSG:3413", max_kb=20)
    assert list(tmp_path.iterdir()) == []


def test_a_map_without_a_pixel_to_show_is_refused(tmp_path: Path) -> None:
    scene = map_of(blobs(), slice(0, SHAPE[0]))
    with pytest.raises(MapError, match="shows nothing: all is land or no SAR"):
        write_polygons(scene, tmp_path, kind="shp", crs="EPSG:3413")


def test_a_map_of_charts_alone_is_refused(tmp_path: Path) -> None:
    scene = replace(chart_map(), decision=None)
    with pytest.raises(
        MapError, match="does not contain its classes on the grid"
    ) as caught:
        write_polygons(scene, tmp_path, kind="shp", crs="EPSG:3413")
    assert "--overwrite" in str(caught.value.hint)

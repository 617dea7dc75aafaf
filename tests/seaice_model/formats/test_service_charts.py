"""Charts of ice services in a store become files, with their egg codes if there are any."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas
import numpy as np
import pytest
import rasterio
from support.learnable_scenes import SCENES, UNCHARTED, StoreMaker
from support.polygon_scenes import polygon_table, write_polygons
from support.service_maps import map_at

from seaice_data.egg_codes import INTERVAL_CODES, PolygonTable
from seaice_data.errors import StoreError
from seaice_data.ingest.chart import read_chart
from seaice_data.ingest.frame import Frame
from seaice_data.store.store import Store
from seaice_model.errors import MapError
from seaice_model.formats.convert import MapFormat, convert_maps
from seaice_model.formats.polygons import write_polygons as write_map
from seaice_model.formats.service_charts import service_chart
from seaice_model.maps.netcdf import write_netcdf

SCENE = "20180607T184326_dmi"
TABLE = polygon_table({
    4: [92, 60, 95, 5, 40, 87, 3], 9: [1], 17: [79, -9, 91, 4],
})  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a store whose scene has three polygons, and a stripe without."""
    path = str(tmp_path_factory.mktemp("charts") / "store.zarr")
    ids = np.full((40, 50), 4)
    ids[:20, 25:], ids[20:, 25:], ids[-2:] = 9, 17, -1
    ids[5, 5] = 17
    write_polygons(path, {SCENE: ids}, TABLE)
    return path


def test_polygons_of_a_service_keep_their_codes(store: str, tmp_path: Path) -> None:
    report = convert_maps(store, tmp_path, ["gpkg"])
    assert report.failed == ()
    table = geopandas.read_file(tmp_path / f"{SCENE}_chart.gpkg")
    codes = ["CT", "CA", "SA", "FA", "CB", "SB", "FB"]
    rows = {tuple(row) for row in table[codes].itertuples(index=False)}
    assert rows == {
        ("92", "60", "95", "05", "40", "87", "03"),
        ("01", *["-9"] * 6),
        ("79", "-9", "91", "04", "-9", "-9", "-9"),
    }
    assert len(table) == 4
    assert {*table.REMARK.str[:27]} == {"Not an official ice chart: "}
    assert all("service 'dmi'" in source for source in table.SOURCE)
    style = (tmp_path / f"{SCENE}_chart.qml").read_text()
    assert all(f'value="{code}"' in style for code in table.CT)  # QGIS shows each of them
    merged = convert_maps(store, tmp_path / "merged", ["gpkg"], min_area_km2=0.02)
    assert merged.failed == ()
    table = geopandas.read_file(tmp_path / "merged" / f"{SCENE}_chart.gpkg")
    assert sorted(table.CT) == ["01", "79", "92"]


def test_interval_codes_are_read_back_from_a_geopackage(tmp_path: Path) -> None:
    codes = [*INTERVAL_CODES]
    y, x = np.mgrid[:40, :50] // 5
    number = (10 * y + x) % len(codes)
    path = tmp_path / "store.zarr"
    write_polygons(
        str(path),
        {SCENE: number + 1},
        polygon_table({k: [code, -9, 91, 4] for k, code in enumerate(codes, start=1)}),
    )
    assert convert_maps(path, tmp_path, ["gpkg"]).failed == ()
    file = tmp_path / f"{SCENE}_chart.gpkg"
    table = geopandas.read_file(file)
    assert {*table.CT} == {f"{code:02d}" for code in codes}
    # The style has a category for each.
    style = ET.parse(file.with_suffix(".qml")).getroot()  # noqa: S314 - our own file
    assert {*table.CT} <= {each.get("value") for each in style.iter("category")}
    chart_map = service_chart(Store(path).scene(SCENE)).chart_map
    acquired = chart_map.acquired
    frame = Frame(chart_map.grid, chart_map.tie_points, acquired, acquired)
    burnt = read_chart(file, frame)
    found = PolygonTable.parse(burnt.rows)
    total = dict(zip(found.ids.tolist(), found.column("CT").tolist(), strict=True))
    # The middles of the squares; two corners of the scene are without SAR.
    ids, expected = burnt.polygon_ids[2::5, 2::5], np.array(codes)[number[2::5, 2::5]]
    assert (ids > 0).sum() > 70
    assert [total[k] for k in ids[ids > 0].tolist()] == expected[ids > 0].tolist()


def test_rasters_of_a_service_have_its_classes(store: str, tmp_path: Path) -> None:
    report = convert_maps(store, tmp_path, ["tif", "grid"])
    assert report.failed == ()
    with rasterio.open(tmp_path / f"{SCENE}_chart_SIC.tif") as file:
        values = file.read(1)
        assert file.tags()["TITLE"] == f"Ice chart of a service in Sentinel-1 scene {SCENE}"
        assert store not in str(file.tags())  # a path of this machine
    assert set(np.unique(values)) == {0, 10, 20, 255}  # positions of polygons in the table
    assert convert_maps(store, tmp_path, ["tif", "grid"]).written == ()


def test_scenes_without_a_chart_are_counted(
    store: str, tmp_path: Path, make_store: StoreMaker
) -> None:
    assert convert_maps(store, tmp_path / "one", ["grid"]).n_without_charts == 0
    bare = make_store(tmp_path / "store.zarr", scenes=SCENES[:1], uncharted=(UNCHARTED,))
    assert convert_maps(bare.path, tmp_path / "two", ["grid"]).n_without_charts == 1


@pytest.mark.parametrize("kind", ["nc", "uncertainty", "submission"])
def test_formats_of_predictions_are_refused(
    store: str, tmp_path: Path, kind: MapFormat
) -> None:
    with pytest.raises(MapError, match=f"cannot be written as '{kind}'"):
        convert_maps(store, tmp_path / "out", [kind])
    assert not (tmp_path / "out").exists()


def test_a_url_without_a_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        convert_maps(f"file://{tmp_path}/nothing.zarr", tmp_path / "out", ["tif"])


def test_charts_without_egg_codes_are_written_from_their_classes(tmp_path: Path) -> None:
    scene = map_at(75, -60)
    assert scene.decision is not None
    classes = scene.decision.classes.copy()
    classes[1:, :12, 15:] = 255  # mixed ice
    classes[:, 12:, 15:] = 255  # no chart
    charted = replace(
        scene, decision=replace(scene.decision, classes=classes), charted_by="dmi"
    )
    write_map(charted, tmp_path, kind="gpkg", crs="EPSG:3413")
    table = geopandas.read_file(tmp_path / f"{SCENE}_chart.gpkg")
    rows = sorted(zip(table.CT, table.SA, table.FA, strict=True))
    assert rows == [("01", "-9", "-9"), ("70", "99", "99"), ("92", "95", "05")]
    with pytest.raises(MapError, match="those of an ice service, not predicted"):
        write_netcdf(charted, tmp_path / "map.nc")

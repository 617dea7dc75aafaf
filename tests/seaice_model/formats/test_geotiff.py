"""Maps are placed where rasterio and pyproj expect them."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Geod, Transformer
from support.chart_maps import chart_map
from support.gdal_tables import attribute_table
from support.service_maps import map_at

from seaice_data.charts import CHART_FILL
from seaice_data.colours import LAND_COLOUR, WMO_COLOURS
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_model.errors import MapError
from seaice_model.formats.convert import convert_maps
from seaice_model.formats.geotiff import write_geotiff, write_uncertainty
from seaice_model.formats.raster import geolocation_error_m, raster_of, warp
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.netcdf import write_netcdf

GRID = Grid(900, 1100, 80.0)

SEAICE = Path(sys.executable).with_name("seaice")


def swath(latitude: float, longitude: float, heading: float) -> TiePoints:
    """Return tie points of a scene that begins somewhere and is flown in a direction."""
    earth = Geod(ellps="WGS84")
    lines, samples = (np.linspace(-0.25, n - 0.75, 11) for n in GRID.shape)
    latitudes, longitudes = np.zeros((2, 11, 11))
    for y, line in enumerate(lines):
        east, north, _ = earth.fwd(longitude, latitude, heading, line * 80)
        for x, sample in enumerate(samples):
            longitudes[y, x], latitudes[y, x], _ = earth.fwd(
                east, north, heading + 90, sample * 80
            )
    return TiePoints(latitudes, longitudes, lines, samples)


def coded(tie_points: TiePoints) -> ChartMap:
    """Return a map whose three planes encode the row and column of each pixel."""
    rows, columns = np.mgrid[: GRID.height, : GRID.width]
    charts = np.stack([rows % 250, columns % 250, rows // 250 * 8 + columns // 250])
    flags = np.zeros(GRID.shape, np.uint8)
    return replace(
        chart_map(),
        grid=GRID,
        charts=charts.astype(np.uint8),
        flags=flags,
        tie_points=tie_points,
        decision=None,
    )


@pytest.mark.parametrize("crs", ["EPSG:3413", "EPSG:3995"])
@pytest.mark.parametrize(
    ("latitude", "longitude", "heading"),
    [(75.0, -60.0, -15.0), (75.0, 179.5, 195.0), (87.0, 10.0, -15.0)],
    ids=["ascending", "across the date line", "as far north as Sentinel-1 sees"],
)
def test_every_pixel_lands_where_its_latitude_and_longitude_are(
    crs: str, latitude: float, longitude: float, heading: float
) -> None:
    tie_points = swath(latitude, longitude, heading)
    scene = coded(tie_points)
    raster = raster_of(scene, crs, 80.0)
    warped = warp(scene.charts, scene, raster).astype(int)
    rows = warped[0] + 250 * (warped[2] // 8)
    columns = warped[1] + 250 * (warped[2] % 8)
    # Ask pyproj where the tie points are, and look up which pixel of the scene is there.
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(
        tie_points.longitude, tie_points.latitude
    )
    inside = (slice(1, -1), slice(1, -1))  # the outermost are on the edge
    at_y = np.floor((raster.top_m - y) / 80).astype(int)[inside]
    at_x = np.floor((x - raster.left_m) / 80).astype(int)[inside]
    off_y = rows[at_y, at_x] - tie_points.lines[1:-1, np.newaxis]
    off_x = columns[at_y, at_x] - tie_points.samples[1:-1]
    # Half a pixel of either grid, turned against each other.
    assert np.abs(off_y).max() < 1.25
    assert np.abs(off_x).max() < 1.25
    assert abs(off_y.mean()) < 0.25
    assert abs(off_x.mean()) < 0.25


def test_the_error_is_measured_and_below_a_pixel() -> None:
    error_m = geolocation_error_m(coded(swath(75.0, -60.0, -15.0)), "EPSG:3413")
    assert 0 < error_m < 80


def test_rasters_of_all_scenes_overlay_each_other() -> None:
    for longitude in (-60.0, -59.3):
        raster = raster_of(coded(swath(75.0, longitude, -15.0)), "EPSG:3413", 80.0)
        assert raster.left_m % 80 == raster.top_m % 80 == 0


def test_other_tools_find_classes_colours_and_places(tmp_path: Path) -> None:
    paths = write_geotiff(chart_map(), tmp_path, crs="EPSG:3413")
    names = [f"20180607T184326_dmi_{name}.tif" for name in ("SIC", "SOD", "FLOE")]
    assert [path.name for path in paths[:3]] == names
    with rasterio.open(paths[0]) as file:
        assert file.crs.to_epsg() == 3413
        assert file.nodata == CHART_FILL
        assert file.res == (80, 80)
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.tags()["UNITS"] == "%"
        assert float(file.tags()["GEOLOCATION_ERROR_M"]) < 80
        assert set(np.unique(file.read(1))) <= {*range(0, 101, 10), 254, CHART_FILL}
        assert file.colormap(1)[100][3] == 255
        assert file.colormap(1)[CHART_FILL][3] == 0
    with rasterio.open(paths[1]) as file:
        assert set(np.unique(file.read(1))) == {*range(6), 254, CHART_FILL}
        assert file.tags()["CLASSES"].startswith("0 open water; 1 new ice; 2 young ice")


def test_coarser_pixels_on_request(tmp_path: Path) -> None:
    path, *_ = write_geotiff(chart_map(), tmp_path, crs="EPSG:3995", spacing_m=400)
    with rasterio.open(path) as file:
        assert file.res == (400, 400)
        assert file.crs.to_epsg() == 3995


@pytest.mark.parametrize(
    ("spacing_m", "words"),
    [
        (0.0, "must be finite and above 0 m, got 0"),
        (np.inf, "must be finite and above 0 m, got inf"),
        (np.nan, "must be finite and above 0 m, got nan"),
        (1e9, r"a pixel of 1e\+09 m is larger than the map, \d{4} m"),
        (1e-3, r"at 0.001 m the map becomes \d+ x \d+ pixels, more than"),
    ],
)
def test_a_spacing_that_does_not_suit_the_map_is_refused(
    tmp_path: Path, spacing_m: float, words: str
) -> None:
    with pytest.raises(MapError, match=words):
        write_geotiff(chart_map(), tmp_path, crs="EPSG:3413", spacing_m=spacing_m)
    assert list(tmp_path.iterdir()) == []


def test_a_mixture_of_old_and_new_files_does_not_look_complete(tmp_path: Path) -> None:
    sic, sod, floe = write_geotiff(chart_map(), tmp_path, crs="EPSG:3413")[:3]
    sod.unlink()
    sod.mkdir()  # nothing can take the place of a folder
    with pytest.raises(MapError, match=r"cannot write '.*_SOD\.tif'"):
        write_geotiff(chart_map(), tmp_path, crs="EPSG:3413")
    assert sic.exists()
    assert not floe.exists()


@pytest.mark.parametrize(
    ("latitudes", "words"),
    [
        ([[75.0, 75.0, 75.0], [75.0, 74.9, 74.9]], "tie points coincide or cross"),
        ([[75.0, 75.0, 75.0], [74.9, 75.1, 74.9]], "tie points coincide or cross"),
        ([[75.0, 75.0, 75.0], [74.9, -74.9, 74.9]], "tie point is at latitude -74.9"),
    ],
    ids=["two in one place", "crossed", "in the south"],
)
def test_tie_points_that_do_not_say_where_pixels_are_are_refused(
    tmp_path: Path, latitudes: list[list[float]], words: str
) -> None:
    longitudes = np.array([[-60.0, -59.9, -59.8]] * 2)
    rows, columns = np.array([0.0, 59.0]), np.array([0.0, 40.0, 79.0])
    tie_points = TiePoints(np.array(latitudes), longitudes, rows, columns)
    with pytest.raises(MapError, match=words):
        write_geotiff(
            replace(chart_map(), tie_points=tie_points), tmp_path, crs="EPSG:3413"
        )


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(MapError, match=r"cannot write '.*nowhere/.*_SIC\.qml'"):
        write_geotiff(chart_map(), tmp_path / "nowhere", crs="EPSG:3413")


def test_data_of_another_installation_do_not_stop_a_format(
    tmp_path: Path,
) -> None:
    (tmp_path / "maps").mkdir()
    write_netcdf(chart_map(), tmp_path / "maps" / "map.nc")
    convert_maps(tmp_path / "maps", tmp_path / "here", ["tif", "gpkg"])
    (tmp_path / "empty").mkdir()
    names = ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "GDAL_DRIVER_PATH")
    command = [SEAICE, "convert", "maps", "--to", "tif", "--to", "gpkg", "--out", "there"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, **dict.fromkeys(names, str(tmp_path / "empty"))},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for path in (tmp_path / "here").glob("*.tif"):
        assert path.read_bytes() == (tmp_path / "there" / path.name).read_bytes()
    assert len([*(tmp_path / "there").iterdir()]) == 9 + 2


def test_a_format_without_a_driver_does_not_stop_the_others(
    tmp_path: Path,
) -> None:
    (tmp_path / "maps").mkdir()
    write_netcdf(chart_map(), tmp_path / "maps" / "map.nc")
    command = [SEAICE, "convert", "maps", "--out", "charts"]
    done = subprocess.run(
        [*command, "--to", "tif", "--to", "shp", "--to", "submission"],
        cwd=tmp_path,
        env={**os.environ, "GDAL_SKIP": "COG"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "left out: map as tif: GDAL says: " in done.stderr
    assert "COG" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "charts" / "submission.nc").is_file()
    assert not [*(tmp_path / "charts").glob("*.tif")]
    assert len([*(tmp_path / "charts").iterdir()]) == 1 + 6


def test_gdal_finds_names_and_land_apart_from_no_data(tmp_path: Path) -> None:
    scene = map_at(75, -60)
    scene.flags[:20, 280:] = 1  # no SAR
    scene.charts[:, :20, 280:] = CHART_FILL
    paths = write_geotiff(scene, tmp_path, crs="EPSG:3413")
    rows = {row[0]: row[1:] for row in attribute_table(paths[1])}
    assert rows["0"][0] == "open water"
    assert rows["5"] == ["old ice", "180", "100", "50", "255"]  # as in pictures
    assert rows["254"][0] == "land"
    assert rows["255"] == ["no data", "255", "255", "255", "0"]
    with rasterio.open(paths[1]) as file:
        values, n_pixels = np.unique(file.read(1), return_counts=True)
        assert file.colormap(1)[254] == (0xD9, 0xCF, 0xB8, 255)
    areas = dict(zip(values.tolist(), n_pixels.tolist(), strict=True))
    # 20 x 20 pixels are land; open water has a quarter without land and no SAR.
    assert areas[254] == pytest.approx(400, rel=0.05)
    assert areas[0] == pytest.approx(120 * 150 - 400, rel=0.05)
    assert paths[0].with_suffix(".qml").read_bytes().startswith(b"<!DOCTYPE qgis")


def test_uncertainty_and_flags_are_files_of_their_own(tmp_path: Path) -> None:
    scene = map_at(75, -60)
    scene.flags[30, 30] = 3
    path, style, flags, *_ = write_uncertainty(scene, tmp_path, crs="EPSG:3413")
    with rasterio.open(path) as file:
        assert file.descriptions == (
            "concentration", "entropy_sic", "entropy_sod", "entropy_floe",
        )  # fmt: skip
        assert file.scales == pytest.approx((0.5, 0.004, 0.004, 0.004))
        assert file.units == ("%", "1", "1", "1")
        assert set(np.unique(file.read())) == {50, CHART_FILL}
    assert style == path.with_suffix(".qml")
    assert 'type="singlebandpseudocolor" band="1"' in style.read_text()
    for value, colour in zip((0, 100), WMO_COLOURS["SIC"][::10], strict=True):
        assert f'value="{value}" label="{value} %" color="{colour}"' in style.read_text()
    with rasterio.open(flags) as file:
        assert set(np.unique(file.read(1))) >= {0, 2, CHART_FILL}
    rows = {row[0]: row[1] for row in attribute_table(flags)}
    assert (rows["0"], rows["2"], rows["3"]) == ("none", "land", "no sar, land")
    assert rows["255"] == "outside the scene"


def test_classes_have_the_colours_of_the_pictures(tmp_path: Path) -> None:
    for path in write_geotiff(chart_map(), tmp_path, crs="EPSG:3413")[:3]:
        chart = path.stem.rsplit("_", 1)[1]
        step = 10 if chart == "SIC" else 1
        style = path.with_suffix(".qml").read_text()
        with rasterio.open(path) as file:
            colours = file.colormap(1)
        for number, colour in enumerate(WMO_COLOURS[chart]):
            assert bytes(colours[step * number][:3]) == bytes.fromhex(colour[1:])
            assert f'value="{step * number}" color="{colour}"' in style


def test_land_has_one_colour_whatever_else_is_known_of_it(tmp_path: Path) -> None:
    _, _, flags, *_ = write_uncertainty(chart_map(), tmp_path, crs="EPSG:3413")
    with rasterio.open(flags) as file:
        colours = file.colormap(1)
    land = bytes.fromhex(LAND_COLOUR[1:])
    assert {bytes(colours[value][:3]) for value in (2, 3, 6, 10, 15)} == {land}
    assert bytes(colours[1][:3]) != land


def test_a_map_without_uncertainty_is_refused(tmp_path: Path) -> None:
    scene = replace(map_at(75, -60), decision=None)
    with pytest.raises(MapError, match="does not contain its uncertainty"):
        write_uncertainty(scene, tmp_path, crs="EPSG:3413")
    assert list(tmp_path.iterdir()) == []

import os
import resource
import shutil
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import h5py
import netCDF4
import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.crs import CRS
from rasterio.warp import reproject
from scipy.ndimage import binary_dilation, binary_erosion
from shapely import box
from support.chart_maps import GRID, chart_map, decision
from support.swaths import distance_m, swath, vectors

from seaice_data.charts import CHART_FILL
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_model.errors import MapError
from seaice_model.formats.convert import PlacedFormat, convert_maps
from seaice_model.formats.raster import raster_of, warp
from seaice_model.formats.submission import Submission, charts_everywhere
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.netcdf import write_netcdf

OTHER = "20180714T120000_cis"
N_TIF = 9  # one GeoTIFF a chart, each with a style and names of classes
N_GPKG = 2  # with a style
N_SHP = 6


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    """Return a folder with two maps."""
    (tmp_path / "maps").mkdir()
    for scene in (chart_map().scene, OTHER):
        write_netcdf(replace(chart_map(), scene=scene), tmp_path / "maps" / f"{scene}.nc")
    return tmp_path / "maps"


def test_a_submission_has_the_form_that_the_challenge_requires(
    maps: Path, tmp_path: Path
) -> None:
    report = convert_maps(maps, tmp_path / "out", ["submission"])
    assert report.written == (tmp_path / "out" / "submission.nc",)
    with netCDF4.Dataset(report.written[0]) as file:
        file.set_auto_mask(False)
        scenes = (chart_map().scene, OTHER)
        names = [f"{scene}_{chart}" for scene in scenes for chart in ("SIC", "SOD", "FLOE")]
        assert set(file.variables) == set(names)
        for name in names:
            variable = file[name]
            assert variable.dtype == np.uint8
            assert variable.dimensions == (f"{name}_dim0", f"{name}_dim1")
            assert variable.shape == GRID.shape
            assert variable.filters()["zlib"]
            assert variable.filters()["complevel"] == 1
        sod = file[names[1]][:]
    # Land has a class too: the challenge scores every pixel that has one in the chart.
    shown = chart_map().charts[1] != CHART_FILL
    assert not shown.all()
    np.testing.assert_array_equal(sod[shown], chart_map().charts[1][shown])
    assert (sod < 6).all()
    with Submission(report.written[0]) as submission:
        assert submission.scenes == scenes


def test_a_map_of_40_m_gives_the_submission_of_80_m() -> None:
    coarse = chart_map()
    assert coarse.decision is not None
    # 121 x 160 pixels of 40 m: the last row is half a pixel of 80 m.
    rows = np.minimum(np.arange(121) // 2, 59)
    fine = replace(
        coarse,
        grid=Grid(121, 160, 40.0),
        decision=replace(
            coarse.decision,
            rows=coarse.decision.rows[rows],
            columns=coarse.decision.columns[np.arange(160) // 2],
        ),
    )
    np.testing.assert_array_equal(charts_everywhere(fine), charts_everywhere(coarse))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (replace(chart_map(), decision=None), "does not say what was decided on land"),
        (replace(chart_map(), grid=Grid(60, 80, 800.0)), "has pixels of 800 m"),
    ],
)
def test_a_map_that_cannot_be_submitted_says_why(
    tmp_path: Path, changed: ChartMap, words: str
) -> None:
    write_netcdf(changed, tmp_path / "map.nc")
    with pytest.raises(MapError, match=words) as caught:
        convert_maps(tmp_path / "map.nc", tmp_path / "out", ["submission"])
    assert "seaice predict" in str(caught.value.hint)
    assert list((tmp_path / "out").iterdir()) == []


def test_two_maps_of_a_scene_are_not_submitted(maps: Path, tmp_path: Path) -> None:
    write_netcdf(chart_map(), maps / "copy.nc")
    with pytest.raises(MapError, match="has two maps"):
        convert_maps(maps, tmp_path / "out", ["submission"])


def test_a_bad_map_does_not_stop_the_others(maps: Path, tmp_path: Path) -> None:
    (maps / "bad.nc").write_text("half")
    steps: list[tuple[int, int, str]] = []
    report = convert_maps(
        maps,
        tmp_path / "out",
        ["tif", "shp"],
        progress=lambda *step: steps.append(step),
    )
    assert [(failure.scene, failure.kind) for failure in report.failed] == [("bad", None)]
    assert "cannot read map" in report.failed[0].reason
    stems = {path.stem for path in report.written if path.suffix in (".tif", ".shp")}
    assert stems == {
        stem
        for scene in (chart_map().scene, OTHER)
        for stem in (scene, *(f"{scene}_{chart}" for chart in ("SIC", "SOD", "FLOE")))
    }
    assert [step[:2] for step in steps] == [(1, 3), (2, 3), (3, 3)]


def test_polygons_that_are_too_large_are_written_again(maps: Path, tmp_path: Path) -> None:
    before = convert_maps(maps, tmp_path / "out", ["shp"])
    assert convert_maps(maps, tmp_path / "out", ["shp"], max_kb=1e6).written == ()
    most_kb = 0.9 * before.n_bytes / 2 / 1000
    again = convert_maps(maps, tmp_path / "out", ["shp"], max_kb=most_kb)
    assert (len(again.written), again.kept, again.failed) == (len(before.written), (), ())
    assert again.n_bytes <= 2 * 1000 * most_kb
    assert convert_maps(maps, tmp_path / "out", ["shp"], max_kb=most_kb).written == ()


def test_a_geopackage_that_is_too_large_is_written_again(
    maps: Path, tmp_path: Path
) -> None:
    _, large, _, small = convert_maps(maps, tmp_path / "out", ["gpkg"]).written
    with large.open("ab") as file:
        file.write(bytes(100_000))
    again = convert_maps(maps, tmp_path / "out", ["gpkg"], max_kb=150)
    assert [path for path in again.written if path.suffix == ".gpkg"] == [large]
    assert (again.kept[-1], again.failed) == (small, ())
    assert large.stat().st_size < 150_000


def test_a_geopackage_of_others_is_left_alone(maps: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    theirs = tmp_path / "out" / f"{OTHER}.gpkg"
    frame = gpd.GeoDataFrame({"CT": ["92"], "POLY_TYPE": ["I"]}, geometry=[box(0, 0, 1, 1)])
    frame.set_crs("EPSG:3413").to_file(theirs)
    before = theirs.read_bytes()
    report = convert_maps(maps, tmp_path / "out", ["gpkg"], max_kb=1)
    assert "did not write" in report.failed[-1].reason
    assert theirs.read_bytes() == before


def test_a_size_of_polygons_does_not_touch_other_formats(
    maps: Path, tmp_path: Path
) -> None:
    convert_maps(maps, tmp_path / "out", ["nc"])
    again = convert_maps(maps, tmp_path / "out", ["nc"], max_kb=0.1)
    assert (len(again.kept), again.failed) == (2, ())


def test_files_that_exist_are_kept_unless_asked(maps: Path, tmp_path: Path) -> None:
    formats = ("tif", "submission")
    convert_maps(maps, tmp_path / "out", formats, spacing_m=400.0)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    report = convert_maps(maps, tmp_path / "out", ["tif"], spacing_m=400.0)
    assert (report.written, report.failed) == ((), ())
    assert {*report.kept} == {path for path in before if path.suffix != ".nc"}
    with pytest.raises(MapError, match=r"there is a file at '.*submission\.nc'"):
        convert_maps(maps, tmp_path / "out", ["submission"])
    assert before == {path: path.stat().st_mtime_ns for path in before}
    report = convert_maps(maps, tmp_path / "out", formats, spacing_m=400.0, overwrite=True)
    assert (len(report.written), report.kept) == (2 * N_TIF + 1, ())
    assert all(path.stat().st_mtime_ns > time for path, time in before.items())


def test_another_format_can_be_added_later(maps: Path, tmp_path: Path) -> None:
    convert_maps(maps, tmp_path / "out", ["tif"])
    report = convert_maps(maps, tmp_path / "out", ["tif", "gpkg", "tif"])
    assert {path.suffix for path in report.kept} == {".tif", ".qml", ".xml"}
    assert len(report.kept) == 2 * N_TIF
    assert {path.stem for path in report.written} == {chart_map().scene, OTHER}
    assert report.failed == ()


def test_an_incomplete_set_of_files_is_written_again(maps: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert_maps(maps, out, ["shp", "tif"])
    (out / f"{OTHER}.shx").unlink()
    (out / f"{OTHER}_SOD.tif").unlink()
    report = convert_maps(maps, out, ["shp", "tif"])
    assert {path.name[: len(OTHER)] for path in report.written} == {OTHER}
    assert (out / f"{OTHER}.shx").exists()
    assert (out / f"{OTHER}_SOD.tif").exists()


def test_a_format_that_fails_does_not_stop_the_others(maps: Path, tmp_path: Path) -> None:
    formats = ("shp", "tif", "gpkg")
    report = convert_maps(maps, tmp_path / "out", formats, max_kb=0.1)
    failed = [(failure.scene, failure.kind) for failure in report.failed]
    scenes = sorted((chart_map().scene, OTHER))
    assert failed == [(scene, kind) for scene in scenes for kind in ("shp", "gpkg")]
    assert {path.suffix for path in report.written} == {".tif", ".qml", ".xml"}
    assert len(report.written) == 2 * N_TIF


def test_a_damaged_map_fails_once(maps: Path, tmp_path: Path) -> None:
    with h5py.File(maps / f"{OTHER}.nc", "a") as file:
        file["latitude"][0, 0] = np.nan
    report = convert_maps(maps, tmp_path / "out", ["tif", "gpkg"])
    assert [(failure.scene, failure.kind) for failure in report.failed] == [(OTHER, None)]
    assert "'latitude' must be from -90 to 90, got nan" in report.failed[0].reason
    assert len(report.written) == N_TIF + N_GPKG


def test_a_damaged_map_does_not_replace_a_good_one_of_its_scene(
    maps: Path, tmp_path: Path
) -> None:
    shutil.copy(maps / f"{OTHER}.nc", maps / "whole.nc")
    with h5py.File(maps / f"{OTHER}.nc", "a") as file:
        file["latitude"][0, 0] = np.nan
    report = convert_maps(maps, tmp_path / "out", ["gpkg"])
    assert [failure.scene for failure in report.failed] == [OTHER]
    assert tmp_path / "out" / f"{OTHER}.gpkg" in report.written


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_second_map_of_a_scene_is_left_out(
    maps: Path, tmp_path: Path, overwrite: bool
) -> None:
    write_netcdf(chart_map(), maps / "copy.nc")
    formats = ("tif", "gpkg")
    report = convert_maps(maps, tmp_path / "out", formats, overwrite=overwrite)
    assert [(failure.scene, failure.kind) for failure in report.failed] == [("copy", None)]
    assert "has two maps: " in report.failed[0].reason
    assert "copy.nc'" in report.failed[0].reason
    assert len(report.written) == len({*report.written}) == 2 * (N_TIF + N_GPKG)


@pytest.mark.parametrize("spacing_m", [0.0, -80.0, np.inf, np.nan])
def test_an_invalid_spacing_is_refused_before_anything_is_written(
    maps: Path, tmp_path: Path, spacing_m: float
) -> None:
    with pytest.raises(MapError, match="spacing must be finite and above 0 m"):
        convert_maps(maps, tmp_path / "out", ["tif"], spacing_m=spacing_m)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("crs", "kind", "words"),
    [
        ("EPSG:99999", "gpkg", "unknown projection 'EPSG:99999'"),
        ("north", "gpkg", "unknown projection 'north'"),
        ("EPSG:4326", "tif", "'EPSG:4326' is not a projection in metres"),
        ("EPSG:4326", "grid", "'EPSG:4326' is not a projection in metres"),
        ("EPSG:4267", "gpkg", "'EPSG:4267' is not a projection in metres"),
        ("EPSG:2225", "gpkg", "'EPSG:2225' is not a projection in metres"),  # in feet
    ],
)
def test_a_projection_that_does_not_suit_is_refused(
    maps: Path, tmp_path: Path, crs: str, kind: PlacedFormat, words: str
) -> None:
    with pytest.raises(MapError, match=words) as caught:
        convert_maps(maps, tmp_path / "out", [kind], crs=crs)
    assert "EPSG:3413" in str(caught.value.hint)
    assert not (tmp_path / "out").exists()


def test_four_tie_points_are_enough(tmp_path: Path) -> None:
    corners = TiePoints(
        np.array([[75.0, 75.0], [74.9, 74.9]]),
        np.array([[-60.0, -59.8], [-60.0, -59.8]]),
        np.array([0.0, 59.0]),
        np.array([0.0, 79.0]),
    )
    write_netcdf(replace(chart_map(), tie_points=corners), tmp_path / "map.nc")
    report = convert_maps(tmp_path / "map.nc", tmp_path / "out", ["tif", "gpkg"])
    assert report.failed == ()
    assert len(report.written) == N_TIF + N_GPKG


@pytest.mark.parametrize("scene", ["../../stolen/evil", "{}/stolen/evil", "a/b", "x" * 240])
def test_nothing_is_written_outside_of_the_folder(
    maps: Path, tmp_path: Path, scene: str
) -> None:
    stolen = tmp_path / "stolen" / "evil_SIC.tif"
    stolen.parent.mkdir()
    stolen.write_text("mine")
    with h5py.File(maps / f"{OTHER}.nc", "a") as file:
        file.attrs["scene"] = scene.format(tmp_path)
    report = convert_maps(maps, tmp_path / "a" / "out", ["tif", "shp"])
    assert [(failure.scene, failure.kind) for failure in report.failed] == [(OTHER, None)]
    assert "is not a scene id" in report.failed[0].reason
    assert len(report.written) == N_TIF + N_SHP
    assert {path.parent for path in report.written} == {tmp_path / "a" / "out"}
    assert [path.read_text() for path in stolen.parent.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("tif", f"{OTHER}_SOD.tif"), ("tif", f"{OTHER}_FLOE.tif"), ("shp", f"{OTHER}.dbf"),
        ("shp", f"{OTHER}.prj"), ("shp", f"{OTHER}.shp"),
        ("shp", f"{OTHER}.xml"), ("gpkg", f"{OTHER}.qml"), ("tif", f"{OTHER}_SIC.qml"),
        ("tif", f"{OTHER}_SIC.tif.aux.xml"), ("uncertainty", f"{OTHER}_flags.tif"),
    ],
)  # fmt: skip
def test_files_of_others_are_not_replaced_without_overwrite(
    maps: Path, tmp_path: Path, kind: PlacedFormat, name: str
) -> None:
    theirs = tmp_path / "out" / name
    theirs.parent.mkdir()
    theirs.write_text("mine")
    report = convert_maps(maps, theirs.parent, [kind])
    assert [(failure.scene, failure.kind) for failure in report.failed] == [(OTHER, kind)]
    assert f"{name}' that seaice did not write" in report.failed[0].reason
    assert "--overwrite" in str(report.failed[0].hint)
    assert theirs.read_text() == "mine"
    assert (
        len(report.written) == len(convert_maps(maps, tmp_path / "two", [kind]).written) / 2
    )
    assert convert_maps(maps, theirs.parent, [kind], overwrite=True).failed == ()
    assert theirs.read_bytes() != b"mine"


def test_folders_whose_names_are_not_utf_8_get_every_format(
    maps: Path, tmp_path: Path
) -> None:
    formats: tuple[PlacedFormat, ...] = ("tif", "shp", "gpkg")
    plain = convert_maps(maps, tmp_path / "plain", formats)
    report = convert_maps(maps, tmp_path / os.fsdecode(b"K\xf8benhavn"), formats)
    assert report.failed == ()
    for path, twin in zip(report.written, plain.written, strict=True):
        assert path.suffix == ".gpkg" or path.read_bytes() == twin.read_bytes()
    names = {path.name for path in plain.written}
    assert {path.name for path in report.written[0].parent.iterdir()} == names


def test_ice_charts_of_others_are_not_mistaken_for_ours(maps: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    fields = [name.ljust(11, "\0") + "C\0\0\0\0\2".ljust(21, "\0") for name in (
        "CT", "CA", "SA", "FA", "CB", "SB", "FB", "POLY_TYPE",
    )]  # fmt: skip
    table, outlines = out / f"{OTHER}.dbf", out / f"{OTHER}.shp"
    table.write_bytes(bytes(32) + "".join(fields).encode() + b"\r")
    outlines.write_text("mine")  # and no .cpg, which other software does not write
    report = convert_maps(maps, out, ["shp"])
    assert [(failure.scene, failure.kind) for failure in report.failed] == [(OTHER, "shp")]
    assert outlines.read_text() == "mine"


@pytest.mark.parametrize(
    ("kind", "n_bytes"),
    # GDAL does not notice the third: the end of the table is written when it is closed.
    [
        ("shp", 10), ("shp", 1_000), ("shp", 7_000), ("gpkg", 400), ("gpkg", 20_000),
        ("tif", 0), ("tif", 1_000),
    ],
)  # fmt: skip
def test_a_full_disk_leaves_no_partial_files(
    maps: Path, tmp_path: Path, kind: PlacedFormat, n_bytes: int
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        report = convert_maps(maps, tmp_path / "out", [kind])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert report.written == ()
    assert [failure.kind for failure in report.failed] == [kind, kind]
    for failure in report.failed:
        assert failure.reason.startswith("cannot write ")
        assert len(failure.reason) < len(str(tmp_path)) + 200
        assert "\n" not in failure.reason
    assert [*(tmp_path / "out").iterdir()] == []


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_gdal_places_every_pixel_of_netcdf_with_places(tmp_path: Path) -> None:
    grid = Grid(120, 150, 400.0)
    points = swath(83.0, 179.8, grid)
    is_marked = np.zeros(grid.shape, bool)
    is_marked[30:60, 50:100] = True
    wide = replace(
        chart_map(),
        grid=grid,
        tie_points=points,
        charts=np.stack([is_marked.astype(np.uint8)] * 3),
        flags=np.zeros(grid.shape, np.uint8),
        decision=replace(
            decision(),
            rows=np.arange(120) // 20,
            columns=np.minimum(np.arange(150) // 20, 7),
        ),
    )
    write_netcdf(wide, tmp_path / "map.nc")
    report = convert_maps(tmp_path / "map.nc", tmp_path / "out", ["nc"])
    (path,) = report.written
    assert path.name == f"{wide.scene}_pixels.nc"
    with rasterio.open(f"netcdf:{path}:stage_of_development") as file:
        np.testing.assert_array_equal(file.read(1), is_marked)
        about = file.tags(ns="GEOLOCATION")
        assert about["GEOREFERENCING_CONVENTION"] == "PIXEL_CENTER"
    places = []
    for name in ("X_DATASET", "Y_DATASET"):
        with rasterio.open(about[name]) as file:
            places.append(file.read(1))
    every = swath(83.0, 179.8, grid, n_points=grid.shape)
    found, expected = vectors(*places[::-1]), vectors(every.latitude, every.longitude)
    assert distance_m(found, expected).max() < 10
    # As `gdalwarp -geoloc` does, within a pixel of where we place it.
    raster = raster_of(wide, "EPSG:3413", 400.0)
    warped = np.zeros(raster.shape, np.uint8)
    reproject(
        is_marked.astype(np.uint8), warped, src_geoloc_array=np.stack(places),
        src_crs=CRS.from_epsg(4326), dst_crs=CRS.from_string(raster.crs),
        dst_transform=raster.transform,
    )  # fmt: skip
    ours = warp(wide.charts[1:2], wide, raster)[0] == 1
    square = np.ones((3, 3), bool)
    assert ours.any()
    assert not (binary_erosion(ours, square) & (warped == 0)).any()
    assert not ((warped == 1) & ~binary_dilation(ours, square)).any()
    with xr.open_dataset(path) as dataset:
        assert {"latitude", "longitude", "time"} <= {*dataset.sea_ice_area_fraction.coords}
        entropy = dataset.entropy_sod.values
        np.testing.assert_allclose(entropy[45, 145], decision().entropy_of("SOD")[2, 7])
    assert convert_maps(tmp_path / "map.nc", tmp_path / "out", ["nc"]).kept == (path,)

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest
import xarray as xr
from support.learnable_scenes import tie_points

from seaice_data.arrays import ChartArray
from seaice_data.charts import CHART_FILL
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_model.errors import MapError
from seaice_model.maps.chart_map import ADDED_TEXTS, ChartMap, Provenance
from seaice_model.maps.netcdf import describe, read_netcdf, write_netcdf

GRID = Grid(60, 80, 80.0)
NOT_SCENES = (
    "../../x", "/etc/x", "", ".hidden", "x" * 240, 'x"><script>alert(1)</script>',
    "20180607T184326_dmi\n", "20180607T184326_dmi/../x", "20180607T184326_XYZ",
    "\N{ARABIC-INDIC DIGIT TWO}0180607T184326_dmi", "20181307T184326_dmi",
)  # fmt: skip


def charts() -> ChartArray:
    planes = np.random.default_rng(0).integers(0, 6, (3, *GRID.shape), np.uint8)
    planes[0, 0, :11] = np.arange(11)
    planes[:, 1, 2] = CHART_FILL
    return planes


@pytest.fixture
def chart_map() -> ChartMap:
    flags = np.zeros(GRID.shape, np.uint8)
    flags[1, 2] = 2
    return ChartMap(
        scene="20180607T184326_dmi",
        acquired=datetime(2018, 6, 7, 18, 43, 26, tzinfo=UTC),
        grid=GRID,
        charts=charts(),
        flags=flags,
        tie_points=tie_points(GRID),
        provenance=Provenance(
            run="run",
            weights="abc",
            epochs=(7,),
            store="store.zarr",
            store_fingerprint="def",
            software="seaice 0",
        ),
    )


@pytest.fixture
def path(tmp_path: Path, chart_map: ChartMap) -> Path:
    write_netcdf(chart_map, tmp_path / "map.nc")
    return tmp_path / "map.nc"


def test_a_map_survives_being_written_and_read(path: Path, chart_map: ChartMap) -> None:
    again = read_netcdf(path)
    np.testing.assert_array_equal(again.charts, chart_map.charts)
    np.testing.assert_array_equal(again.flags, chart_map.flags)
    assert (again.scene, again.acquired) == (chart_map.scene, chart_map.acquired)
    assert (again.grid, again.provenance) == (GRID, chart_map.provenance)
    assert describe(path).provenance == chart_map.provenance


def test_every_pixel_keeps_its_place_on_earth(path: Path, chart_map: ChartMap) -> None:
    pixels = np.arange(60.0), np.arange(80.0)
    ours, written = chart_map.tie_points, read_netcdf(path).tie_points
    np.testing.assert_allclose(written.places(*pixels), ours.places(*pixels), atol=1e-6)


def test_concentration_is_percent_and_fill_is_nan_for_xarray(path: Path) -> None:
    with xr.open_dataset(path) as dataset:
        percent = dataset["sea_ice_area_fraction"]
        assert percent.attrs["units"] == "%"
        assert percent.values[0, :11].tolist() == list(range(0, 101, 10))
        assert np.isnan(percent.values[1, 2])


def test_classes_stay_integers_with_their_meanings(path: Path) -> None:
    with xr.open_dataset(path) as dataset:
        stage = dataset["stage_of_development"]
        assert stage.dtype == np.uint8
        meanings = stage.attrs["flag_meanings"].split()
        assert len(meanings) == len(stage.attrs["flag_values"])
        assert meanings[4:] == ["thick_first_year_ice", "old_ice", "no_data"]
        assert dataset["status_flag"].values[1, 2] == 2
        assert dataset["time"].values == np.datetime64("2018-06-07T18:43:26")


def test_longitudes_are_continuous_across_the_date_line(
    tmp_path: Path, chart_map: ChartMap
) -> None:
    points = chart_map.tie_points
    east = points.longitude - points.longitude[0, 0] + 179.9
    wrapped = replace(points, longitude=(east + 180) % 360 - 180)
    assert (wrapped.longitude < 0).any()
    write_netcdf(replace(chart_map, tie_points=wrapped), tmp_path / "map.nc")
    with netCDF4.Dataset(tmp_path / "map.nc") as dataset:
        steps = np.diff(dataset["longitude"][:], axis=1)
        assert 0 < steps.min() < steps.max() < 0.1
    again = read_netcdf(tmp_path / "map.nc").tie_points
    pixels = np.array([0.0, 31.0]), np.array([7.0, 66.0])
    np.testing.assert_allclose(again.places(*pixels), wrapped.places(*pixels), atol=1e-6)


def test_planes_are_compressed_bytes(path: Path) -> None:
    with netCDF4.Dataset(path) as dataset:
        for name in ("sea_ice_area_fraction", "floe_size", "status_flag"):
            assert dataset[name].dtype == np.uint8
            assert dataset[name].filters()["zlib"]


def test_other_files_are_not_maps(tmp_path: Path) -> None:
    with pytest.raises(MapError, match="no map at"):
        read_netcdf(tmp_path / "none.nc")
    (tmp_path / "text.nc").write_text("x")
    with pytest.raises(MapError, match="cannot read map"):
        read_netcdf(tmp_path / "text.nc")
    xr.Dataset({"a": 1}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(MapError, match="is not a map of seaice"):
        read_netcdf(tmp_path / "other.nc")


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path, chart_map: ChartMap) -> None:
    with pytest.raises(MapError, match=r"cannot write map '.*nowhere/map\.nc'") as caught:
        write_netcdf(chart_map, tmp_path / "nowhere" / "map.nc")
    assert "make its folder first" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("scene", 5, "attribute 'scene' must be text, got 5"),
        *(("scene", name, "is not a (scene id|time)") for name in NOT_SCENES),
        ("scene", ["a", "b"], r"'scene' must be text, got \['a' 'b'\]"),
        ("scene", h5py.Empty("f"), "attribute 'scene' must be text, got"),
        ("run", np.bytes_(b"run\xff"), r"'run' is not text in UTF-8: run\\udcff"),
        ("run", "x" * 10_001, "attribute 'run' has 10001 letters"),
        ("grid_name", "<b>", "'grid_name' must be one of original, 80m, store, got '<b>'"),
        ("scene_use", "known", "'scene_use' must be one of unseen, validated, trained"),
        ("epochs", [1, -1], r"'epochs' must be from 0 to 2147483647, got \[ 1 -1\]"),
        ("epochs", np.ones((2, 2), int), "'epochs' must be whole numbers, got"),
        ("acquired", "yesterday", "'acquired' must be a time, got 'yesterday'"),
        ("acquired", "2018-06-07", "'acquired' has no time zone"),
        ("acquired", 7, "'acquired' must be text"),
        ("epochs", "x", "'epochs' must be whole numbers, got x"),
        ("weights", 1.5, "'weights' must be text"),
        ("pixel_spacing_m", "x", "'pixel_spacing_m' must be from 1 to 1000000, got x"),
        ("pixel_spacing_m", -80.0, "'pixel_spacing_m' must be from 1 to .*, got -80"),
        ("pixel_spacing_m", 1e-9, "'pixel_spacing_m' must be from 1 to .*, got 1e-09"),
        ("pixel_spacing_m", 8e7, "'pixel_spacing_m' must be from 1 to .*, got 8"),
        ("pixel_spacing_m", np.nan, "'pixel_spacing_m' must be from 1 to .*, got nan"),
        ("run", None, "attribute 'run' is missing"),
    ],
)
def test_a_damaged_attribute_is_named(
    path: Path, name: str, value: Any, words: str
) -> None:
    with h5py.File(path, "a") as file:
        if value is None:
            del file.attrs[name]
        else:
            file.attrs[name] = value
    with pytest.raises(MapError, match=rf"map '.*map\.nc' is damaged: .*{words}") as caught:
        read_netcdf(path)
    assert "seaice predict" in str(caught.value.hint)
    if name in ("scene", "epochs", "weights", "run", "grid_name", "scene_use"):
        with pytest.raises(MapError, match=words):
            describe(path)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("stage_of_development", 9, "SOD has no class 9"),
        ("floe_size", 7, "FLOE has no class 7"),
        ("sea_ice_area_fraction", 37, "SIC has no class 37 %"),
        ("sea_ice_area_fraction", 110, "SIC has no class 110 %"),
    ],
)
def test_a_value_that_is_not_a_class_is_named(
    path: Path, name: str, value: int, words: str
) -> None:
    with h5py.File(path, "a") as file:
        file[name][3, 4] = value
    with pytest.raises(MapError, match=rf"map '.*map\.nc' is damaged: {words}"):
        read_netcdf(path)


@pytest.mark.parametrize(
    ("name", "at", "value", "words"),
    [
        ("latitude", (2, 3), np.nan, "'latitude' must be from -90 to 90, got nan"),
        ("latitude", (2, 3), 200.0, "'latitude' must be from -90 to 90, got 200"),
        ("longitude", (2, 3), np.inf, "'longitude' must be from -540 to 540, got inf"),
        ("longitude", (2, 3), -541.0, "'longitude' must be from -540 to 540, got -541"),
        ("tie_y_index", ..., 0, "'tie_y_index' must run from 0 to 59, got 0 to 0"),
        ("tie_x_index", 0, 1, "'tie_x_index' must run from 0 to 79, got 1 to 79"),
        ("tie_y_index", -1, 5900, "'tie_y_index' must run from 0 to 59, got 0 to 5900"),
        ("tie_y_index", 1, 0, "'tie_y_index' must increase, got 0 after 0"),
        ("tie_x_index", 2, 1, "'tie_x_index' must increase, got 1 after"),
    ],
)
def test_tie_points_that_cannot_place_pixels_are_named(
    path: Path, name: str, at: Any, value: float, words: str
) -> None:
    with h5py.File(path, "a") as file:
        file[name][at] = value
    with pytest.raises(MapError, match=rf"map '.*map\.nc' is damaged: {words}"):
        read_netcdf(path)


def test_a_map_with_flipped_bytes_is_read_or_refused_with_a_map_error(path: Path) -> None:
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    n_refused = 0
    for _ in range(200):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 20):
            damaged[place] ^= 255
        path.write_bytes(damaged)
        try:
            read_netcdf(path)
        except MapError:
            n_refused += 1
    assert n_refused > 100


def test_a_map_that_cannot_be_moved_into_place_leaves_no_trace(
    tmp_path: Path, chart_map: ChartMap
) -> None:
    Path(tmp_path / "map.nc").mkdir()  # nothing can take the place of a folder
    with pytest.raises(MapError, match=r"cannot write map '.*map\.nc': Is a directory"):
        write_netcdf(chart_map, tmp_path / "map.nc")
    assert [path.name for path in tmp_path.iterdir()] == ["map.nc"]


@pytest.mark.parametrize("name", [*NOT_SCENES, "nul\0", 5, None])
def test_a_map_needs_a_valid_scene_id(chart_map: ChartMap, name: Any) -> None:
    with pytest.raises(MapError, match=r"is not a scene id|is not a time"):
        replace(chart_map, scene=name)


def test_a_provenance_contains_no_secrets_and_no_line_breaks(
    tmp_path: Path, chart_map: ChartMap
) -> None:
    said = replace(
        chart_map.provenance,
        store="https://me:word@host/store.zarr?token=abc&v=2",
        run="run\n\x1b[31m",
    )
    write_netcdf(replace(chart_map, provenance=said), tmp_path / "map.nc")
    assert b"word" not in (tmp_path / "map.nc").read_bytes()
    again = describe(tmp_path / "map.nc").provenance
    assert again.store == "https://host/store.zarr?token=...&v=2"
    assert again.run == r"run\n\x1b[31m"
    with h5py.File(tmp_path / "map.nc", "a") as file:  # as others may write it
        file.attrs["store"] = "s3://key:word@bucket/store.zarr"
    assert describe(tmp_path / "map.nc").provenance.store == "s3://bucket/store.zarr"


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
def test_a_map_that_another_tool_wrote_again_is_read(
    path: Path, chart_map: ChartMap, engine: Any
) -> None:
    with xr.open_dataset(path) as dataset:
        dataset.to_netcdf(path.with_name("again.nc"), engine=engine)
    again = read_netcdf(path.with_name("again.nc"))
    np.testing.assert_array_equal(again.charts, chart_map.charts)
    assert (again.scene, again.provenance) == (chart_map.scene, chart_map.provenance)
    # And with attributes that are lists of a single text.
    with netCDF4.Dataset(path, "a") as file:
        file.setncattr_string("run", "run")
    assert describe(path).provenance == chart_map.provenance


def one_row_of(points: TiePoints) -> TiePoints:
    first = slice(1)
    return TiePoints(
        points.latitude[first], points.longitude[first], points.lines[first], points.samples
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"charts": charts().astype(np.int64)},
            r"charts must be bytes \(uint8\), got int64",
        ),
        ({"charts": charts().tolist()}, r"charts must be bytes \(uint8\), got list"),
        ({"charts": charts()[:2]}, r"charts must have shape \(3, 60, 80\), got \(2, 60"),
        ({"charts": charts()[:, :5]}, r"charts must have shape \(3, 60, 80\)"),
        ({"charts": np.full((3, *GRID.shape), 30, np.uint8)}, "SIC has no class 30"),
        ({"charts": np.full((3, *GRID.shape), 6, np.uint8)}, "SOD has no class 6"),
        ({"charts": np.full((3, *GRID.shape), 254, np.uint8)}, "SIC has no class 254"),
        ({"flags": np.zeros(GRID.shape)}, r"flags must be bytes \(uint8\), got float64"),
        ({"acquired": datetime(2018, 6, 7)}, "has no time zone: '2018-06-07 00:00:00'"),
        ({"acquired": "2018-06-07"}, "has no time zone: '2018-06-07'"),
        (
            {"grid": replace(GRID, pixel_spacing_m=0.5)},
            "spacing_m' must be from 1 to",
        ),
        ({"grid_name": None}, "attribute 'grid_name' must be text, got None"),
        ({"grid_name": "100m"}, "'grid_name' must be one of original, 80m, store"),
        (
            {"tie_points": replace(tie_points(GRID), latitude=np.full((5, 6), np.nan))},
            "'latitude' must be from -90 to 90, got nan",
        ),
        ({"tie_points": one_row_of(tie_points(GRID))}, "1 x 6 tie points cannot place"),
    ],
)
def test_a_map_that_could_not_be_read_back_is_not_written(
    tmp_path: Path, chart_map: ChartMap, changes: dict[str, Any], words: str
) -> None:
    message = f"invalid map of scene '20180607T184326_dmi': .*{words}"
    with pytest.raises(MapError, match=message):
        write_netcdf(replace(chart_map, **changes), tmp_path / "map.nc")
    assert not (tmp_path / "map.nc").exists()


def test_a_provenance_is_text(tmp_path: Path, chart_map: ChartMap) -> None:
    wrong = replace(chart_map.provenance, run=tmp_path)
    with pytest.raises(MapError, match="attribute 'run' must be text, got /"):
        write_netcdf(replace(chart_map, provenance=wrong), tmp_path / "map.nc")


def test_a_map_without_a_single_class_is_written(
    tmp_path: Path, chart_map: ChartMap
) -> None:
    empty = np.full((3, *GRID.shape), CHART_FILL, np.uint8)
    write_netcdf(replace(chart_map, charts=empty), tmp_path / "map.nc")
    np.testing.assert_array_equal(read_netcdf(tmp_path / "map.nc").charts, empty)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "predicted by multi-task U-Net, run run, epoch 7"),
        ({"epochs": (7, 9)}, "predicted by multi-task U-Net, run run, epoch 7, 9"),
        ({"network": "my CNN", "epochs": ()}, "predicted by my CNN, run run"),
        ({"network": "my CNN", "epochs": (), "run": ""}, "predicted by my CNN"),
    ],
)
def test_the_history_says_which_network_predicted(
    tmp_path: Path, chart_map: ChartMap, changes: dict[str, Any], words: str
) -> None:
    provenance = replace(chart_map.provenance, **changes)
    write_netcdf(replace(chart_map, provenance=provenance), tmp_path / "map.nc")
    with netCDF4.Dataset(tmp_path / "map.nc") as dataset:
        assert dataset.history.endswith(f" seaice 0: {words}")
        assert dataset.source.startswith(f"{provenance.network} on a Sentinel-1 EW scene")
    assert read_netcdf(tmp_path / "map.nc").provenance == provenance


def test_maps_of_earlier_versions_are_of_ai4arctic(path: Path) -> None:
    """Version 0.1 read no other scenes, and wrote no attributes about them."""
    with h5py.File(path, "a") as file:
        for name in {*ADDED_TEXTS} & {*file.attrs}:
            del file.attrs[name]
    provenance = read_netcdf(path).provenance
    assert provenance == describe(path).provenance
    assert (provenance.denoising, provenance.trained_on_denoising) == ("nersc", "nersc")
    assert (provenance.drawn_without, provenance.original_name) == ("", "")
    assert "(AI4Arctic)" in read_netcdf(path).to_xarray().attrs["source"]


@pytest.mark.parametrize(
    ("absent", "end"),
    [
        ("", "BB15 with AMSR2 and ERA5"),
        ("hv, amsr2", "BB15 with ERA5"),
        ("hv, amsr2, era5", "BB15"),
    ],
)
def test_what_own_scenes_say_survives(
    tmp_path: Path, chart_map: ChartMap, absent: str, end: str
) -> None:
    known = replace(
        chart_map.provenance,
        file_version="ingested",
        original_name="S1A_EW_GRDM_1SDH_20221130T014342_BB15",
        denoising="none",
        trained_on_denoising="esa, nersc",
        drawn_without=absent,
    )
    write_netcdf(replace(chart_map, provenance=known), tmp_path / "map.nc")
    assert read_netcdf(tmp_path / "map.nc").provenance == known
    source = read_netcdf(tmp_path / "map.nc").to_xarray().attrs["source"]
    assert source.endswith(end)


def test_remarks_are_what_readers_must_know(chart_map: ChartMap) -> None:
    known = chart_map.provenance
    assert known.remarks == ""
    assert replace(known, denoising="esa").remarks == "denoising esa, trained on nersc"
    assert replace(known, denoising="esa", trained_on_denoising="").remarks == ""
    either = replace(known, denoising="esa", trained_on_denoising="esa, nersc")
    assert replace(either, drawn_without="hv").remarks == "without hv"

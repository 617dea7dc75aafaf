import ast
import dataclasses
import os
import resource
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import netCDF4
import numpy as np
import pytest
import xarray as xr

from seaice_data.arrays import FloatArray
from seaice_data.channels import CHANNELS
from seaice_data.charts import CHARTS
from seaice_data.egg_codes import PolygonTable, paint_charts
from seaice_data.errors import SceneError, SettingsError
from seaice_data.synthetic.ice_climate import CLIMATES, stage_shares, water_share
from seaice_data.synthetic.plan import ScenePlan, plan_scenes, tie_points
from seaice_data.synthetic.regions import REGIONS
from seaice_data.synthetic.scene import write_scene
from seaice_data.synthetic.surface import Surface, make_surface

# What the files of the dataset contain, version by version.
FREQUENCIES = ("6_9", "7_3", "10_7", "18_7", "23_8", "36_5", "89_0")
BRIGHTNESS = [f"btemp_{frequency}{pol}" for frequency in FREQUENCIES for pol in "hv"]
WEATHER = ["u10m_rotated", "v10m_rotated", "t2m", "skt", "tcwv", "tclw"]
SAR = ["nersc_sar_primary", "nersc_sar_secondary"]
READY = [
    *("SIC", "SOD", "FLOE", "sar_grid2d_latitude", "sar_grid2d_longitude"),
    *(*SAR, "sar_incidenceangle", "distance_map", *BRIGHTNESS, *WEATHER),
]
TIES = [
    f"sar_grid_{name}"
    for name in ("line", "sample", "latitude", "longitude", "incidenceangle", "height")
]
RAW = [*SAR, "polygon_icechart", "distance_map", *TIES, *BRIGHTNESS, *WEATHER]
RAW += ["amsr2_swath_map", "swath_segmentation"]
LINES = ("sar_lines", "sar_samples")
CELLS = ("2km_grid_lines", "2km_grid_samples")
POINTS = ("sar_sample_2dgrid_points", "sar_line_2dgrid_points")
STANDARD = {c.variable: (c.mean, c.std) for c in CHANNELS}

# 213 rows: more than one band, and a rest after the last 2 km cell.
PLAN = ScenePlan(
    seed=119,
    region="NorthEast",
    acquired=datetime(2019, 3, 7, 17, 59, 30, tzinfo=UTC),
    height=213,
    width=227,
)
TEST_PLAN = dataclasses.replace(PLAN, is_test=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenes")


@pytest.fixture(scope="module")
def ready_path(folder: Path) -> Path:
    return write_scene(folder, PLAN)[0]


@pytest.fixture(scope="module")
def ready(ready_path: Path) -> xr.Dataset:
    return xr.load_dataset(ready_path)


@pytest.fixture(scope="module")
def raw_path(folder: Path) -> Path:
    return write_scene(folder, PLAN, "raw")[0]


@pytest.fixture(scope="module")
def raw(raw_path: Path) -> xr.Dataset:
    return xr.load_dataset(raw_path)


def physical(scene: xr.Dataset, variable: str) -> FloatArray:
    mean, std = STANDARD[variable]
    values: FloatArray = scene[variable].to_numpy() * std + mean
    return values


def test_ready_scene_has_the_variables_in_order(ready_path: Path) -> None:
    assert ready_path.name == "20190307T175930_dmi_prep.nc"
    with netCDF4.Dataset(ready_path) as file:
        assert list(file.variables) == READY
        for name, variable in file.variables.items():
            if name in ("SIC", "SOD", "FLOE"):
                assert (variable.dimensions, variable.dtype) == (LINES, np.uint8)
            elif name.startswith("sar_grid2d"):
                assert (variable.dimensions, variable.dtype) == (POINTS, np.float64)
            else:
                dims = CELLS if name in BRIGHTNESS + WEATHER else LINES
                assert (variable.dimensions, variable.dtype) == (dims, np.float32)
            assert variable.chunking() == "contiguous"
            assert not variable.filters()["zlib"]


def test_ready_scene_has_the_dimensions(ready: xr.Dataset) -> None:
    assert dict(ready.sizes) == {
        "sar_lines": 213,
        "sar_samples": 227,
        "sar_sample_2dgrid_points": 21,
        "sar_line_2dgrid_points": 21,
        "2km_grid_lines": 8,
        "2km_grid_samples": 9,
    }
    assert not ready.coords


def test_ready_scene_has_the_global_attributes(ready: xr.Dataset) -> None:
    assert ready.attrs == {
        "scene_id": "20190307T175930_dmi_prep.nc",
        "original_id": PLAN.raw_name,
        "ice_service": "dmi",
        "flip": 0,
        "pixel_spacing": 80,
    }


def test_ready_variables_have_their_attributes(ready_path: Path) -> None:
    sar = {
        "polarisation",
        "upstream_id",
        "description",
        "min",
        "max",
        "variable_fill_value",
    }
    swaths = {"AMSR2_swaths", "AMSR2_S1_delays", "min", "max", "description"}
    chart = {"polygon", "chart_fill_value"}
    zones = {"long_name", "zonal_range_description"}
    expected = [chart] * 3 + [set()] * 2 + [sar] * 2 + [{"variable_fill_value"}, zones]
    expected += [swaths] * 14 + [{"units", "long_name"}] * 6
    with netCDF4.Dataset(ready_path) as file:
        for variable, names in zip(file.variables.values(), expected, strict=True):
            is_float = variable.dtype.kind == "f"
            assert set(variable.ncattrs()) - {"_FillValue"} == names
            assert ("_FillValue" in variable.ncattrs()) == is_float
            assert not is_float or np.isnan(variable._FillValue)
        assert file["SIC"].chart_fill_value == 255
        assert file["nersc_sar_primary"].polarisation == "HH"
        assert file["nersc_sar_secondary"].polarisation == "HV"
        assert file["nersc_sar_primary"].upstream_id == PLAN.upstream_id
        assert file["nersc_sar_primary"].description == "Sigma0 in dB"
        assert file["nersc_sar_primary"].variable_fill_value == 0
        assert file["sar_incidenceangle"].variable_fill_value == 0
        assert [file[name].units for name in WEATHER] == [
            *("m/s", "m/s", "K", "K", "kg/m2", "kg/m2")
        ]


def test_test_scene_keeps_its_charts_apart(tmp_path: Path, ready: xr.Dataset) -> None:
    paths = write_scene(tmp_path, TEST_PLAN)
    assert [path.name for path in paths] == [
        "20190307T175930_dmi_prep.nc",
        "20190307T175930_dmi_prep_reference.nc",
    ]
    scene, reference = map(xr.load_dataset, paths)
    assert list(scene.variables) == READY[3:]
    assert list(reference.variables) == READY[:3]
    assert scene.attrs == reference.attrs == ready.attrs
    xr.testing.assert_identical(xr.merge([reference, scene]), ready)


def test_raw_scene_has_the_variables(raw_path: Path, raw: xr.Dataset) -> None:
    assert raw_path.name == PLAN.raw_name
    assert list(raw.data_vars) == RAW
    assert list(raw.coords) == ["polygon_codes"]
    for name in RAW:
        dims, dtype = CELLS, "float64"
        if name in TIES:
            dims = ("sar_grid_points",)
        elif name in (*SAR, "polygon_icechart", "distance_map"):
            dims, dtype = LINES, "float32"
        elif name in RAW[-2:]:
            dtype = "uint8"
        assert (raw[name].dims, raw[name].dtype) == (dims, dtype)
    assert raw.sizes["sar_grid_points"] == 441
    assert raw["polygon_codes"].dtype.kind in "OUT"
    assert set(raw.attrs) == {
        "title",
        "geometric_info",
        "sar_denoise_by_nersc_documentation",
    }
    assert raw["polygon_icechart"].attrs["icechart_id"] == PLAN.chart_name
    assert raw["polygon_codes"].attrs["icechart_id"] == PLAN.chart_name
    assert "variable_fill_value" not in raw["nersc_sar_primary"].attrs


@pytest.mark.parametrize("region", ["NorthEast", "SGRDIHA"])
def test_raw_name_says_time_and_service(region: str) -> None:
    name = dataclasses.replace(PLAN, region=region).raw_name
    assert name[17:32] == "20190307T175930"
    assert name[77:80] == REGIONS[region].service
    assert name.endswith(
        {
            "NorthEast": "_icechart_dmi_201903071800_NorthEast_RIC.nc",
            "SGRDIHA": "_icechart_cis_SGRDIHA_20190307T1800Z_pl_a.nc",
        }[region]
    )


def test_both_libraries_read_the_same(ready_path: Path, raw_path: Path) -> None:
    for path in (ready_path, raw_path):
        xr.testing.assert_identical(
            xr.load_dataset(path, engine="h5netcdf"),
            xr.load_dataset(path, engine="netcdf4"),
        )


def test_range_attributes_are_those_of_the_raw_values(
    ready: xr.Dataset, raw: xr.Dataset
) -> None:
    for name in (*SAR, *BRIGHTNESS):
        low, high = float(raw[name].min()), float(raw[name].max())
        for scene in (raw, ready):
            assert (scene[name].attrs["min"], scene[name].attrs["max"]) == (low, high)


def test_swath_names_go_with_their_delays(tmp_path: Path) -> None:
    counts = set()
    for seed in range(6):
        plan = dataclasses.replace(PLAN, seed=seed, height=25, width=100)
        plan = dataclasses.replace(plan, acquired=plan.acquired + timedelta(days=seed))
        attributes = xr.load_dataset(write_scene(tmp_path, plan)[0])["btemp_6_9h"].attrs
        names = attributes["AMSR2_swaths"]
        listed = ast.literal_eval(names) if names.startswith("[") else [names]
        assert len(listed) == np.size(attributes["AMSR2_S1_delays"])
        counts.add(len(listed))
    assert counts == {1, 2}


def test_masks_are_aligned(ready: xr.Dataset) -> None:
    is_fill = ready["SIC"].to_numpy() == 255
    assert 0.02 < is_fill.mean() < 0.9
    for name in ("SOD", "FLOE"):
        assert (ready[name].to_numpy()[is_fill] == 255).all()
    for name in (*SAR, "sar_incidenceangle"):
        np.testing.assert_array_equal(ready[name].to_numpy() == 0, is_fill)
    assert (ready["distance_map"].to_numpy()[is_fill] != 0).all()


def test_charts_contain_classes_and_agree_on_water(ready: xr.Dataset) -> None:
    planes = [ready[chart.name].to_numpy() for chart in CHARTS]
    for chart, plane in zip(CHARTS, planes, strict=True):
        assert set(np.unique(plane)) <= {*range(chart.n_classes), 255}
        np.testing.assert_array_equal(plane == 0, planes[0] == 0)


def test_no_field_has_gaps(ready: xr.Dataset, raw: xr.Dataset) -> None:
    assert not any(ready[name].isnull().any() for name in ready)
    with_gaps = {name for name in raw if raw[name].isnull().any()}
    assert with_gaps == {*SAR, "polygon_icechart"}


def test_twins_agree(ready: xr.Dataset, raw: xr.Dataset) -> None:
    assert raw["distance_map"].shape == PLAN.raw_shape
    height, width = ready["SIC"].shape

    def blocks(plane: FloatArray) -> FloatArray:
        cut = plane[: 2 * height, : 2 * width]
        return cut.reshape(height, 2, width, 2, *plane.shape[2:])

    table = PolygonTable.parse(raw["polygon_codes"].to_numpy().tolist())
    painted = paint_charts(raw["polygon_icechart"].to_numpy(), table)
    charts = blocks(painted).max(axis=(1, 3))
    means = {
        name: blocks(raw[name].to_numpy()).mean(axis=(1, 3))
        for name in (*SAR, "distance_map")
    }
    is_fill = (charts[..., 0] == 255) | np.isnan(means["nersc_sar_primary"])
    charts[is_fill] = 255
    for i, chart in enumerate(CHARTS):
        np.testing.assert_array_equal(charts[..., i], ready[chart.name])
    for name, plane in means.items():
        mean, std = STANDARD[name]
        expected = (plane - mean) / std
        if name != "distance_map":
            expected[is_fill] = 0
        np.testing.assert_allclose(ready[name], expected, atol=1e-5)
    for name in (*BRIGHTNESS, *WEATHER):
        np.testing.assert_allclose(physical(ready, name), raw[name], rtol=1e-5, atol=1e-5)
    for name in ("latitude", "longitude"):
        points = raw[f"sar_grid_{name}"].to_numpy().reshape(21, 21)
        np.testing.assert_array_equal(ready[f"sar_grid2d_{name}"], points)


def test_incidence_angle_follows_the_tie_points(ready: xr.Dataset, raw: xr.Dataset) -> None:
    angle = physical(ready, "sar_incidenceangle")
    points = raw["sar_grid_incidenceangle"].to_numpy().reshape(21, 21)
    samples = raw["sar_grid_sample"].to_numpy().reshape(21, 21)[10]
    pixel = np.arange(angle.shape[1]) * 2 + 0.5
    expected = np.interp(pixel, samples, points.mean(axis=0))
    is_valid = ready["SIC"].to_numpy() != 255
    np.testing.assert_allclose(
        angle[is_valid], np.broadcast_to(expected, angle.shape)[is_valid], atol=0.06
    )


def test_tie_points_are_where_raw_scenes_have_them(raw: xr.Dataset) -> None:
    for axis, name in enumerate(("line", "sample")):
        n = PLAN.raw_shape[axis]
        positions = np.moveaxis(raw[f"sar_grid_{name}"].to_numpy().reshape(21, 21), axis, 0)
        step = -(-n // 20)
        np.testing.assert_array_equal(positions[:, 0], [*(np.arange(20) * step), n - 1])
        assert (positions == positions[:, :1]).all()


def test_zones_follow_the_distance_to_land(raw: xr.Dataset) -> None:
    zone = raw["distance_map"].to_numpy()
    land = np.argwhere(zone == 0)
    assert len(land)
    bounds = [0, 0.5, *range(1, 20), *range(20, 50, 5)]
    # Distances are interpolated between nodes 640 m apart.
    rng = np.random.default_rng(0)
    for y, x in rng.choice(np.argwhere(zone > 0), 200):
        km = 0.04 * np.hypot(land[:, 0] - y, land[:, 1] - x).min()
        border = 0.04 * min(y, x, zone.shape[0] - y, zone.shape[1] - x)
        if border < km:
            # The nearest land may lie outside the scene.
            assert zone[y, x] <= np.searchsorted(bounds, km + 0.5)
            continue
        close = {np.searchsorted(bounds, km + error) for error in (-0.5, 0, 0.5)}
        assert zone[y, x] in close


def test_polygons_leave_the_land_alone_but_for_the_coast(raw: xr.Dataset) -> None:
    on_land = raw["distance_map"].to_numpy() == 0
    has_polygon = ~np.isnan(raw["polygon_icechart"].to_numpy())
    assert (on_land & has_polygon).sum() < 0.1 * on_land.sum()
    assert np.isfinite(raw["nersc_sar_primary"].to_numpy()[on_land]).mean() > 0.5


def test_same_plan_gives_the_same_bytes(
    tmp_path: Path, ready_path: Path, raw_path: Path
) -> None:
    for version, path in (("ready", ready_path), ("raw", raw_path)):
        again = write_scene(tmp_path, PLAN, version)[0]  # type: ignore[arg-type]
        assert again.name == path.name
        assert again.read_bytes() == path.read_bytes()


def test_existing_scene_is_refused(folder: Path, ready_path: Path) -> None:
    before = ready_path.read_bytes()
    with pytest.raises(SceneError, match="20190307T175930_dmi already exists") as refusal:
        write_scene(folder, PLAN)
    assert refusal.value.hint
    assert ready_path.read_bytes() == before


def test_nothing_but_whole_files_is_left(folder: Path, ready_path: Path) -> None:
    assert ready_path.exists()
    assert not [path for path in folder.iterdir() if path.suffix != ".nc"]


@pytest.mark.parametrize("version", ["ready", "raw"])
@pytest.mark.parametrize("n_bytes", [0, 5_000, 100_000, 200_000])
def test_a_disk_that_is_full_leaves_nothing(
    tmp_path: Path, version: Literal["ready", "raw"], n_bytes: int
) -> None:
    plan = dataclasses.replace(PLAN, height=100, width=100)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        with pytest.raises(SceneError) as refusal:
            write_scene(tmp_path, plan, version)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(refusal.value) == f"cannot write {str(tmp_path)!r}: File too large"
    assert refusal.value.hint
    assert [*tmp_path.iterdir()] == []


def test_folders_may_have_names_of_any_bytes(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"gr\xf6\xdfe")
    folder.mkdir()
    plan = dataclasses.replace(PLAN, height=100, width=100)
    (path,) = write_scene(folder, plan)
    (twin,) = write_scene(tmp_path, plan)
    assert path.read_bytes() == twin.read_bytes()


@pytest.mark.parametrize(("height", "n_cells"), [(25, 1), (199, 7), (200, 8), (201, 8)])
def test_any_height_can_be_written(tmp_path: Path, height: int, n_cells: int) -> None:
    plans = (dataclasses.replace(PLAN, seed=s, height=height, width=100) for s in range(99))
    plan = next(plan for plan in plans if plan.raw_shape == (2 * height + 1, 201))
    scene = xr.load_dataset(write_scene(tmp_path, plan)[0])
    raw = xr.load_dataset(write_scene(tmp_path, plan, "raw")[0])
    assert scene["SIC"].shape == (height, 100)
    assert raw["polygon_icechart"].shape == (2 * height + 1, 201)
    assert scene["t2m"].shape == raw["t2m"].shape == (n_cells, 4)


def test_scenes_do_not_depend_on_their_number() -> None:
    assert plan_scenes(30, 500, seed=2)[:3] == plan_scenes(3, 500, seed=2)
    assert plan_scenes(3, 500, seed=2) != plan_scenes(3, 500, seed=3)


def test_a_set_may_be_planned_in_batches() -> None:
    whole = plan_scenes(7, (1300, 5000), seed=2)
    batches = [plan_scenes(2, (1300, 5000), 2, first=first) for first in (0, 2, 4)]
    assert sum(batches, ()) == whole[:6]
    with pytest.raises(SettingsError, match="first scene must be at least 0, got -1"):
        plan_scenes(3, 300, seed=0, first=-1)
    with pytest.raises(
        SettingsError, match="at most 10000 scenes can be planned, got 10001"
    ):
        plan_scenes(1, 300, seed=0, first=10_000)


def test_strips_across_the_swath_are_100_km_by_400_km() -> None:
    for plan in plan_scenes(24, (1300, 5000), seed=0):
        assert 100 < 0.08 * plan.height < 112
        assert 400 < 0.08 * plan.width < 440


def test_one_in_five_is_a_test_scene() -> None:
    assert sum(plan.is_test for plan in plan_scenes(3, 300, seed=0)) == 1
    assert sum(plan.is_test for plan in plan_scenes(100, 300, seed=0)) == 20


@pytest.mark.parametrize("size", [100, 200, 500, 5000])
def test_sizes_are_near_the_nominal_one_and_awkward(size: int) -> None:
    plans = plan_scenes(48, size, seed=5)
    for plan in plans:
        assert plan.height % 2
        assert plan.height % 5
        assert plan.width % 2
        assert plan.width % 5
        assert np.diff(tie_points(plan, (0, 0)).lines).min() > 0
        assert 1.02 * size <= plan.width <= 1.1 * size + 8
    heights = np.array([plan.height for plan in plans])
    is_short = heights < 0.45 * size
    assert is_short.sum() == 4
    assert (np.abs(heights[~is_short] / size - 1) < 0.12).all()


def test_plans_cover_regions_and_months_with_distinct_ids() -> None:
    plans = plan_scenes(200, 300, seed=9)
    assert len({plan.id for plan in plans}) == 200
    assert {plan.acquired.month for plan in plans} == set(range(1, 13))
    assert {plan.region for plan in plans} >= set(REGIONS) - {"NorthAndCentralEast"}
    assert 0.3 < np.mean([plan.service == "cis" for plan in plans]) < 0.5
    assert {plan.acquired.year for plan in plans} == {2018, 2019, 2020, 2021}
    assert {plan.raw_shape[0] % 2 for plan in plans} == {0, 1}


@pytest.mark.parametrize("region", REGIONS)
def test_scenes_are_placed_as_the_satellite_flies(region: str) -> None:
    for ascending in (True, False):
        plan = dataclasses.replace(
            PLAN, region=region, ascending=ascending, height=5003, width=5229
        )
        ties = tie_points(plan, (0, 0))
        sign = 1 if ascending else -1
        assert (sign * np.diff(ties.latitude[:, 10]) > 0).all()
        assert (sign * np.diff(ties.longitude[10]) > 0).all()
        assert 2 < np.ptp(ties.latitude[:, 10]) < 4
        assert ties.latitude.min() > 50
        assert ties.latitude.max() < 84
        assert -145 < ties.longitude.min() < ties.longitude.max() < 20
        assert 18 < ties.incidence.min() < 20
        assert 45.9 < ties.incidence.max() < 47.5


@pytest.mark.parametrize(
    ("n_scenes", "size", "words"),
    [(0, 300, "at least 1 scene"), (3, 99, "at least 100 pixels, got 99")],
)
def test_impossible_sets_are_refused(n_scenes: int, size: int, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        plan_scenes(n_scenes, size, seed=0)


def test_impossible_plans_are_refused() -> None:
    with pytest.raises(SettingsError, match="unknown region 'NorthEst'") as refusal:
        dataclasses.replace(PLAN, region="NorthEst")
    assert refusal.value.hint == "did you mean 'NorthEast'?"
    with pytest.raises(SettingsError, match="no time zone"):
        dataclasses.replace(PLAN, acquired=datetime(2019, 3, 7))
    with pytest.raises(SettingsError, match="at least 25 lines"):
        dataclasses.replace(PLAN, height=24)


@pytest.fixture(scope="module")
def year() -> list[tuple[ScenePlan, Surface]]:
    return [(plan, make_surface(plan)) for plan in plan_scenes(120, 1000, seed=1)]


def areas(surface: Surface, chart: int) -> FloatArray:
    """Return the pixels of each class of a chart, 255 last."""
    classes = PolygonTable.parse(surface.rows).classes()[:, chart]
    labels = surface.chart.labels[surface.extent > 0]
    counts = np.bincount(classes[labels], minlength=256)[[*range(11), 255]]
    return counts.astype(np.float64)


def test_classes_are_about_as_frequent_as_in_the_dataset(
    year: list[tuple[ScenePlan, Surface]],
) -> None:
    sic, sod, floe = (sum(areas(surface, i) for _, surface in year) for i in range(3))
    assert 0.4 < sic[0] / sic[:11].sum() < 0.7
    assert 0.12 < sic[10] / sic[:11].sum() < 0.36
    assert (sic[1:10] > 0).all()
    assert (sod[:6] > 0).all()
    assert (floe[:6] > 0).all()
    assert 0.05 < sod[11] / sod.sum() < 0.3
    assert 0.05 < floe[11] / floe.sum() < 0.3


def test_a_small_scene_is_a_section_of_the_large_one() -> None:
    large = make_surface(dataclasses.replace(PLAN, height=5003, width=5190))
    small = make_surface(dataclasses.replace(PLAN, height=999, width=1041))
    assert small.nodes.km == large.nodes.km == 0.64
    y, x = (
        (s - t) // 16 for s, t in zip(small.nodes.start, large.nodes.start, strict=True)
    )
    n_y, n_x = small.land_km.shape
    for ours, theirs in ((small.land_km, large.land_km), (small.extent, large.extent)):
        there = theirs[y : y + n_y, x : x + n_x]
        # Fine detail differs; coasts and borders of the chart are the same.
        assert ((ours > 0) == (there > 0)).mean() > 0.85


def test_a_small_scene_shows_an_edge_if_the_swath_has_one() -> None:
    n_edges, n_classes = 0, []
    for plan in plan_scenes(60, 1000, seed=3):
        surface = make_surface(plan)
        sic = areas(surface, 0)[:11]
        assert sic.sum() > 0.1 * surface.extent.size
        n_edges += 0.02 < sic[0] / sic.sum() < 0.98
        n_classes.append((sic > 0).sum())
    assert n_edges > 27
    assert np.mean(n_classes) > 2.2


def test_incidence_angles_are_those_of_the_place_in_the_swath() -> None:
    plan = dataclasses.replace(PLAN, height=999, width=1041)
    near, far = (tie_points(plan, (0, start)).incidence for start in (0, 10_400 - 2083))
    assert 18.5 < near.min() < 20
    assert near.max() < 27
    assert far.min() > 41
    assert 45.9 < far.max() < 47.5


def test_truth_is_what_the_chart_generalises(tmp_path: Path, ready_path: Path) -> None:
    (tmp_path / "truth").mkdir()
    (scene,) = write_scene(tmp_path, PLAN, truth=tmp_path / "truth")
    assert scene.read_bytes() == ready_path.read_bytes()
    path = tmp_path / "truth" / "20190307T175930_dmi_truth.nc"
    assert [*path.parent.iterdir()] == [path]
    truth, chart = xr.load_dataset(path), xr.load_dataset(scene)
    assert truth.attrs["scene_id"] == chart.attrs["scene_id"]
    planes = {name: truth[name].to_numpy() for name in truth}
    assert list(planes) == ["SIC", "SOD", "FLOE", "ice_share", "polygon_id"]
    is_sea = planes["SIC"] != 255
    for name in ("SOD", "FLOE"):
        np.testing.assert_array_equal(planes[name] == 0, planes["SIC"] == 0)
    np.testing.assert_allclose(
        planes["ice_share"][is_sea] / 10, planes["SIC"][is_sea], atol=0.55
    )
    # Borders are more ragged than on the chart, and ice of ten tenths has leads.
    sic = chart["SIC"].to_numpy()
    assert is_sea[(sic == 10)].mean() > 0.9
    assert 75 < planes["ice_share"][(sic == 10) & is_sea].mean() < 100
    # The sea outside the chart has a truth too.
    assert (is_sea & (sic == 255)).any()
    with netCDF4.Dataset(path) as file:
        assert all(isinstance(file[name].long_name, str) for name in planes)


def test_truth_goes_with_raw_scenes_and_test_scenes_too(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    raw = write_scene(tmp_path, TEST_PLAN, "raw", truth=tmp_path / "a")
    ready = write_scene(tmp_path, TEST_PLAN, truth=tmp_path / "b")
    assert (len(raw), len(ready)) == (1, 2)
    a, b = (next((tmp_path / folder).iterdir()) for folder in "ab")
    assert a.read_bytes() == b.read_bytes()


def test_season_rules_out_stages(year: list[tuple[ScenePlan, Surface]]) -> None:
    for plan, surface in year:
        stages = areas(surface, 1)
        if plan.acquired.month in (6, 7, 8):
            assert stages[1:4].sum() == 0
        if plan.service == "cis":
            assert areas(surface, 2)[[1, 6]].sum() == 0


def test_month_and_latitude_decide_the_stage(year: list[tuple[ScenePlan, Surface]]) -> None:
    def certainty(key: list[object]) -> float:
        """Return the share of ice that its most frequent stage makes up, group by group."""
        groups: dict[object, FloatArray] = {}
        for group, (_, surface) in zip(key, year, strict=True):
            groups[group] = groups.get(group, np.zeros(5)) + areas(surface, 1)[1:6]
        counts = np.array(list(groups.values()))
        return float(counts.max(axis=1).sum() / counts.sum())

    anything = certainty([0 for _ in year])
    month = [plan.acquired.month for plan, _ in year]
    is_north = [REGIONS[plan.region].latitude > 72 for plan, _ in year]
    assert certainty(list(month)) > anything + 0.1
    assert (
        certainty(list(zip(month, is_north, strict=True))) > certainty(list(month)) + 0.03
    )


@pytest.mark.parametrize("service", ["cis", "dmi"])
def test_regions_differ_and_are_together_what_the_service_meets(service: str) -> None:
    regions = {name: r for name, r in REGIONS.items() if r.service == service}
    climate = CLIMATES[service]
    for month in range(1, 13):
        weight = np.array([region.weight for region in regions.values()])
        water = np.array([water_share(name, month) for name in regions])
        stages = np.array([stage_shares(name, month) for name in regions])
        usual = climate.water[month - 1] / 100
        assert np.average(water, weights=weight) == pytest.approx(usual, abs=0.002)
        met = np.average(stages, axis=0, weights=weight * (1 - water))
        expected = np.array(climate.stages[month - 1]) / sum(climate.stages[month - 1])
        np.testing.assert_allclose(met, expected, atol=0.005)
        np.testing.assert_allclose(stages.sum(axis=1), 1)


def test_some_scenes_are_water_and_some_have_no_land(
    year: list[tuple[ScenePlan, Surface]],
) -> None:
    is_water = [areas(surface, 0)[1:].sum() == 0 for _, surface in year]
    is_sea = [surface.land_km.min() > 0 for _, surface in year]
    assert 0 < sum(is_water) < 40
    assert 20 < sum(is_sea) < 80


def test_radiometer_distinguishes_ice_from_water_and_hh_does_not(tmp_path: Path) -> None:
    samples = []
    for plan in plan_scenes(12, 400, seed=6):
        paths = write_scene(tmp_path, plan)
        scene, reference = xr.load_dataset(paths[0]), xr.load_dataset(paths[-1])
        centres = {"sar_lines": slice(12, None, 25), "sar_samples": slice(12, None, 25)}
        sic = reference["SIC"].isel(centres).to_numpy()
        cut = tuple(slice(0, n) for n in scene["t2m"].shape)
        horizontal, vertical = (physical(scene, f"btemp_36_5{p}") for p in "hv")
        ratio = (vertical - horizontal) / (vertical + horizontal)
        hh = scene["nersc_sar_primary"].isel(centres).to_numpy()
        is_clear = np.isin(sic[cut], (0, 8, 9, 10))
        samples.append((sic[cut][is_clear] == 0, ratio[is_clear], -hh[cut][is_clear]))
    is_water, ratio, dark = map(np.concatenate, zip(*samples, strict=True))
    assert 0.2 < is_water.mean() < 0.8
    assert ranking(ratio, is_water) > 0.9
    assert ranking(dark, is_water) < 0.75


def ranking(score: FloatArray, is_positive: FloatArray) -> float:
    """Return how often a positive has a higher score than a negative."""
    positive, negative = score[is_positive], score[~is_positive]
    return float((positive[:, None] > negative).mean())

"""Geometry: stored pixels are where the 80 m pixels, cells and tie points place them."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from support.coded_scenes import write_coded

from seaice_data.channels import find_channel
from seaice_data.errors import RecipeError
from seaice_data.flags import FLAG_LAND, FLAG_NO_SAR, FLAG_REMAINDER
from seaice_data.grid import block_centres, nearest_indices
from seaice_data.preparation.assemble import assemble
from seaice_data.preparation.prepare import prepare
from seaice_data.preparation.resample import downscale_chart
from seaice_data.scenes.files import open_scene
from seaice_data.sources.inputs import FileSource
from seaice_data.store.prepared_scene import PreparedScene
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.synthetic.scene_set import write_scenes

FIGURES = Path(__file__).parents[2] / "data" / "reference_places.npz"
SHAPES = [(503, 528), (400, 600), (127, 399)]
RATIOS = [1, 2, 5, 10, 15, 20]


def prepared(path: Path, recipe: Recipe) -> PreparedScene:
    with open_scene(path) as scene:
        return assemble(scene, recipe)


def plane(scene: PreparedScene, recipe: Recipe, channel: str) -> np.ndarray:
    return scene.inputs[..., recipe.channels.index(channel)]


@pytest.mark.parametrize(("height", "width"), SHAPES)
@pytest.mark.parametrize("ratio", RATIOS)
def test_sar_blocks_are_at_their_centres(
    tmp_path: Path, height: int, width: int, ratio: int
) -> None:
    recipe = Recipe(ratio=ratio, dtype="float32")
    scene = prepared(write_coded(tmp_path, height, width), recipe)
    assert scene.inputs.shape[:2] == (height // ratio, width // ratio)
    rows = plane(scene, recipe, "hh") * 1024 - 1
    columns = plane(scene, recipe, "hv") * 1024 - 1
    assert np.ptp(rows, axis=1).max() == 0
    assert np.ptp(columns, axis=0).max() < 1e-3
    np.testing.assert_allclose(rows[:, 0], block_centres(height, ratio), atol=1e-3)
    np.testing.assert_allclose(columns[0], block_centres(width, ratio), atol=1e-3)


@pytest.mark.parametrize(("height", "width"), SHAPES)
@pytest.mark.parametrize("ratio", RATIOS)
def test_nearest_takes_the_pixels_of_the_official_code(
    tmp_path: Path, height: int, width: int, ratio: int
) -> None:
    recipe = Recipe(ratio=ratio, dtype="float32", sar="nearest", charts="nearest")
    scene = prepared(write_coded(tmp_path, height, width), recipe)
    rows = np.arange(height // ratio) * height // (height // ratio)
    np.testing.assert_array_equal(plane(scene, recipe, "hh")[:, 0] * 1024 - 1, rows)
    np.testing.assert_array_equal(scene.charts[:, 0, 0], (rows // 7) % 11)
    assert not (scene.full_flags & FLAG_REMAINDER).any()


@pytest.mark.parametrize(("height", "width"), SHAPES)
@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("sar", ["mean", "nearest"])
def test_cells_are_under_the_sar(
    tmp_path: Path, height: int, width: int, ratio: int, sar: str
) -> None:
    recipe = Recipe(ratio=ratio, dtype="float32", sar=sar)  # type: ignore[arg-type]
    scene = prepared(write_coded(tmp_path, height, width), recipe)
    for channel, size, axis in (("btemp_18_7h", height, 0), ("t2m", width, 1)):
        numbers = plane(scene, recipe, channel).take(0, axis=1 - axis) * 1024
        positions = (
            nearest_indices(size, ratio) if sar == "nearest" else block_centres(size, ratio)
        )
        # The centre of cell k is at pixel 25 k + 12; values are constant after the last.
        expected = np.clip((positions - 12) / 25, 0, size // 25 - 1)
        np.testing.assert_allclose(numbers, expected, atol=1e-3)


@pytest.mark.parametrize("ratio", RATIOS)
def test_places_are_those_of_the_tie_points(tmp_path: Path, ratio: int) -> None:
    recipe = Recipe(ratio=ratio, dtype="float32")
    scene = prepared(write_coded(tmp_path, 503, 528), recipe)
    latitude = find_channel("latitude")
    stored = plane(scene, recipe, "latitude") * latitude.std + latitude.mean
    # In the coded scene latitude falls by 0.2 degrees from row to row of tie points.
    rows = np.interp(block_centres(503, ratio), scene.tie_points.lines, np.arange(21))
    columns = np.interp(block_centres(528, ratio), scene.tie_points.samples, np.arange(21))
    expected = 75 - 0.2 * rows[:, np.newaxis] + 0.05 * columns
    np.testing.assert_allclose(stored, expected, atol=1e-4)


def test_nearest_tie_points_are_those_of_the_official_code(tmp_path: Path) -> None:
    with np.load(FIGURES) as figures:  # of the official code, for this scene
        expected = {name: figures[name] for name in ("latitude", "longitude")}
    recipe = Recipe(dtype="float32", sar="nearest", tie_points="nearest")
    scene = prepared(write_coded(tmp_path, 1237, 1303), recipe)
    for name, theirs in expected.items():
        ours = plane(scene, recipe, name)
        np.testing.assert_array_equal(ours, theirs)


def test_tie_points_beyond_180_degrees_east_are_west(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:21, :21]
    east = 175.0 + columns + 0 * rows
    path = write_coded(tmp_path, 400, 420, sar_grid2d_longitude=east)
    recipe = Recipe(dtype="float32", tie_points="nearest")
    longitude = find_channel("longitude")
    stored = plane(prepared(path, recipe), recipe, "longitude")
    degrees = stored * longitude.std + longitude.mean
    np.testing.assert_allclose(degrees[0, [8, 10, 41]], [179, -180, -165], atol=1e-4)


def test_fill_is_where_all_three_planes_are_fill(tmp_path: Path) -> None:
    planes = {
        name: np.full((40, 40), 0.5, np.float32)
        for name in ("nersc_sar_primary", "nersc_sar_secondary", "sar_incidenceangle")
    }
    for values in planes.values():
        values[:20, :10] = 0
    planes["nersc_sar_primary"][30, 30] = 0  # a valid pixel that is 0 by rounding
    charts = {
        name: np.where(planes["sar_incidenceangle"] == 0, 255, 0).astype(np.uint8)
        for name in ("SIC", "SOD", "FLOE")
    }
    cells = {"distance_map": np.ones((40, 40), np.float32)}
    path = write_coded(tmp_path, 40, 40, **planes, **charts, **cells)
    recipe = Recipe(ratio=10, dtype="float32")
    scene = prepared(path, recipe)
    hh = plane(scene, recipe, "hh")
    np.testing.assert_array_equal(
        np.isnan(hh), [[y < 2 and x == 0 for x in range(4)] for y in range(4)]
    )
    assert hh[3, 3] == pytest.approx(0.5 * 99 / 100)
    np.testing.assert_array_equal(scene.charts[..., 0] == 255, np.isnan(hh))
    no_sar = (scene.full_flags & FLAG_NO_SAR) > 0
    assert no_sar.sum() == 200
    assert no_sar[:20, :10].all()


def test_land_and_remainder_are_flagged(tmp_path: Path) -> None:
    zones = np.full((43, 47), 5.0)
    zones[10:20, 30:] = 0
    distance = find_channel("distance_map")
    standardised = ((zones - distance.mean) / distance.std).astype(np.float32)
    scene = prepared(
        write_coded(tmp_path, 43, 47, distance_map=standardised), Recipe(ratio=10)
    )
    np.testing.assert_array_equal((scene.full_flags & FLAG_LAND) > 0, zones == 0)
    remainder = np.zeros((43, 47), bool)
    remainder[40:] = remainder[:, 40:] = True
    np.testing.assert_array_equal((scene.full_flags & FLAG_REMAINDER) > 0, remainder)


def test_bands_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_coded(tmp_path, 503, 127)
    whole = prepared(path, Recipe(ratio=7))
    monkeypatch.setattr("seaice_data.preparation.assemble._BAND_ROWS", 21)
    banded = prepared(path, Recipe(ratio=7))
    np.testing.assert_array_equal(whole.inputs, banded.inputs)
    np.testing.assert_array_equal(whole.full_charts, banded.full_charts)
    np.testing.assert_array_equal(whole.charts, banded.charts)


def test_a_ratio_that_leaves_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        RecipeError, match="ratio 200 is larger than the scene of 127 x 399"
    ):
        prepared(write_coded(tmp_path, 127, 399), Recipe(ratio=200))


# ---- averages of decibels and of power


def of_two(tmp_path: Path, sar: str, values: tuple[float, float]) -> float:
    """Return the stored HH, in dB, of blocks in which two values alternate."""
    hh = find_channel("hh")
    columns = np.arange(40) % 2
    plane_db = np.broadcast_to(np.array(values)[columns], (40, 40))
    standardised = ((plane_db - hh.mean) / hh.std).astype(np.float32)
    path = write_coded(tmp_path / sar, 40, 40, nersc_sar_primary=standardised)
    recipe = Recipe(ratio=10, dtype="float32", sar=sar)  # type: ignore[arg-type]
    stored = plane(prepared(path, recipe), recipe, "hh")
    assert stored.min() == pytest.approx(stored.max(), abs=1e-5)
    return float(stored[0, 0] * hh.std + hh.mean)


def test_sar_is_averaged_in_decibels_or_in_power(tmp_path: Path) -> None:
    # 1/10 and 1/1000 have the mean 0.0505, which is -12.97 dB.
    assert of_two(tmp_path, "mean", (-10, -30)) == pytest.approx(-20, abs=1e-4)
    assert of_two(tmp_path, "power", (-10, -30)) == pytest.approx(-12.967, abs=1e-3)


@pytest.mark.parametrize("level_db", [-40.0, -14.5, 3.0])
def test_a_constant_plane_has_the_same_mean_in_power(
    tmp_path: Path, level_db: float
) -> None:
    power = of_two(tmp_path, "power", (level_db, level_db))
    assert power == pytest.approx(level_db, abs=1e-4)


def test_the_mean_power_is_at_least_the_mean_decibel(tmp_path: Path) -> None:
    (path, *_) = write_scenes(tmp_path, 1, 300).written
    by_recipe = {}
    for sar in ("mean", "power"):
        recipe = Recipe(ratio=7, dtype="float32", sar=sar)  # type: ignore[arg-type]
        by_recipe[sar] = prepared(path, recipe)
    mean, power = by_recipe["mean"], by_recipe["power"]
    np.testing.assert_array_equal(mean.full_flags, power.full_flags)
    np.testing.assert_array_equal(np.isnan(mean.inputs), np.isnan(power.inputs))
    excess = power.inputs - mean.inputs
    valid = ~np.isnan(excess[..., 0])
    assert (excess[valid][:, :2] > -1e-5).all()
    assert excess[valid][:, :2].mean() > 0.01
    assert (excess[valid][:, 2:] == 0).all()


@pytest.mark.parametrize("fill", [0, 2])
def test_fill_has_no_power(tmp_path: Path, fill: float) -> None:
    masked = ("nersc_sar_primary", "nersc_sar_secondary", "sar_incidenceangle")
    planes = {name: np.full((40, 40), 0.5, np.float32) for name in masked}
    charts = {name: np.zeros((40, 40), np.uint8) for name in ("SIC", "SOD", "FLOE")}
    for values in planes.values():
        values[:20, :15] = fill
    planes["nersc_sar_primary"][5, 5] = np.nan
    for values in charts.values():
        values[:20, :15] = 255
    path = write_coded(tmp_path, 40, 40, **planes, **charts)
    with h5py.File(path, "a") as file:
        for name in masked:
            file[name].attrs["variable_fill_value"] = fill
    recipe = Recipe(ratio=10, dtype="float32", sar="power")
    hh = plane(prepared(path, recipe), recipe, "hh")
    expected = np.full((4, 4), 0.5)
    expected[:2, 0] = np.nan
    np.testing.assert_allclose(hh, expected, atol=1e-6)


@pytest.mark.parametrize("ratio", [1, 10])
def test_a_valid_pixel_that_is_0_by_rounding_has_power(tmp_path: Path, ratio: int) -> None:
    hh = np.zeros((40, 40), np.float32)  # the published mean everywhere
    path = write_coded(tmp_path, 40, 40, nersc_sar_primary=hh)
    recipe = Recipe(ratio=ratio, dtype="float32", sar="power")
    np.testing.assert_array_equal(plane(prepared(path, recipe), recipe, "hh"), 0)


# ---- polygons of pixels


@pytest.mark.parametrize("sar", ["mean", "nearest"])
def test_the_polygon_of_a_nearest_pixel_is_that_of_its_class(
    tmp_path: Path, sar: str
) -> None:
    (path,) = write_scenes(tmp_path, 1, 300, "raw").written
    with h5py.File(path, "a") as file:  # polygons of 31 x 37 pixels of 40 m
        known = ~np.isnan(file["polygon_icechart"][...])
        y, x = np.indices(known.shape)
        ids = np.where((y // 31 + x // 37) % 2, 4, 9)
        file["polygon_icechart"][...] = np.where(known, ids, np.nan)
        del file["polygon_codes"]
        file["polygon_codes"] = [
            "poly_id;CT;CA;SA;FA;CB;SB;FB;CC;SC;FC;CN;CD;CF;POLY_TYPE",
            "4;90;-9;95;05;-9;-9;-9;-9;-9;-9;-9;-9;-9;I",
            "9;30;-9;87;04;-9;-9;-9;-9;-9;-9;-9;-9;-9;I",
        ]
    full = prepared(path, Recipe(ratio=1))
    recipe = Recipe(ratio=7, charts="nearest", sar=sar)  # type: ignore[arg-type]
    found = prepared(path, recipe)
    height, width = full.grid.shape
    picked = np.ix_(nearest_indices(height, 7), nearest_indices(width, 7))
    assert full.polygon_ids is not None
    assert found.polygon_ids is not None
    np.testing.assert_array_equal(found.polygon_ids, full.polygon_ids[picked])
    np.testing.assert_array_equal(found.charts, full.charts[picked])
    most = prepared(path, Recipe(ratio=7)).polygon_ids
    assert most is not None
    assert 0.01 < np.mean(most != found.polygon_ids) < 0.5


def test_a_recipe_decides_whether_intervals_have_a_class(tmp_path: Path) -> None:
    (path,) = write_scenes(tmp_path, 1, 300, "raw").written
    with h5py.File(path, "a") as file:
        ids = file["polygon_icechart"][...]
        halves = np.where(np.arange(ids.shape[1]) < 300, 4, 9)
        file["polygon_icechart"][...] = np.where(np.isnan(ids), np.nan, halves)
        del file["polygon_codes"]
        file["polygon_codes"] = [
            "poly_id;CT;CA;SA;FA;CB;SB;FB;CC;SC;FC;CN;CD;CF;POLY_TYPE",
            "4;79;68;95;05;12;87;04;-9;-9;-9;-9;-9;-9;I",
            "9;30;-9;87;03;-9;-9;-9;-9;-9;-9;-9;-9;-9;I",
        ]
    for choice, expected in (("own", [3, 255]), ("none", [3, 255]), ("all", [3, 8, 255])):
        recipe = Recipe(interval_codes=choice)  # type: ignore[arg-type]
        store = str(tmp_path / f"{choice}.zarr")
        (scene_id,) = prepare(path, store, recipe).written
        full = Store.open(store).scene(scene_id).full_charts()
        assert np.unique(full[0]).tolist() == expected
        inputs = FileSource(path, recipe).read(scene_id, charts=True)
        np.testing.assert_array_equal(inputs.charts, full)


def test_a_most_frequent_polygon_need_not_have_the_most_frequent_class() -> None:
    # Polygon 7, of class 9, has two pixels; 3 and 5, of class 1, have one each. A tie of
    # classes goes to the lower one.
    ids = np.array([[7, 7], [3, 5]], np.int32)
    classes = np.where(ids == 7, 9, 1).astype(np.uint8)
    assert downscale_chart(ids, 2).item() == 7
    assert downscale_chart(classes, 2).item() == 1

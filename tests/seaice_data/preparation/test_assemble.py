"""Geometry: stored pixels are where the 80 m pixels, cells and tie points place them."""

from pathlib import Path

import numpy as np
import pytest
from support.coded_scenes import write_coded

from seaice_data.channels import find_channel
from seaice_data.errors import RecipeError
from seaice_data.flags import FLAG_LAND, FLAG_NO_SAR, FLAG_REMAINDER
from seaice_data.grid import block_centres, nearest_indices
from seaice_data.preparation.assemble import assemble
from seaice_data.scenes.files import open_scene
from seaice_data.store.prepared_scene import PreparedScene
from seaice_data.store.recipe import Recipe

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

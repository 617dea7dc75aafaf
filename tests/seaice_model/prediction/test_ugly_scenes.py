"""Degenerate scenes give a map, or a clear error."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from support.coded_scenes import write_coded
from support.learnable_scenes import RECIPE, SOURCE, TEST_SCENE, prepared_scene

from seaice_data.channels import CHANNELS, Group
from seaice_data.charts import CHART_FILL
from seaice_data.grid import Grid
from seaice_data.preparation.prepare import prepare
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.store.writer import StoreWriter
from seaice_model.formats.convert import convert_maps
from seaice_model.maps.netcdf import read_netcdf
from seaice_model.prediction.predict import (
    PredictReport,
    PredictSettings,
    predict_files,
    predict_store,
)
from seaice_model.prediction.predictor import Predictor

HEIGHT, WIDTH = 75, 100
LAND = np.full((HEIGHT, WIDTH), -1.5761, np.float32)  # zone 0, standardised
Predict = Callable[[Path], PredictReport]


@pytest.fixture
def predict(run: Path, tmp_path: Path) -> Predict:
    """Return a function that predicts the map of a file, with its figure."""

    def predict_file(path: Path) -> PredictReport:
        return predict_files(path, run, tmp_path / "maps")

    return predict_file


def test_a_scene_without_labels_gives_a_map(tmp_path: Path, predict: Predict) -> None:
    path = write_coded(tmp_path, HEIGHT, WIDTH, SIC=None, SOD=None, FLOE=None)
    report = predict(path)
    assert report.failed == ()
    chart_map = read_netcdf(report.maps[0])
    assert (chart_map.charts != CHART_FILL).all()
    assert report.maps[0].with_suffix(".png").exists()


def test_a_scene_of_land_gives_an_empty_map(tmp_path: Path, predict: Predict) -> None:
    report = predict(write_coded(tmp_path, HEIGHT, WIDTH, distance_map=LAND))
    assert report.failed == ()
    chart_map = read_netcdf(report.maps[0])
    assert (chart_map.charts == CHART_FILL).all()
    assert (chart_map.flags & 2 == 2).all()
    assert chart_map.decision is not None
    assert (chart_map.decision.entropy == 255).all()
    # An empty GeoTIFF, no polygons, and a submission all the same.
    out = tmp_path / "out"
    formats = ("tif", "submission")
    # Coded scenes span several degrees, so coarse pixels are enough.
    assert convert_maps(report.maps[0], out, formats, spacing_m=9000.0).failed == ()
    refused = convert_maps(report.maps[0], out, ["shp"]).failed
    assert "shows nothing: all is land or no SAR" in refused[0].reason


def test_a_scene_without_a_valid_pixel_is_refused(tmp_path: Path, predict: Predict) -> None:
    empty = np.zeros((HEIGHT, WIDTH), np.float32)
    planes = ("nersc_sar_primary", "nersc_sar_secondary", "sar_incidenceangle")
    report = predict(write_coded(tmp_path, HEIGHT, WIDTH, **dict.fromkeys(planes, empty)))
    assert report.maps == ()
    assert "no pixel has both SAR and a chart" in report.failed[0].reason


def test_a_scene_of_one_pixel_of_the_store_gives_a_map(
    tmp_path: Path, predict: Predict
) -> None:
    report = predict(write_coded(tmp_path, 3, 2, **cells(1, 1)))
    assert report.failed == ()
    assert read_netcdf(report.maps[0]).charts.shape == (3, 3, 2)


def test_a_scene_smaller_than_a_pixel_of_the_store_is_refused(
    tmp_path: Path, predict: Predict
) -> None:
    report = predict(write_coded(tmp_path, 1, 60, **cells(1, 2)))
    assert report.maps == ()
    assert "ratio 2 is larger than the scene of 1 x 60" in report.failed[0].reason


@pytest.mark.parametrize("shape", [(3, 2000), (2001, 3), (2, 2)])
def test_a_line_of_pixels_gives_a_map_in_every_format(
    tmp_path: Path, run: Path, shape: tuple[int, int]
) -> None:
    store = StoreWriter.create(str(tmp_path / "store.zarr"), RECIPE)
    scene = prepared_scene(TEST_SCENE, source=Grid(*shape, 80.0))
    scene.full_flags[:] = 0
    store.write(scene, {})
    store = Store.open(store.path)
    report = predict_store(store, run, tmp_path / "maps", scenes=[TEST_SCENE])
    assert report.failed == ()
    chart_map = read_netcdf(report.maps[0])
    assert chart_map.charts.shape == (3, *shape)
    assert (chart_map.charts != CHART_FILL).all()
    with xr.open_dataset(report.maps[0]) as dataset:
        assert dataset.floe_size.shape == shape
    formats = ("tif", "gpkg", "shp", "submission")
    assert convert_maps(tmp_path / "maps", tmp_path / "out", formats).failed == ()


def test_a_line_of_pixels_cannot_be_placed_on_the_grid_of_the_store(
    tmp_path: Path, run: Path
) -> None:
    store = StoreWriter.create(str(tmp_path / "store.zarr"), RECIPE)
    store.write(prepared_scene(TEST_SCENE, source=Grid(3, 200, 80.0)), {})
    store = Store.open(store.path)
    settings = PredictSettings(grid="store")
    report = predict_store(store, run, tmp_path / "maps", settings, scenes=[TEST_SCENE])
    assert report.maps == ()
    assert "a map of 1 x 100 pixels cannot be placed" in report.failed[0].reason
    assert "--grid 80m" in str(report.failed[0].hint)


def test_a_scene_larger_than_a_tile_is_as_good_as_any(tmp_path: Path, run: Path) -> None:
    store = StoreWriter.create(str(tmp_path / "store.zarr"), RECIPE)
    store.write(prepared_scene(TEST_SCENE, source=SOURCE), {})
    planes = np.asarray(Store.open(store.path).scene(TEST_SCENE).inputs)
    predictor = Predictor.load([run], torch.device("cpu"))
    whole = predictor.decide(planes, store.channels, probabilities=True)
    tiled = predictor.decide(planes, store.channels, probabilities=True, tile=16, margin=4)
    assert (whole.classes != tiled.classes).mean() < 0.01
    assert whole.probabilities is not None
    assert tiled.probabilities is not None
    for ours, theirs in (
        (whole.entropy, tiled.entropy),
        *zip(whole.probabilities.values(), tiled.probabilities.values(), strict=True),
    ):
        assert ours.shape == theirs.shape
        assert (ours != theirs).mean() < 0.1


def test_store_and_file_refuse_the_same_scene(tmp_path: Path) -> None:
    empty = np.zeros((HEIGHT, WIDTH), np.float32)
    planes = ("nersc_sar_primary", "nersc_sar_secondary", "sar_incidenceangle")
    write_coded(tmp_path / "raw", HEIGHT, WIDTH, **dict.fromkeys(planes, empty))
    report = prepare(tmp_path / "raw", str(tmp_path / "store.zarr"), Recipe(ratio=5))
    assert "no pixel has both SAR and a chart" in report.failed[0].reason


def cells(n_y: int, n_x: int) -> dict[str, np.ndarray]:
    """Return planes of the 2 km grid for scenes that are smaller than a cell."""
    return {
        str(channel.variable): np.zeros((n_y, n_x), np.float32)
        for channel in CHANNELS
        if channel.group in (Group.AMSR2, Group.ERA5)
    }

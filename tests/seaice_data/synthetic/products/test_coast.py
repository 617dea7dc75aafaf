"""The coast of synthetic scenes, and what `seaice ingest --coast` makes of it."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from seaice_data.arrays import FloatArray
from seaice_data.geolocation import TiePoints
from seaice_data.grid import SPACING_M, Grid
from seaice_data.ingest.frame import Frame
from seaice_data.ingest.land import read_land
from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.plan import ScenePlan, plan_scenes
from seaice_data.synthetic.products.coast import write_coast

PLAN = ScenePlan(
    seed=119,
    region="NorthEast",
    acquired=datetime(2019, 3, 7, 17, 59, 30, tzinfo=UTC),
    height=213,
    width=227,
)


def frame_of(scene: Observation) -> Frame:
    """Return the 80 m pixels of a scene, each of two lines and samples of 40 m."""
    plan, ties = scene.plan, scene.ties
    lines, samples = ((axis - 0.5) / 2 for axis in (ties.lines, ties.samples))
    points = TiePoints(ties.latitude, ties.longitude, lines, samples)
    grid = Grid(plan.height, plan.width, SPACING_M)
    return Frame(grid, points, plan.acquired, plan.acquired)


def zones_of(scene: Observation) -> FloatArray:
    """Return the zones that the scene has at 80 m: means of four, as in ready files."""
    zone = np.concatenate([band.zone for band in scene.bands()])
    height, width = scene.plan.height, scene.plan.width
    blocks = zone[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
    return np.asarray(blocks.mean(axis=(1, 3)))


# A scene in the open sea (its nearest land is outside the swath), some at a coast.
@pytest.mark.parametrize("number", [1, 2, 3, 6, 7])
def test_the_coast_gives_the_zones_of_the_scene(tmp_path: Path, number: int) -> None:
    scene = Observation(plan_scenes(8, 200, seed=1)[number])
    zones = read_land(frame_of(scene), write_coast(tmp_path, scene)).zones
    differs = np.abs(zones - zones_of(scene)) > 0.5
    assert differs.mean() < 0.005
    assert scene.surface.swath.coast is None or (zones == 0).any()


def test_a_large_scene_has_the_same_coast(tmp_path: Path) -> None:
    plan = dataclasses.replace(PLAN, height=1501, width=1601)
    scene = Observation(plan)
    zones = read_land(frame_of(scene), write_coast(tmp_path, scene)).zones
    assert (np.abs(zones - zones_of(scene)) > 0.5).mean() < 0.005
    assert len(np.unique(zones)) > 20


def test_the_coast_reaches_beyond_the_scene(tmp_path: Path) -> None:
    scene = Observation(PLAN)
    path = write_coast(tmp_path, scene)
    assert path == tmp_path / "coast.gpkg"
    about, _, found, _ = pyogrio.raw.read(path)
    assert about["crs"] == "EPSG:3413"
    land = shapely.from_wkb(found)
    assert shapely.is_valid(land).all()
    assert (shapely.get_type_id(land) == shapely.GeometryType.POLYGON).all()
    # The swath is 416 km wide, the scene 18 km.
    west, south, east, north = shapely.total_bounds(land)
    assert max(east - west, north - south) > 300_000
    lengths = shapely.length(land)
    assert (shapely.get_num_coordinates(land) >= lengths / 500).all()


def test_equal_plans_give_equal_coasts(tmp_path: Path) -> None:
    lands = []
    for name in "ab":
        (tmp_path / name).mkdir()
        path = write_coast(tmp_path / name, Observation(PLAN))
        lands.append(pyogrio.raw.read(path)[2].tolist())
    assert lands[0] == lands[1]

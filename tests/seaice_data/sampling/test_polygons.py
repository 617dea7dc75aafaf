"""Polygons of scenes: kept up to a limit, and never passed to another process."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from support.polygon_scenes import polygon_table, write_polygons

from seaice_data.sampling.polygons import KeptPolygons, read_polygons
from seaice_data.store.store import Store

IDS = [f"2019010{day}T000000_dmi" for day in (1, 2, 3)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Write three scenes of 30 x 30 pixels, one polygon each."""
    path = str(tmp_path_factory.mktemp("polygons") / "store.zarr")
    planes = {i: np.full((30, 30), k) for k, i in enumerate(IDS)}
    return write_polygons(path, planes, polygon_table({2: (92,), 0: (10,), 1: (50,)}))


def test_positions_follow_the_ids(store: Store) -> None:
    for k, scene_id in enumerate(IDS):
        polygons = read_polygons(store.scene(scene_id))
        assert (polygons.positions == k + 1).all()
        assert polygons.positions.dtype == np.uint8
        assert polygons.ids.tolist() == [0, 1, 2]
        assert polygons.n_pixels.tolist() == [900 * (k == n) for n in range(3)]


def test_many_polygons_have_wider_positions(tmp_path: Path) -> None:
    table = polygon_table(dict.fromkeys(range(300), (92,)))
    ids = np.arange(300).reshape(15, 20)
    store = write_polygons(str(tmp_path / "store.zarr"), {IDS[0]: ids}, table)
    positions = read_polygons(store.scene(IDS[0])).positions
    assert positions.dtype == np.uint16
    np.testing.assert_array_equal(positions, ids + 1)


def test_rows_are_read_some_at_a_time(tmp_path: Path) -> None:
    ids = np.repeat(np.arange(150)[:, None] // 50 - 1, 20, axis=1)
    table = polygon_table({1: (92,), 0: (10,)})
    store = write_polygons(str(tmp_path / "store.zarr"), {IDS[0]: ids}, table)
    polygons = read_polygons(store.scene(IDS[0]))
    np.testing.assert_array_equal(polygons.positions, ids + 1)
    assert polygons.n_pixels.tolist() == [1000, 1000]


def test_what_is_kept_stays_below_the_limit(store: Store) -> None:
    scenes = [store.scene(scene_id) for scene_id in IDS]
    n_bytes = read_polygons(scenes[0]).nbytes
    assert 900 < n_bytes < 1300
    kept = KeptPolygons(scenes, 2 * n_bytes)
    first = kept.of(0)
    kept.of(1)
    assert kept.of(0) is first
    kept.of(2)  # drops the one that was used least recently
    assert kept.n_kept_bytes == 2 * n_bytes
    assert kept.of(0) is first
    none = KeptPolygons(scenes, 0)
    assert (none.of(1).positions == 2).all()
    assert none.n_kept_bytes == 0


def test_they_travel_without_pixels(store: Store) -> None:
    kept = KeptPolygons([store.scene(scene_id) for scene_id in IDS], 2**20)
    kept.of(0)
    sent = pickle.loads(pickle.dumps(kept))  # noqa: S301 - our own
    assert sent.n_kept_bytes == 0
    np.testing.assert_array_equal(sent.of(2).positions, kept.of(2).positions)

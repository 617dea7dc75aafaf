"""Readers notice a store that is replaced, or a scene that is prepared again."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.coded_scenes import coded_arrays, write_coded

from seaice_data.errors import StoreError
from seaice_data.preparation.prepare import prepare
from seaice_data.sampling.planes import open_planes
from seaice_data.settings import from_mapping
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.store.stored_scene import StoredScene
from seaice_data.store.writer import StoreWriter

IDS = ("20190114T101830_dmi", "20190214T101830_dmi")
WORDS = r"the store at .* was replaced while it was read"
READERS: dict[str, Callable[[StoredScene], object]] = {
    "inputs": lambda scene: scene.inputs,
    "charts": lambda scene: scene.charts,
    "full_charts": lambda scene: scene.full_charts(),
    "full_flags": lambda scene: scene.full_flags(),
    "tie_points": lambda scene: scene.tie_points,
    "xarray": lambda scene: scene.to_xarray(),
}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make two folders of scenes with equal ids and shapes, but other SAR in the second."""
    folder = tmp_path_factory.mktemp("replaced")
    sar = 2 * coded_arrays(203, 251)["nersc_sar_primary"]
    for scene_id in IDS:
        write_coded(folder / "one", 203, 251, scene_id)
        write_coded(folder / "other", 203, 251, scene_id, nersc_sar_primary=sar)
    return folder / "one", folder / "other"


@pytest.fixture(params=["none", "zstd"])
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return from_mapping(Recipe, {"codec": request.param})


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_notices_another_store_of_the_same_recipe(
    raw: tuple[Path, Path], tmp_path: Path, recipe: Recipe, reader: str
) -> None:
    path = tmp_path / "store.zarr"
    prepare(raw[0], path, recipe)
    store = Store.open(path)
    read = READERS[reader]
    read(store.scene(IDS[0]))
    prepare(raw[1], path, recipe, overwrite=True)
    with pytest.raises(StoreError, match=WORDS) as caught:
        read(store.scene(IDS[1]))
    assert caught.value.hint == "run the command again"
    read(Store.open(path).scene(IDS[1]))


def test_a_reader_notices_a_store_of_another_recipe(
    raw: tuple[Path, Path], tmp_path: Path
) -> None:
    path = tmp_path / "store.zarr"
    prepare(raw[0], path, Recipe())
    store = Store.open(path)
    prepare(raw[0], path, Recipe(charts="nearest"), overwrite=True)
    with pytest.raises(StoreError, match=WORDS):
        store.scene(IDS[0])


def test_a_reader_notices_a_store_that_is_gone(
    raw: tuple[Path, Path], tmp_path: Path, recipe: Recipe
) -> None:
    path = tmp_path / "store.zarr"
    prepare(raw[0], path, recipe)
    scene = Store.open(path).scene(IDS[0])
    path.rename(tmp_path / "moved.zarr")
    for read in READERS.values():
        with pytest.raises(StoreError, match=rf"scene '{IDS[0]}' of .* is no longer there"):
            read(scene)


def test_metadata_that_cannot_be_read_again_is_not_another_store(
    raw: tuple[Path, Path], tmp_path: Path, recipe: Recipe
) -> None:
    path = tmp_path / "store.zarr"
    prepare(raw[0], path, recipe)
    scene = Store.open(path).scene(IDS[0])
    document = path / "scenes" / IDS[0] / "zarr.json"
    document.unlink()
    document.symlink_to(document.name)  # an error of the system, for root too
    with pytest.raises(StoreError, match=r"cannot be read: Too many .*symbolic links"):
        assert scene.charts.shape == (20, 25, 3)


def test_a_sampler_notices_it_at_the_next_scene_it_opens(
    raw: tuple[Path, Path], tmp_path: Path, recipe: Recipe
) -> None:
    path = tmp_path / "store.zarr"
    prepare(raw[0], path, recipe)
    store = Store.open(path)
    planes = open_planes([store.scene(scene_id) for scene_id in IDS])
    first = planes.part(0, 0, 8, 0, 8)
    prepare(raw[1], path, recipe, overwrite=True)
    np.testing.assert_array_equal(planes.part(0, 0, 8, 0, 8).inputs, first.inputs)
    with pytest.raises(StoreError, match=WORDS):
        planes.part(1, 0, 8, 0, 8)


def test_a_scene_that_was_prepared_again_from_another_file_is_noticed(
    raw: tuple[Path, Path], tmp_path: Path, recipe: Recipe
) -> None:
    path = tmp_path / "store.zarr"
    prepare(raw[0], path, recipe)
    scenes = Store.open(path)
    one, other = (scenes.scene(scene_id) for scene_id in IDS)
    StoreWriter(path).remove(IDS[1])
    prepare(raw[1] / f"{IDS[1]}_prep.nc", path, recipe)
    assert one.charts.shape == (20, 25, 3)
    with pytest.raises(StoreError, match=WORDS):
        assert other.charts.shape == (20, 25, 3)


def test_an_equal_store_in_its_place_is_as_good(
    raw: tuple[Path, Path], tmp_path: Path, recipe: Recipe
) -> None:
    path = tmp_path / "store.zarr"
    prepare(raw[0], path, recipe)
    scene = Store.open(path).scene(IDS[0])
    prepare(raw[0], path, recipe, overwrite=True)
    np.testing.assert_array_equal(scene.charts, Store.open(path).scene(IDS[0]).charts)


def test_scenes_may_be_added_while_others_are_read(
    raw: tuple[Path, Path], tmp_path: Path, recipe: Recipe
) -> None:
    path = tmp_path / "store.zarr"
    prepare(raw[0] / f"{IDS[0]}_prep.nc", path, recipe)
    scene = Store.open(path).scene(IDS[0])
    prepare(raw[0], path, recipe)
    assert scene.charts.shape == (20, 25, 3)

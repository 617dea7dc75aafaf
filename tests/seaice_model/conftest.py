"""A store of small scenes that can be learned, and a run trained on it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import torch
from support.learnable_scenes import (
    RECIPE,
    SCENES,
    SOURCE,
    TEST_SCENE,
    TINY,
    UNCHARTED,
    WHOLE,
    StoreMaker,
    prepared_scene,
)

from seaice_data.grid import Grid
from seaice_data.store.origin import Origin
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.store.summary import finish
from seaice_data.store.writer import StoreWriter
from seaice_model.training.train import train


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small only wait for each other on several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def make_store() -> StoreMaker:
    """Return a function that writes a store of small scenes."""

    def make(
        path: Path,
        scenes: Sequence[str] = (*SCENES, TEST_SCENE),
        recipe: Recipe = RECIPE,
        uncharted: Sequence[str] = (),
        origins: Mapping[str, Origin] | None = None,
        source: Grid = SOURCE,
    ) -> Store:
        store = StoreWriter.create(str(path), recipe)
        for scene_id in (*scenes, *uncharted):
            has_charts = scene_id not in uncharted
            origin = (origins or {}).get(scene_id, WHOLE)
            scene = prepared_scene(
                scene_id, recipe, source, has_charts=has_charts, origin=origin
            )
            store.write(scene, {})
        finish(Store.open(str(path)))
        return Store.open(str(path))

    return make


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory, make_store: StoreMaker) -> Store:
    """Return a store of six scenes to train and validate, two to test; read only."""
    path = tmp_path_factory.mktemp("store") / "store.zarr"
    return make_store(path, uncharted=(UNCHARTED,))


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, store: Store) -> Path:
    """Return a finished run on `store`; read only."""
    path = tmp_path_factory.mktemp("run") / "run"
    train(store, path, TINY, device="cpu")
    return path

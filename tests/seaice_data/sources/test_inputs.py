from pathlib import Path

import numpy as np
from support.coded_scenes import SCENE_ID, write_coded

from seaice_data.preparation.prepare import prepare
from seaice_data.sources.inputs import FileSource, StoreSource
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store


def test_files_have_the_inputs_of_a_store_of_their_recipe(tmp_path: Path) -> None:
    write_coded(tmp_path / "raw", 251, 263)
    recipe = Recipe(
        ratio=4,
        sar="nearest",
        charts="nearest",
        ancillary="nearest",
        tie_points="nearest",
    )
    prepare(tmp_path / "raw", str(tmp_path / "store.zarr"), recipe, jobs=1)
    store = Store.open(str(tmp_path / "store.zarr"))
    assert store.recipe == recipe
    ours = StoreSource(store, [SCENE_ID]).read(SCENE_ID, charts=False)
    theirs = FileSource(tmp_path / "raw", recipe).read(SCENE_ID, charts=False)
    np.testing.assert_array_equal(ours.planes, theirs.planes)
    latitude = ours.planes[..., ours.channels.index("latitude")]
    assert len(np.unique(latitude[:, 0])) == len(np.unique(latitude[0])) == 21

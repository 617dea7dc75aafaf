import shutil
from pathlib import Path

import pytest
from support.learnable_scenes import SCENES

from seaice_data.scene_id import SceneId
from seaice_data.store.division import split_store
from seaice_data.store.split import SplitSettings
from seaice_data.store.store import Store
from seaice_model.errors import StudyError
from seaice_model.study.runs import score_run


def test_a_run_is_never_scored_on_scenes_that_it_was_trained_on(
    tmp_path: Path, store: Store, run: Path
) -> None:
    shutil.copytree(store.path, tmp_path / "store.zarr")
    divided = Store.open(tmp_path / "store.zarr")
    split_store(divided, SplitSettings(test=tuple(map(SceneId, SCENES[:2]))))
    with pytest.raises(StudyError, match="on 2 of the 2 test scenes") as caught:
        score_run(Store.open(divided.path), run, "cpu")
    assert "divide the store as it was" in str(caught.value.hint)

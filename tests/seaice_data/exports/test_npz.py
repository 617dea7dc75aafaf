"""NumPy archives: one a patch, as the store has it."""

from pathlib import Path

import numpy as np
from support.export_stores import HELD_OUT

from seaice_data.exports.export import export_patches
from seaice_data.exports.settings import ExportSettings
from seaice_data.store.store import Store


def test_an_archive_has_the_window_and_says_where_it_is_from(
    store: Store, tmp_path: Path
) -> None:
    settings = ExportSettings(to="npz", size=25, splits=("validation",))
    export_patches(store, tmp_path, settings)
    path = tmp_path / "validation" / f"{HELD_OUT}_y00025_x00018.npz"
    scene = store.scene(HELD_OUT)
    with np.load(path) as patch:
        np.testing.assert_array_equal(patch["inputs"], scene.inputs[25:, 18:43])
        np.testing.assert_array_equal(patch["charts"], scene.charts[25:, 18:43])
        assert patch["inputs"].dtype == np.float16
        assert patch["channel"].tolist() == ["hh", "hv", "t2m"]
        assert patch["chart"].tolist() == ["SIC", "SOD", "FLOE"]
        about = {name: patch[name].item() for name in ("scene", "split", "top", "left")}
        assert about == {"scene": HELD_OUT, "split": "validation", "top": 25, "left": 18}
        assert patch["acquired"].item() == "2019-05-01T00:00:00Z"

"""Maps of a store that is replaced while they are made."""

from pathlib import Path

from support.coded_scenes import coded_arrays, write_coded
from support.learnable_scenes import RECIPE

from seaice_data.preparation.prepare import prepare
from seaice_data.store.store import Store
from seaice_model.prediction.predict import PredictSettings, predict_store

IDS = tuple(f"2019{month:02}14T101830_dmi" for month in (1, 2, 3))


def test_maps_come_only_from_the_store_that_was_opened(run: Path, tmp_path: Path) -> None:
    sar = 2 * coded_arrays(81, 90)["nersc_sar_primary"]
    for scene_id in IDS:
        write_coded(tmp_path / "one", 81, 90, scene_id)
        write_coded(tmp_path / "other", 81, 90, scene_id, nersc_sar_primary=sar)
    path = tmp_path / "store.zarr"
    prepare(tmp_path / "one", path, RECIPE)

    def replace(n_done: int, _n_scenes: int, _scene: str) -> None:
        if n_done == 1:
            prepare(tmp_path / "other", path, RECIPE, overwrite=True)

    settings = PredictSettings(plots=False)
    report = predict_store(
        Store.open(path), run, tmp_path / "maps", settings, scenes=IDS, progress=replace
    )
    assert [path.name for path in report.maps] == [f"{IDS[0]}.nc"]
    assert [failure.name for failure in report.failed] == [*IDS[1:]]
    for failure in report.failed:
        assert "was replaced while it was read" in failure.reason
        assert failure.hint == "run the command again"
    whole = predict_store(Store.open(path), run, tmp_path / "again", settings, scenes=IDS)
    assert (len(whole.maps), whole.failed) == (3, ())

"""Sets of scenes are written in batches, with their hidden truth beside them."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from seaice.main import app
from seaice_data.charts import CHARTS
from seaice_data.errors import SettingsError
from seaice_data.preparation.prepare import prepare
from seaice_data.scenes.files import find_scene_files
from seaice_data.sources.charts import find_charts
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.synthetic.scene_set import write_scenes


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write four scenes with their truth, by the command."""
    raw = tmp_path_factory.mktemp("set") / "raw"
    with pytest.raises(SystemExit) as ended:
        app(f"synth {raw} --scenes 4 --size 120x200 --jobs 1 --truth".split())
    assert ended.value.code == 0
    return raw


def test_truth_is_beside_the_scenes_and_never_in_them(raw: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path, 4, (120, 200))
    assert content(tmp_path) == content(raw)
    truth = raw.with_name("raw-truth")
    assert [path.name for path in sorted(truth.iterdir())] == [
        f"{scene_id}_truth.nc" for scene_id in sorted(find_scene_files(raw).files)
    ]


def test_nothing_stumbles_over_the_truth(raw: Path, tmp_path: Path) -> None:
    found = find_scene_files(raw)
    assert (len(found.files), found.failed) == (4, ())
    report = prepare(raw, str(tmp_path / "store.zarr"), Recipe(ratio=5))
    assert (len(report.written), report.failed) == (4, ())


def test_maps_can_be_scored_against_the_truth(raw: Path) -> None:
    truth = raw.with_name("raw-truth")
    charts = find_charts(str(truth))
    assert charts.scenes.keys() == {*find_scene_files(raw).files}
    assert not charts.failed
    for scene in charts.scenes.values():
        planes = xr.load_dataset(truth / f"{scene.id}_truth.nc")
        expected = np.stack([planes[chart.name].to_numpy() for chart in CHARTS])
        np.testing.assert_array_equal(scene.read(), expected)


def test_missing_truth_is_written_again(raw: Path, tmp_path: Path) -> None:
    scenes, truth = tmp_path / "scenes", tmp_path / "truth"
    write_scenes(scenes, 4, (120, 200), truth=truth)
    before = content(truth)
    lost = next(truth.iterdir())
    lost.unlink()
    report = write_scenes(scenes, 4, (120, 200), truth=truth)
    assert report.written == (lost,)
    assert content(truth) == before
    assert content(scenes) == content(raw)


def test_truth_among_the_scenes_is_refused(tmp_path: Path) -> None:
    for truth in (tmp_path / "raw", tmp_path / "raw" / "truth"):
        with pytest.raises(SettingsError, match="in the folder of the scenes") as refusal:
            write_scenes(tmp_path / "raw", 1, 120, truth=truth)
        assert refusal.value.hint


def test_batches_add_to_a_store_and_make_the_same_set(raw: Path, tmp_path: Path) -> None:
    store, batch = str(tmp_path / "store.zarr"), tmp_path / "batch"
    for first in (0, 2):
        write_scenes(batch, 2, (120, 200), first=first)
        for path in batch.iterdir():
            assert path.read_bytes() == (raw / path.name).read_bytes()
        prepare(batch, store, Recipe(ratio=5))
        for path in batch.iterdir():
            path.unlink()
    prepared = {scene.id for scene in Store.open(store).open_scenes()[0]}
    assert prepared == {*find_scene_files(raw).files}


@pytest.mark.parametrize("size", ["12x", "axb", "200x200x3", ""])
def test_sizes_that_are_not_numbers_are_refused(
    size: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        app(["synth", str(tmp_path / "raw"), "--size", size])
    assert ended.value.code == 2
    assert f"{size!r} is neither a number nor height x width" in capsys.readouterr().err

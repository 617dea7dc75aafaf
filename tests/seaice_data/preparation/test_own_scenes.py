"""Own scenes in stores: power is averaged before decibels, and nothing is guessed."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from support.own_scenes import (
    CHARTED_ID,
    NO_CHART_ID,
    SHAPE,
    backscatter,
    chart,
    write_own,
)

from seaice_data.channels import find_channel
from seaice_data.errors import SceneError
from seaice_data.flags import FLAGS
from seaice_data.grid import block_centres
from seaice_data.ingest.parts import Backscatter
from seaice_data.preparation.assemble import assemble
from seaice_data.preparation.prepare import prepare
from seaice_data.scene_id import SceneId
from seaice_data.scenes.files import open_scene
from seaice_data.sources.charts import find_charts
from seaice_data.sources.inputs import FileSource
from seaice_data.store.description import describe_store
from seaice_data.store.division import split_store
from seaice_data.store.prepared_scene import PreparedScene
from seaice_data.store.recipe import Recipe
from seaice_data.store.selection import select
from seaice_data.store.split import SplitSettings
from seaice_data.store.store import Store
from seaice_data.store.verify import verify

Sar = Literal["mean", "power", "nearest"]


def prepared(
    folder: Path, sar: Backscatter, ratio: int, how: Sar
) -> tuple[PreparedScene, np.ndarray]:
    """Return a prepared scene, and its HH and HV in decibels."""
    recipe = Recipe(ratio=ratio, sar=how, dtype="float32")
    with open_scene(write_own(folder, sar)) as scene:
        made = assemble(scene, recipe)
    channels = [find_channel(name) for name in ("hh", "hv")]
    at = [recipe.channels.index(channel.name) for channel in channels]
    planes = [
        made.inputs[..., k] * c.std + c.mean for k, c in zip(at, channels, strict=True)
    ]
    return made, np.stack(planes)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("power", 10 * np.log10((0.1 + 0.1 + 0.001 - 0.0005) / 4)),  # -13.0
        ("mean", (-10 - 10 - 30 - 45) / 4),
        ("nearest", -10),
    ],
)
def test_the_recipe_says_what_is_averaged(
    tmp_path: Path, how: Sar, expected: float
) -> None:
    hh = np.tile([[0.1, 0.1], [0.001, -0.0005]], (30, 38))[:, :75]
    scene, decibels = prepared(tmp_path, backscatter(hh=hh), 2, how)
    assert decibels.shape == (2, 30, 37)
    np.testing.assert_allclose(decibels[0], expected, atol=1e-4)
    np.testing.assert_allclose(decibels[1], -20, atol=1e-4)
    is_below = (scene.full_flags & 8) > 0
    np.testing.assert_array_equal(is_below, hh < 0)


def test_averaged_power_is_not_biased_by_negative_pixels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    hv = 1e-3 + rng.normal(0, 2e-3, SHAPE)  # -30 dB under noise of twice that
    assert 0.25 < np.mean(hv <= 0) < 0.35
    _, power = prepared(tmp_path / "a", backscatter(hv=hv), 60, "power")
    _, mean = prepared(tmp_path / "b", backscatter(hv=hv), 60, "mean")
    assert power[1].item() == pytest.approx(10 * np.log10(hv[:, :60].mean()), abs=1e-3)
    assert power[1].item() == pytest.approx(-30, abs=0.3)
    assert mean[1].item() < -32


@pytest.mark.parametrize("how", ["power", "mean", "nearest"])
def test_a_block_without_power_gets_the_floor(tmp_path: Path, how: Sar) -> None:
    hv = np.full(SHAPE, 0.01)
    hv[:10, :10] = -1e-4
    scene, decibels = prepared(tmp_path, backscatter(hv=hv), 5, how)
    expected = np.full((12, 15), -20.0)
    expected[:2, :2] = -45
    np.testing.assert_allclose(decibels[1], expected, atol=1e-4)
    assert (scene.full_flags[:10, :10] == 8).all()
    assert (scene.full_flags[10:] == 0).all()


@pytest.mark.parametrize("how", ["power", "mean", "nearest"])
def test_blocks_at_the_border_average_what_they_have(tmp_path: Path, how: Sar) -> None:
    hh = np.full(SHAPE, 0.1)
    hh[:, :7] = np.nan
    hv = np.where(np.isnan(hh), np.nan, 0.0)  # exactly 0 is SAR too
    scene, decibels = prepared(tmp_path, backscatter(hh=hh, hv=hv), 5, how)
    assert np.isnan(decibels[:, :, 0]).all()
    np.testing.assert_allclose(decibels[0, :, 2:], -10, atol=1e-4)
    np.testing.assert_allclose(decibels[1, :, 2:], -45, atol=1e-4)
    # Nearest picks column 5, which has none; the mean of columns 5 to 9 is that of three.
    assert np.isnan(decibels[:, :, 1]).all() == (how == "nearest")
    assert (scene.full_flags[:, :7] == 1).all()


def test_cells_of_own_scenes_are_under_the_sar(tmp_path: Path) -> None:
    recipe = Recipe(ratio=5, dtype="float32", channels=("t2m", "btemp_89_0h"))
    with open_scene(write_own(tmp_path)) as scene:
        planes = assemble(scene, recipe).inputs * 1024
    rows = np.clip((block_centres(60, 5) - 12) / 25, 0, 1)
    columns = np.clip((block_centres(75, 5) - 12) / 25, 0, 2)
    expected = 3 * rows[:, None] + columns  # cell (y, x) contains 3 y + x
    for k in (0, 1):
        np.testing.assert_allclose(planes[..., k], expected, atol=1e-3)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_stores_of_own_scenes_are_like_others(
    tmp_path: Path, zarr_format: Literal[2, 3]
) -> None:
    hv = np.full(SHAPE, 0.01)
    hv[0, 0] = -1
    write_own(tmp_path / "own", backscatter(hv=hv), burnt=chart())
    write_own(tmp_path / "own", backscatter(has_hv=False), has_cells=False)
    path = str(tmp_path / "store.zarr")
    recipe = Recipe(ratio=5, zarr_format=zarr_format)
    report = prepare(tmp_path / "own", path, recipe, jobs=1)
    assert report.failed == ()
    again = prepare(tmp_path / "own", path, recipe, jobs=1)
    assert [*again.kept] == [CHARTED_ID, NO_CHART_ID]
    assert verify(path, jobs=1).damages == ()
    store = Store.open(path)
    charted, bare = map(store.scene, (CHARTED_ID, NO_CHART_ID))
    assert (charted.service, bare.service) == ("nic", "")
    assert charted.known["service"] == "nic"
    np.testing.assert_array_equal(np.argwhere(charted.full_flags() & 8), [[0, 0]])
    assert charted.to_xarray().attrs["institution"] == "ice service 'nic' (ice chart)"
    assert "institution" not in bare.to_xarray().attrs
    assert describe_store(store).services == {"nic": 1, "none": 1}
    assert select(store, "service == nic") == (CHARTED_ID,)
    assert select(store, "service == none") == (NO_CHART_ID,)


def test_flags_of_a_store_name_what_is_below_the_noise() -> None:
    assert FLAGS == {"no_sar": 1, "land": 2, "remainder": 4, "below_noise": 8}


def test_own_scenes_are_inputs_and_truth(tmp_path: Path) -> None:
    hv = np.full(SHAPE, 0.01)
    hv[30, 40] = 0
    write_own(tmp_path, backscatter(hv=hv), burnt=chart())
    write_own(tmp_path)
    source = FileSource(tmp_path, Recipe(ratio=5, channels=("hh", "hv")))
    assert source.scenes == (CHARTED_ID, NO_CHART_ID)
    inputs = source.read(CHARTED_ID, charts=True)
    assert inputs.original_grid == inputs.grid
    assert np.argwhere(inputs.flags).tolist() == [[30, 40]]
    np.testing.assert_allclose(inputs.decibels()["hh"], -10, atol=0.01)
    found = find_charts(str(tmp_path))
    assert {*found.scenes} == {CHARTED_ID}
    assert found.uncharted == {NO_CHART_ID}
    assert inputs.charts is not None
    np.testing.assert_array_equal(found.scenes[CHARTED_ID].read(), inputs.charts)


def test_scenes_without_a_chart_are_only_mapped(tmp_path: Path) -> None:
    write_own(tmp_path / "raw")
    write_own(tmp_path / "raw", burnt=chart())  # the same pass
    prepare(tmp_path / "raw", tmp_path / "store.zarr", Recipe(ratio=2))
    store = Store.open(tmp_path / "store.zarr")
    assert (store.splits["train"], store.splits["test"]) == ((CHARTED_ID,), (NO_CHART_ID,))
    assert store.splits_leak == []
    lists = SplitSettings(test=(SceneId("20180707T113313_cis"),))
    report = split_store(store, lists)
    assert (report.splits["test"], report.left_out) == ((NO_CHART_ID,), ())
    assert verify(tmp_path / "store.zarr", jobs=1).damages == ()


@pytest.mark.parametrize(
    ("n_land", "sar", "reason"),
    [
        (SHAPE[1], None, "the whole scene is land by its distance map"),
        (5, backscatter(hh=np.full(SHAPE, np.nan)), "no pixel at sea has SAR"),
    ],
)
def test_a_scene_without_chart_that_shows_nothing_says_why(
    tmp_path: Path, n_land: int, sar: Backscatter | None, reason: str
) -> None:
    with (
        open_scene(write_own(tmp_path, sar, n_land=n_land)) as scene,
        pytest.raises(SceneError, match=reason),
    ):
        assemble(scene, Recipe(ratio=5))

"""Tiles cover whole scenes: each pixel is in one of them, in its place."""

from pathlib import Path

import numpy as np
import pytest
from support.learnable_scenes import SCENES, TEST_SCENE, UNCHARTED, StoreMaker

from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.errors import SettingsError, StoreError
from seaice_data.store.division import split_store
from seaice_data.store.recipe import Recipe
from seaice_data.store.split import SplitSettings
from seaice_data.store.store import Store
from seaice_model.adapters.sample_form import SampleForm
from seaice_model.adapters.tiles import TileDataset


@pytest.mark.parametrize("size", [7, 16, 64])
def test_each_pixel_is_in_one_tile(store: Store, size: int) -> None:
    scenes = (SCENES[0], UNCHARTED)
    tiles = TileDataset(
        store, scenes, channels=["hv", "t2m"], size=size, form=SampleForm(charts=(), fill=9)
    )
    columns = [store.channels.index(name) for name in ("hv", "t2m")]
    found = {name: np.full((*store.scene(name).grid.shape, 2), -1.0) for name in scenes}
    for k in range(len(tiles)):
        scene, window = tiles.place(k)
        image = tiles[k]["image"].numpy()
        assert image.shape == (2, size, size)
        target = found[scene][window]
        assert (target == -1).all()
        height, width = target.shape[:2]
        target[...] = np.moveaxis(image[:, :height, :width], 0, -1)
        assert (image[:, height:] == 9).all()  # beyond the end of the scene
        assert (image[:, :, width:] == 9).all()
    for name, planes in found.items():
        expected = store.scene(name).inputs[..., columns].astype(np.float32)
        np.testing.assert_array_equal(planes, np.nan_to_num(expected, nan=9))


def test_groups_are_their_channels_in_the_store(store: Store) -> None:
    assert TileDataset(store, channels="era5, sar").channels == ("t2m", "hh", "hv")
    with pytest.raises(StoreError, match="has no channel of the group 'amsr2'"):
        TileDataset(store, channels=["amsr2"])


def test_without_scenes_there_are_no_tiles(tmp_path: Path, make_store: StoreMaker) -> None:
    store = make_store(tmp_path / "store.zarr", scenes=SCENES[:1])
    split_store(store, SplitSettings(validation=()))
    with pytest.raises(StoreError, match=r"store.zarr' has no validation scenes"):
        TileDataset(store.path)
    with pytest.raises(StoreError, match="no scene is named"):
        TileDataset(store, [])


def test_tiles_with_charts_have_each_label_once_and_none_is_empty(store: Store) -> None:
    tiles = TileDataset(store, size=2)
    n = {chart.name: 0 for chart in CHARTS}
    for k in range(len(tiles)):
        masks = {name: tiles[k][f"mask_{name}"].numpy() for name in n}
        assert any((mask != CHART_FILL).any() for mask in masks.values())
        for name, mask in masks.items():
            n[name] += int((mask != CHART_FILL).sum())
    scenes = [store.scene(name) for name in store.splits["validation"]]
    assert n == {
        c.name: sum(sum(s.class_counts[c.name][:-1]) for s in scenes) for c in CHARTS
    }
    height, width = scenes[0].grid.shape
    n_tiles = len(scenes) * -(-height // 2) * -(-width // 2)
    everything = TileDataset(store, size=2, form=SampleForm(charts=()))
    assert len(tiles) < len(everything) == n_tiles


def test_a_packed_store_gives_the_same_tiles(
    tmp_path: Path, store: Store, make_store: StoreMaker
) -> None:
    recipe = Recipe(ratio=2, channels=("t2m", "hh", "hv"), codec="zstd")
    packed = make_store(tmp_path / "packed.zarr", scenes=(TEST_SCENE,), recipe=recipe)
    pair = [TileDataset(s, [TEST_SCENE], channels=["hh"], size=20) for s in (store, packed)]
    assert len(pair[0]) == len(pair[1])
    for k in range(len(pair[0])):
        for name, plane in pair[0][k].items():
            np.testing.assert_array_equal(plane, pair[1][k][name])


def test_a_sample_is_plotted_with_what_was_predicted(store: Store) -> None:
    tiles = TileDataset(store, channels=["hh", "t2m"], form=SampleForm(charts="SOD"))
    sample = tiles[0]
    figure = tiles.plot(sample | {"prediction": sample["mask"]}, suptitle="a tile")
    titles = [panel.get_title() for panel in figure.axes]
    assert titles == ["hh", "t2m", "SOD", "predicted SOD"]


def test_what_gives_no_tile_is_refused(store: Store) -> None:
    with pytest.raises(
        StoreError, match=r"no pixel of 1 scene .* has a class of SOD"
    ) as error:
        TileDataset(store, [UNCHARTED], form=SampleForm(charts="SOD"))
    assert "SampleForm(charts=())" in str(error.value.hint)
    with pytest.raises(SettingsError, match="size must be at least 1, got 0"):
        TileDataset(store, size=0)
    with pytest.raises(StoreError, match="no channel 'hx'"):
        TileDataset(store, channels=["hx"])


def test_tiles_say_what_they_are(store: Store) -> None:
    assert repr(TileDataset(store, [SCENES[0]], size=40)) == (
        f"<TileDataset of {store.path!r}: 2 tiles, 40 x 40 pixels, 1 scene, "
        "charts SIC, SOD, FLOE>"
    )

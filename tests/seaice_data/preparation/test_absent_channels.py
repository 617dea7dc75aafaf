"""Scenes that lack channels: they are NaN in a store, which says so."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.bare_scenes import PRODUCT, BareScene
from support.coded_scenes import write_coded

from seaice_data.channels import CHANNELS, Group, find_channel
from seaice_data.errors import SettingsError, StoreError
from seaice_data.preparation.assemble import assemble
from seaice_data.preparation.prepare import prepare
from seaice_data.sampling.augmentation import AUGMENTATIONS, Augmentation
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.sources.inputs import StoreSource
from seaice_data.store.description import describe_store
from seaice_data.store.recipe import Recipe
from seaice_data.store.selection import select
from seaice_data.store.store import Store
from seaice_data.store.summary import finish
from seaice_data.store.verify import verify
from seaice_data.store.writer import StoreWriter

IDS = ("20190114T101830_dmi", "20190214T101830_cis", "20190515T101830_cis")
AMSR2 = tuple(channel.name for channel in CHANNELS if channel.group == "amsr2")
WITHOUT = {IDS[1]: ("amsr2",), IDS[2]: ("hv", "amsr2", "era5")}


def write_store(folder: Path, recipe: Recipe) -> Store:
    """Prepare three scenes: one of AI4Arctic, two that lack channels."""
    path = str(folder / "store.zarr")
    write_coded(folder / "raw", 253, 278, IDS[0])
    prepare(folder / "raw", path, recipe)
    store = StoreWriter(path)
    for scene_id, absent in WITHOUT.items():
        file = write_coded(folder / "own", 253, 278, scene_id)
        with BareScene(file, absent) as scene:
            store.write(assemble(scene, recipe), {})
    finish(store)
    return Store.open(path)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return write_store(tmp_path_factory.mktemp("absent"), Recipe(ratio=5))


def values(store: Store, scene: str, channel: str) -> np.ndarray[Any, Any]:
    return np.asarray(store.scene(scene).inputs[..., store.channels.index(channel)])


@pytest.mark.parametrize("sar", ["mean", "power", "nearest"])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_absent_channels_are_nan_and_the_others_as_they_were(
    tmp_path: Path, sar: Any, dtype: Any
) -> None:
    recipe = Recipe(ratio=5, sar=sar, dtype=dtype, ancillary="bilinear")
    store = write_store(tmp_path, recipe)
    bare = store.scene(IDS[2])
    assert bare.absent_channels[0] == "hv"
    assert (bare.full_flags() & 1 == 0).all()  # HH alone is SAR
    for name in store.channels:
        found, whole = values(store, IDS[2], name), values(store, IDS[0], name)
        if name in bare.absent_channels:
            assert np.isnan(found).all(), name
        elif find_channel(name).group != Group.ENCODING:
            np.testing.assert_array_equal(found, whole, err_msg=name)


def test_scenes_say_what_they_lack(store: Store) -> None:
    scenes = [store.scene(scene) for scene in IDS]
    assert [scene.absent_channels for scene in scenes[:2]] == [(), AMSR2]
    assert [scene.denoising for scene in scenes] == ["nersc", "esa", "esa"]
    assert scenes[2].origin.absent == ("hv", "amsr2", "era5")
    assert scenes[2].origin.original_name == PRODUCT
    assert StoreSource(store, IDS).origin(IDS[1]) == scenes[1].origin


def test_scenes_of_ai4arctic_have_the_attributes_that_they_had(store: Store) -> None:
    """Stores of earlier versions lack the attributes, and are read as these scenes."""
    whole, bare = (store.scene(scene).attributes for scene in (IDS[0], IDS[1]))
    assert {*bare} - {*whole} >= {"absent_channels", "denoising"}
    assert not {*whole} & {"absent_channels", "denoising"}


def test_statistics_leave_absent_channels_out(store: Store) -> None:
    stats = store.scene(IDS[2]).stats
    position = store.channels.index("hv")
    assert stats.count[position] == 0
    assert np.isnan(stats.mean[position])
    assert stats.count[store.channels.index("hh")] == 50 * 55
    assert stats.to_mapping()["lowest"][position] is None


def test_a_store_lists_the_scenes_that_lack_something(store: Store) -> None:
    described = describe_store(store)
    assert described.denoising == {"esa": 2, "nersc": 1}
    assert described.absent == {"amsr2": IDS[1:], "era5": IDS[2:], "hv": IDS[2:]}
    assert described.oddities == ()  # it is known why these planes are empty
    rows = described.to_rows()
    assert rows["denoising"] == "esa 2, nersc 1"
    assert rows["absent"].startswith(f"amsr2 in 2: {IDS[1]}, {IDS[2]}; era5 in 1: ")
    assert described.to_mapping()["absent"]["hv"] == [IDS[2]]


def test_verify_finds_changed_attributes(store: Store, tmp_path: Path) -> None:
    assert verify(store.path).damages == ()
    shutil.copytree(store.path, tmp_path / "store.zarr")
    document = tmp_path / "store.zarr/scenes" / IDS[1] / "zarr.json"
    document.write_text(document.read_text().replace('"esa"', '"none"'))
    (damage,) = verify(str(tmp_path / "store.zarr")).damages
    assert damage.reason == "attributes are not as they were written"
    document.write_text(document.read_text().replace('"none"', '"all"'))
    (damage,) = verify(str(tmp_path / "store.zarr")).damages
    assert "denoising is 'all'" in damage.reason


@pytest.mark.parametrize(
    ("where", "scenes"),
    [
        ("absent == none", IDS[:1]),
        ("absent != none", IDS[1:]),
        ("absent == amsr2", IDS[1:2]),
        ("absent == 'hv, amsr2, era5'", IDS[2:]),
        ("denoising == 'esa' and month < 5", IDS[1:2]),
        ("denoising == NERSC", IDS[:1]),
    ],
)
def test_scenes_are_chosen_by_what_they_lack(
    store: Store, where: str, scenes: Sequence[str]
) -> None:
    assert select(store, where) == tuple(scenes)


def test_a_group_that_no_scene_lacks_is_a_mistake(store: Store) -> None:
    with pytest.raises(SettingsError, match="no scene has absent 'era5'"):
        select(store, "absent == era5")
    with pytest.raises(StoreError, match="none of 3 scenes"):
        select(store, "absent == none and denoising == esa")


def test_xarray_has_what_is_absent_among_its_attributes(store: Store) -> None:
    whole, bare = (store.scene(scene).to_xarray() for scene in (IDS[0], IDS[1]))
    assert bare.attrs["absent_channels"] == ", ".join(AMSR2)
    assert bare.attrs["denoising"] == "esa"
    assert "AI4Arctic Sea Ice" not in bare.attrs["source"]
    assert bare.attrs["title"].endswith(f"scene {IDS[1]}")
    assert whole.attrs["title"].endswith("with ancillary data and ice charts")
    assert bare.attrs["original_name"] == PRODUCT
    assert (whole.attrs["absent_channels"], whole.attrs["denoising"]) == ("", "nersc")
    assert "AI4Arctic Sea Ice" in whole.attrs["source"]
    assert bool(bare["btemp_18_7h"].isnull().all())


def test_the_store_names_ai4arctic_only_if_scenes_come_from_it(
    store: Store, tmp_path: Path
) -> None:
    said = store.attributes["source"]
    assert said.startswith("AI4Arctic")
    assert said.endswith("; Sentinel-1 EW products with ancillary data, not of AI4Arctic")
    own = StoreWriter.create(str(tmp_path / "own.zarr"), Recipe(ratio=5))
    with BareScene(write_coded(tmp_path, 253, 278, IDS[1])) as scene:
        own.write(assemble(scene, own.recipe), {})
    finish(own)
    attributes = Store.open(own.path).attributes
    assert attributes["source"].startswith("Sentinel-1 EW products")
    assert "source_doi" not in attributes
    assert verify(own.path).damages == ()
    prepare(Path(store.path).parent / "raw", own.path, own.recipe)
    attributes = Store.open(own.path).attributes
    assert attributes["source"] == said
    assert "source_doi" in attributes
    assert verify(own.path).damages == ()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_patches_are_nan_where_a_channel_is_absent(store: Store, name: str) -> None:
    """Each channel for itself: turning and mixing spread no NaN to other channels."""
    mixes_none = replace(AUGMENTATIONS[name], cutmix=0.0)
    patches = PatchSampler(store, scenes=IDS, size=24, augmentation=mixes_none)
    batch = patches.batch(range(24))
    assert {*batch["scene"].tolist()} == {0, 1, 2}
    outside = np.isnan(batch["inputs"][..., patches.channels.index("hh")])
    assert outside.mean() < 0.3
    for position, channel in enumerate(patches.channels):
        absent = [channel in store.scene(scene).absent_channels for scene in IDS]
        is_absent = np.array(absent)[batch["scene"]][:, np.newaxis, np.newaxis]
        is_fill = np.isnan(batch["inputs"][..., position])
        np.testing.assert_array_equal(is_fill, outside | is_absent, err_msg=channel)
    assert (batch["charts"] != 255).any(axis=(1, 2, 3)).all()


def test_scenes_that_lack_channels_mix_with_whole_ones(store: Store) -> None:
    mixed = Augmentation(flip_x=0, flip_y=0, rotation=0, scale=0, cutmix=1)
    patches = PatchSampler(store, scenes=IDS, size=24, augmentation=mixed)
    inputs = patches.batch(range(64))["inputs"]
    assert not np.isnan(inputs[..., patches.channels.index("hh")]).any()
    share = np.isnan(inputs[..., patches.channels.index("hv")]).mean(axis=(1, 2))
    assert ((share > 0) & (share < 1)).any()

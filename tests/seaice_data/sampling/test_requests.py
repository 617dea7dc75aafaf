"""What is asked of a sampler is read as it is meant, or refused in words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.coded_scenes import write_coded

from seaice_data.errors import SeaIceError, StoreError
from seaice_data.preparation.prepare import prepare
from seaice_data.sampling.patch import Patch, channels_first
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.division import split_store
from seaice_data.store.recipe import Recipe
from seaice_data.store.split import SplitSettings
from seaice_data.store.store import Store

A, B, C = "20190101T000000_dmi", "20190301T000000_dmi", "20190501T000000_cis"
CHANNELS = ("hh", "hv", "incidence_angle", "t2m", "month")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a store with one scene in each split."""
    folder = tmp_path_factory.mktemp("requests")
    for scene_id in (A, B, C):
        write_coded(folder / "raw", 60, 75, scene_id)
    recipe = Recipe(ratio=1, channels=CHANNELS)
    prepare(folder / "raw", folder / "store.zarr", recipe)
    settings = SplitSettings(validation=(B,), test=(C,))
    split_store(Store.open(folder / "store.zarr"), settings)
    return folder / "store.zarr"


def test_a_path_is_as_good_as_a_store(path: Path) -> None:
    patches = PatchSampler(Store.open(path), size=16)[3]["inputs"]
    for same in (path, str(path)):
        np.testing.assert_array_equal(PatchSampler(same, size=16)[3]["inputs"], patches)
    with pytest.raises(StoreError, match="no store at"):
        PatchSampler(path.parent / "none.zarr")


@pytest.mark.parametrize(
    ("split", "scene"), [(None, A), ("train", A), ("validation", B), ("test", C)]
)
def test_scenes_are_those_of_a_split(path: Path, split: str | None, scene: str) -> None:
    assert PatchSampler(path, split=split, size=16).scenes == (scene,)


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        (None, CHANNELS),
        ([], CHANNELS),
        ("sar", ("hh", "hv")),
        ("t2m, sar", ("t2m", "hh", "hv")),
        (["hv", "sar"], ("hv", "hh")),
        (("encoding", "hv"), ("month", "hv")),
        ("sar,hv", ("hh", "hv")),
    ],
)
def test_groups_stand_for_their_channels(
    path: Path, channels: Any, expected: tuple[str, ...]
) -> None:
    patches = PatchSampler(path, channels=channels, size=16)
    assert patches.channels == expected
    whole = PatchSampler(path, size=16)[5]["inputs"]
    columns = [CHANNELS.index(name) for name in expected]
    np.testing.assert_array_equal(patches[5]["inputs"], whole[..., columns])


def hh_of(patch: Patch) -> float:
    return float(patch["inputs"][0, 0, 0])


def test_a_transform_makes_something_else_of_each_patch(path: Path) -> None:
    plain = PatchSampler(path, size=16)
    patches = PatchSampler(path, size=16, transform=hh_of)
    assert patches[2] == hh_of(plain[2])  # type: ignore[comparison-overlap]
    assert patches.__getitems__([4, 2]) == [hh_of(plain[4]), hh_of(plain[2])]
    np.testing.assert_array_equal(patches.batch([2])["inputs"], plain.batch([2])["inputs"])


def test_channels_come_first_where_networks_want_them(path: Path) -> None:
    plain = PatchSampler(path, channels="sar", size=16)
    moved = PatchSampler(path, channels="sar", size=16, transform=channels_first)[3]
    for name in ("inputs", "charts"):
        expected = plain[3][name].transpose(2, 0, 1)  # type: ignore[literal-required]
        np.testing.assert_array_equal(moved[name], expected)  # type: ignore[literal-required]
    assert moved["scene"] == plain[3]["scene"]
    batch = plain.batch(range(4))
    assert channels_first(batch)["inputs"].shape == (4, 2, 16, 16)
    assert np.shares_memory(channels_first(batch)["charts"], batch["charts"])


@pytest.mark.parametrize(
    ("asked", "message", "hint"),
    [
        ({"size": (64, 64)}, r"whole number, got \(64, 64\)", "write size=64"),
        ({"size": 64.0}, "whole number, got 64.0", "one side in pixels"),
        ({"size": True}, "whole number, got True", "one side in pixels"),
        ({"seed": "1"}, "seed must be a whole number, got '1'", ""),
        ({"n_threads": 1.5}, "n_threads must be a whole number, got 1.5", ""),
        ({"augmentation": True}, "a name or .*, got True", "augmentation='default'"),
        ({"augmentation": False}, "a name or .*, got False", "augmentation='none'"),
        ({"augmentation": {"cutmix": 1}}, "a name or an Augmentation", "names are none"),
        ({"sampling": "area"}, "got 'area'", r"sampling=Sampling\(over='area'\)"),
        ({"transform": "flip"}, "a function of a patch, got 'flip'", "each patch"),
        ({"scenes": "validation"}, "ids of scenes, .* 'validation'", "split='validation'"),
        ({"scenes": A}, "ids of scenes, got the text", rf"scenes=\['{A}'\]"),
        ({"scenes": [A], "split": "test"}, "either scenes or split", "leave out"),
        ({"split": "vaildation"}, "no split 'vaildation'", "mean 'validation'"),
        ({"scenes": [3]}, r"ids of scenes, got \[3\]", ""),
        ({"scenes": 3}, "ids of scenes, got 3", ""),
        ({"split": ["train"]}, r"no split \['train'\]", "splits are train"),
        ({"split": 0}, "no split 0", "splits are train, validation, test"),
        ({"channels": "amsr2"}, "no channel of the group 'amsr2'", "it has hh, hv"),
        ({"channels": "hh,hx"}, "no channel 'hx'", "known are hh, hv"),
        ({"channels": ["hh", 3]}, r"must be names, got \['hh', 3\]", "channels='sar'"),
        ({"channels": 5}, "channels must be names, got 5", "channels='sar'"),
        ({"channels": "ser"}, "no channel 'ser'", "did you mean 'sar'"),
        ({"channels": ["hh", "hh"]}, "a channel is named twice in", ""),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(
    path: Path, asked: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(SeaIceError, match=message) as caught:
        PatchSampler(path, **{"size": 16, **asked})
    if hint:
        assert caught.match(hint)


def test_whole_numbers_of_numpy_are_taken(path: Path) -> None:
    patches = PatchSampler(path, size=np.int64(16), seed=np.uint8(3))  # type: ignore[arg-type]
    assert patches[0]["inputs"].shape == (16, 16, 5)


def test_a_sampler_shows_what_it_samples(path: Path) -> None:
    patches = PatchSampler(path, channels="sar", size=16, augmentation="paper")
    assert repr(patches).endswith("1 scene, 2 channels, 16 x 16 pixels, seed 0>")
    page = patches._repr_html_()
    assert "inputs (16, 16, 2) float16, charts (16, 16, 3) uint8" in page
    assert "axes (y, x, channel)" in page
    assert len(page) < 2000

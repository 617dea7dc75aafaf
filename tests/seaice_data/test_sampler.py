"""Patches: the same everywhere, uniform, and never in want of labels."""

from collections import Counter

import numpy as np
import pytest
from coded_scenes import write_coded

from seaice_data.channels import PAPER_CHANNELS
from seaice_data.errors import StoreError
from seaice_data.prepare import prepare
from seaice_data.recipe import Recipe
from seaice_data.sampler import PatchSampler
from seaice_data.store import Store

A, B, TINY = "20190101T000000_dmi", "20190301T000000_dmi", "20190501T000000_cis"
DOT, BLANK = "20190701T000000_cis", "20190901T000000_cis"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Hold two full scenes, one smaller than a patch, one with two labels, one without."""
    folder = tmp_path_factory.mktemp("sampler")
    fill = np.full((120, 140), 255, np.uint8)
    dots = fill.copy()
    dots[0:2, 0] = 4
    write_coded(folder / "raw", 120, 140, A)
    write_coded(folder / "raw", 140, 120, B)
    write_coded(folder / "raw", 30, 50, TINY)
    write_coded(folder / "raw", 120, 140, DOT, SIC=dots, SOD=fill, FLOE=fill)
    write_coded(folder / "raw", 120, 140, BLANK, SIC=fill, SOD=fill, FLOE=fill)
    prepare(folder / "raw", str(folder / "store.zarr"), Recipe(ratio=1))
    return Store.open(str(folder / "store.zarr"))


def test_a_patch_is_a_window_of_its_scene(store: Store) -> None:
    patches = PatchSampler(store, scenes=[A, B], size=32, seed=3)
    for number in range(20):
        patch = patches[number]
        scene = store.scene(patches.scenes[int(patch["scene"])])
        _, top, left = patches.draw(number)
        window = (slice(top, top + 32), slice(left, left + 32))
        np.testing.assert_array_equal(patch["inputs"], scene.inputs[window])
        np.testing.assert_array_equal(patch["charts"], scene.charts[window])


def test_patches_depend_on_seed_and_number_alone(store: Store) -> None:
    one = PatchSampler(store, scenes=[A, B], size=32, seed=3)
    two = PatchSampler(Store.open(store.path), scenes=[A, B], size=32, seed=3)
    batch = two.batch([7, 5])
    np.testing.assert_array_equal(batch["inputs"][0], one[7]["inputs"])
    np.testing.assert_array_equal(batch["charts"][1], one[5]["charts"])
    other = PatchSampler(store, scenes=[A, B], size=32, seed=4)
    assert [one.draw(k) for k in range(9)] != [other.draw(k) for k in range(9)]


def test_channels_come_in_the_order_asked_for(store: Store) -> None:
    full = PatchSampler(store, scenes=[A], size=16)[0]["inputs"]
    for channels in (PAPER_CHANNELS, ("skt", "hh"), ("latitude",)):
        columns = [store.channels.index(name) for name in channels]
        patch = PatchSampler(store, scenes=[A], size=16, channels=channels)[0]
        np.testing.assert_array_equal(patch["inputs"], full[..., columns])


def test_corners_are_uniform_and_reach_the_edges(store: Store) -> None:
    patches = PatchSampler(store, scenes=[A], size=100)
    n = 21 * 41 * 10
    tops, lefts = zip(*(patches.draw(k)[1:] for k in range(n)), strict=True)
    for values, n_corners in ((tops, 21), (lefts, 41)):
        counts = np.bincount(values, minlength=n_corners)
        assert len(counts) == n_corners
        chi2 = float(((counts - n / n_corners) ** 2 / (n / n_corners)).sum())
        # Mean n_corners - 1, deviation sqrt(2 (n_corners - 1)): five never happen.
        assert chi2 < (n_corners - 1) + 5 * (2 * (n_corners - 1)) ** 0.5


def test_scenes_are_drawn_uniformly(store: Store) -> None:
    patches = PatchSampler(store, scenes=[A, B, TINY], size=32)
    counts = Counter(patches.draw(k)[0] for k in range(3000))
    assert all(abs(counts[position] - 1000) < 130 for position in range(3))


def test_a_small_scene_is_padded_with_fill(store: Store) -> None:
    patch = PatchSampler(store, scenes=[TINY], size=64)[0]
    scene = store.scene(TINY)
    np.testing.assert_array_equal(patch["inputs"][:30, :50], scene.inputs)
    assert np.isnan(patch["inputs"][30:]).all()
    assert np.isnan(patch["inputs"][:, 50:]).all()
    assert (patch["charts"][:, 50:] == 255).all()


def test_a_patch_of_exactly_the_scene(store: Store) -> None:
    patch = PatchSampler(store, scenes=[TINY], size=30)[0]
    assert patch["inputs"].shape == (30, 30, 31)
    assert not np.isnan(patch["inputs"]).any()


def test_rare_labels_are_found_without_trying_for_ever(store: Store) -> None:
    patches = PatchSampler(store, scenes=[DOT], size=32)
    for number in range(50):
        assert (patches[number]["charts"][..., 0] != 255).sum() == 2


def test_a_scene_without_labels_is_told_not_tried(store: Store) -> None:
    assert PatchSampler(store, scenes=[A, BLANK]).skipped == (BLANK,)
    with pytest.raises(StoreError, match="none of 1 scenes"):
        PatchSampler(store, scenes=[BLANK])


def test_an_unknown_channel_names_its_neighbour(store: Store) -> None:
    with pytest.raises(StoreError, match="no channel 'btemp_18_7'") as caught:
        PatchSampler(store, scenes=[A], channels=["btemp_18_7"])
    assert caught.value.hint == "did you mean 'btemp_18_7v'?"

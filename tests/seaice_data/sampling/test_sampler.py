"""Patches: the same everywhere, uniform, and never without enough labels."""

from collections import Counter

import numpy as np
import pytest
from support.coded_scenes import write_coded

from seaice_data.channels import PAPER_CHANNELS
from seaice_data.errors import SeaIceError, SettingsError, StoreError
from seaice_data.preparation.prepare import prepare
from seaice_data.sampling.augmentation import AUGMENTATIONS
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.sampling.windows import Over, Sampling
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store

A, B, TINY = "20190101T000000_dmi", "20190301T000000_dmi", "20190501T000000_cis"
DOT, BLANK = "20190701T000000_cis", "20190901T000000_cis"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Write two full scenes, one smaller than a patch, one with two labels, one without."""
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
        _, top, left = patches.place(number)
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
    assert [one.place(k) for k in range(9)] != [other.place(k) for k in range(9)]


def test_channels_come_in_the_order_asked_for(store: Store) -> None:
    full = PatchSampler(store, scenes=[A], size=16)[0]["inputs"]
    for channels in (PAPER_CHANNELS, ("skt", "hh"), ("latitude",)):
        columns = [store.channels.index(name) for name in channels]
        patch = PatchSampler(store, scenes=[A], size=16, channels=channels)[0]
        np.testing.assert_array_equal(patch["inputs"], full[..., columns])


def test_corners_are_uniform_and_reach_the_edges(store: Store) -> None:
    patches = PatchSampler(store, scenes=[A], size=100)
    n = 21 * 41 * 10
    tops, lefts = zip(*(patches.place(k)[1:] for k in range(n)), strict=True)
    for values, n_corners in ((tops, 21), (lefts, 41)):
        counts = np.bincount(values, minlength=n_corners)
        assert len(counts) == n_corners
        chi2 = float(((counts - n / n_corners) ** 2 / (n / n_corners)).sum())
        # Mean n_corners - 1, deviation sqrt(2 (n_corners - 1)): five are never reached.
        assert chi2 < (n_corners - 1) + 5 * (2 * (n_corners - 1)) ** 0.5


def test_scenes_are_sampled_uniformly(store: Store) -> None:
    patches = PatchSampler(store, scenes=[A, B, TINY], size=32)
    counts = Counter(patches.place(k)[0] for k in range(3000))
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


def test_rare_labels_are_found_in_bounded_time(store: Store) -> None:
    patches = PatchSampler(store, scenes=[DOT], size=32)
    for number in range(50):
        assert (patches[number]["charts"][..., 0] != 255).sum() == 2


def test_a_scene_without_labels_is_reported_not_tried(store: Store) -> None:
    assert PatchSampler(store, scenes=[A, BLANK]).skipped == (BLANK,)
    with pytest.raises(StoreError, match="none of 1 scene"):
        PatchSampler(store, scenes=[BLANK])


def test_an_unknown_channel_names_its_neighbour(store: Store) -> None:
    with pytest.raises(StoreError, match="no channel 'btemp_18_7'") as caught:
        PatchSampler(store, scenes=[A], channels=["btemp_18_7"])
    assert caught.value.hint == "did you mean 'btemp_18_7v'?"


UGLY: dict[str, tuple[tuple[int, int], list[tuple[int, int]]]] = {
    "tiny": ((25, 26), []),
    "exactly a patch": ((256, 256), []),
    "two pixels in a corner": ((256, 300), [(255, 0), (254, 0)]),
    "two pixels in a tiny scene": ((25, 25), [(0, 0), (24, 24)]),
    "one pixel, tiny": ((25, 26), [(3, 3)]),
    "one pixel": ((300, 280), [(3, 3)]),
    "two pixels too far apart for a patch": ((600, 300), [(0, 0), (599, 299)]),
}
"""Shapes of scenes, and the pixels that have a class: all if none is named."""


@pytest.fixture(scope="module")
def ugly(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Store]:
    """Write a store for each."""
    stores = {}
    for name, (shape, valid) in UGLY.items():
        folder = tmp_path_factory.mktemp("ugly")
        charts = np.full(shape, 255 if valid else 1, np.uint8)
        for y, x in valid:
            charts[y, x] = 1
        write_coded(folder / "raw", *shape, A, SIC=charts, SOD=charts, FLOE=charts)
        recipe = Recipe(ratio=1, channels=("hh", "u10m", "v10m"))
        prepare(folder / "raw", str(folder / "store.zarr"), recipe, jobs=1)
        stores[name] = Store.open(str(folder / "store.zarr"))
    return stores


@pytest.mark.parametrize("augmentation", [*AUGMENTATIONS])
@pytest.mark.parametrize("over", ["scenes", "area", "classes"])
@pytest.mark.parametrize("name", [*UGLY][:4])
def test_ugly_scenes_give_patches(
    ugly: dict[str, Store], name: str, over: Over, augmentation: str
) -> None:
    patches = PatchSampler(
        ugly[name],
        scenes=[A],
        sampling=Sampling(over=over),
        augmentation=AUGMENTATIONS[augmentation],
    )
    batch = patches.batch(range(6))
    assert (batch["probability"] > 0).all()
    assert batch["inputs"].shape == (6, 256, 256, 3)
    if augmentation in ("none", "default"):
        assert not np.isnan(batch["inputs"][..., 0]).all(axis=(1, 2)).any()
    if augmentation == "none":
        assert ((batch["charts"][..., 0] != 255).sum(axis=(1, 2)) >= 2).all()


@pytest.mark.parametrize("over", ["scenes", "area", "classes"])
@pytest.mark.parametrize("name", [*UGLY][4:])
def test_scenes_without_a_patch_are_reported(
    ugly: dict[str, Store], name: str, over: Over
) -> None:
    with pytest.raises(StoreError, match=r"none of 1 scene .* has labels to sample from"):
        PatchSampler(ugly[name], scenes=[A], sampling=Sampling(over=over))


def test_every_patch_has_the_least_share_of_valid_pixels(store: Store) -> None:
    sampling = Sampling(min_valid_share=(0.9, 0.9, 0.0))
    patches = PatchSampler(store, size=48, sampling=sampling, scenes=[A, TINY, DOT, BLANK])
    assert patches.scenes == (A,)
    assert patches.skipped == (TINY, DOT, BLANK)
    charts = patches.batch(range(20))["charts"]
    assert ((charts[..., :2] != 255).mean(axis=(1, 2)) >= 0.9).all()


def test_scenes_without_charts_are_sampled_where_none_are_needed(store: Store) -> None:
    sampling = Sampling(min_valid_share=(0.0, 0.0, 0.0))
    patches = PatchSampler(store, size=48, sampling=sampling, scenes=[BLANK])
    assert (patches[0]["charts"] == 255).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": -1}, "seed must be in"),
        ({"size": 0}, "size must be at least 1, got 0"),
        ({"n_threads": 0}, "n_threads must be at least 1, got 0"),
        ({"scenes": ["20990101T000000_cis"]}, "no scene '20990101T000000_cis'"),
    ],
)
def test_what_cannot_work_is_refused(
    store: Store, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(SeaIceError, match=message):
        PatchSampler(store, **{"scenes": [A], **settings})  # type: ignore[arg-type]


def test_the_memory_of_a_batch_is_used_again(store: Store) -> None:
    patches = PatchSampler(
        store, scenes=[A, TINY], size=64, augmentation=AUGMENTATIONS["default"]
    )
    out = patches.empty(8)
    for first in (0, 8):
        batch = patches.batch(range(first, first + 8), out)
        assert batch["inputs"] is out["inputs"]
        fresh = patches.batch(range(first, first + 8))
        for name in ("inputs", "charts", "scene", "probability"):
            np.testing.assert_array_equal(out[name], fresh[name])  # type: ignore[literal-required]


def test_an_augmentation_is_taken_by_its_name(store: Store) -> None:
    patches = PatchSampler(store, scenes=[A], size=16, augmentation="paper")
    assert patches.augmentation == AUGMENTATIONS["paper"]
    with pytest.raises(SettingsError, match="unknown augmentation 'defualt'") as caught:
        PatchSampler(store, scenes=[A], size=16, augmentation="defualt")
    assert "'default'" in str(caught.value.hint)


def test_a_slice_of_patches_is_refused_with_what_to_write(store: Store) -> None:
    patches = PatchSampler(store, scenes=[A], size=16)
    with pytest.raises(
        TypeError, match=r"by its number, not by a slice: .*batch\(range\(a, b\)"
    ):
        patches[0:3]  # type: ignore[index]

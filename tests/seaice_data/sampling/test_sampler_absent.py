"""Patches that lack AMSR2 or ERA5: whole patches, whole groups, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from seaice_data.channels import find_channels
from seaice_data.sampling.augmentation import (
    AUGMENTATIONS,
    Augmentation,
    sample_absent,
)
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.store import Store

DROPPING = Augmentation(drop_amsr2=0.4, drop_era5=0.3, wind_axes=("samples", "lines"))
NUMBERS = range(16, 48)


@pytest.fixture(scope="module")
def wide(store_path: str) -> Store:
    return Store.open(store_path)


def sampler(
    store: Store, augmentation: Augmentation = DROPPING, **settings: object
) -> PatchSampler:
    known = {"scenes": store.scenes, "size": 32, "seed": 2, **settings}
    return PatchSampler(store, augmentation=augmentation, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize("channels", [None, ("t2m", "hh", "btemp_18_7h", "v10m", "hv")])
def test_a_patch_lacks_whole_groups_and_is_otherwise_the_same(
    wide: Store, channels: tuple[str, ...] | None
) -> None:
    ours = sampler(wide, channels=channels)
    whole = replace(DROPPING, drop_amsr2=0, drop_era5=0)
    expected = sampler(wide, whole, channels=channels).batch(NUMBERS)
    found = ours.batch(NUMBERS)
    absent = sample_absent(DROPPING, 2, NUMBERS)
    assert {*map(tuple, absent.tolist())} == {
        (False, False), (False, True), (True, False), (True, True)
    }  # fmt: skip
    assert len(ours.plan(NUMBERS).mixed) > 0  # a box of another patch is in some
    for k, (no_amsr2, no_era5) in enumerate(absent.tolist()):
        for c, channel in enumerate(find_channels(ours.channels)):
            wanted = expected["inputs"][k, ..., c]
            if (channel.group == "amsr2" and no_amsr2) or (
                channel.group == "era5" and no_era5
            ):
                wanted = np.full_like(wanted, np.nan)
            np.testing.assert_array_equal(found["inputs"][k, ..., c], wanted)
    for name in ("charts", "scene", "probability"):
        np.testing.assert_array_equal(found[name], expected[name])  # type: ignore[literal-required]


def test_what_a_patch_lacks_depends_on_neither_batch_nor_threads(wide: Store) -> None:
    whole = sampler(wide).batch(NUMBERS)
    threads = sampler(wide, n_threads=3).batch(NUMBERS[::-1])
    np.testing.assert_array_equal(threads["inputs"][::-1], whole["inputs"])
    patches = sampler(wide)
    for k, number in enumerate(NUMBERS):
        np.testing.assert_array_equal(patches[number]["inputs"], whole["inputs"][k])


def test_windows_lack_groups_too(wide: Store) -> None:
    still = replace(AUGMENTATIONS["none"], drop_amsr2=1)
    found = sampler(wide, still, channels=("hh", "btemp_36_5v", "skt")).batch(range(4))
    expected = sampler(wide, AUGMENTATIONS["none"], channels=("hh", "btemp_36_5v", "skt"))
    assert np.isnan(found["inputs"][..., 1]).all()
    np.testing.assert_array_equal(
        found["inputs"][..., ::2], expected.batch(range(4))["inputs"][..., ::2]
    )

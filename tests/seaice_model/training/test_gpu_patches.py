"""Patches from the memory of a device are those from the disk."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.coded_scenes import write_coded

from seaice_data.preparation.prepare import prepare
from seaice_data.sampling.augmentation import AUGMENTATIONS, Augmentation, Direction
from seaice_data.sampling.sampler import Patch, PatchSampler
from seaice_data.sampling.windows import Sampling
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_model.errors import MemoryNeededError
from seaice_model.training import gpu_scenes
from seaice_model.training.gpu_patches import GpuPatches, work_bytes
from seaice_model.training.gpu_scenes import (
    GpuScenes,
    are_kept,
    bytes_of,
    drop_others,
    free_bytes,
    kept_scenes,
)

CPU = torch.device("cpu")
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=[
        pytest.mark.gpu,
        pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    ]),
]  # fmt: skip
A, TINY = "20190101T000000_dmi", "20190501T000000_cis"


@pytest.fixture(scope="module")
def wide(store_path: str) -> Store:
    return Store.open(store_path)


def both(
    store: Store, device: str = "cpu", *, compiled: bool = False, **settings: Any
) -> tuple[Patch, Patch]:
    """Return the same batch from the disk and from the memory of a device."""
    settings = {"scenes": store.scenes, "size": 48, "seed": 2, **settings}
    sampler = PatchSampler(store, **settings)
    patches = GpuPatches(sampler, torch.device(device), 32, compiled=compiled)
    batch = patches.batch(range(64, 96))
    got = Patch(
        inputs=batch.inputs.cpu().numpy(), charts=batch.charts.cpu().numpy(),
        scene=np.empty(0), probability=batch.probability.cpu().numpy(),
    )  # fmt: skip
    return sampler.batch(range(64, 96)), got


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("channels", [None, ("skt", "v10m", "hh")])
def test_plain_patches_are_equal_to_the_bit(
    wide: Store, device: str, channels: tuple[str, ...] | None
) -> None:
    expected, got = both(wide, device, channels=channels, sampling=Sampling(over="classes"))
    assert got["inputs"].dtype == expected["inputs"].dtype
    np.testing.assert_array_equal(got["inputs"], expected["inputs"])
    np.testing.assert_array_equal(got["charts"], expected["charts"])
    np.testing.assert_allclose(got["probability"], expected["probability"], rtol=1e-6)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["official", "paper"])
def test_patches_of_nearest_pixels_are_equal_to_the_bit(
    wide: Store, device: str, name: str
) -> None:
    expected, got = both(wide, device, augmentation=AUGMENTATIONS[name])
    np.testing.assert_array_equal(got["inputs"], expected["inputs"])
    np.testing.assert_array_equal(got["charts"], expected["charts"])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(),
        Augmentation(wind_axes=("samples", "lines")),
        Augmentation(cutmix=1, rotation=1, wind_axes=("-lines", "samples")),
        Augmentation(method="nearest", wind_axes=("lines", "samples")),
    ],
)
@pytest.mark.parametrize("channels", [None, ("v10m", "hh"), ("hv", "u10m", "v10m")])
def test_turned_patches_are_equal_within_rounding(
    wide: Store, device: str, augmentation: Augmentation, channels: tuple[str, ...] | None
) -> None:
    expected, got = both(wide, device, channels=channels, augmentation=augmentation)
    np.testing.assert_array_equal(got["charts"], expected["charts"])
    np.testing.assert_array_equal(np.isnan(got["inputs"]), np.isnan(expected["inputs"]))
    # Half precision has 11 bits: one unit in the last place, and the rounding of sums.
    np.testing.assert_allclose(
        got["inputs"].astype(np.float64), expected["inputs"].astype(np.float64),
        rtol=2**-10, atol=2e-4,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # of the compiler, about itself
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["default", "official"])
def test_compiled_cuts_are_the_same(
    wide: Store, device: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if device == "cpu":  # all of the compiler but its last step, which takes long here
        monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    augmentation = replace(
        AUGMENTATIONS[name], wind_axes=("samples", "lines"), drop_era5=0.3
    )
    settings = {"channels": ("v10m", "hh"), "augmentation": augmentation}
    expected, got = both(wide, device, compiled=True, **settings)
    np.testing.assert_array_equal(got["charts"], expected["charts"])
    np.testing.assert_allclose(
        got["inputs"].astype(np.float64), expected["inputs"].astype(np.float64),
        rtol=2**-10, atol=2e-4,
    )  # fmt: skip


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("channels", [None, ("t2m", "hh", "btemp_18_7h", "v10m")])
@pytest.mark.parametrize("wind", [(), ("samples", "lines")])
def test_patches_lack_the_same_groups(
    wide: Store,
    device: str,
    channels: tuple[str, ...] | None,
    wind: tuple[Direction, ...],
) -> None:
    """The same pixels to the bit: none is between two, and no wind is turned by much."""
    drop = {"drop_amsr2": 0.4, "drop_era5": 0.3}
    exact = Augmentation(method="nearest", rotation=0, wind_axes=wind, **drop)
    expected, got = both(wide, device, channels=channels, augmentation=exact)
    np.testing.assert_array_equal(got["inputs"], expected["inputs"])
    assert 0 < np.isnan(got["inputs"]).all(axis=(1, 2)).any(axis=1).sum() < 32
    between = Augmentation(wind_axes=wind, **drop)
    expected, got = both(wide, device, channels=channels, augmentation=between)
    np.testing.assert_array_equal(np.isnan(got["inputs"]), np.isnan(expected["inputs"]))
    np.testing.assert_allclose(
        got["inputs"].astype(np.float64), expected["inputs"].astype(np.float64),
        rtol=2**-10, atol=2e-4,
    )  # fmt: skip


def test_many_batches_are_planned_at_once(wide: Store) -> None:
    sampler = PatchSampler(
        wide, scenes=wide.scenes, size=48, augmentation=AUGMENTATIONS["default"]
    )
    patches = GpuPatches(sampler, CPU, 8)
    numbers = [range(8, 16), range(5)]
    for cut, some in zip(patches.cut(patches.plan(numbers), numbers), numbers, strict=True):
        alone = patches.batch(some)
        np.testing.assert_array_equal(cut.inputs.numpy(), alone.inputs.numpy())
        np.testing.assert_array_equal(cut.charts.numpy(), alone.charts.numpy())


def test_scenes_smaller_than_a_patch_are_padded(tmp_path: Path) -> None:
    write_coded(tmp_path / "raw", 90, 70, A)
    write_coded(tmp_path / "raw", 30, 50, TINY)
    recipe = Recipe(ratio=1, dtype="float32", codec="zstd")
    prepare(tmp_path / "raw", str(tmp_path / "store.zarr"), recipe)
    store = Store.open(str(tmp_path / "store.zarr"))
    for augmentation in (None, AUGMENTATIONS["paper"]):
        expected, got = both(store, size=64, augmentation=augmentation)
        np.testing.assert_array_equal(got["inputs"], expected["inputs"])
        np.testing.assert_array_equal(got["charts"], expected["charts"])
        assert np.isnan(got["inputs"]).any()


def test_scenes_that_do_not_fit_are_refused_before_reading(
    wide: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler = PatchSampler(wide, scenes=wide.scenes, size=48, channels=("hh", "hv"))
    n_pixels = sum(np.prod(wide.scene(i).grid.shape) for i in wide.scenes)
    assert bytes_of(sampler, sampler.scenes) == n_pixels * (2 * 2 + 3)
    needed = bytes_of(sampler, sampler.scenes) + work_bytes(sampler, 16)
    monkeypatch.setattr(gpu_scenes, "free_bytes", lambda _: needed - 1)
    with pytest.raises(
        MemoryNeededError, match=r"6 scenes of 2 channels take 0.0 GB"
    ) as caught:
        GpuPatches(sampler, CPU, 16)
    assert "on its disk" in str(caught.value.hint)
    monkeypatch.setattr(gpu_scenes, "free_bytes", lambda _: needed)
    GpuPatches(sampler, CPU, 16)


def test_trainings_in_a_row_share_the_scenes_that_the_first_loaded(
    wide: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []
    load = gpu_scenes._load

    def counted(store: Store, scenes: Sequence[str], *rest: Any) -> GpuScenes:
        loaded.append(set(scenes))
        return load(store, scenes, *rest)

    monkeypatch.setattr(gpu_scenes, "_load", counted)
    both_splits = {*wide.splits["train"], *wide.splits["validation"]}
    some, others = sorted(both_splits)[:2], sorted(both_splits)[1:]
    with kept_scenes():
        for scenes in (some, others):
            expected, got = both(wide, scenes=scenes)
            np.testing.assert_array_equal(got["inputs"], expected["inputs"])
            np.testing.assert_array_equal(got["charts"], expected["charts"])
        assert loaded == [both_splits]
        both(wide, scenes=some, channels=("hh",))
        both(wide, scenes=others, channels=("hh",))
        assert loaded == [both_splits] * 2
    both(wide, scenes=some)
    assert loaded[2:] == [set(some)]


def test_only_the_scenes_in_use_are_kept_if_memory_is_short(
    wide: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes = wide.splits["train"][:1]
    sampler = PatchSampler(wide, scenes=scenes, size=48, channels=("hh", "hv"))
    needed = bytes_of(sampler, scenes) + work_bytes(sampler, 16)
    monkeypatch.setattr(gpu_scenes, "free_bytes", lambda _: needed)
    with kept_scenes():
        GpuPatches(sampler, CPU, 16)
        assert are_kept(sampler, CPU)
        other = PatchSampler(wide, scenes=wide.splits["train"][1:2], size=48)
        assert not are_kept(other, CPU)
        drop_others(sampler, CPU)
        assert are_kept(sampler, CPU)
        drop_others(other, CPU)
        assert not are_kept(sampler, CPU)
    assert not are_kept(sampler, CPU)


def test_free_memory_is_what_the_system_says() -> None:
    assert 2**20 < free_bytes(CPU) < 2**63

import time
from typing import Any

import numpy as np
import pytest
import torch
from support.learnable_scenes import SCENES
from support.polygon_scenes import polygon_table, write_polygons

from seaice_data.charts import CHART_FILL
from seaice_data.errors import SettingsError
from seaice_data.sampling.augmentation import AUGMENTATIONS
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.sampling.windows import Sampling
from seaice_data.store.store import Store
from seaice_model.networks.device import as_classes, as_planes
from seaice_model.training.batches import batches, patch_source
from seaice_model.training.gpu_patches import GpuPatches

CPU = torch.device("cpu")


def assert_equal(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    """Compare inputs, in which NaN is fill."""
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0, equal_nan=True)


@pytest.fixture
def sampler(store: Store) -> PatchSampler:
    return PatchSampler(store, channels=("hh", "hv"), size=24, seed=5)


def test_batches_are_the_patches_of_the_sampler(sampler: PatchSampler) -> None:
    numbers = iter(range(6, 20))
    sizes = []
    for batch in batches(sampler, 6, 20, 4, CPU):
        sizes.append(len(batch.inputs))
        for inputs, charts in zip(batch.inputs.numpy(), batch.charts.numpy(), strict=True):
            patch = sampler[next(numbers)]
            np.testing.assert_array_equal(inputs, patch["inputs"])
            np.testing.assert_array_equal(charts, patch["charts"])
    assert sizes == [4, 4, 4, 2]


def test_a_batch_stays_until_the_next_is_asked_for(
    sampler: PatchSampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled: list[object] = []
    batch_of = sampler.batch

    def note_batch(*arguments: Any) -> Any:
        patches = batch_of(*arguments)
        sampled.append(patches)
        return patches

    monkeypatch.setattr(sampler, "batch", note_batch)
    for number, batch in enumerate(batches(sampler, 0, 80, 4, CPU), 1):
        before = batch.inputs.clone(), batch.charts.clone()
        while len(sampled) <= number < 20:
            time.sleep(0.001)  # until another one is sampled
        assert_equal(batch.inputs, before[0])
        assert torch.equal(batch.charts, before[1])


def test_the_network_takes_channels_last_float32_and_int64(sampler: PatchSampler) -> None:
    batch = next(batches(sampler, 0, 32, 32, CPU))
    assert batch.inputs.shape == (32, 24, 24, 2)
    planes, charts = as_planes(batch.inputs), as_classes(batch.charts)
    assert planes.shape == (32, 2, 24, 24)
    assert planes.is_contiguous(memory_format=torch.channels_last)
    assert (planes.dtype, charts.dtype) == (torch.float32, torch.int64)
    assert charts.shape == (32, 3, 24, 24)
    assert charts.max() == CHART_FILL
    assert batch.wait_s >= 0


def test_nothing_is_left_running_when_the_caller_stops(sampler: PatchSampler) -> None:
    import threading

    stream = batches(sampler, 0, 1000, 4, CPU)
    next(stream)
    stream.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("batches")]


def test_an_error_of_the_sampler_reaches_the_caller(sampler: PatchSampler) -> None:
    with pytest.raises(ValueError, match="expected non-negative"):
        list(batches(sampler, -4, 0, 4, CPU))


def test_processes_share_every_batch(sampler: PatchSampler) -> None:
    streams = [
        batches(sampler, 8, 16, 4, CPU),
        *(batches(sampler, 8, 16, 4, CPU, rank=r, count=2) for r in (0, 1)),
    ]
    for whole, *shares in zip(*streams, strict=True):
        for rank, share in enumerate(shares):
            assert_equal(share.inputs, whole.inputs[rank::2])
            assert torch.equal(share.charts, whole.charts[rank::2])


@pytest.fixture(scope="module")
def with_regions(tmp_path_factory: pytest.TempPathFactory) -> PatchSampler:
    """Return a sampler of scenes with polygons."""
    rng = np.random.default_rng(0)
    planes = {i: rng.integers(-1, 9, (30, 40)) // 3 for i in SCENES[:2]}
    table = polygon_table({0: (1,), 1: (80, 60, 87, 4, 20, 81, 5), 2: (92, -9, 95, 8)})
    path = str(tmp_path_factory.mktemp("regions") / "store.zarr")
    store = write_polygons(path, planes, table)
    return PatchSampler(
        store, scenes=store.scenes, size=24, augmentation="default", regions=True
    )


def test_regions_come_with_their_patches(with_regions: PatchSampler) -> None:
    sizes = []
    numbers = iter(range(4, 14))
    for batch in batches(with_regions, 4, 14, 4, CPU):
        assert batch.regions is not None
        sizes.append(len(batch.regions.number))
        for values in zip(*batch.regions, strict=True):
            patch = with_regions[next(numbers)]
            for name, found in zip(("region", "shares", "visible"), values, strict=True):
                np.testing.assert_array_equal(found.numpy(), patch[name])  # type: ignore[literal-required]
    assert sizes == [4, 4, 2]


def test_processes_share_the_regions_of_every_batch(with_regions: PatchSampler) -> None:
    streams = [
        batches(with_regions, 8, 16, 4, CPU),
        *(batches(with_regions, 8, 16, 4, CPU, rank=r, count=2) for r in (0, 1)),
    ]
    for whole, *shares in zip(*streams, strict=True):
        for rank, share in enumerate(shares):
            for ours, theirs in zip(share.regions or (), whole.regions or (), strict=True):
                assert_equal(ours, theirs[rank::2])
        assert whole.regions is not None


def test_without_regions_a_batch_has_none(sampler: PatchSampler) -> None:
    assert next(batches(sampler, 0, 4, 4, CPU)).regions is None


def test_patches_with_regions_are_not_cut_on_a_device(with_regions: PatchSampler) -> None:
    with pytest.raises(SettingsError, match="regions cannot be cut on a device"):
        GpuPatches(with_regions, CPU, 4)


def test_batches_from_the_memory_of_the_device_are_the_same(store: Store) -> None:
    sampler = PatchSampler(
        store,
        channels=("hv", "hh"),
        size=24,
        sampling=Sampling(over="classes"),
        augmentation=AUGMENTATIONS["official"],
    )
    resident = GpuPatches(sampler, CPU, 4)
    for ours, theirs in zip(
        batches(resident, 4, 14, 4, CPU), batches(sampler, 4, 14, 4, CPU), strict=True
    ):
        assert_equal(ours.inputs, theirs.inputs)
        assert torch.equal(ours.charts, theirs.charts)
        torch.testing.assert_close(ours.probability, theirs.probability)


def test_on_a_cpu_patches_stay_in_their_files(sampler: PatchSampler) -> None:
    assert patch_source(sampler, CPU, 4, compiled=False) is sampler

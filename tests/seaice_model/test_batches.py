import numpy as np
import pytest
import torch

from seaice_data.augment import AUGMENTATIONS
from seaice_data.charts import CHART_FILL
from seaice_data.drawing import Drawing
from seaice_data.sampler import PatchSampler
from seaice_data.store import Store
from seaice_model.batches import batches, patch_source, to_device
from seaice_model.resident import ResidentPatches

CPU = torch.device("cpu")


@pytest.fixture
def sampler(store: Store) -> PatchSampler:
    return PatchSampler(store, channels=("hh", "hv"), size=24, seed=5)


def test_batches_are_the_patches_of_the_sampler(sampler: PatchSampler) -> None:
    given = list(batches(sampler, 6, 20, 4, CPU))
    assert [len(batch.inputs) for batch in given] == [4, 4, 4, 2]
    inputs = torch.cat([batch.inputs for batch in given])
    charts = torch.cat([batch.charts for batch in given])
    for position, number in enumerate(range(6, 20)):
        patch = sampler[number]
        planes = np.nan_to_num(np.moveaxis(patch["inputs"], -1, 0).astype(np.float32))
        np.testing.assert_array_equal(inputs[position].numpy(), planes)
        np.testing.assert_array_equal(
            charts[position].numpy(), np.moveaxis(patch["charts"], -1, 0)
        )


def test_later_batches_leave_earlier_ones_alone(sampler: PatchSampler) -> None:
    stream = batches(sampler, 0, 40, 4, CPU)
    first = next(stream)
    before = first.inputs.clone(), first.charts.clone()
    for _ in stream:
        pass
    assert torch.equal(first.inputs, before[0])
    assert torch.equal(first.charts, before[1])


def test_tensors_are_channels_last_float32_and_int64(sampler: PatchSampler) -> None:
    batch = next(batches(sampler, 0, 32, 32, CPU))
    assert batch.inputs.shape == (32, 2, 24, 24)
    assert batch.inputs.is_contiguous(memory_format=torch.channels_last)
    assert (batch.inputs.dtype, batch.charts.dtype) == (torch.float32, torch.int64)
    assert batch.charts.max() == CHART_FILL
    assert batch.wait_s >= 0


def test_fill_becomes_0_and_the_source_stays() -> None:
    planes = np.array([[[[np.nan, 2.0]]]], np.float32)
    assert to_device(planes, CPU).flatten().tolist() == [0, 2]
    assert np.isnan(planes[0, 0, 0, 0])


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
    whole = list(batches(sampler, 8, 16, 4, CPU))
    shares = [list(batches(sampler, 8, 16, 4, CPU, rank=r, count=2)) for r in (0, 1)]
    for k, batch in enumerate(whole):
        for rank in (0, 1):
            assert torch.equal(shares[rank][k].inputs, batch.inputs[rank::2])
            assert torch.equal(shares[rank][k].charts, batch.charts[rank::2])


def test_a_store_held_on_the_device_gives_the_same_batches(store: Store) -> None:
    sampler = PatchSampler(
        store,
        channels=("hv", "hh"),
        size=24,
        drawing=Drawing(over="classes"),
        augmentation=AUGMENTATIONS["official"],
    )
    resident = ResidentPatches(sampler, CPU, 4)
    for ours, theirs in zip(
        batches(resident, 4, 14, 4, CPU), batches(sampler, 4, 14, 4, CPU), strict=True
    ):
        assert torch.equal(ours.inputs, theirs.inputs)
        assert torch.equal(ours.charts, theirs.charts)
        torch.testing.assert_close(ours.probability, theirs.probability)
        assert ours.inputs.is_contiguous(memory_format=torch.channels_last)


def test_on_a_cpu_patches_stay_in_their_files(sampler: PatchSampler) -> None:
    assert patch_source(sampler, CPU, 4) is sampler

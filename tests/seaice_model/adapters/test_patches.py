"""Patches as data sets: the same as those of the sampler, other ones in each epoch."""

import pickle
from collections import Counter
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from seaice_data.errors import SettingsError
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.balance import normalisation
from seaice_data.store.store import Store
from seaice_model.adapters.patches import PatchDataset, PatchStream
from seaice_model.adapters.sample_form import Sample, SampleForm
from seaice_model.training.patch_numbers import PatchNumbers

N, BATCH = 12, 4


@pytest.fixture(scope="module")
def patches(store: Store) -> PatchSampler:
    return PatchSampler(store, channels=["hh", "hv"], size=8, augmentation="default")


def keys(samples: Any) -> list[bytes]:
    """Return what tells samples apart: their pixels."""
    images = [image for sample in samples for image in sample["image"].reshape(-1, 128)]
    return [image.numpy().tobytes() for image in images]


@pytest.fixture(scope="module")
def known(patches: PatchSampler) -> list[bytes]:
    """Return the pixels of the first patches, by number."""
    dataset = PatchDataset(patches)
    return keys(dataset.__getitems__(range(4 * N)))


def test_a_sample_is_the_patch_of_its_number(patches: PatchSampler) -> None:
    sample = PatchDataset(patches)[7]
    patch = patches[7]
    np.testing.assert_array_equal(
        sample["image"], np.nan_to_num(np.moveaxis(patch["inputs"], -1, 0))
    )
    for k, name in enumerate(("SIC", "SOD", "FLOE")):
        np.testing.assert_array_equal(sample[f"mask_{name}"], patch["charts"][..., k])


def test_patches_have_no_length_and_say_what_to_do(patches: PatchSampler) -> None:
    dataset = PatchDataset(patches)
    for endless in (dataset, patches):
        with pytest.raises(TypeError, match="sampler=PatchNumbers"):
            list(DataLoader(endless, batch_size=4))
    assert patches
    loaded = DataLoader(dataset, sampler=PatchNumbers(N), batch_size=4)
    assert len(loaded) == 3


def test_statistics_of_other_channels_are_refused(
    patches: PatchSampler, store: Store
) -> None:
    form = SampleForm(normalisation=normalisation(store))
    with pytest.raises(SettingsError, match="of the channels t2m, hh, hv, images have hh"):
        PatchDataset(patches, form)


@pytest.mark.parametrize("n_workers", [0, 2])
def test_a_stream_goes_on_with_the_next_epoch(
    patches: PatchSampler, known: list[bytes], n_workers: int
) -> None:
    stream = PatchStream(patches, N)
    loaded = DataLoader(stream, batch_size=BATCH, num_workers=n_workers)
    next(iter(loaded))  # an epoch that is left early counts
    for epoch in (1, 2):
        found = keys(loaded)
        assert Counter(found) == Counter(known[epoch * N : (epoch + 1) * N])
    stream.set_epoch(0)
    assert Counter(keys(loaded)) == Counter(known[:N])


def test_processes_share_the_epochs_of_a_stream(
    patches: PatchSampler, known: list[bytes]
) -> None:
    found: list[bytes] = []
    for rank in (0, 1):
        stream = PatchStream(patches, N)
        stream._numbers = PatchNumbers(N, num_replicas=2, rank=rank)
        stream = pickle.loads(pickle.dumps(stream))  # noqa: S301 - as a spawned worker
        found += keys(cast("Any", stream))
    assert Counter(found) == Counter(known[:N])


def test_samples_are_not_made_from_transformed_patches(store: Store) -> None:
    turned = PatchSampler(store, channels=["hh"], size=8, transform=lambda patch: patch)
    with pytest.raises(SettingsError, match="patches that are not transformed") as caught:
        PatchDataset(turned)
    assert "SampleForm(transforms=...)" in str(caught.value.hint)
    with pytest.raises(SettingsError, match="patches that are not transformed"):
        PatchStream(turned, N)


def test_a_stream_of_no_patches_is_refused(patches: PatchSampler) -> None:
    with pytest.raises(SettingsError, match="n_patches must be at least 1"):
        PatchStream(patches, 0)
    with pytest.raises(SettingsError, match="epoch must be at least 0"):
        PatchStream(patches, 1).set_epoch(-1)


def test_a_patch_is_plotted_with_its_charts(patches: PatchSampler) -> None:
    dataset = PatchDataset(patches)
    titles = [panel.get_title() for panel in dataset.plot(dataset[0]).axes]
    assert titles == ["hh", "hv", "SIC", "SOD", "FLOE"]


def test_data_sets_say_what_they_are(patches: PatchSampler) -> None:
    form = SampleForm(charts="SOD")
    said = repr(PatchStream(patches, N, form))
    assert said.startswith("<PatchStream of 12 an epoch: <PatchDataset of <PatchSampler")
    assert said.endswith("seed 0>, charts SOD>>")
    sample: Sample = next(iter(PatchStream(patches, N, form)))
    assert torch.is_tensor(sample["mask"])

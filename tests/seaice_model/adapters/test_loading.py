"""A loader of patches: new ones in each epoch, and a state that is exact with workers."""

from typing import Any

import pytest
import torch

from seaice_data.errors import SettingsError
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.store import Store
from seaice_model.adapters.loading import PatchLoader, loader
from seaice_model.adapters.patches import PatchDataset
from seaice_model.adapters.sample_form import SampleForm

N, BATCH = 10, 4  # the last batch of an epoch has two patches


@pytest.fixture(scope="module")
def patches(store: Store) -> PatchSampler:
    return PatchSampler(store, channels=["hh", "hv"], size=8, augmentation="default")


@pytest.fixture(scope="module")
def known(patches: PatchSampler) -> list[torch.Tensor]:
    """Return the images of the first patches, by number."""
    return [s["image"] for s in PatchDataset(patches).__getitems__(range(4 * N))]


def numbers(batch: Any, known: list[torch.Tensor]) -> list[int]:
    """Return the numbers of the patches of a batch."""
    return [
        next(k for k, seen in enumerate(known) if torch.equal(seen, image))
        for image in batch["image"]
    ]


def epoch(batches: PatchLoader, known: list[torch.Tensor]) -> list[int]:
    return [number for batch in batches for number in numbers(batch, known)]


@pytest.mark.parametrize("options", [{}, {"num_workers": 2}], ids=["none", "two"])
def test_epochs_are_in_order_whatever_loads_them(
    patches: PatchSampler, known: list[torch.Tensor], options: dict[str, Any]
) -> None:
    batches = loader(patches, N, BATCH, **options)
    assert batches.persistent_workers == bool(options)
    assert len(batches) == 3
    assert [epoch(batches, known) for _ in range(2)] == [[*range(N)], [*range(N, 2 * N)]]


@pytest.mark.parametrize("options", [{}, {"num_workers": 2}], ids=["none", "two"])
@pytest.mark.parametrize("n_taken", [1, 2, 3])
def test_a_state_continues_after_the_last_batch(
    patches: PatchSampler,
    known: list[torch.Tensor],
    options: dict[str, Any],
    n_taken: int,
) -> None:
    batches = loader(patches, N, BATCH, **options)
    if n_taken > 1:
        epoch(batches, known)  # one epoch, and then some batches of the second
    iterator = iter(batches)
    seen = [n for _ in range(n_taken) for n in numbers(next(iterator), known)]
    state = batches.state_dict()
    assert state == {"next_patch": seen[-1] + 1}
    again = loader(patches, N, 3, **options)  # the batch size may differ
    again.load_state_dict(state)
    assert again.state_dict() == state
    end = N if n_taken == 1 else 2 * N
    rest = epoch(again, known) if n_taken < 3 else []
    assert seen + rest == [*range(end - N, end)]
    assert epoch(again, known) == [*range(end, end + N)]


def test_a_state_without_the_rest_that_is_dropped_is_the_next_epoch(
    patches: PatchSampler, known: list[torch.Tensor]
) -> None:
    batches = loader(patches, N, BATCH, drop_last=True)
    assert epoch(batches, known) == [*range(8)]
    assert batches.state_dict() == {"next_patch": N}


def test_an_epoch_may_be_chosen(patches: PatchSampler, known: list[torch.Tensor]) -> None:
    batches = loader(patches, N, BATCH)
    next(iter(batches))
    batches.sampler.set_epoch(3)  # type: ignore[attr-defined]
    assert batches.state_dict() == {"next_patch": 3 * N}
    assert epoch(batches, known) == [*range(3 * N, 4 * N)]


def test_the_form_of_samples_is_that_of_the_data_set(patches: PatchSampler) -> None:
    batch = next(iter(loader(patches, N, BATCH, form=SampleForm(charts="FLOE"))))
    shapes = {name: tuple(plane.shape) for name, plane in batch.items()}
    assert shapes == {"image": (4, 2, 8, 8), "mask": (4, 8, 8)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shuffle": True}, "so 'shuffle' has no place"),
        ({"sampler": range(4)}, "so 'sampler' has no place"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_options_that_would_repeat_patches_are_refused(
    patches: PatchSampler, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        loader(patches, N, **options)
    with pytest.raises(SettingsError, match="n_patches must be at least 1, got 0"):
        loader(patches, 0)


def test_a_path_in_place_of_patches_is_refused() -> None:
    with pytest.raises(SettingsError, match="from a PatchSampler, got str") as caught:
        loader("store.zarr", 8)  # type: ignore[arg-type]
    assert "PatchSampler('store.zarr'" in str(caught.value.hint)

"""Random patches of a store as data sets of PyTorch.

- ``PatchDataset`` is asked for patches by number, and has no length: the numbers of an
  epoch come from a sampler (`seaice_model.adapters.loading.loader`);
- ``PatchStream`` iterates over the patches of the next epoch, for frameworks that make
  their own `DataLoader` and leave no choice of the sampler.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from seaice_data.errors import SettingsError
from seaice_data.sampling.sampler import PatchSampler
from seaice_model.adapters.sample_form import Sample, SampleForm
from seaice_model.training.patch_numbers import PatchNumbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_WORKERS = 1024
_EVERYTHING = SampleForm()


def check_sampler(patches: PatchSampler) -> None:
    """Refuse what is not a sampler, or gives more than samples contain.

    Raises
    ------
    SettingsError
        If it is not a sampler, transforms patches, or gives regions.
    """
    if not isinstance(patches, PatchSampler):
        raise SettingsError(
            f"samples are made from a PatchSampler, got {type(patches).__name__}",
            hint="make one of a store: PatchSampler('store.zarr', size=128)",
        )
    if patches.transform is not None:
        raise SettingsError(
            "samples are made from patches that are not transformed",
            hint="give the function to SampleForm(transforms=...) instead of PatchSampler",
        )
    if patches.regions:
        raise SettingsError(
            "samples do not contain regions",
            hint="leave out regions=True, or load PatchSampler itself with PatchNumbers",
        )


class PatchDataset(Dataset[Sample]):
    """Random patches of a store, by number, as samples.

    Parameters
    ----------
    patches
        Where they come from.
    form
        What a sample is made of.

    Raises
    ------
    SettingsError
        If the form does not fit the channels of the patches, or these are transformed or
        have regions.

    Examples
    --------
    >>> dataset = PatchDataset(  # doctest: +SKIP
    ...     PatchSampler(store, channels=["hh", "hv"]), SampleForm(charts="SOD")
    ... )
    >>> dataset[7]["image"].shape  # doctest: +SKIP
    torch.Size([2, 256, 256])
    """

    def __init__(self, patches: PatchSampler, form: SampleForm = _EVERYTHING) -> None:
        check_sampler(patches)
        form.check_channels(patches.channels)
        self.patches, self.form = patches, form

    def __repr__(self) -> str:
        """Say which patches these are, and with which charts."""
        return f"<PatchDataset of {self.patches!r}, charts {', '.join(self.form.names)}>"

    def __getitem__(self, number: int) -> Sample:
        """Return the sample of a patch."""
        return self.__getitems__([number])[0]

    def __getitems__(self, numbers: Sequence[int]) -> list[Sample]:
        """Return the samples of several patches, as a `DataLoader` asks for them."""
        batch = self.patches.batch(numbers)
        return [
            self.form.sample(inputs, charts)
            for inputs, charts in zip(batch["inputs"], batch["charts"], strict=True)
        ]

    def plot(self, sample: Mapping[str, Any], suptitle: str | None = None) -> "Figure":
        """Plot a sample; with ``prediction`` in it, classes (y, x), that too."""
        return self.form.plot(sample, self.patches.channels, suptitle)

    def __len__(self) -> NoReturn:
        """Say how to choose the patches of an epoch, of which there is no end."""
        raise TypeError(
            "random patches have no end, and so no length: load them with "
            "`seaice.loader(patches, n_patches)`, or choose the numbers of an epoch with "
            "DataLoader(..., sampler=PatchNumbers(n_patches)); PatchStream needs neither"
        )


class PatchStream(IterableDataset[Sample]):
    """Random patches of a store, other ones in each epoch, for any `DataLoader`.

    Each worker process yields its share of an epoch, and so does each process of PyTorch's
    DDP. Which epoch is next is in memory that worker processes share, so they go on with
    the next one even if they are started again for it.

    Iterate with the same number of workers from epoch to epoch, or call `set_epoch`. The
    patches of an epoch do not depend on the number of workers, but their order does. A
    stream has no state to save: a training that resumes begins with `set_epoch`, and so
    with the first patch of an epoch (`seaice_model.adapters.loading.PatchLoader` continues
    within one).

    Parameters
    ----------
    patches
        Where they come from.
    n_patches
        Patches in an epoch, of all processes together.
    form
        What a sample is made of.

    Raises
    ------
    SettingsError
        If `n_patches` is not positive, or the form does not fit the channels. When an
        iterator starts: if there are more processes than patches.

    Examples
    --------
    >>> stream = PatchStream(patches, 8000)  # doctest: +SKIP
    >>> loader = DataLoader(stream, batch_size=16, num_workers=4)  # doctest: +SKIP
    """

    def __init__(
        self, patches: PatchSampler, n_patches: int, form: SampleForm = _EVERYTHING
    ) -> None:
        self._dataset = PatchDataset(patches, form)
        self._numbers = PatchNumbers(n_patches)
        self._epochs = torch.zeros(_MOST_WORKERS, dtype=torch.int64)
        self._epochs.share_memory_()

    def __repr__(self) -> str:
        """Say which patches these are, and how many an epoch has."""
        return f"<PatchStream of {self._numbers.n_patches} an epoch: {self._dataset!r}>"

    def __getstate__(self) -> dict[str, Any]:
        """Look up the processes of DDP, of which a new worker process knows nothing."""
        len(self._numbers)
        return vars(self)

    def __iter__(self) -> Iterator[Sample]:
        """Return an iterator over this worker's share of the next epoch."""
        info = get_worker_info()
        worker, n_workers = (0, 1) if info is None else (info.id, info.num_workers)
        if n_workers > _MOST_WORKERS:
            raise SettingsError(
                f"a stream has at most {_MOST_WORKERS} workers, got {n_workers}"
            )
        # Not in the generator: that would start with its first sample, if ever.
        self._numbers.set_epoch(int(self._epochs[worker]))
        self._epochs[worker] += 1
        return map(self._dataset.__getitem__, self._numbers.remaining()[worker::n_workers])

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iterator, from 0; those after it follow.

        Raises
        ------
        SettingsError
            If `epoch` is negative.
        """
        self._numbers.set_epoch(epoch)
        self._epochs.fill_(epoch)

"""Load random patches in PyTorch: data set, numbers and loader in one call."""

from collections.abc import Iterator
from typing import Any, cast

from torch.utils.data import DataLoader

from seaice_data.errors import SettingsError
from seaice_data.sampling.sampler import PatchSampler
from seaice_model.adapters.patches import PatchDataset
from seaice_model.adapters.sample_form import Sample, SampleForm
from seaice_model.training.patch_numbers import PatchNumbers

_OURS = ("sampler", "batch_sampler", "shuffle")
_EVERYTHING = SampleForm()


def loader(
    patches: PatchSampler,
    n_patches: int,
    batch_size: int = 16,
    *,
    form: SampleForm = _EVERYTHING,
    **options: Any,
) -> "PatchLoader":
    """Return a `DataLoader` of random patches, other ones in each epoch.

    Patches are the same with any number of worker processes, and in the same order. Of
    several processes of PyTorch's DDP, each loads its share.

    Parameters
    ----------
    patches
        Where they come from; it decides channels, size, seed and augmentation.
    n_patches
        Patches in an epoch, of all processes together.
    batch_size
        Patches in a batch, of this process.
    form
        What a sample is made of.
    options
        For `torch.utils.data.DataLoader`: ``num_workers``, ``pin_memory`` and others. If
        not given, worker processes persist from epoch to epoch.

    Raises
    ------
    SettingsError
        If a number is not positive, the form does not fit the channels, or an option
        chooses the numbers of patches, which is done here.

    Examples
    --------
    >>> patches = PatchSampler(store, size=128, augmentation="default")  # doctest: +SKIP
    >>> batches = loader(patches, 8000, num_workers=4)  # doctest: +SKIP
    >>> for epoch in range(300):  # doctest: +SKIP
    ...     for batch in batches:
    ...         ...  # batch["image"], batch["mask_SOD"]
    """
    if chosen := [name for name in _OURS if name in options]:
        raise SettingsError(
            f"the numbers of patches follow from the epoch, so {chosen[0]!r} has no place",
            hint="leave it out: each epoch has new patches anyway",
        )
    if batch_size < 1:
        raise SettingsError(f"batch_size must be at least 1, got {batch_size}")
    options.setdefault("persistent_workers", options.get("num_workers", 0) > 0)
    return PatchLoader(
        PatchDataset(patches, form),
        batch_size=batch_size,
        sampler=PatchNumbers(n_patches),
        **options,
    )


class PatchLoader(DataLoader[Sample]):
    """Batches of patches; the state says which patch is next, and so a training resumes.

    Made by `loader`. Each iterator is the next epoch, which starts with its first batch.

    Notes
    -----
    `PatchNumbers` counts what was asked for, and worker processes ask ahead. A loader
    counts the batches that it has yielded, so its state is exact with workers, too.
    Lightning saves the states of loaders in its checkpoints.
    """

    _yielded: tuple[int, int] | None = None
    """First number of no batch yielded so far, and the epoch that was next by then."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Yield the batches of the next epoch, or what a loaded state has left of it."""
        numbers, size = self._numbers, cast("int", self.batch_size)
        end, left = (numbers.epoch + 1) * numbers.n_patches, numbers.remaining()
        n_batches = len(left) // size if self.drop_last else -(-len(left) // size)
        following = numbers.epoch + 1
        for k, batch in enumerate(super().__iter__(), start=1):
            first = end if k == n_batches else left[k * size] - numbers.rank
            self._yielded = (first, following)
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Return what `load_state_dict` needs to continue after the last batch yielded."""
        if self._yielded is None or self._yielded[1] != self._numbers.epoch:
            return self._numbers.state_dict()  # another epoch was chosen since
        return {"next_patch": self._yielded[0]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where a state was saved: the next iterator yields the rest of its epoch.

        The batch size, the number of workers and of processes may differ from then.

        Raises
        ------
        SettingsError
            If it is not the state of patch numbers.
        """
        self._numbers.load_state_dict(state_dict)
        self._yielded = None

    @property
    def _numbers(self) -> PatchNumbers:
        return cast("PatchNumbers", self.sampler)

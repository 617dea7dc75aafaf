"""The numbers of the patches that a PyTorch `DataLoader` loads, new ones in each epoch.

The series of patches has no end (`seaice_data.sampling.sampler`), so an epoch is any set of
numbers. A bare ``range(n)`` asks for the same ones in every epoch: the same windows,
turned, scaled and mixed in the same way. That is right for validation, but a training would
see only `n` patches.
"""

from collections.abc import Iterator
from operator import index
from typing import TYPE_CHECKING, Any, cast

from torch import distributed
from torch.utils.data.distributed import DistributedSampler

from seaice_data.errors import SettingsError

if TYPE_CHECKING:
    from torch.utils.data import Dataset


class PatchNumbers(DistributedSampler[int]):
    """Numbers of patches for a `DataLoader`: epoch ``e`` is ``range(e * n, (e + 1) * n)``.

    Each iterator takes the next epoch; `set_epoch` chooses another one. An epoch counts as
    started when the first number of its iterator is asked for: ``next(iter(loader))`` uses
    up an epoch, ``iter(loader)`` does so only with worker processes, which load ahead.

    Of several processes (PyTorch's DDP), each takes every `num_replicas`-th number, so that
    together they see what one process sees in batches that many times as large. All have
    equally many: the last ``n_patches % num_replicas`` numbers of an epoch are left out.

    Parameters
    ----------
    n_patches
        Patches in an epoch, of all processes together.
    num_replicas, rank
        How many processes there are, and which one this is. If not given, what
        `torch.distributed` reports when an iterator starts; without it, 1 and 0.

    Raises
    ------
    SettingsError
        If `n_patches` is not positive, only one of `num_replicas` and `rank` is given, or
        `rank` is not below `num_replicas`. When an iterator starts: if there are more
        processes than patches.

    Notes
    -----
    Lightning divides the numbers of samplers that it does not know among its processes.
    It leaves alone this one, which is a `DistributedSampler`. Accelerate divides the
    batches of any sampler: there, give ``num_replicas=1, rank=0``.

    Examples
    --------
    >>> numbers = PatchNumbers(3)
    >>> list(numbers), list(numbers)
    ([0, 1, 2], [3, 4, 5])
    >>> numbers.set_epoch(7)
    >>> list(numbers), list(numbers)
    ([21, 22, 23], [24, 25, 26])
    """

    def __init__(
        self, n_patches: int, num_replicas: int | None = None, rank: int | None = None
    ) -> None:
        n_patches = index(n_patches)  # of numpy, too: states are plain numbers
        if n_patches < 1:
            raise SettingsError(f"n_patches must be at least 1, got {n_patches}")
        if (num_replicas is None) != (rank is None):
            raise SettingsError("give both num_replicas and rank, or neither")
        self._is_given = num_replicas is not None and rank is not None
        count, number = (
            (1, 0) if num_replicas is None or rank is None else (num_replicas, rank)
        )
        if not 0 <= number < count:
            raise SettingsError(f"rank must be in 0..{count - 1}, got {number}")
        # For PyTorch, the numbers of an epoch are a dataset of which processes take shares.
        dataset = cast("Dataset[int]", range(n_patches))
        super().__init__(dataset, count, number, shuffle=False)
        self.n_patches = n_patches
        self._next_patch = 0

    def __len__(self) -> int:
        """Return how many numbers of an epoch this process takes."""
        self._find_processes()
        return self.n_patches // self.num_replicas

    def __iter__(self) -> Iterator[int]:
        """Yield the numbers of the next epoch, or what a loaded state has left of it."""
        numbers = self.remaining()
        end = (self.epoch + 1) * self.n_patches
        self.epoch += 1
        for number in numbers:
            is_last = number == numbers[-1]
            self._next_patch = end if is_last else number - self.rank + self.num_replicas
            yield number

    def remaining(self) -> range:
        """Return the numbers that the next iterator yields.

        Raises
        ------
        SettingsError
            If there are more processes than patches.
        """
        n = len(self)
        if not n:
            raise SettingsError(
                f"{self.num_replicas} processes cannot share {self.n_patches} patches"
            )
        first, count = self.epoch * self.n_patches, self.num_replicas
        n_done = -(-max(self._next_patch - first, 0) // count)
        return range(first + n_done * count + self.rank, first + n * count, count)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iterator, from 0; those after it follow.

        If it is the epoch of a loaded state, it continues from there, not from its start.

        Raises
        ------
        SettingsError
            If `epoch` is negative.
        """
        epoch = index(epoch)
        if epoch < 0:
            raise SettingsError(f"epoch must be at least 0, got {epoch}")
        if epoch != self.epoch or epoch != self._next_patch // self.n_patches:
            self._next_patch = epoch * self.n_patches
        self.epoch = epoch

    def state_dict(self) -> dict[str, int]:
        """Return what `load_state_dict` needs to continue, even in the middle of an epoch.

        This is the first number that no process has been given, so a training may continue
        with another number of processes. Worker processes load some batches ahead, which
        would be skipped; ``torchdata.stateful_dataloader.StatefulDataLoader`` returns the
        state at the last batch that it has yielded.
        """
        return {"next_patch": self._next_patch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where a state was saved: the next iterator yields the rest of its epoch.

        Raises
        ------
        SettingsError
            If it is not the state of patch numbers.
        """
        number = state_dict.get("next_patch")
        if not isinstance(number, int) or number < 0:
            raise SettingsError(f"not a state of patch numbers: {state_dict!r:.80}")
        self._next_patch = number
        self.epoch = number // self.n_patches

    def _find_processes(self) -> None:
        """Look up the processes, which may have been started after the sampler was made."""
        if self._is_given or not distributed.is_available():
            return
        if distributed.is_initialized():
            self.num_replicas = distributed.get_world_size()
            self.rank = distributed.get_rank()

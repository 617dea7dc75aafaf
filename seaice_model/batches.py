"""From numbered patches to tensors on the device, one batch ahead of the network.

On a GPU that has room for the store, patches are cut there (`seaice_model.resident`) and
nothing travels. Elsewhere a thread gathers the next patches while the network works on the
last; numpy copies without holding the interpreter's lock. These patches travel in the type
of the store (float16 by default), to a GPU from pinned memory and without waiting, and are
widened on the device, where fill becomes 0, the mean of every channel.
"""

import logging
import time
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seaice_data.arrays import FloatArray
from seaice_data.sampler import Patch, PatchSampler
from seaice_model.resident import ResidentPatches, bytes_needed, free_bytes

log = logging.getLogger(__name__)

_N_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Batch:
    """Patches on the device."""

    inputs: Tensor
    """Shape ``(batch, channel, y, x)``, float32 in channels-last memory, fill set to 0."""

    charts: Tensor
    """Shape ``(batch, chart, y, x)``, int64, 255 where unlabelled."""

    probability: Tensor
    """How often each patch is drawn, relative to drawing over scenes, ``(batch,)``."""

    wait_s: float
    """Seconds that the caller waited for it."""


def batches(
    patches: PatchSampler | ResidentPatches,
    first: int,
    last: int,
    batch_size: int,
    device: torch.device,
    *,
    rank: int = 0,
    count: int = 1,
) -> Generator[Batch, None, None]:
    """Give the patches `first` to `last` (excluded) in batches.

    The patches of batch ``b`` are ``range(first + b * batch_size, ...)``: the same for any
    number of threads. A last batch of fewer patches is given too. A tensor of an earlier
    batch is not changed by later ones.

    Of `count` processes that train together, number `rank` is given its part of every
    batch: every `count`-th patch.

    Parameters
    ----------
    patches
        Where the patches come from; see `patch_source`.
    first, last
        Numbers of patches.
    batch_size
        Patches in a batch.
    device
        Where the tensors go.
    rank, count
        Which of how many processes this is.
    """
    starts = range(first, last, batch_size)
    shares = [range(s + rank, min(s + batch_size, last), count) for s in starts]
    if isinstance(patches, ResidentPatches):
        yield from _cut_on_device(patches, shares)
    else:
        yield from _sent_to_device(patches, shares, -(-batch_size // count), device)


def patch_source(
    sampler: PatchSampler, device: torch.device, batch_size: int
) -> PatchSampler | ResidentPatches:
    """Return the patches of `sampler` in the memory of a GPU, if half of it has room.

    The other half is the network's. On a CPU patches stay where they are: files that are
    mapped are as near.
    """
    if device.type != "cuda":
        return sampler
    needed, free = bytes_needed(sampler, batch_size), free_bytes(device)
    if needed > free / 2:
        log.warning(
            "the store takes %.1f GB and %s has %.1f GB free: patches are copied batch by "
            "batch",
            needed / 1e9, device, free / 1e9,
        )  # fmt: skip
        return sampler
    return ResidentPatches(sampler, device, batch_size)


def _cut_on_device(
    patches: ResidentPatches, shares: Sequence[range]
) -> Generator[Batch, None, None]:
    for numbers in shares:
        start = time.perf_counter()
        cut = patches.batch(numbers)
        inputs, charts = _widened(cut.inputs), _as_classes(cut.charts)
        yield Batch(inputs, charts, cut.probability, time.perf_counter() - start)


def _sent_to_device(
    sampler: PatchSampler, shares: Sequence[range], batch_size: int, device: torch.device
) -> Generator[Batch, None, None]:
    buffers = [_Buffer(sampler, batch_size, device) for _ in range(_N_AHEAD + 1)]
    pending: deque[tuple[_Buffer, Future[Patch]]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        try:
            for position, numbers in enumerate(shares):
                buffer = buffers[position % len(buffers)]
                pending.append((buffer, pool.submit(buffer.fill, sampler, numbers)))
                # One buffer is always free: the one whose batch has just been given.
                if len(pending) > _N_AHEAD:
                    yield _next(pending, device)
            while pending:
                yield _next(pending, device)
        finally:
            pool.shutdown(cancel_futures=True)


def to_device(planes: FloatArray, device: torch.device) -> Tensor:
    """Return planes of shape ``(batch, y, x, channel)`` as ``(batch, channel, y, x)``.

    The result is float32, in channels-last memory (a view), with 0 for NaN. It never
    shares memory with `planes`.
    """
    return _widened(torch.from_numpy(planes).to(device, non_blocking=True))


def _widened(planes: Tensor) -> Tensor:
    """Return planes as the network takes them, in memory of their own."""
    wide = planes.to(torch.float32, copy=True).nan_to_num_(nan=0.0)
    return wide.permute(0, 3, 1, 2)


def _as_classes(charts: Tensor) -> Tensor:
    return charts.to(torch.int64).permute(0, 3, 1, 2)


class _Buffer:
    """Memory for a batch, filled by the thread and emptied by the caller in turns."""

    def __init__(
        self, sampler: PatchSampler, batch_size: int, device: torch.device
    ) -> None:
        self._patches = sampler.empty(batch_size)
        self._copied: torch.cuda.Event | None = None
        if device.type == "cuda":
            self._copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._patches["inputs"] = _pinned(self._patches["inputs"])
            self._patches["charts"] = _pinned(self._patches["charts"])

    def fill(self, sampler: PatchSampler, numbers: range) -> Patch:
        """Draw patches, once the copy of the last ones has left this memory."""
        if self._copied is not None:
            self._copied.synchronize()
        n = len(numbers)
        out = Patch(
            inputs=self._patches["inputs"][:n],
            charts=self._patches["charts"][:n],
            scene=self._patches["scene"][:n],
            probability=self._patches["probability"][:n],
        )
        return sampler.batch(numbers, out)

    def mark_copied(self) -> None:
        """Note on the GPU that everything asked of this memory so far is done."""
        if self._copied is not None:
            self._copied.record()


def _next(pending: deque[tuple[_Buffer, Future[Patch]]], device: torch.device) -> Batch:
    buffer, future = pending.popleft()
    start = time.perf_counter()
    patches = future.result()
    wait_s = time.perf_counter() - start
    inputs = to_device(patches["inputs"], device)
    charts = torch.from_numpy(patches["charts"]).to(device, non_blocking=True)
    # Copied now, because the memory of the buffer is used again.
    probability = torch.tensor(patches["probability"], dtype=torch.float32).to(device)
    buffer.mark_copied()
    return Batch(inputs, _as_classes(charts), probability, wait_s)


def _pinned(array: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(torch.from_numpy(array).pin_memory().numpy())

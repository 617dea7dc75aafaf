"""From patches on disk to tensors on the device, one batch ahead of the network.

A thread gathers the next patches while the network works on the last; numpy copies
without holding the interpreter's lock. Patches travel in the type of the store (float16 by
default) and are widened on the device, where fill becomes 0, the mean of every channel.
"""

import time
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seaice_data.arrays import FloatArray
from seaice_data.sampler import Patch, PatchSampler

_N_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Batch:
    """Patches on the device."""

    inputs: Tensor
    """Shape ``(batch, channel, y, x)``, float32 in channels-last memory, fill set to 0."""

    charts: Tensor
    """Shape ``(batch, chart, y, x)``, int64, 255 where unlabelled."""

    wait_s: float
    """Seconds that the caller waited for it."""


def batches(
    sampler: PatchSampler,
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
    batch: the patches that leave the rest `rank` when their number is divided by `count`.

    Parameters
    ----------
    sampler
        Where the patches come from.
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
    share = -(-batch_size // count)
    buffers = [_Buffer(sampler, share, device) for _ in range(_N_AHEAD + 1)]
    pending: deque[tuple[_Buffer, Future[Patch]]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        try:
            for position, start in enumerate(starts):
                buffer = buffers[position % len(buffers)]
                numbers = range(start + rank, min(start + batch_size, last), count)
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
    tensor = torch.from_numpy(planes).to(device, non_blocking=True)
    wide = tensor.to(torch.float32, copy=True).nan_to_num_(nan=0.0)
    return wide.permute(0, 3, 1, 2)


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
    buffer.mark_copied()
    return Batch(inputs, charts.to(torch.int64).permute(0, 3, 1, 2), wait_s)


def _pinned(array: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(torch.from_numpy(array).pin_memory().numpy())

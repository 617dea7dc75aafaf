"""Batches of numbered patches as tensors on the device, some batches ahead of the network.

On a GPU with room for the store, patches are cut there
(`seaice_model.training.gpu_patches`): a thread plans many batches at once, and only the
plans are sent. Elsewhere a thread gathers the next patches while the network works on the
current ones; numpy copies without the interpreter's lock. Patches are sent in the type of
the store (float16 by default), to a GPU from pinned memory and without waiting. On the
device `seaice_model.networks.device` converts them for the network.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray
from seaice_data.sampling.patch import Patch
from seaice_data.sampling.sampler import PatchSampler
from seaice_model.networks.device import Batch, Regions
from seaice_model.training.gpu_patches import GpuPatches, work_bytes
from seaice_model.training.gpu_scenes import are_kept, bytes_of, drop_others, free_bytes

log = logging.getLogger(__name__)

_N_AHEAD = 2
_N_PLANNED = 25  # batches: planning one takes 0.6 ms, or 0.3 ms among many


def batches(
    patches: PatchSampler | GpuPatches,
    first: int,
    last: int,
    batch_size: int,
    device: torch.device,
    *,
    rank: int = 0,
    count: int = 1,
) -> Generator[Batch, None, None]:
    """Yield the patches `first` to `last` (excluded) in batches.

    The patches of batch ``b`` are ``range(first + b * batch_size, ...)``, for any number
    of threads. The last batch may have fewer patches. The tensors of a batch are
    overwritten when the next one is asked for.

    Of `count` processes that train together, process `rank` gets its share of every batch:
    every `count`-th patch.

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
        Number of this process, and of all processes.
    """
    starts = range(first, last, batch_size)
    shares = [range(s + rank, min(s + batch_size, last), count) for s in starts]
    if isinstance(patches, GpuPatches):
        yield from _cut_on_device(patches, shares)
    else:
        yield from _sent_to_device(patches, shares, -(-batch_size // count), device)


def patch_source(
    sampler: PatchSampler, device: torch.device, batch_size: int, *, compiled: bool
) -> PatchSampler | GpuPatches:
    """Return the patches of `sampler` in the memory of a GPU, if they fit into half of it.

    The other half is for the network. On a CPU the sampler itself is returned: mapped files
    are as fast. So it is if patches have regions, on any device: they are cut on the CPU
    and sent. `compiled` is whether to compile the function that cuts patches on the GPU.
    """
    if device.type != "cuda":
        return sampler
    drop_others(sampler, device)
    if sampler.regions:
        return sampler
    needed = bytes_of(sampler, sampler.scenes) + work_bytes(sampler, batch_size)
    free = free_bytes(device)
    if needed > free / 2 and not are_kept(sampler, device):
        log.warning(
            "the store takes %.1f GB and %s has %.1f GB free: patches are copied batch by "
            "batch",
            needed / 1e9, device, free / 1e9,
        )  # fmt: skip
        return sampler
    return GpuPatches(sampler, device, batch_size, compiled=compiled)


def _cut_on_device(
    patches: GpuPatches, shares: Sequence[range]
) -> Generator[Batch, None, None]:
    parts = [shares[k : k + _N_PLANNED] for k in range(0, len(shares), _N_PLANNED)]
    for part, table, wait_s in _ahead(patches.plan, parts):
        for batch in patches.cut(table, part):
            yield replace(batch, wait_s=wait_s)
            wait_s = 0.0


def _ahead(
    plan: Callable[[Sequence[range]], FloatArray], parts: Sequence[Sequence[range]]
) -> Iterator[tuple[Sequence[range], FloatArray, float]]:
    """Yield parts, their plans, and the seconds waited for these.

    A thread plans the next part while one is used.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        try:
            coming = deque(pool.submit(plan, part) for part in parts[:1])
            for position, part in enumerate(parts):
                start = time.perf_counter()
                table = coming.popleft().result()
                wait_s = time.perf_counter() - start
                coming.extend(pool.submit(plan, p) for p in parts[position + 1 :][:1])
                yield part, table, wait_s
        finally:
            pool.shutdown(cancel_futures=True)


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
                # One buffer is always free: that of the batch yielded last.
                if len(pending) > _N_AHEAD:
                    yield _next(pending, device)
            while pending:
                yield _next(pending, device)
        finally:
            pool.shutdown(cancel_futures=True)


class _Buffer:
    """Memory for a batch, which the thread fills and the caller reads in turn."""

    def __init__(
        self, sampler: PatchSampler, batch_size: int, device: torch.device
    ) -> None:
        self._patches = sampler.empty(batch_size)
        self._copied: torch.cuda.Event | None = None
        if device.type == "cuda":
            self._copied = torch.cuda.Event()
            # All but the scene, which stays here.
            pinned = {
                name: _pinned(values)
                for name, values in _by_name(self._patches).items()
                if name != "scene"
            }
            self._patches = cast("Patch", {**self._patches, **pinned})

    def fill(self, sampler: PatchSampler, numbers: range) -> Patch:
        """Read patches, once the previous ones have been copied from this memory."""
        if self._copied is not None:
            self._copied.synchronize()
        n = len(numbers)
        out = {name: values[:n] for name, values in _by_name(self._patches).items()}
        return sampler.batch(numbers, cast("Patch", out))

    def mark_copied(self) -> None:
        """Let `fill` wait until the GPU has finished the copies started so far."""
        if self._copied is not None:
            self._copied.record()


def _next(pending: deque[tuple[_Buffer, Future[Patch]]], device: torch.device) -> Batch:
    buffer, future = pending.popleft()
    start = time.perf_counter()
    patches = future.result()
    wait_s = time.perf_counter() - start
    # On a CPU these are views of the buffer.
    sent = {
        name: torch.from_numpy(values).to(device, non_blocking=True)
        for name, values in _by_name(patches).items()
        if name != "scene"
    }
    buffer.mark_copied()
    probability = sent["probability"].to(torch.float32)
    regions = None
    if "region" in patches:
        regions = Regions(sent["region"], sent["shares"], sent["visible"])
    return Batch(sent["inputs"], sent["charts"], probability, wait_s, regions)


def _by_name(patches: Patch) -> dict[str, NDArray[Any]]:
    return cast("dict[str, NDArray[Any]]", patches)


def _pinned(array: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(torch.from_numpy(array).pin_memory().numpy())

"""Scenes of a store in the memory of a device, for one training or for several in a row.

They follow each other in one tensor of pixels, ``(pixel, channel)``, whose last pixel is
fill.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.store import Store
from seaice_model.errors import MemoryNeededError
from seaice_model.networks.device import memory_in_words

_N_LOADING = 4
"""Threads that copy scenes."""

_HINT = "leave the store on its disk, or use fewer scenes or channels"


@dataclass(frozen=True, slots=True)
class GpuScenes:
    """Scenes on a device."""

    inputs: Tensor
    """Shape ``(pixel, channel)`` in the store's type; NaN is fill."""

    charts: Tensor
    """Shape ``(pixel, chart)``, uint8; 255 is fill."""

    places: Mapping[str, tuple[int, int]]
    """By scene id: the position of the first pixel of the scene, and its width."""

    @property
    def fill(self) -> int:
        """Position of the pixel that represents everything outside a scene."""
        return len(self.inputs) - 1


_Kept = dict[tuple[object, ...], GpuScenes]
_KEPT: ContextVar[_Kept | None] = ContextVar("kept scenes", default=None)


@contextmanager
def kept_scenes() -> Iterator[None]:
    """Keep the scenes that a training loads for later trainings in this block.

    As a decorator, it makes each call of the function such a block.

    Trainings on one store may sample different validation scenes, so the scenes of both
    splits are loaded, if there is room. Scenes of one store and one set of channels are
    kept at a time.
    """
    token = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(token)


def scenes_on_device(
    sampler: PatchSampler, device: torch.device, *, spare_bytes: int = 0
) -> GpuScenes:
    """Return the scenes of a sampler on a device, kept ones or newly loaded.

    Parameters
    ----------
    sampler
        Decides which scenes, and which of their channels.
    device
        Where they go.
    spare_bytes
        Memory that must be left free.

    Raises
    ------
    MemoryNeededError
        If there is too little memory; this is checked before anything is read.
    StoreError
        If a scene is damaged.
    """
    kept, key = _KEPT.get(), _key(sampler, device)
    if kept is not None and are_kept(sampler, device):
        return kept[key]
    drop_others(sampler, device)
    free = free_bytes(device) - spare_bytes
    ids: tuple[str, ...] = sampler.scenes
    if kept is not None:
        splits = sampler.store.splits
        more = tuple(sorted({*ids, *splits["train"], *splits["validation"]}))
        ids = more if 2 * bytes_of(sampler, more) <= free else ids
    if (needed := bytes_of(sampler, ids)) > free:
        raise MemoryNeededError(
            f"{len(ids)} scenes of {len(sampler.sources)} channels take "
            f"{(needed + spare_bytes) / 1e9:.1f} GB, and {str(device)!r} has "
            f"{(free + spare_bytes) / 1e9:.1f} GB free",
            hint=_HINT,
        )
    with memory_in_words("the store", _HINT):
        scenes = _load(sampler.store, ids, sampler.sources, device)
    if kept is not None:
        kept[key] = scenes
    return scenes


def are_kept(sampler: PatchSampler, device: torch.device) -> bool:
    """Return whether the scenes of a sampler are on the device already."""
    kept = (_KEPT.get() or {}).get(_key(sampler, device))
    return kept is not None and {*sampler.scenes} <= kept.places.keys()


def drop_others(sampler: PatchSampler, device: torch.device) -> None:
    """Free the memory of kept scenes, unless they are those of a sampler."""
    kept = _KEPT.get()
    if kept is not None and not are_kept(sampler, device):
        kept.clear()


def bytes_of(sampler: PatchSampler, scene_ids: Sequence[str]) -> int:
    """Return how many bytes scenes take, in the channels of a sampler."""
    n_pixels = sum(
        int(np.prod(sampler.store.scene(scene_id).grid.shape)) for scene_id in scene_ids
    )
    itemsize = np.dtype(sampler.store.recipe.dtype).itemsize
    return n_pixels * (len(sampler.sources) * itemsize + len(CHARTS))


def free_bytes(device: torch.device) -> int:
    """Return the memory that is free on a device, in bytes."""
    if device.type == "cuda":
        # PyTorch reuses memory that it has reserved and not allocated.
        reserved, used = (
            f(device) for f in (torch.cuda.memory_reserved, torch.cuda.memory_allocated)
        )
        return int(torch.cuda.mem_get_info(device)[0]) + reserved - used
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # only Linux reports how much memory is available
        return 2**63 - 1
    kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return int(kilobytes) * 1024


def _key(sampler: PatchSampler, device: torch.device) -> tuple[object, ...]:
    store = sampler.store
    return store.path, store.fingerprint, sampler.sources, device


def _load(
    store: Store, scene_ids: Sequence[str], sources: Sequence[int], device: torch.device
) -> GpuScenes:
    """Copy scenes to the device, one after the other."""
    shapes = [store.scene(scene_id).grid.shape for scene_id in scene_ids]
    ends = np.cumsum([height * width for height, width in shapes]).tolist()
    firsts = [0, *ends[:-1]]
    n, dtype = ends[-1] + 1, getattr(torch, store.recipe.dtype)
    inputs = torch.empty((n, len(sources)), dtype=dtype, device=device)
    charts = torch.empty((n, len(CHARTS)), dtype=torch.uint8, device=device)
    inputs[-1], charts[-1] = torch.nan, CHART_FILL
    wanted = _slice_or_list(sources)

    def load(scene_id: str, first: int) -> None:
        scene = store.scene(scene_id)
        _send(scene.inputs[..., wanted], inputs[first:])
        _send(scene.charts, charts[first:])

    with ThreadPoolExecutor(_N_LOADING, thread_name_prefix="scenes") as pool:
        list(pool.map(load, scene_ids, firsts))
    widths = [width for _, width in shapes]
    places = dict(zip(scene_ids, zip(firsts, widths, strict=True), strict=True))
    return GpuScenes(inputs, charts, places)


def _send(planes: NDArray[Any], to: Tensor) -> None:
    """Copy planes of shape ``(y, x, channel)`` to the first pixels of `to`."""
    n = planes.shape[0] * planes.shape[1]
    if to.device.type == "cpu":
        np.copyto(to[:n].numpy().reshape(planes.shape), planes)
        return
    # Through pinned memory, which the GPU reads directly and PyTorch reuses.
    stage = torch.empty(planes.shape, dtype=to.dtype, pin_memory=True)
    np.copyto(stage.numpy(), planes)
    to[:n].copy_(stage.view(n, -1), non_blocking=True)


def _slice_or_list(places: Sequence[int]) -> slice | list[int]:
    """Return an index for numpy: consecutive channels are read many times as fast.

    Examples
    --------
    >>> _slice_or_list((2, 3, 4)), _slice_or_list((2, 4))
    (slice(2, 5, None), [2, 4])
    """
    row = range(places[0], places[0] + len(places))
    return slice(row.start, row.stop) if list(row) == list(places) else list(places)

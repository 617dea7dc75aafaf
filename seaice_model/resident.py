"""A store held in the memory of one device, patches cut and augmented there.

Everything random comes from the same `PatchSampler.plan` as on the CPU, so patches have the
same numbers: bit-equal where nothing lies between pixels, within rounding elsewhere. All
operations are PyTorch's and run alike on a GPU and on the CPU.

The scenes lie one after the other in one tensor of pixels, ``(pixel, channel)``, and one
pixel of fill ends it: a place beyond its scene is that pixel. A batch is a few gatherings
of whole pixels. Cutmix changes only where a pixel comes from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.sampler import Cuts, PatchSampler, Plan
from seaice_model.device import memory_in_words
from seaice_model.errors import MemoryNeededError


@dataclass(frozen=True, slots=True)
class ResidentBatch:
    """Patches on the device."""

    inputs: Tensor
    """Shape ``(batch, y, x, channel)`` in the store's type; NaN is fill."""

    charts: Tensor
    """Shape ``(batch, y, x, chart)``, uint8; 255 is fill."""

    probability: Tensor
    """Shape ``(batch,)``, float32; see `seaice_data.sampler.Patch`."""


class ResidentPatches:
    """The patches of a sampler, from the memory of a device.

    Parameters
    ----------
    sampler
        Decides scenes, channels and all that is random.
    device
        Where the store goes.
    batch_size
        Patches in a batch at most, which need room too.

    Raises
    ------
    MemoryNeededError
        If the device lacks the memory that is needed (`bytes_needed`); nothing has been
        read then.
    StoreError
        If a scene is damaged.
    """

    def __init__(
        self, sampler: PatchSampler, device: torch.device, batch_size: int
    ) -> None:
        needed, free = bytes_needed(sampler, batch_size), free_bytes(device)
        if needed > free:
            raise MemoryNeededError(
                f"{len(sampler.scenes)} scenes of {len(sampler.sources)} channels take "
                f"{needed / 1e9:.1f} GB, and {str(device)!r} has {free / 1e9:.1f} GB free",
                hint="leave the store on its disk, or take fewer scenes or channels",
            )
        self._sampler, self._device = sampler, device
        shapes = np.array([sampler.store.scene(i).grid.shape for i in sampler.scenes])
        ends = shapes.prod(axis=1).cumsum()
        self._n_pixels = int(ends[-1])
        self._first_and_width = np.stack([ends - shapes.prod(axis=1), shapes[:, 1]], axis=1)
        with memory_in_words("the store", "leave the store on its disk"):
            self._inputs, self._charts = self._load()
        self._steps = torch.arange(sampler.size, device=device, dtype=torch.float64)

    def batch(self, numbers: Sequence[int]) -> ResidentBatch:
        """Cut the patches of these numbers."""
        plan = self._sampler.plan(numbers)
        # Whole patches, then the partners of those that are mixed.
        cuts = [part for part in (plan.cuts, plan.partners) if len(part)]
        y, x, pixel_of = self._maps(cuts)
        mix = _Mixer(plan, self._sampler.size, self._device)
        near = mix(pixel_of(_rounded(y), _rounded(x)))
        charts = self._charts[near]
        is_between = self._sampler.augmentation.method == "bilinear" and not all(
            part.is_window.all() for part in cuts
        )
        if is_between:
            inputs = self._between(y, x, pixel_of, mix, near)
        else:
            inputs = self._inputs[near]
        inputs = self._turn_wind(inputs, cuts, mix)[..., : len(self._sampler.channels)]
        probability = torch.from_numpy(plan.cuts.probability).to(
            self._device, torch.float32, non_blocking=True
        )
        return ResidentBatch(inputs.to(self._inputs.dtype), charts, probability)

    def _maps(self, cuts: list[Cuts]) -> tuple[Tensor, Tensor, "_PixelOf"]:
        """Return where the pixels of patches lie in their scenes, ``(patch, y, x)``."""
        affine = self._sent(np.concatenate([part.affine for part in cuts]))
        scene = np.concatenate([part.scene for part in cuts])
        bounds = np.concatenate([part.bounds for part in cuts])
        where = self._sent(np.concatenate([bounds, self._first_and_width[scene]], axis=1))
        a = affine[:, :, :, None, None]
        # In the order of the compiled loops, so that a half is rounded as there.
        i, j = self._steps[:, None], self._steps[None, :]
        y = (a[:, 0, 2] + a[:, 0, 0] * i) + a[:, 0, 1] * j
        x = (a[:, 1, 2] + a[:, 1, 0] * i) + a[:, 1, 1] * j
        return y, x, _PixelOf(where[:, :, None, None], self._n_pixels)

    def _between(
        self, y: Tensor, x: Tensor, pixel_of: "_PixelOf", mix: "_Mixer", near: Tensor
    ) -> Tensor:
        """Weigh the four pixels around each place; see `seaice_data.cut.cut_bilinear`."""
        y0, x0 = y.floor(), x.floor()
        dy, dx = mix((y - y0).float()), mix((x - x0).float())
        total = torch.zeros((*near.shape, self._inputs.shape[1]), device=self._device)
        weight = torch.ones_like(total)
        for below in (0, 1):
            for right in (0, 1):
                pixel = mix(pixel_of((y0 + below).long(), (x0 + right).long()))
                share = ((dy if below else 1 - dy) * (dx if right else 1 - dx))[..., None]
                value = self._inputs[pixel]
                absent = value.isnan()
                # Few passes over few bytes: this is bound by the memory of the device.
                total.addcmul_(value.masked_fill_(absent, 0), share)
                weight.addcmul_(absent, share, value=-1)
        # A pixel of fill beyond a scene may be near and yet weigh nothing.
        is_fill = self._inputs[near].isnan()
        return total.div_(weight).masked_fill_(is_fill, torch.nan)

    def _turn_wind(self, inputs: Tensor, cuts: list[Cuts], mix: "_Mixer") -> Tensor:
        """Turn the components of the wind in place, as the compiled loops do."""
        sampler = self._sampler
        wind = np.concatenate([part.wind for part in cuts])
        turned = (wind != sampler.still_wind).any(axis=(1, 2))
        if not len(sampler.wind) or not turned.any():
            return inputs
        n, size = len(wind), sampler.size
        numbered = torch.arange(n, device=self._device)[:, None, None]
        owner = mix(numbered.expand(n, size, size))
        factors = self._sent(wind).float()[owner]  # (patch, y, x, component, 3)
        is_turned = self._sent(turned)[owner]
        of_u, of_v = (sampler.sources.index(source) for source in sampler.wind[0, 1:])
        u, v = inputs[..., of_u].float(), inputs[..., of_v].float()
        # All before any is written: `u` and `v` may be views.
        components = [f[..., 0] * u + f[..., 1] * v + f[..., 2] for f in factors.unbind(-2)]
        for channel, new in zip(sampler.wind[:, 0].tolist(), components, strict=True):
            old = inputs[..., channel]
            inputs[..., channel] = torch.where(is_turned, new.to(old.dtype), old)
        return inputs

    def _load(self) -> tuple[Tensor, Tensor]:
        """Copy all scenes to the device, one after the other."""
        sampler, n = self._sampler, self._n_pixels + 1
        dtype = getattr(torch, sampler.store.recipe.dtype)
        inputs = torch.empty((n, len(sampler.sources)), dtype=dtype, device=self._device)
        charts = torch.empty((n, len(CHARTS)), dtype=torch.uint8, device=self._device)
        inputs[-1], charts[-1] = torch.nan, CHART_FILL
        for scene_id, (first, _) in zip(sampler.scenes, self._first_and_width, strict=True):
            scene = sampler.store.scene(scene_id)
            planes = np.ascontiguousarray(scene.inputs[..., list(sampler.sources)])
            planes = planes.reshape(-1, len(sampler.sources))
            end = first + len(planes)
            inputs[first:end] = torch.from_numpy(planes)
            charts[first:end] = torch.from_numpy(
                np.array(scene.charts).reshape(-1, len(CHARTS))
            )
        return inputs, charts

    def _sent(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self._device, non_blocking=True)


def bytes_needed(sampler: PatchSampler, batch_size: int) -> int:
    """Return how many bytes the scenes of a sampler take, and the work on a batch."""
    n_channels = len(sampler.sources)
    itemsize = np.dtype(sampler.store.recipe.dtype).itemsize
    n_pixels = sum(
        int(np.prod(sampler.store.scene(scene_id).grid.shape))
        for scene_id in sampler.scenes
    )
    stored = n_pixels * (n_channels * itemsize + len(CHARTS))
    # Of each pixel of a batch: values, their weights and sums in float32, and positions.
    work = batch_size * sampler.size**2 * (n_channels * (3 * 4 + 3 * itemsize + 2) + 200)
    return stored + work


def free_bytes(device: torch.device) -> int:
    """Return the memory that is free on a device, in bytes."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # not Linux, which alone says what programs may still take
        return 2**63 - 1
    kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return int(kilobytes) * 1024


@dataclass(frozen=True, slots=True)
class _PixelOf:
    """Finds pixels of scenes in the tensor that holds them all."""

    where: Tensor
    """Bounds, position of the first pixel, and width; ``(patch, 6, 1, 1)``."""

    fill: int
    """Position of the pixel that stands for all that is beyond."""

    def __call__(self, y: Tensor, x: Tensor) -> Tensor:
        """Return the position of row `y` and column `x` of each scene."""
        top, bottom, left, right, first, width = self.where.unbind(1)
        inside = (y >= top) & (y < bottom) & (x >= left) & (x < right)
        return torch.where(inside, first + y * width + x, self.fill)


class _Mixer:
    """Puts the boxes of partners into whole patches, in any plane of values."""

    def __init__(self, plan: Plan, size: int, device: torch.device) -> None:
        self._n = len(plan.cuts)
        self._mixed = torch.from_numpy(plan.mixed).to(device, non_blocking=True)
        box = torch.from_numpy(plan.box).to(device, non_blocking=True)[:, :, None]
        step = torch.arange(size, device=device)[None]
        rows = (step >= box[:, 0]) & (step < box[:, 1])
        columns = (step >= box[:, 2]) & (step < box[:, 3])
        self._inside = rows[:, :, None] & columns[:, None, :]

    def __call__(self, planes: Tensor) -> Tensor:
        """Return patches of whole patches and partners, ``(patch, y, x)``."""
        if not len(self._mixed):
            return planes
        whole, partners = planes[: self._n], planes[self._n :]
        changed = torch.where(self._inside, partners, whole[self._mixed])
        return whole.index_copy(0, self._mixed, changed)


def _rounded(places: Tensor) -> Tensor:
    return (places + 0.5).floor().long()

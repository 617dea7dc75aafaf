"""Patches cut and augmented on the device where the scenes are.

Everything random comes from the same `PatchSampler.plan` as on the CPU, so patches are the
same: bit-equal where nothing is interpolated, within rounding elsewhere. The plans of many
batches are one table of numbers, sent at once; one function of PyTorch's operations cuts a
batch by its rows of the table. It runs the same operations on tensors of the same shapes,
whatever was sampled, so a compiler can fuse them into one pass over the pixels.

Positions outside their scene refer to the one pixel of fill after the last scene
(`seaice_model.training.gpu_scenes`). Cutmix changes only where a pixel comes from.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seaice_data.arrays import FloatArray
from seaice_data.channels import DISPENSABLE
from seaice_data.sampling.plan import Cuts
from seaice_data.sampling.sampler import PatchSampler
from seaice_model.networks.device import Batch
from seaice_model.training.gpu_scenes import scenes_on_device


class GpuPatches:
    """The patches of a sampler, cut in the memory of a device.

    Parameters
    ----------
    sampler
        Decides scenes, channels and everything random.
    device
        Where the scenes go.
    batch_size
        Largest number of patches in a batch; they need memory too.
    compiled
        Whether to compile the function that cuts a batch: worth it on a GPU.

    Raises
    ------
    MemoryNeededError
        If the device has too little memory; this is checked before anything is read.
    StoreError
        If a scene is damaged.
    """

    def __init__(
        self,
        sampler: PatchSampler,
        device: torch.device,
        batch_size: int,
        *,
        compiled: bool = False,
    ) -> None:
        self._sampler, self._device = sampler, device
        work = work_bytes(sampler, batch_size)
        self._scenes = scenes_on_device(sampler, device, spare_bytes=work)
        places = [self._scenes.places[scene_id] for scene_id in sampler.scenes]
        self._first_and_width = np.array(places)
        self._settings = _cut_settings(sampler, self._scenes.fill)
        self._cut = torch.compile(_cut, dynamic=False) if compiled else _cut

    def plan(self, batches: Sequence[Sequence[int]]) -> FloatArray:
        """Sample everything random about batches of patches.

        It touches neither pixels nor the device, so another thread may call it. Planning
        many batches at once takes half the time.

        Returns
        -------
        FloatArray
            How each patch and its partner are cut; see `_Columns`. Shape
            ``(patch, 2, column)``.
        """
        plan = self._sampler.plan([number for batch in batches for number in batch])
        table = np.stack([self._rows(plan.cuts)] * 2, axis=1)
        table[plan.mixed, 1] = self._rows(plan.partners)
        table[plan.mixed, :, _Columns.BOX] = plan.box[:, None]
        if not self._settings.dispensable:
            return table
        absent = np.broadcast_to(plan.absent[:, None], (*table.shape[:2], len(DISPENSABLE)))
        return np.concatenate([table, absent], axis=2)

    def cut(self, table: FloatArray, batches: Sequence[Sequence[int]]) -> Iterator[Batch]:
        """Yield batches of patches, cut by the table of their plan."""
        sent = torch.from_numpy(table)
        if self._device.type == "cuda":
            sent = sent.pin_memory()
        sent = sent.to(self._device, non_blocking=True)
        lines = _lines(sent, self._settings.size)
        sizes = [len(batch) for batch in batches]
        scenes = self._scenes
        for part in zip(torch.split(sent, sizes), torch.split(lines, sizes), strict=True):
            yield Batch(*self._cut(scenes.inputs, scenes.charts, *part, self._settings))

    def batch(self, numbers: Sequence[int]) -> Batch:
        """Cut the patches of these numbers."""
        return next(self.cut(self.plan([numbers]), [numbers]))

    def _rows(self, cuts: Cuts) -> FloatArray:
        """Return rows of the table: how patches are cut."""
        n = len(cuts)
        rows = np.zeros((n, _Columns.WIND.start + 3 * len(self._sampler.wind)))
        rows[:, _Columns.AFFINE] = cuts.affine.reshape(n, 6)
        rows[:, _Columns.BOUNDS] = cuts.bounds
        rows[:, _Columns.FIRST_AND_WIDTH] = self._first_and_width[cuts.scene]
        rows[:, _Columns.PROBABILITY] = cuts.probability
        if len(self._sampler.wind):
            still = self._sampler.still_wind
            rows[:, _Columns.IS_TURNED] = (cuts.wind != still).any(axis=(1, 2))
            rows[:, _Columns.WIND] = cuts.wind.reshape(n, 3 * len(still))
        return rows


def work_bytes(sampler: PatchSampler, batch_size: int) -> int:
    """Return how many bytes it takes to cut a batch, in addition to the scenes."""
    n_channels = len(sampler.sources)
    itemsize = np.dtype(sampler.store.recipe.dtype).itemsize
    # For each pixel of a batch: values, their weights and sums in float32, and positions.
    return batch_size * sampler.size**2 * (n_channels * (3 * 4 + 3 * itemsize + 2) + 200)


class _Columns:
    """Columns of the table of how patches are cut; positions below 2**53 are exact.

    Row 0 of a patch is for the patch itself, row 1 for its partner.
    """

    AFFINE = slice(0, 6)
    BOUNDS = slice(6, 10)
    FIRST_AND_WIDTH = slice(10, 12)
    BOX = slice(12, 16)
    PROBABILITY = 16
    IS_TURNED = 17
    WIND = slice(18, None)
    ABSENT = slice(-len(DISPENSABLE), None)  # after the wind, if patches lack groups


@dataclass(frozen=True, slots=True)
class _CutSettings:
    """How all patches of a sampler are cut."""

    size: int
    """Pixels along a side."""

    n_channels: int
    """Channels of a patch; later ones are only needed to compute them."""

    is_interpolated: bool
    """Whether inputs are interpolated between pixels."""

    wind: tuple[tuple[int, int, int], ...]
    """Channels that are turned: the channel, and where its u and v are."""

    fill: int
    """Position of the pixel that represents everything outside a scene."""

    dispensable: tuple[tuple[int, ...], ...]
    """Channels of each group that some patches lack; empty if all patches have all."""


def _cut_settings(sampler: PatchSampler, fill: int) -> _CutSettings:
    wind = [
        (channel, sampler.sources.index(u), sampler.sources.index(v))
        for channel, u, v in sampler.wind.tolist()
    ]
    augmentation = sampler.augmentation
    return _CutSettings(
        size=sampler.size,
        n_channels=len(sampler.channels),
        is_interpolated=augmentation.method == "bilinear" and not augmentation.turns_none,
        wind=tuple(wind),
        fill=fill,
        dispensable=sampler.dispensable if augmentation.dropped else (),
    )


def _lines(table: Tensor, size: int) -> Tensor:
    """Return what each row and column of a patch adds to the position in the scene.

    Outside the compiled function: a compiler would fuse multiplication and addition, round
    once instead of twice, and so pick the other pixel for positions halfway between two.

    Returns
    -------
    Tensor
        Terms of the scene's row (by row and by column of the patch), then those of its
        column. Shape ``(patch, 2, 4, size)``.
    """
    step = torch.arange(size, device=table.device, dtype=table.dtype)
    yi, yj, y0, xi, xj, x0 = table[..., _Columns.AFFINE, None].unbind(2)
    # In the same order as the compiled loops on the CPU.
    return torch.stack([y0 + yi * step, yj * step, x0 + xi * step, xj * step], dim=2)


def _cut(
    inputs: Tensor, charts: Tensor, table: Tensor, lines: Tensor, settings: _CutSettings
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the tensors of a `Batch`.

    It uses only plain functions of tensors, which any compiler of PyTorch can handle.
    """
    # For each pixel, the row of its own patch or of the partner. Column by column: a
    # compiler would write a tensor of all columns to memory.
    is_in_box = _in_box(table, settings.size)
    own, partner = table[..., None, None].unbind(1)
    rows = [
        torch.where(is_in_box, partner[:, column], own[:, column])
        for column in range(table.shape[2])
    ]
    places = lines[:, :, 0::2, :, None] + lines[:, :, 1::2, None, :]
    own, partner = places.unbind(1)
    y, x = torch.where(is_in_box[:, None], partner, own).unbind(1)
    near = _pixel_of((y + 0.5).floor(), (x + 0.5).floor(), rows, settings)
    values = inputs[near]
    if settings.is_interpolated:
        values = _interpolated(inputs, y, x, values.isnan(), rows, settings)
    if settings.wind:
        values = _turned(values, rows, settings)
    if settings.dispensable:
        values = _without_absent(values, table, settings)
    probability = table[:, 0, _Columns.PROBABILITY].float()
    return values[..., : settings.n_channels].to(inputs.dtype), charts[near], probability


def _interpolated(
    inputs: Tensor,
    y: Tensor,
    x: Tensor,
    is_fill: Tensor,
    rows: list[Tensor],
    settings: _CutSettings,
) -> Tensor:
    """Average the four pixels around each position by bilinear weights.

    Like `seaice_data.sampling.cut.cut_bilinear` on CPUs.
    """
    above, left = y.floor(), x.floor()
    dy, dx = (y - above).float(), (x - left).float()
    total = weight = torch.zeros((), device=inputs.device)
    for below in (0, 1):
        for right in (0, 1):
            pixel = _pixel_of(above + below, left + right, rows, settings)
            share = ((dy if below else 1 - dy) * (dx if right else 1 - dx))[..., None]
            value = inputs[pixel].float()
            is_absent = value.isnan()
            total = total + torch.where(is_absent, 0, value) * share
            weight = weight + torch.where(is_absent, 0, share)
    # Where the nearest pixel is fill, so is the result, whatever the weights.
    return torch.where(is_fill, torch.nan, total / weight)


def _turned(values: Tensor, rows: list[Tensor], settings: _CutSettings) -> Tensor:
    """Turn the components of the wind, as the compiled loops on the CPU do."""
    is_turned = rows[_Columns.IS_TURNED] > 0
    factors = [factor.float() for factor in rows[_Columns.WIND]]
    channel_of = torch.arange(values.shape[-1], device=values.device)
    turned = values
    for k, (channel, of_u, of_v) in enumerate(settings.wind):
        by_u, by_v, more = factors[3 * k : 3 * k + 3]
        u, v = values[..., of_u].float(), values[..., of_v].float()
        new = (by_u * u + by_v * v + more).to(values.dtype)
        is_new = is_turned[..., None] & (channel_of == channel)
        turned = torch.where(is_new, new[..., None], turned)
    return turned


def _without_absent(values: Tensor, table: Tensor, settings: _CutSettings) -> Tensor:
    """Turn the channels of groups that patches lack into fill."""
    channel_of = torch.arange(values.shape[-1], device=values.device)
    is_fill = torch.zeros_like(table[:, 0, :1], dtype=torch.bool)
    absent = (table[:, 0, _Columns.ABSENT, None] > 0).unbind(1)
    for is_absent, channels in zip(absent, settings.dispensable, strict=True):
        for channel in channels:
            is_fill = is_fill | (is_absent & (channel_of == channel))
    return torch.where(is_fill[:, None, None], torch.nan, values)


def _pixel_of(y: Tensor, x: Tensor, rows: list[Tensor], settings: _CutSettings) -> Tensor:
    """Return the positions of row `y` and column `x` of each scene among all pixels."""
    top, bottom, left, right = rows[_Columns.BOUNDS]
    first, width = rows[_Columns.FIRST_AND_WIDTH]
    is_inside = (y >= top) & (y < bottom) & (x >= left) & (x < right)
    return torch.where(is_inside, first + y * width + x, settings.fill).long()


def _in_box(table: Tensor, size: int) -> Tensor:
    """Return which pixels of a batch come from a partner, ``(patch, y, x)``."""
    step = torch.arange(size, device=table.device)
    top, bottom, left, right = table[:, 0, _Columns.BOX, None].unbind(1)
    rows = (step >= top) & (step < bottom)
    columns = (step >= left) & (step < right)
    return rows[:, :, None] & columns[:, None, :]

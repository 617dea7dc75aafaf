"""A store held in the memory of one device, patches cut and augmented there.

Everything random comes from the same `PatchSampler.plan` as on the CPU, so patches have the
same numbers: bit-equal where nothing lies between pixels, within rounding elsewhere. The
plans of many batches are one table of numbers, sent at once; one function of PyTorch's
operations cuts a batch by its rows of the table. It always does the same to tensors of the
same shapes, whatever was drawn, so a compiler can make it one pass over the pixels.

A place beyond its scene is the pixel of fill that ends all scenes (`resident_scenes`).
Cutmix changes only where a pixel comes from.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seaice_data.arrays import FloatArray
from seaice_data.sampling.plan import Cuts
from seaice_data.sampling.sampler import PatchSampler
from seaice_model.networks.tensors import Batch
from seaice_model.training.gpu_scenes import resident_scenes


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
    compiled
        Whether to compile what cuts a batch: worth it on a GPU.

    Raises
    ------
    MemoryNeededError
        If the device has too little memory; nothing has been read then.
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
        self._scenes = resident_scenes(sampler, device, spare_bytes=work)
        places = [self._scenes.places[scene_id] for scene_id in sampler.scenes]
        self._first_and_width = np.array(places)
        self._way = _way(sampler, self._scenes.fill)
        self._cut = torch.compile(_cut, dynamic=False) if compiled else _cut

    def plan(self, batches: Sequence[Sequence[int]]) -> FloatArray:
        """Draw all that is random about batches of patches.

        It touches neither pixels nor the device, so that another thread may do it. Many
        batches at once take half the time.

        Returns
        -------
        FloatArray
            One row a patch, two with a partner: see `_Columns`. Shape
            ``(patch, 2, column)``.
        """
        plan = self._sampler.plan([number for batch in batches for number in batch])
        table = np.stack([self._rows(plan.cuts)] * 2, axis=1)
        table[plan.mixed, 1] = self._rows(plan.partners)
        table[plan.mixed, :, _Columns.BOX] = plan.box[:, None]
        return table

    def cut(self, table: FloatArray, batches: Sequence[Sequence[int]]) -> Iterator[Batch]:
        """Cut batches of patches by the table of their plan."""
        sent = torch.from_numpy(table)
        if self._device.type == "cuda":
            sent = sent.pin_memory()
        sent = sent.to(self._device, non_blocking=True)
        lines = _lines(sent, self._way.size)
        sizes = [len(batch) for batch in batches]
        scenes = self._scenes
        for part in zip(torch.split(sent, sizes), torch.split(lines, sizes), strict=True):
            yield Batch(*self._cut(scenes.inputs, scenes.charts, *part, self._way))

    def batch(self, numbers: Sequence[int]) -> Batch:
        """Cut the patches of these numbers."""
        return next(self.cut(self.plan([numbers]), [numbers]))

    def _rows(self, cuts: Cuts) -> FloatArray:
        """Write down how patches are cut."""
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
    """Return how many bytes the work on a batch takes, beside the scenes."""
    n_channels = len(sampler.sources)
    itemsize = np.dtype(sampler.store.recipe.dtype).itemsize
    # Of each pixel of a batch: values, their weights and sums in float32, and positions.
    return batch_size * sampler.size**2 * (n_channels * (3 * 4 + 3 * itemsize + 2) + 200)


class _Columns:
    """Columns of the table that says how patches are cut; positions below 2**53 are exact.

    Row 0 of a patch says how it is cut itself, row 1 how its partner is.
    """

    AFFINE = slice(0, 6)
    BOUNDS = slice(6, 10)
    FIRST_AND_WIDTH = slice(10, 12)
    BOX = slice(12, 16)
    PROBABILITY = 16
    IS_TURNED = 17
    WIND = slice(18, None)


@dataclass(frozen=True, slots=True)
class _Way:
    """What is the same for all patches of a sampler."""

    size: int
    """Pixels along a side."""

    n_channels: int
    """Channels of a patch; those behind serve to compute them."""

    is_between: bool
    """Whether inputs are taken from between pixels."""

    wind: tuple[tuple[int, int, int], ...]
    """Channels that are turned: channel, and where its u and v are."""

    fill: int
    """Position of the pixel that stands for all that is beyond a scene."""


def _way(sampler: PatchSampler, fill: int) -> _Way:
    wind = [
        (channel, sampler.sources.index(u), sampler.sources.index(v))
        for channel, u, v in sampler.wind.tolist()
    ]
    augmentation = sampler.augmentation
    return _Way(
        size=sampler.size,
        n_channels=len(sampler.channels),
        is_between=augmentation.method == "bilinear" and not augmentation.turns_none,
        wind=tuple(wind),
        fill=fill,
    )


def _lines(table: Tensor, size: int) -> Tensor:
    """Return what rows and columns of patches add to a place in the scene.

    One by one, outside of what is compiled: a compiler would multiply and add in one, with
    one rounding for two, and put places that lie half between pixels on the other one.

    Returns
    -------
    Tensor
        Row of the scene by row and by column of the patch, then its column by both. Shape
        ``(patch, 2, 4, size)``.
    """
    step = torch.arange(size, device=table.device, dtype=table.dtype)
    yi, yj, y0, xi, xj, x0 = table[..., _Columns.AFFINE, None].unbind(2)
    # In the order of the compiled loops of the CPU.
    return torch.stack([y0 + yi * step, yj * step, x0 + xi * step, xj * step], dim=2)


def _cut(
    inputs: Tensor, charts: Tensor, table: Tensor, lines: Tensor, way: _Way
) -> tuple[Tensor, Tensor, Tensor]:
    """Cut a batch; return what `Batch` holds.

    Plain functions of tensors only, which every compiler of PyTorch follows.
    """
    # What each pixel goes by, its own patch or the partner. Column by column: a compiler
    # would write a tensor of all of them to memory.
    is_in_box = _in_box(table, way.size)
    own, partner = table[..., None, None].unbind(1)
    rows = [
        torch.where(is_in_box, partner[:, column], own[:, column])
        for column in range(table.shape[2])
    ]
    places = lines[:, :, 0::2, :, None] + lines[:, :, 1::2, None, :]
    own, partner = places.unbind(1)
    y, x = torch.where(is_in_box[:, None], partner, own).unbind(1)
    near = _pixel_of((y + 0.5).floor(), (x + 0.5).floor(), rows, way)
    values = inputs[near]
    if way.is_between:
        values = _between(inputs, y, x, values.isnan(), rows, way)
    if way.wind:
        values = _turned(values, rows, way)
    probability = table[:, 0, _Columns.PROBABILITY].float()
    return values[..., : way.n_channels].to(inputs.dtype), charts[near], probability


def _between(
    inputs: Tensor, y: Tensor, x: Tensor, is_fill: Tensor, rows: list[Tensor], way: _Way
) -> Tensor:
    """Weigh the four pixels around each place; as `cut_bilinear` on CPUs."""
    above, left = y.floor(), x.floor()
    dy, dx = (y - above).float(), (x - left).float()
    total = weight = torch.zeros((), device=inputs.device)
    for below in (0, 1):
        for right in (0, 1):
            pixel = _pixel_of(above + below, left + right, rows, way)
            share = ((dy if below else 1 - dy) * (dx if right else 1 - dx))[..., None]
            value = inputs[pixel].float()
            is_absent = value.isnan()
            total = total + torch.where(is_absent, 0, value) * share
            weight = weight + torch.where(is_absent, 0, share)
    # A pixel of fill beyond a scene may be near and yet weigh nothing.
    return torch.where(is_fill, torch.nan, total / weight)


def _turned(values: Tensor, rows: list[Tensor], way: _Way) -> Tensor:
    """Turn the components of the wind, as the compiled loops do."""
    is_turned = rows[_Columns.IS_TURNED] > 0
    factors = [factor.float() for factor in rows[_Columns.WIND]]
    channel_of = torch.arange(values.shape[-1], device=values.device)
    turned = values
    for k, (channel, of_u, of_v) in enumerate(way.wind):
        by_u, by_v, more = factors[3 * k : 3 * k + 3]
        u, v = values[..., of_u].float(), values[..., of_v].float()
        new = (by_u * u + by_v * v + more).to(values.dtype)
        is_new = is_turned[..., None] & (channel_of == channel)
        turned = torch.where(is_new, new[..., None], turned)
    return turned


def _pixel_of(y: Tensor, x: Tensor, rows: list[Tensor], way: _Way) -> Tensor:
    """Return where row `y` and column `x` of each scene lie among all pixels."""
    top, bottom, left, right = rows[_Columns.BOUNDS]
    first, width = rows[_Columns.FIRST_AND_WIDTH]
    is_inside = (y >= top) & (y < bottom) & (x >= left) & (x < right)
    return torch.where(is_inside, first + y * width + x, way.fill).long()


def _in_box(table: Tensor, size: int) -> Tensor:
    """Return which pixels of a batch show a partner, ``(patch, y, x)``."""
    step = torch.arange(size, device=table.device)
    top, bottom, left, right = table[:, 0, _Columns.BOX, None].unbind(1)
    rows = (step >= top) & (step < bottom)
    columns = (step >= left) & (step < right)
    return rows[:, :, None] & columns[:, None, :]

"""Batches as tensors: as they are stored, and as a network and its losses need them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from seaice_data.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class Batch:
    """Patches on a device, as they are stored."""

    inputs: Tensor
    """Shape ``(batch, y, x, channel)`` in the type of the store; NaN is fill."""

    charts: Tensor
    """Shape ``(batch, y, x, chart)``, uint8; 255 is fill."""

    probability: Tensor
    """How often each patch is sampled, relative to sampling over scenes; shape
    ``(batch,)``, float32."""

    wait_s: float = 0.0
    """Seconds that a training waited for it."""


def as_planes(inputs: Tensor) -> Tensor:
    """Return the inputs of a batch as a network needs them.

    Parameters
    ----------
    inputs
        Shape ``(batch, y, x, channel)``, NaN is fill.

    Returns
    -------
    Tensor
        Shape ``(batch, channel, y, x)``, float32 in channels-last memory of its own, with
        0, the mean of every channel, for fill.
    """
    wide = inputs.to(torch.float32, copy=True).nan_to_num_(nan=0.0)
    return wide.permute(0, 3, 1, 2)


def as_classes(charts: Tensor) -> Tensor:
    """Return the charts of a batch as losses need them: ``(batch, chart, y, x)``, int64."""
    return charts.to(torch.int64).permute(0, 3, 1, 2)


def to_device(planes: FloatArray, device: torch.device) -> Tensor:
    """Send planes to a device, as a network needs them; see `as_planes`."""
    return as_planes(torch.from_numpy(planes).to(device, non_blocking=True))

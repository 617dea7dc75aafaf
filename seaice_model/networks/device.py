"""What a network runs on: a device, its arithmetic and memory, compiled code or not.

Batches lie there as they are stored; ``as_planes`` and ``as_classes`` convert them for a
network and its losses.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from seaice_data.arrays import FloatArray
from seaice_data.errors import SeaIceError
from seaice_data.system.process import n_cores
from seaice_model.config.run_config import Compile, Fill, Precision
from seaice_model.errors import RunError


@contextmanager
def usual_torch() -> Iterator[None]:
    """Use PyTorch with its own defaults, not those of the caller; also as a decorator.

    A caller may have changed the type of new tensors, or switched gradients off.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(before)


def find_device(name: str = "auto") -> torch.device:
    """Return the device called `name`; "auto" is a CUDA GPU if there is one, else the CPU.

    PyTorch is limited to as many threads as this process may use cores.

    Raises
    ------
    RunError
        If this machine has no such device, or the device does not work.
    """
    # PyTorch counts the cores of the machine, whatever the quota of a container.
    torch.set_num_threads(min(torch.get_num_threads(), n_cores()))
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    named = re.fullmatch(r"cpu|cuda(?::([0-9]+))?", name)
    if named is None:
        raise RunError(
            f"unknown device {name!r}", hint="known are auto, cpu, cuda, cuda:1 and so on"
        )
    if name != "cpu" and int(named[1] or 0) >= torch.cuda.device_count():
        raise RunError(
            f"no device {name!r} on this machine", hint="leave out --device, or use cpu"
        )
    device = torch.device(name)
    try:
        torch.zeros(1, device=device)
    except RuntimeError as error:
        raise RunError(
            f"device {name!r} does not work: {str(error).partition(chr(10))[0]}",
            hint="name another with --device, or use cpu",
        ) from error
    return device


@contextmanager
def memory_in_words(
    doing: str, hint: str | None = None, kind: type[SeaIceError] = RunError
) -> Iterator[None]:
    """Translate the various errors for too little memory into one, with this hint.

    Parameters
    ----------
    doing
        What the memory is for: "too little memory for training".
    hint
        What to do about it.
    kind
        Class of the error.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        # PyTorch has an error type only for the memory of GPUs.
        is_memory = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not is_memory and "allocate memory" not in str(error):
            raise
        raise kind(f"too little memory for {doing}", hint=hint) from error


@contextmanager
def compiler_errors() -> Iterator[None]:
    """Translate errors of PyTorch's compiler into a `RunError`."""
    try:
        yield
    except RuntimeError as error:
        if type(error).__module__ not in ("torch._inductor.exc", "torch._dynamo.exc"):
            raise
        raise RunError(
            f"cannot compile the network here: {str(error).partition(chr(10))[0]}",
            hint="install a C++ compiler, or set compile to 'never'",
        ) from error


def arithmetic(device: torch.device, precision: Precision) -> AbstractContextManager[None]:
    """Return the context that runs convolutions in `precision` (see `TrainConfig`).

    bfloat16 has the range of float32, so gradients need no scaling; float16 without
    scaling, as in the official code, loses small gradients.
    """
    is_half = precision == "bfloat16" or (precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, torch.bfloat16, enabled=is_half)


def is_compiled(setting: Compile, device: torch.device) -> bool:
    """Return whether to compile on a device, with this value of ``TrainConfig.compile``."""
    return setting == "always" or (setting == "auto" and device.type == "cuda")


class Regions(NamedTuple):
    """Polygons of the patches of a batch; `seaice_data.sampling.regions` says more."""

    number: Tensor
    """Region of each pixel, shape ``(batch, y, x)``, uint8; 0 is none."""

    shares: Tensor
    """Shares of SOD and FLOE classes in each region, shape ``(batch, region, class)``,
    float32; the region with number ``n`` is row ``n - 1``."""

    visible: Tensor
    """Share of the polygon that the patch shows, shape ``(batch, region)``, float32; 0 for
    rows without a region."""


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

    regions: Regions | None = None
    """Polygons of the patches, if the loss needs them."""


def as_planes(inputs: Tensor, fill: Fill = "zero") -> Tensor:
    """Return the inputs of a batch as a network needs them.

    Parameters
    ----------
    inputs
        Shape ``(batch, y, x, channel)``, NaN is fill.
    fill
        That of the network (`ModelConfig.fill`).

    Returns
    -------
    Tensor
        Shape ``(batch, channel, y, x)``, float32 in channels-last memory of its own, with
        0, the mean of every channel, for fill; with NaN if the network replaces it.
    """
    wide = inputs.to(torch.float32, copy=True)
    if fill == "zero":
        wide = wide.nan_to_num_(nan=0.0)
    return wide.permute(0, 3, 1, 2)


def as_classes(charts: Tensor) -> Tensor:
    """Return the charts of a batch as losses need them: ``(batch, chart, y, x)``, int64."""
    return charts.to(torch.int64).permute(0, 3, 1, 2)


def to_device(planes: FloatArray, device: torch.device, fill: Fill = "zero") -> Tensor:
    """Send planes to a device, as a network needs them; see `as_planes`."""
    return as_planes(torch.from_numpy(planes).to(device, non_blocking=True), fill)

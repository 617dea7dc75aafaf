"""Where the network runs, and in which arithmetic."""

from contextlib import AbstractContextManager

import torch

from seaice_model.config import Precision
from seaice_model.errors import RunError


def find_device(name: str = "auto") -> torch.device:
    """Return the device called `name`; "auto" is a CUDA GPU if there is one, else the CPU.

    Raises
    ------
    RunError
        If there is no such device on this machine.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise RunError(
            f"unknown device {name!r}", hint="known are auto, cpu, cuda, cuda:1 and so on"
        ) from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise RunError(
            f"no device {name!r} on this machine", hint="leave out --device, or use cpu"
        )
    return device


def arithmetic(device: torch.device, precision: Precision) -> AbstractContextManager[None]:
    """Return the context that runs convolutions in `precision` (see `TrainConfig`).

    bfloat16 has the range of float32, so that no gradient needs scaling; float16 without
    scaling, as in the reference, loses small gradients.
    """
    is_half = precision == "bfloat16" or (precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, torch.bfloat16, enabled=is_half)

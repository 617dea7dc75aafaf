"""3 x 3 convolutions, with our own kernels where these are faster.

Uncompiled, this is PyTorch's convolution. Compiled for a GPU of NVIDIA's Hopper generation
in bfloat16, large planes of few channels go to `seaice_model.networks.convolve_kernel` and
`seaice_model.networks.gradient_kernel`: the library takes two to three times as long for
them, which is half of a training step. Our tilings were measured on Hopper; most other GPUs
have less shared memory than they need.
"""

from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

_FEWEST_PIXELS = 16 * 128 * 128
"""Pixels of a batch above which our kernels are faster on an H200."""

_OURS = {(16, 32), (32, 32), (64, 32), (96, 32)}
"""Channels of planes and result for which our kernels are faster."""

_HOPPER = 9
"""Major number of the compute capability; GPUs of AMD have other numbers."""


def has_kernels(device: torch.device) -> bool:
    """Return whether our kernels are meant for a device, and can be compiled for it."""
    return (
        device.type == "cuda"
        and torch.version.hip is None
        and torch.cuda.get_device_capability(device)[0] == _HOPPER
        and find_spec("triton") is not None
    )


class Convolution(nn.Conv2d):
    """A 3 x 3 convolution without bias that keeps the size of its planes."""

    has_kernels = False
    """Whether our kernels are meant for its device; see `has_kernels`."""

    def __init__(self, n_in: int, n_out: int, *, device: str | None = None) -> None:
        super().__init__(n_in, n_out, kernel_size=3, padding=1, bias=False, device=device)

    def forward(self, planes: Tensor) -> Tensor:
        """Convolve planes of shape ``(batch, channel, y, x)``."""
        if torch.compiler.is_dynamo_compiling():
            weights = self.weight
            if torch.is_autocast_enabled(planes.device.type):
                dtype = torch.get_autocast_dtype(planes.device.type)
                planes, weights = planes.to(dtype), weights.to(dtype)
            if self.has_kernels and _is_ours(planes, weights):
                convolved: Tensor = _Convolved.apply(planes, weights)  # type: ignore[no-untyped-call]
                return convolved
        return super().forward(planes)


class _Convolved(torch.autograd.Function):
    """Convolves with our kernels; compilers leave out gradients that are not needed."""

    @staticmethod
    def forward(ctx: Any, planes: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(planes, weights)
        convolved: Tensor = convolve(planes, weights)
        return convolved

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        planes, weights = ctx.saved_tensors
        of_weights = weight_gradient(planes, gradient).to(weights.dtype)
        return input_gradient(gradient, weights), of_weights


@torch.library.custom_op("seaice::convolve", mutates_args=())
def convolve(planes: Tensor, weights: Tensor) -> Tensor:
    """Convolve; see `seaice_model.networks.convolve_kernel`."""
    from seaice_model.networks.convolve_kernel import (
        convolve as by_kernel,  # late: needs Triton
    )

    return by_kernel(planes, weights)


@convolve.register_fake
def _(planes: Tensor, weights: Tensor) -> Tensor:
    return _like(planes, weights.shape[0])


@torch.library.custom_op("seaice::input_gradient", mutates_args=())
def input_gradient(gradient: Tensor, weights: Tensor) -> Tensor:
    """Return the gradient of the planes; see `seaice_model.networks.convolve_kernel`."""
    from seaice_model.networks.convolve_kernel import TILINGS
    from seaice_model.networks.convolve_kernel import input_gradient as by_kernel

    if (weights.shape[0], weights.shape[1]) in TILINGS:
        return by_kernel(gradient, weights)
    planes = _like(gradient, weights.shape[1])
    of_planes, _, _ = torch.ops.aten.convolution_backward(
        gradient, planes, weights, None,
        [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [True, False, False],
    )  # fmt: skip
    laid: Tensor = of_planes.contiguous(memory_format=torch.channels_last)
    return laid


@input_gradient.register_fake
def _(gradient: Tensor, weights: Tensor) -> Tensor:
    return _like(gradient, weights.shape[1])


@torch.library.custom_op("seaice::weight_gradient", mutates_args=())
def weight_gradient(planes: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient of the weights; see `seaice_model.networks.gradient_kernel`."""
    from seaice_model.networks.gradient_kernel import weight_gradient as by_kernel

    return by_kernel(planes, gradient)


@weight_gradient.register_fake
def _(planes: Tensor, gradient: Tensor) -> Tensor:
    shape = (gradient.shape[1], planes.shape[1], 3, 3)
    return planes.new_empty(shape, dtype=torch.float32)


def _like(planes: Tensor, n_channels: int) -> Tensor:
    """Return uninitialised planes of the same size with `n_channels` channels."""
    n, _, height, width = planes.shape
    return torch.empty(
        (n, n_channels, height, width), dtype=planes.dtype, device=planes.device,
        memory_format=torch.channels_last,
    )  # fmt: skip


def _is_ours(planes: Tensor, weights: Tensor) -> bool:
    """Return whether our kernels can convolve these planes, and do it faster."""
    n_pixels = planes.numel() // planes.shape[1]
    return (
        planes.dtype == weights.dtype == torch.bfloat16
        and _FEWEST_PIXELS <= n_pixels < 2**31 // max(weights.shape[:2])
        and (weights.shape[1], weights.shape[0]) in _OURS
    )

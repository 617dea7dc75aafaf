"""3 x 3 convolutions, with gradients of weights by a kernel of our own where it is faster.

Where operations are run one by one this is PyTorch's convolution. Compiled for a GPU in
half precision, the gradient of the weights comes from `seaice_model.kernels`: the library
takes three times as long for planes of many pixels and few channels, a third of a step.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_FEWEST_PIXELS = 16 * 128 * 128
"""Pixels of a batch from which on our kernel wins (`seaice bench train` on an H200)."""


class Convolution(nn.Conv2d):
    """A 3 x 3 convolution without bias that keeps the size of its planes."""

    def __init__(self, n_in: int, n_out: int, *, device: str | None = None) -> None:
        super().__init__(n_in, n_out, kernel_size=3, padding=1, bias=False, device=device)

    def forward(self, planes: Tensor) -> Tensor:
        """Convolve planes of shape ``(batch, channel, y, x)``."""
        if not torch.compiler.is_dynamo_compiling():
            return super().forward(planes)
        weights = self.weight
        kind = planes.device.type
        if torch.is_autocast_enabled(kind):
            dtype = torch.get_autocast_dtype(kind)
            planes, weights = planes.to(dtype), weights.to(dtype)
        convolved: Tensor = _Convolved.apply(planes, weights)  # type: ignore[no-untyped-call]
        return convolved


class _Convolved(torch.autograd.Function):
    """Convolves, and leaves the gradient of the weights to `weight_gradient`."""

    @staticmethod
    def forward(ctx: Any, planes: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(planes, weights)
        return functional.conv2d(planes, weights, padding=1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        planes, weights = ctx.saved_tensors
        of_planes, _ = _library_gradients(gradient, planes, weights, [True, False])
        # Not asked of the library: where nobody wants it, compilers leave it out.
        return of_planes, weight_gradient(planes, gradient).to(weights.dtype)


@torch.library.custom_op("seaice::weight_gradient", mutates_args=())
def weight_gradient(planes: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient of the weights of a 3 x 3 convolution.

    Parameters
    ----------
    planes
        What was convolved, shape ``(batch, in, y, x)``.
    gradient
        The gradient of the result, shape ``(batch, out, y, x)``.

    Returns
    -------
    Tensor
        Shape ``(out, in, 3, 3)``, float32.
    """
    if _is_ours(planes, gradient):
        from seaice_model.kernels import weight_gradient as by_kernel  # late: needs Triton

        return by_kernel(planes, gradient)
    weights = planes.new_empty(gradient.shape[1], planes.shape[1], 3, 3)
    _, of_weights = _library_gradients(gradient, planes, weights, [False, True])
    return of_weights.float().contiguous()


@weight_gradient.register_fake
def _(planes: Tensor, gradient: Tensor) -> Tensor:
    shape = (gradient.shape[1], planes.shape[1], 3, 3)
    return planes.new_empty(shape, dtype=torch.float32)


def _is_ours(planes: Tensor, gradient: Tensor) -> bool:
    """Tell whether our kernel can, and is the faster one."""
    n_pixels = planes.numel() // planes.shape[1]
    return (
        planes.device.type == "cuda"
        and planes.dtype == torch.bfloat16
        and n_pixels >= _FEWEST_PIXELS
        and gradient.shape[1] % 32 == 0
        and (planes.shape[1] == 16 or planes.shape[1] % 32 == 0)
    )


def _library_gradients(
    gradient: Tensor, planes: Tensor, weights: Tensor, wanted: list[bool]
) -> tuple[Tensor, Tensor]:
    """Return the gradients of planes and weights that are wanted."""
    of_planes, of_weights, _ = torch.ops.aten.convolution_backward(
        gradient, planes, weights, None,
        [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [*wanted, False],
    )  # fmt: skip
    return of_planes, of_weights

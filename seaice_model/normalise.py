"""Batch norm followed by ReLU, as one function for compiled training.

Its gradient asks where ReLU was on by computing it anew, instead of reading what ReLU gave:
on a GPU, where these passes are bound by memory, a third less to read.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

_PER_CHANNEL = (0, 2, 3)


def normalised(planes: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    """Return planes of shape ``(batch, channel, y, x)`` behind batch norm and ReLU."""
    is_plain = type(norm) is nn.BatchNorm2d  # not the one that several processes share
    if not (torch.compiler.is_dynamo_compiling() and is_plain and norm.training):
        return functional.relu(norm(planes), inplace=True)
    with torch.no_grad():
        variance, mean = torch.var_mean(planes.float(), _PER_CHANNEL, correction=0)
        _remember(norm, mean, variance, planes.numel() // planes.shape[1])
    scale = torch.rsqrt(variance + norm.eps)
    result: Tensor = _Normalised.apply(planes, norm.weight, norm.bias, mean, scale)  # type: ignore[no-untyped-call]
    return result


def _remember(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, n: int) -> None:
    """Take mean and variance of a batch into those that evaluation goes by."""
    momentum = cast("float", norm.momentum)
    cast("Tensor", norm.running_mean).lerp_(mean, momentum)
    cast("Tensor", norm.running_var).lerp_(variance * (n / (n - 1)), momentum)
    cast("Tensor", norm.num_batches_tracked).add_(1)


class _Normalised(torch.autograd.Function):
    """``relu(weight * (planes - mean) * scale + bias)``, both of the batch."""

    @staticmethod
    def forward(
        ctx: Any, planes: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, scale: Tensor
    ) -> Tensor:
        ctx.save_for_backward(planes, weight, bias, mean, scale)
        standard = (planes.float() - _wide(mean)) * _wide(scale)
        return functional.relu(standard * _wide(weight) + _wide(bias)).to(planes.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        planes, weight, bias, mean, scale = ctx.saved_tensors
        standard = (planes.float() - _wide(mean)) * _wide(scale)
        is_on = standard * _wide(weight) + _wide(bias) > 0
        passed = torch.where(is_on, gradient.float(), 0)
        of_bias = passed.sum(_PER_CHANNEL)
        of_weight = (passed * standard).sum(_PER_CHANNEL)
        n = planes.numel() // planes.shape[1]
        # Mean and scale depend on the planes, too.
        common = _wide(of_bias / n) + standard * _wide(of_weight / n)
        of_planes = (passed - common) * _wide(weight * scale)
        return of_planes.to(planes.dtype), of_weight, of_bias, None, None


def _wide(values: Tensor) -> Tensor:
    """Return values of channels for all pixels."""
    return values[:, None, None]

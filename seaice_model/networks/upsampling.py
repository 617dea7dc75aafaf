"""Planes doubled along both axes by bilinear interpolation with aligned corners.

Three implementations, one result: PyTorch's own (`doubled`, uncompiled), one that a
compiler can fuse with the operations around it (`doubled`, compiled), and one for a tile
whose place in the plane is known (`doubled_tile`).
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

_N_NEAR = 5
"""Largest number of pixels of a doubled axis to which one pixel contributes."""


class Place(NamedTuple):
    """The place of a tile in a larger plane.

    Doubling aligns the corners of the whole plane, so how far a pixel moves depends on
    where it is. A network that knows the place predicts a tile as it predicts the whole.
    """

    top: int
    """First row of the tile in the plane, a multiple of the network's stride."""

    left: int
    """First column, a multiple of the stride."""

    height: int
    """Rows of the plane."""

    width: int
    """Columns of the plane."""


def doubled(planes: Tensor) -> Tensor:
    """Double planes of shape ``(batch, channel, y, x)``."""
    if torch.compiler.is_dynamo_compiling():
        # In the order of channels-last memory, like the layers around it.
        whole: Tensor = _Doubled.apply(planes.permute(0, 2, 3, 1))  # type: ignore[no-untyped-call]
        return whole.permute(0, 3, 1, 2)
    return functional.interpolate(
        planes, scale_factor=2, mode="bilinear", align_corners=True
    )


def doubled_tile(planes: Tensor, place: Place, ratio: int) -> Tensor:
    """Double a tile of planes as it would be within the whole.

    Parameters
    ----------
    planes
        Shape ``(batch, channel, y, x)``.
    place
        Place of the tile, in pixels of the network's input.
    ratio
        Pixels of the input per pixel of `planes`, along each axis.
    """
    planes = _doubled_part(planes, -2, place.top // ratio, place.height // ratio)
    return _doubled_part(planes, -1, place.left // ratio, place.width // ratio)


class _Doubled(torch.autograd.Function):
    """Doubles ``(batch, y, x, channel)`` by gathering; the gradient is gathered too.

    PyTorch's own gradient scatters: on a GPU in random order, so that no two trainings are
    equal, and in passes that compilers cannot fuse.
    """

    @staticmethod
    def forward(ctx: Any, planes: Tensor) -> Tensor:  # noqa: ARG004 - nothing is kept
        _, height, width, _ = planes.shape
        top, bottom, below = _neighbours(height, planes.device)
        left, right, beside = _neighbours(width, planes.device)
        top, bottom, below = top[:, None], bottom[:, None], below[:, None, None]
        beside = beside[:, None]
        upper = torch.lerp(
            planes[:, top, left].float(), planes[:, top, right].float(), beside
        )
        lower = torch.lerp(
            planes[:, bottom, left].float(), planes[:, bottom, right].float(), beside
        )
        return torch.lerp(upper, lower, below).to(planes.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ARG004
        return _collected(_collected(gradient, 2), 1)


def _neighbours(n: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pixels before and after each pixel of a doubled axis, and a weight."""
    source = torch.arange(2 * n, device=device) * _step(n)
    before = source.floor().clamp(max=n - 1)
    index = before.long()
    return index, (index + 1).clamp(max=n - 1), source - before


def _collected(gradient: Tensor, axis: int) -> Tensor:
    """Sum the gradient of the doubled axis over what each pixel contributed to."""
    n = gradient.shape[axis] // 2
    step = _step(n)
    pixel = torch.arange(n, device=gradient.device)
    # A pixel contributes to positions less than a pixel away.
    first = ((pixel - 1) / step).floor().long() + 1 if step else torch.zeros_like(pixel)
    shape = [-1 if k == axis else 1 for k in range(gradient.ndim)]
    total = torch.zeros((), device=gradient.device)
    for k in range(_N_NEAR):
        place = first + k
        share = (1 - (place * step - pixel).abs()).clamp(min=0)
        share = torch.where((place >= 0) & (place < 2 * n), share, 0).view(shape)
        near = gradient.index_select(axis, place.clamp(0, 2 * n - 1))
        total = total + near.float() * share
    return total.to(gradient.dtype)


def _step(n: int) -> float:
    """Return the spacing of the pixels of a doubled axis, in pixels of the axis."""
    return (n - 1) / (2 * n - 1)


def _doubled_part(plane: Tensor, axis: int, first: int, n_whole: int) -> Tensor:
    """Double a tile along an axis, as it would be within a plane of `n_whole` pixels.

    The tile begins at pixel `first`. Outside the tile, its outermost pixels are repeated.
    """
    n = plane.shape[axis]
    position = torch.arange(2 * first, 2 * (first + n), device=plane.device)
    source = position * _step(n_whole) - first
    before = source.floor().clamp(0, n - 1)
    weight = (source - before).clamp(0, 1).to(plane.dtype)
    low = before.long()
    high = (low + 1).clamp(max=n - 1)
    shape = [1] * plane.ndim
    shape[axis] = -1
    return torch.lerp(
        plane.index_select(axis, low), plane.index_select(axis, high), weight.view(shape)
    )

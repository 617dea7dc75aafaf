"""Planes doubled along both axes by linear weights, corners on corners.

Three ways, one result: PyTorch's own (`doubled`, where every operation is run by itself),
one that a compiler joins with its neighbours, and one for a tile that knows its place
(`doubled_tile`).
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

_N_NEAR = 5
"""Pixels of a doubled axis, at most, that one pixel of the axis has a share in."""


class Place(NamedTuple):
    """Where a tile lies in a larger plane.

    Enlarging aligns the corners of the whole plane, so how far a pixel moves depends on
    where it is. A network that knows this predicts a tile as it predicts the whole.
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
        # In the order of channels-last memory, in which the neighbours work.
        whole: Tensor = _Doubled.apply(planes.permute(0, 2, 3, 1))  # type: ignore[no-untyped-call]
        return whole.permute(0, 3, 1, 2)
    return functional.interpolate(
        planes, scale_factor=2, mode="bilinear", align_corners=True
    )


def doubled_tile(planes: Tensor, place: Place, ratio: int) -> Tensor:
    """Double a tile of planes as it is doubled within the whole.

    Parameters
    ----------
    planes
        Shape ``(batch, channel, y, x)``.
    place
        Where the tile lies, in pixels of the network's input.
    ratio
        How many of these one pixel of `planes` stands for.
    """
    planes = _doubled_part(planes, -2, place.top // ratio, place.height // ratio)
    return _doubled_part(planes, -1, place.left // ratio, place.width // ratio)


class _Doubled(torch.autograd.Function):
    """Doubles ``(batch, y, x, channel)`` by gathering, and gathers the gradient too.

    PyTorch's own gradient scatters: on a GPU in random order, so that no two trainings are
    equal, and in passes that no compiler joins.
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
    """Return the pixels before and behind each pixel of a doubled axis, and a weight."""
    source = torch.arange(2 * n, device=device) * _step(n)
    before = source.floor().clamp(max=n - 1)
    index = before.long()
    return index, (index + 1).clamp(max=n - 1), source - before


def _collected(gradient: Tensor, axis: int) -> Tensor:
    """Sum what each pixel of an axis gave to the doubled one."""
    n = gradient.shape[axis] // 2
    step = _step(n)
    pixel = torch.arange(n, device=gradient.device)
    # Where it has a share: less than a pixel away.
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
    """Return how far apart the pixels of a doubled axis lie, in pixels of the axis."""
    return (n - 1) / (2 * n - 1)


def _doubled_part(plane: Tensor, axis: int, first: int, n_whole: int) -> Tensor:
    """Double a tile along an axis, as it is doubled within a plane of `n_whole` pixels.

    `first` is where the tile begins. Beyond its ends its outermost pixels go on.
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

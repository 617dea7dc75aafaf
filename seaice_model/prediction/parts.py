"""Parts of a plane: tiles with a margin of their neighbours and their place.

The prediction of a tile that sees its margin and knows its place is that of the whole
plane, so planes of any size are predicted part by part.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from seaice_data.arrays import FloatArray
from seaice_data.grid import Window
from seaice_model.networks.upsampling import Place

TILE = 1024
"""Pixels along one side of a tile, for networks whose stride is not larger."""

MARGIN = 8
"""Pixels of the bridge around a tile that its prediction sees: more than half the receptive
field of a network, which is less than 16 of them whatever its depth."""


@dataclass(frozen=True, slots=True)
class TileView:
    """A tile of a plane, and what its prediction sees."""

    tile: Window
    """Rows and columns to predict."""

    seen: Window
    """Rows and columns of the tile with its margin."""

    shape: tuple[int, int]
    """Height and width of the plane."""

    @property
    def place(self) -> Place | None:
        """Place of what is seen in the plane; None if it is the whole plane."""
        rows, columns = self.seen
        if (rows.stop - rows.start, columns.stop - columns.start) == self.shape:
            return None
        return Place(rows.start, columns.start, *self.shape)

    def crop(self, predicted: Tensor) -> Tensor:
        """Cut the margin off predicted planes, shape ``(..., y, x)``."""
        rows, columns = (
            slice(span.start - seen.start, span.stop - seen.start)
            for span, seen in zip(self.tile, self.seen, strict=True)
        )
        return predicted[..., rows, columns]


def predict_in_parts(
    predict: Callable[[FloatArray, TileView], Mapping[str, NDArray[Any]]],
    inputs: FloatArray,
    stride: int,
    *,
    tile: int = TILE,
    margin: int = MARGIN,
) -> Mapping[str, NDArray[Any]]:
    """Apply a network of any kind to a whole plane.

    Parameters
    ----------
    predict
        Called with the part of `inputs` that a tile sees, and with the tile. Returns planes
        of the tile by name, shape ``(..., y, x)``, without the margin: see `TileView.crop`.
    inputs
        Shape ``(y, x, channel)``.
    stride
        Pixels of `inputs` per pixel of the coarsest level of the network; tiles begin at
        multiples of it.
    tile
        Pixels along one side of a tile; rounded down to a multiple of `stride`, and at
        least one stride.
    margin
        Width of the margin, in strides. It must be at least half the receptive field.

    Returns
    -------
    Mapping
        The planes by name, put together: shape ``(..., y, x)`` of `inputs`.

    Examples
    --------
    >>> def double(part, view):
    ...     return {"doubled": view.crop(2 * part[..., 0])}
    >>> inputs = np.arange(24.0).reshape(4, 6, 1)
    >>> doubled = predict_in_parts(double, inputs, 1, tile=3, margin=1)["doubled"]
    >>> bool((doubled == 2 * inputs[..., 0]).all())
    True
    """
    shape = (inputs.shape[0], inputs.shape[1])
    whole: dict[str, NDArray[Any]] = {}
    for view in tile_views(shape, stride, tile=tile, margin=margin):
        planes = predict(inputs[view.seen], view)
        if view.place is None:
            return planes
        for name, plane in planes.items():
            if name not in whole:
                whole[name] = np.empty((*plane.shape[:-2], *shape), plane.dtype)
            whole[name][..., *view.tile] = plane
    return whole


def tile_views(
    shape: tuple[int, int], stride: int, *, tile: int = TILE, margin: int = MARGIN
) -> Iterator[TileView]:
    """Cover a plane with tiles, row by row; see `predict_in_parts`."""
    height, width = shape
    for rows, rows_seen in _spans(height, stride, tile, margin):
        for columns, columns_seen in _spans(width, stride, tile, margin):
            yield TileView((rows, columns), (rows_seen, columns_seen), shape)


def span_seen(tile: slice, n_pixels: int, stride: int, margin: int) -> slice:
    """Return what a tile sees along an axis: its margins as far as they are in the plane.

    Examples
    --------
    >>> span_seen(slice(5, 12), 100, stride=4, margin=1)
    slice(0, 16, None)
    """
    first = (tile.start // stride - margin) * stride
    last = (-(-tile.stop // stride) + margin) * stride
    return slice(max(first, 0), min(last, n_pixels))


def _spans(
    n_pixels: int, stride: int, tile: int = TILE, margin: int = MARGIN
) -> Iterator[tuple[slice, slice]]:
    """Cut an axis into tiles, and add the margins that fit into the plane.

    An axis that fits into one tile with its margins is not cut.

    Examples
    --------
    >>> [(t.start, t.stop, s.start, s.stop) for t, s in _spans(2000, 16)]
    [(0, 1024, 0, 1152), (1024, 2000, 896, 2000)]
    """
    size = max(tile // stride, 1) * stride
    if n_pixels <= size + 2 * margin * stride:
        size = n_pixels
    for start in range(0, n_pixels, size):
        stop = min(start + size, n_pixels)
        tile_span = slice(start, stop)
        yield tile_span, span_seen(tile_span, n_pixels, stride, margin)

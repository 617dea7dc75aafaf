"""Distances of the pixels of a scene to a coast: exact where a zone depends on it.

Exact distances to points along the coast are looked up in a tree, first at nodes 16 pixels
apart. A block of pixels whose zone is certain from its corners is done. In the others the
distances halfway are looked up, too; where they are what the corners promise, pixels
between them are interpolated, and elsewhere the block is divided into four.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import ChartArray, Mask
from seaice_data.ingest.places.ellipsoid import Float64, arc_km, on_ellipsoid
from seaice_data.ingest.places.positions import TieVectors, pixel_vectors
from seaice_data.system.compiled import compiled
from seaice_data.system.process import n_cores
from seaice_data.zones import LARGEST_KM, distance_zones

_SIDE = 16
"""Pixels along a side of the first blocks."""

_TOLERANCE_KM = 0.015
"""Difference of an interpolated distance, halfway, that no zone shows."""

_SHARE = 0.001
"""The same as a share of the distance: zones are wider far from land."""

_BEYOND_KM = 400.0
"""Stands for any distance that is larger than those of all zones."""

_BAND = 256
"""Rows of pixels that are made zones at a time."""

_Float32 = NDArray[np.float32]
_Index = NDArray[np.intp]

_CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Nodes of a block, in its sides."""

_HALFWAY = ((0, 1), (1, 0), (1, 1), (1, 2), (2, 1))
"""Nodes of a block that are not its corners, in halves of its side."""


def zones_of_pixels(ties: TieVectors, coast_km: Float64, is_land: Mask) -> ChartArray:
    """Return the zone of each pixel, see `seaice_data.zones`.

    Parameters
    ----------
    ties
        Where the pixels are.
    coast_km
        Points along the coast, shape ``(n, 3)``, from `on_ellipsoid`; close enough to each
        other that the nearest one is as far as the coast.
    is_land
        Pixels on land, shape ``(y, x)``: zone 0.

    Returns
    -------
    ChartArray
        uint8, the shape of `is_land`. Distances are within 15 m of the geodesics at zones
        of 1 km, and within 0.1 % beyond.
    """
    shape = is_land.shape
    zones = np.empty(shape, dtype=np.uint8)
    if not len(coast_km):
        zones[:] = distance_zones(np.array([_BEYOND_KM], dtype=np.float32))[0]
    else:
        km = _distances(ties, coast_km, is_land)
        for start in range(0, shape[0], _BAND):
            rows = slice(start, min(start + _BAND, shape[0]))
            # Not 0 even where the coast is at the very centre of a pixel at sea.
            zones[rows] = distance_zones(np.fmax(km[rows, : shape[1]], np.float32(1e-6)))
    zones[is_land] = 0
    return zones


def _distances(ties: TieVectors, coast_km: Float64, is_land: Mask) -> _Float32:
    """Return distances in kilometres at pixels and at the far ends of the last blocks.

    NaN at most pixels on land.
    """
    from scipy.spatial import cKDTree  # late: half a second

    tree = cKDTree(coast_km, balanced_tree=False, compact_nodes=False)
    is_done = _land_blocks(is_land)
    n_y, n_x = is_done[_SIDE].shape
    km = np.full((n_y * _SIDE + 1, n_x * _SIDE + 1), np.nan, dtype=np.float32)
    y, x = (_SIDE * grid.ravel() for grid in np.mgrid[:n_y, :n_x])
    side = _SIDE
    while side > 1:
        half = side // 2
        is_left = ~is_done[side][y // side, x // side]
        y, x = y[is_left], x[is_left]
        if side == _SIDE:
            _look_up(tree, ties, km, *_nodes(km, y, x, side, _CORNERS))
        corners = np.stack([km[y + i * side, x + j * side] for i, j in _CORNERS], axis=-1)
        is_certain = _is_certain(corners, side)
        _fill(km, y[is_certain], x[is_certain], side, side)
        y, x, corners = y[~is_certain], x[~is_certain], corners[~is_certain]
        _look_up(tree, ties, km, *_nodes(km, y, x, half, _HALFWAY))
        is_smooth = _is_smooth(km, y, x, corners, half)
        _fill(km, y[is_smooth], x[is_smooth], side, half)
        y, x = y[~is_smooth], x[~is_smooth]
        y = np.concatenate([y + half * i for i, _ in _CORNERS])
        x = np.concatenate([x + half * j for _, j in _CORNERS])
        side = half
    return km


def _land_blocks(is_land: Mask) -> dict[int, Mask]:
    """Return which blocks are on land, or beyond the scene, by their side."""
    height, width = is_land.shape
    ends = ((0, -height % _SIDE), (0, -width % _SIDE))
    blocks = {1: np.pad(is_land, ends, constant_values=True)}
    side = 1
    while side < _SIDE:
        both = blocks[side][::2] & blocks[side][1::2]
        side *= 2
        blocks[side] = both[:, ::2] & both[:, 1::2]
    return blocks


def _nodes(
    km: _Float32, y: _Index, x: _Index, step: int, offsets: Sequence[tuple[int, int]]
) -> tuple[_Index, _Index]:
    """Return the nodes of blocks whose distances are unknown, each once."""
    is_wanted = np.zeros(km.shape, dtype=np.bool_)
    for i, j in offsets:
        is_wanted[y + i * step, x + j * step] = True
    rows, columns = np.nonzero(is_wanted)
    is_unknown = np.isnan(km[rows, columns])
    return rows[is_unknown], columns[is_unknown]


def _look_up(tree: Any, ties: TieVectors, km: _Float32, y: _Index, x: _Index) -> None:
    """Set the distances at pixels."""
    for start in range(0, len(y), 1 << 17):
        rows, columns = (n[start : start + (1 << 17)] for n in (y, x))
        places = pixel_vectors(ties, rows.astype(np.float64), columns.astype(np.float64))
        chord, _ = tree.query(
            on_ellipsoid(places), distance_upper_bound=LARGEST_KM + 10, workers=n_cores()
        )
        km[rows, columns] = np.where(np.isinf(chord), _BEYOND_KM, arc_km(chord))


def _is_certain(corners: _Float32, side: int) -> Mask:
    """Return whether all pixels of blocks have the zone of their first corner."""
    # No pixel is farther from the nearest corner; pixels are at most a tenth longer than
    # they should be.
    reach = np.float32(0.08 * 1.1 * side / np.sqrt(2))
    nearest = np.maximum(corners.min(axis=1) - reach, np.float32(1e-6))
    farthest = np.maximum(corners.max(axis=1) + reach, np.float32(1e-6))
    return np.asarray(distance_zones(nearest) == distance_zones(farthest))


def _is_smooth(km: _Float32, y: _Index, x: _Index, corners: _Float32, half: int) -> Mask:
    """Return whether distances halfway in blocks are those that their corners promise."""
    known = corners.reshape(-1, 2, 2)
    off = np.zeros(len(y), dtype=np.float32)
    nearest = corners.min(axis=1)
    for i, j in _HALFWAY:
        value = km[y + i * half, x + j * half]
        along = known[:, 0] * (1 - i / 2) + known[:, 1] * (i / 2)
        promise = along[:, 0] * (1 - j / 2) + along[:, 1] * (j / 2)
        np.maximum(off, np.abs(value - promise), out=off)
        np.minimum(nearest, value, out=nearest)
    # Between nodes farther apart than the coast, an island may hide.
    is_open = nearest > 0.08 * 2 * half
    return np.asarray(is_open & (off < np.maximum(_TOLERANCE_KM, _SHARE * nearest)))


@compiled
def _fill(km: _Float32, y: _Index, x: _Index, side: int, step: int) -> None:
    """Interpolate blocks between nodes `step` apart."""
    for n in range(len(y)):
        for top in range(y[n], y[n] + side, step):
            for left in range(x[n], x[n] + side, step):
                a, b = km[top, left], km[top, left + step]
                c, d = km[top + step, left], km[top + step, left + step]
                for i in range(step):
                    down = i / step
                    start, end = a + (c - a) * down, b + (d - b) * down
                    slope = (end - start) / step
                    for j in range(step):
                        km[top + i, left + j] = start + slope * j

"""The coast of a synthetic scene, and how far its pixels are from it.

A scene has its own coast up to 30 km beyond its borders, with detail that the coarse swath
lacks, and that of the swath beyond. Where no land is in the swath, the coast is a straight
line outside.

Positions are kilometres along lines and samples from the middle of the swath, on the sphere
of `plan.swath_middle`.
"""

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import Mask
from seaice_data.synthetic.fields import Float32
from seaice_data.synthetic.nodes import SPACING, SWATH_KM, Nodes
from seaice_data.synthetic.plan import ScenePlan, swath_middle
from seaice_data.synthetic.surface import Surface

Float64 = NDArray[np.float64]

LAND_SPACING = 4
"""Raw pixels from node to node of distances to land."""

_FACTOR = SPACING // LAND_SPACING

_DENSE_KM, _SPARSE_KM = 0.08, 0.5
"""Distance between points along the coast of the scene and of the swath."""

_BEND_KM = 0.06
"""Second difference of distances between nodes of which an eighth, the error of what is
interpolated halfway, would show in zones of 1 km."""

_BEND_SHARE = 0.008
"""The same as a share of the distance: zones are wider far from land."""

_INLAND_KM = 1.5
"""Stands for any larger distance from the coast on land, where there is one zone."""

_RADIUS_KM = 6371.0

_EQUATOR_KM, _FLATTENING_SQUARE = 6378.137, 0.00669437999  # WGS84


def land_distances(surface: Surface) -> Float32:
    """Return the distance to land in kilometres, 0 or less on land.

    At nodes `LAND_SPACING` raw pixels apart: exact near the coast and where another part of
    the coast becomes the nearest, elsewhere interpolated from exact distances at the nodes
    of the scene. Kilometres are those on the Earth's ellipsoid.
    """
    nodes, plan = surface.nodes, surface.nodes.plan
    height, width = ((n - 1) * _FACTOR + 1 for n in nodes.shape)
    fine = Nodes(plan, LAND_SPACING, nodes.start, (height, width))
    scale = np.float32(_ellipsoid_scale(plan))
    rough = nodes.take(surface.land_km, fine)
    coast = surface.swath.coast
    if coast is None:
        return rough * scale
    from scipy.spatial import cKDTree  # late: half a second

    tree = cKDTree(_points(surface, coast), balanced_tree=False, compact_nodes=False)
    y, x = positions_km(nodes)
    rows, columns = np.nonzero(surface.land_km > -_INLAND_KM)
    km = np.full(nodes.shape, _INLAND_KM, dtype=np.float32)
    km[rows, columns] = tree.query(np.stack([y[rows, 0], x[columns]], axis=-1))[0]
    detailed = nodes.take(km, fine)
    y, x = positions_km(fine)
    rows, columns = np.nonzero(_detailed_places(km, fine) & (rough > -_INLAND_KM))
    detailed[rows, columns] = tree.query(np.stack([y[rows, 0], x[columns]], axis=-1))[0]
    return np.copysign(detailed, rough) * scale


def positions_km(nodes: Nodes) -> tuple[Float64, Float64]:
    """Return the positions of nodes along lines and samples; shapes (y, 1), (x,)."""
    y, x = nodes.positions()
    return np.asarray(y * SWATH_KM), np.asarray(x * SWATH_KM)


def coast_field(surface: Surface) -> Float32:
    """Return the distance to the coast at `Surface.around`, finite, below 0 on land."""
    largest = np.float32(2 * SWATH_KM)
    return np.clip(surface.around_km, -largest, largest)


def _points(surface: Surface, coast: Float32) -> Float64:
    """Return points along the coast, shape ``(n, 2)``."""
    near = _along(_lines(surface.around, coast_field(surface)), _DENSE_KM)
    far = _along(_lines(surface.swath.nodes, coast), _SPARSE_KM)
    y, x = positions_km(surface.around)
    is_inside = (far > (y[0, 0], x[0])).all(axis=1) & (far < (y[-1, 0], x[-1])).all(axis=1)
    return np.concatenate([near, far[~is_inside]])


def _lines(nodes: Nodes, field: Float32) -> list[Float64]:
    """Return where a field is 0, as lines of positions."""
    from contourpy import contour_generator  # late: few commands need it

    y, x = positions_km(nodes)
    lines = contour_generator(x=x, y=y[:, 0], z=field).lines(0)
    return [np.asarray(line)[:, ::-1] for line in lines]


def _along(lines: list[Float64], longest: float) -> Float64:
    """Return points along lines, at most so far from each other."""
    parts = [np.empty((0, 2))]
    for line in lines:
        edges = np.diff(line, axis=0)
        n = np.maximum(np.ceil(np.hypot(*edges.T) / longest), 1).astype(np.intp)
        edge = np.repeat(np.arange(len(n)), n)
        step = np.arange(len(edge)) - np.repeat(np.cumsum(n) - n, n)
        parts.append(line[edge] + edges[edge] * (step / n[edge])[:, None])
        parts.append(line[-1:])
    return np.concatenate(parts)


def _detailed_places(km: Float32, fine: Nodes) -> Mask:
    """Return at which fine nodes distances bend too much to be interpolated."""
    is_bent = np.zeros(km.shape, dtype=np.bool_)
    bound = np.maximum(_BEND_KM, _BEND_SHARE * km)
    is_bent[1:-1] = np.abs(km[2:] - 2 * km[1:-1] + km[:-2]) > bound[1:-1]
    is_bent[:, 1:-1] |= np.abs(km[:, 2:] - 2 * km[:, 1:-1] + km[:, :-2]) > bound[:, 1:-1]
    # What bends at a border is not seen there.
    for end, next_ in ((0, 1), (-1, -2)):
        is_bent[end] |= is_bent[next_]
        is_bent[:, end] |= is_bent[:, next_]
    is_detailed = np.zeros(fine.shape, dtype=np.bool_)
    rows, columns = np.nonzero(is_bent)
    height, width = fine.shape
    for i in range(1 - _FACTOR, _FACTOR):
        for j in range(1 - _FACTOR, _FACTOR):
            y, x = rows * _FACTOR + i, columns * _FACTOR + j
            is_detailed[y.clip(0, height - 1), x.clip(0, width - 1)] = True
    return is_detailed


def _ellipsoid_scale(plan: ScenePlan) -> float:
    """Return how long a kilometre of the sphere is on the Earth's ellipsoid.

    Degrees are the same on both. The radius is the mean of all directions; in the regions
    of the dataset no direction differs by more than 0.1 %.
    """
    sine = np.sin(np.deg2rad(swath_middle(plan)[0]))
    share = 1 - _FLATTENING_SQUARE * sine**2
    radius = _EQUATOR_KM * np.sqrt(1 - _FLATTENING_SQUARE) / share
    return float(radius / _RADIUS_KM)

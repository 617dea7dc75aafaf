"""Outlines of regions of pixels, simplified together.

Neighbours share their borders before and after: no gaps, no overlaps.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from seaice_data.arrays import FloatArray, IntArray, Mask

NOTHING = 0
"""Key of pixels that are not shown, and label of pixels without a region."""

_MOST_PASSES = 10
AREA_CHANGE = 0.02
"""Share of its area by which simplification may change a polygon."""


@dataclass(frozen=True, slots=True)
class Regions:
    """Connected areas of equal keys."""

    labels: IntArray
    """Region of each pixel, shape ``(y, x)``, from 1; 0 is none."""

    keys: IntArray
    """Key of region 1, 2 and so on."""


def regions_of(keys: IntArray) -> Regions:
    """Return the connected areas of pixels with equal keys, in the order of their rows.

    Pixels are connected along their sides, not across corners.

    Examples
    --------
    >>> found = regions_of(np.array([[7, 7, 0], [5, 7, 7], [5, 0, 5]]))
    >>> found.labels.tolist(), found.keys.tolist()
    ([[1, 1, 0], [2, 1, 1], [2, 0, 3]], [7, 5, 5])
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # Runs of equal keys along rows are connected, not pixels: at 80 m there are 27 million.
    begins = np.ones(keys.shape, bool)
    np.not_equal(keys[:, 1:], keys[:, :-1], out=begins[:, 1:])
    run = np.cumsum(begins, dtype=np.int32).reshape(keys.shape)
    run -= 1
    # Runs that touch do so first at a pixel where one of them begins.
    touch = (keys[:-1] == keys[1:]) & (begins[:-1] | begins[1:])
    first, second = run[:-1][touch], run[1:][touch]
    keys_of_runs = keys[begins]
    n_runs = len(keys_of_runs)
    graph = coo_array((np.ones(len(first), bool), (first, second)), (n_runs, n_runs))
    _, area = connected_components(graph, directed=False)
    is_shown = keys_of_runs != NOTHING
    found, start, inverse = np.unique(
        area[is_shown], return_index=True, return_inverse=True
    )
    rank = np.empty(len(found), np.int64)
    rank[np.argsort(start)] = np.arange(1, len(found) + 1)
    labels = np.zeros(n_runs, np.int32)
    labels[is_shown] = rank[inverse]
    return Regions(labels[run], keys_of_runs[is_shown][np.sort(start)])


def merged(keys: IntArray, n_pixels: int) -> IntArray:
    """Merge areas of fewer than `n_pixels` into their largest neighbour.

    Small areas without a neighbour that is shown stay as they are.
    """
    from rasterio.features import sieve  # late: an extra

    n_pixels = min(n_pixels, keys.size - 1)
    if n_pixels < 2:
        return keys
    for _ in range(_MOST_PASSES):  # a small area may have only small neighbours
        before, keys = keys, sieve(keys, n_pixels, mask=keys != NOTHING)
        if (before == keys).all():
            break
    return keys


def outlines_of(labels: IntArray, corners: FloatArray) -> tuple[Any, IntArray]:
    """Return the outlines of regions, and of areas without one, and their labels.

    Parameters
    ----------
    labels
        Shape ``(y, x)``.
    corners
        Where the corners of the pixels are, shape ``(2, y + 1, x + 1)``.
    """
    import shapely  # late: an extra
    from rasterio.features import shapes

    found = [(shapely.geometry.shape(outline), label) for outline, label in shapes(labels)]

    def placed(points: FloatArray) -> FloatArray:
        column, row = np.rint(points).astype(int).T
        return corners[:, row, column].T

    # A vertex at every corner of a pixel: neighbours must have theirs in the same places.
    polygons = shapely.segmentize(np.array([polygon for polygon, _ in found]), 1.0)
    return shapely.transform(polygons, placed), np.array([int(label) for _, label in found])


def simplified(
    outlines: Any,
    is_shown: Mask,
    tolerance_m: float,
    straight_m: float,
    area_change: float,
) -> Any:
    """Simplify borders together, but not those of polygons whose area would change.

    Areas that are not shown take part, so that coasts are simplified like other borders.
    """
    import shapely  # late: an extra

    area = shapely.area(outlines)
    is_simplified = np.ones(len(outlines), bool)
    while True:
        simple = outlines.copy()
        # Polygons that are left out share the outer boundary of the others, so keep it.
        simple[is_simplified] = shapely.coverage_simplify(
            outlines[is_simplified], tolerance_m, simplify_boundary=False
        )
        simple = shapely.coverage_simplify(simple, straight_m)
        changes = np.abs(shapely.area(simple) - area) > area_change * area
        if not (changes := changes & is_shown & is_simplified).any():
            return simple
        is_simplified &= ~changes

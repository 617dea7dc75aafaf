"""Polygons of a chart as regions of patches, with the shares of ice types in each.

Charts leave polygons without a class that mix ice types; their egg codes still say how much
there is of each type.

A region is what a patch shows of a polygon. Its pixels are the nearest ones, those from
which the charts of the patch come. In the box of cutmix are polygons of the other patch:
they are regions of their own, even those of the same scene, because both windows show
different parts of a polygon, or the same part in two places.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, IntArray
from seaice_data.charts import FLOE, SOD
from seaice_data.sampling.plan import BatchPlan, Cuts
from seaice_data.sampling.polygons import KeptPolygons
from seaice_data.store.stored_scene import StoredScene

MOST_REGIONS = 32
"""Regions of a patch at most: the polygons with the most pixels in it."""

N_SHARES = SOD.n_classes + FLOE.n_classes
"""Columns of shares: the classes of SOD, then those of FLOE."""


class RegionCutter:
    """Cuts the polygons of patches, and numbers them.

    The region with the most pixels has number 1; of two with as many pixels, the one with
    the lower id comes first, and of two with the same id, the one outside the box of
    cutmix.

    Parameters
    ----------
    scenes
        The scenes of a sampler, all with polygons.
    size
        Pixels along one side of a patch.
    kept_bytes
        Limit on the memory for polygons that were read.
    """

    def __init__(self, scenes: Sequence[StoredScene], size: int, kept_bytes: int) -> None:
        self._polygons = KeptPolygons(scenes, kept_bytes)
        self._whole = np.array([0, size, 0, size])
        self._size = size

    def cut(
        self,
        plan: BatchPlan,
        patch: int,
        mixed: int | None,
        region: NDArray[np.uint8],
        shares: NDArray[np.float32],
        visible: NDArray[np.float32],
    ) -> None:
        """Fill what a `Patch` says of its regions.

        Parameters
        ----------
        plan
            What the batch is made of.
        patch
            Position of the patch in the batch.
        mixed
            Position of its partner in the plan; None without one.
        region, shares, visible
            To fill; see `Patch`.
        """
        from seaice_data.sampling.cut import cut_polygons  # late: takes 0.2 s

        views: list[tuple[Cuts, int, IntArray]] = [(plan.cuts, patch, self._whole)]
        if mixed is not None:
            views.append((plan.partners, mixed, plan.box[mixed]))
        shown = [self._polygons.of(int(cuts.scene[k])) for cuts, k, _ in views]
        positions = np.empty((self._size, self._size), np.int32)
        first = 0
        for (cuts, k, box), polygons in zip(views, shown, strict=True):
            affine, bounds = cuts.affine[k], cuts.bounds[k]
            cut_polygons(polygons.positions, bounds, affine, box, first, positions)
            first += len(polygons.ids)
        n_pixels = np.bincount(positions.ravel(), minlength=first + 1)[1:]
        ids = np.concatenate([polygons.ids for polygons in shown])
        # The last key counts most; equal ones stay in their order.
        order = np.lexsort((ids, -n_pixels))[:MOST_REGIONS]
        order = order[n_pixels[order] > 0]
        n = len(order)

        numbers = np.zeros(first + 1, np.uint8)
        numbers[order + 1] = np.arange(1, n + 1)
        numbers.take(positions, out=region)
        shares[:n] = np.concatenate([polygons.shares for polygons in shown])[order]
        shares[n:] = np.nan
        sizes = [
            _patch_pixels(p.n_pixels, cuts.affine[k])
            for p, (cuts, k, _) in zip(shown, views, strict=True)
        ]
        visible[:n] = np.minimum(n_pixels[order] / np.concatenate(sizes)[order], 1)
        visible[n:] = 0


def _patch_pixels(n_pixels: IntArray, affine: FloatArray) -> FloatArray:
    """Return how many pixels of a patch would show all of these pixels of the scene."""
    area: float = abs(np.linalg.det(affine[:, :2]))
    return n_pixels / np.float64(area)

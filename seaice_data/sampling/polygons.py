"""Polygons of the scenes of a sampler: where they are, and what shares of ice they have."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import IntArray
from seaice_data.errors import DamageError
from seaice_data.polygon_shares import polygon_shares
from seaice_data.sampling.scene_cache import SceneCache
from seaice_data.store.stored_scene import StoredScene

_N_ROWS = 64


@dataclass(frozen=True, slots=True)
class ScenePolygons:
    """The polygons of a scene, in the order of their ids."""

    positions: IntArray
    """Position of the polygon of each pixel, counted from 1; 0 is none. Shape ``(y, x)``,
    the smallest unsigned type that can count them."""

    ids: IntArray
    """Ids in the chart, shape ``(polygon,)``."""

    n_pixels: IntArray
    """Pixels of each polygon in the scene, shape ``(polygon,)``."""

    shares: NDArray[np.float32]
    """See `polygon_shares`, shape ``(polygon, class)``."""

    @property
    def nbytes(self) -> int:
        """Memory that they take."""
        arrays = (self.positions, self.ids, self.n_pixels, self.shares)
        return sum(array.nbytes for array in arrays)


class KeptPolygons(SceneCache[int, ScenePolygons]):
    """Polygons of scenes, read whole when first asked for and kept up to a limit."""

    def of(self, position: int) -> ScenePolygons:
        """Return the polygons of the scene at a position.

        Raises
        ------
        StoreError
            If they are damaged or cannot be read.
        """
        self._forget_parent()
        found = self._kept([position])
        if not found:
            found = {position: read_polygons(self._scenes[position])}
            self._keep(found)
        return found[position]


def read_polygons(scene: StoredScene) -> ScenePolygons:
    """Read the polygons of a scene.

    Raises
    ------
    StoreError
        If it has none, or they are damaged or cannot be read.
    """
    table, plane = scene.polygons, scene.polygon_ids()
    order = np.argsort(table.ids)
    ids = table.ids[order]
    n = len(ids)
    around = np.concatenate([[-1], ids, [-1]])
    positions: IntArray = np.empty(plane.shape, np.min_scalar_type(n + 1))
    n_pixels = np.zeros(n + 2, np.int64)
    for top in range(0, len(plane), _N_ROWS):  # wide numbers for a few rows at a time
        band = plane[top : top + _N_ROWS]
        found = np.searchsorted(ids, band) + 1
        found[band < 0] = 0
        is_other = around[found] != np.maximum(band, -1)
        if is_other.any():
            raise DamageError(
                f"scene {scene.id}: 'polygon_id' contains {band[is_other][0]}, but "
                "'polygons' does not",
                hint=f"find what is damaged with `seaice verify {scene.store.path}`",
            )
        positions[top : top + _N_ROWS] = found
        n_pixels += np.bincount(found.ravel(), minlength=n + 2)
    positions.flags.writeable = False
    return ScenePolygons(positions, ids, n_pixels[1:-1], polygon_shares(table)[order])

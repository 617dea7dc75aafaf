"""Polygons of the scenes of a sampler: where they are, and what shares of ice they have."""

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import IntArray
from seaice_data.errors import DamageError
from seaice_data.polygon_shares import polygon_shares
from seaice_data.store.stored_scene import StoredScene


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
    def n_bytes(self) -> int:
        """Memory that they take."""
        arrays = (self.positions, self.ids, self.n_pixels, self.shares)
        return sum(array.nbytes for array in arrays)


class KeptPolygons:
    """Polygons of scenes, read whole when first asked for and kept up to a limit.

    Nothing that was read is passed to another process: workers may be forked or spawned.

    Parameters
    ----------
    scenes
        Scenes with polygons.
    kept_bytes
        Limit on the memory for polygons that were read.
    """

    def __init__(self, scenes: Sequence[StoredScene], kept_bytes: int) -> None:
        self._scenes = tuple(scenes)
        self._kept_bytes = kept_bytes
        self._forget()

    def __getstate__(self) -> tuple[tuple[StoredScene, ...], int]:
        return self._scenes, self._kept_bytes

    def __setstate__(self, state: tuple[tuple[StoredScene, ...], int]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    @property
    def n_kept_bytes(self) -> int:
        """Bytes of the polygons that are kept now."""
        return sum(polygons.n_bytes for polygons in self._kept.values())

    def of(self, position: int) -> ScenePolygons:
        """Return the polygons of the scene at a position.

        Raises
        ------
        StoreError
            If they are damaged or cannot be read.
        """
        if self._process != os.getpid():  # forked: the lock is the parent's
            self._forget()
        with self._lock:
            if (found := self._kept.get(position)) is not None:
                self._kept.move_to_end(position)
                return found
        read = read_polygons(self._scenes[position])
        with self._lock:
            self._kept[position] = read
            n_bytes = self.n_kept_bytes
            while n_bytes > self._kept_bytes:
                n_bytes -= self._kept.popitem(last=False)[1].n_bytes
        return read

    def _forget(self) -> None:
        """Start again with nothing kept."""
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, ScenePolygons] = OrderedDict()


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
    positions: IntArray = (np.searchsorted(ids, plane) + 1).astype(
        np.min_scalar_type(n + 1)
    )
    positions[plane < 0] = 0
    is_other = np.concatenate([[-1], ids, [-1]])[positions] != np.maximum(plane, -1)
    if is_other.any():
        raise DamageError(
            f"scene {scene.id}: 'polygon_id' contains {plane[is_other][0]}, but 'polygons' "
            "does not",
            hint=f"find what is damaged with `seaice verify {scene.store.path}`",
        )
    positions.flags.writeable = False
    n_pixels = np.bincount(positions.ravel(), minlength=n + 1)[1:]
    return ScenePolygons(positions, ids, n_pixels, polygon_shares(table)[order])

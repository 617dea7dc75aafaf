"""Read parts of the planes of a store, again and again, as a sampler needs them.

- ``MappedPlanes`` maps the files of an uncompressed local store: only what is touched is
  read, and processes share it;
- ``ReadPlanes`` reads any other store through zarr, and keeps chunks up to a limit.

Both open files only when asked for a part, and pass nothing open to another process:
workers may be forked or spawned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.sampling.scene_cache import SceneCache
from seaice_data.store.stored_scene import StoredScene

if TYPE_CHECKING:
    import zarr

KEPT_BYTES = 2**29
"""Default limit on the chunks that are kept, in bytes."""

_Key = tuple[int, str, int, int]
"""A chunk: position of the scene, name of the array, row and column of the chunk."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a scene: the one asked for, or a larger one around it."""

    inputs: FloatArray
    """Standardised planes, shape ``(y, x, channel)``; NaN is fill."""

    charts: ChartArray
    """Classes, shape ``(y, x, chart)``; 255 is fill."""

    origin: tuple[int, int]
    """Row and column in the scene of the first pixel."""


class Planes(Protocol):
    """Source of the planes of a sampler."""

    def part(self, position: int, top: int, bottom: int, left: int, right: int) -> Part:
        """Return rows ``top..bottom`` and columns ``left..right`` (last ones excluded)."""

    def charts(self, position: int) -> ChartArray:
        """Return the charts of a scene, whole."""


def open_planes(scenes: Sequence[StoredScene], kept_bytes: int = KEPT_BYTES) -> Planes:
    """Return the planes of scenes of one store, by position in `scenes`.

    Parameters
    ----------
    scenes
        At least one.
    kept_bytes
        Limit on the memory for chunks that were read; mapped files need none.
    """
    if all(scene.is_mapped for scene in scenes):
        return MappedPlanes(scenes)
    return ReadPlanes(scenes, kept_bytes)


class MappedPlanes:
    """Planes of an uncompressed local store, mapped."""

    def __init__(self, scenes: Sequence[StoredScene]) -> None:
        self._scenes = tuple(scenes)
        self._open = lru_cache(_most_maps())(self._map)

    def __getstate__(self) -> tuple[StoredScene, ...]:
        return self._scenes

    def __setstate__(self, scenes: tuple[StoredScene, ...]) -> None:
        self.__init__(scenes)  # type: ignore[misc]

    def part(self, position: int, top: int, bottom: int, left: int, right: int) -> Part:  # noqa: ARG002
        """Return the whole scene: what is not touched is not read."""
        return self._open(position)

    def charts(self, position: int) -> ChartArray:
        """Return the charts of a scene."""
        return self._open(position).charts

    def _map(self, position: int) -> Part:
        # A copy, so that the maps are closed when this cache drops them.
        opened = self._scenes[position].closed()
        return Part(_plain(opened.inputs), _plain(opened.charts), (0, 0))


class ReadPlanes(SceneCache[_Key, NDArray[Any]]):
    """Planes of any store, read through zarr; chunks are kept up to a limit."""

    def __init__(self, scenes: Sequence[StoredScene], kept_bytes: int = KEPT_BYTES) -> None:
        super().__init__(scenes, kept_bytes)

    def part(self, position: int, top: int, bottom: int, left: int, right: int) -> Part:
        """Return a part of a scene, put together from chunks."""
        self._forget_parent()
        window = (top, bottom, left, right)
        inputs = self._window(position, "inputs", window)
        charts = self._window(position, "charts", window)
        return Part(inputs, charts, (top, left))

    def charts(self, position: int) -> ChartArray:
        """Return the charts of a scene, read whole."""
        self._forget_parent()
        height, width = self._scenes[position].grid.shape
        return self._window(position, "charts", (0, height, 0, width))

    def _forget(self) -> None:
        self._arrays: dict[tuple[int, str], zarr.Array[Any]] = {}
        super()._forget()

    def _window(
        self, position: int, name: str, window: tuple[int, int, int, int]
    ) -> NDArray[Any]:
        scene = self._scenes[position]
        if (array := self._arrays.get((position, name))) is None:
            array = self._arrays[position, name] = scene.whole_array(name)
        (high, wide), (top, bottom, left, right) = array.chunks[:2], window
        keys = [
            (position, name, row, column)
            for row in range(top // high, -(-bottom // high))
            for column in range(left // wide, -(-right // wide))
        ]
        chunks = self._kept(keys)
        if absent := [key for key in keys if key not in chunks]:
            chunks |= self._read(scene, array, absent)
            self._keep(chunks)
        shape = (bottom - top, right - left, *array.shape[2:])
        if len(keys) == 1 and chunks[keys[0]].shape == shape:
            return _plain(chunks[keys[0]])
        out = np.empty(shape, array.dtype)
        for _, _, row, column in keys:
            y, x = row * high, column * wide
            from_y, from_x = max(top - y, 0), max(left - x, 0)
            chunk = chunks[position, name, row, column]
            piece = chunk[from_y : bottom - y, from_x : right - x]
            to_y, to_x = y + from_y - top, x + from_x - left
            out[to_y : to_y + piece.shape[0], to_x : to_x + piece.shape[1]] = piece
        return _plain(out)

    def _read(
        self, scene: StoredScene, array: "zarr.Array[Any]", keys: list[_Key]
    ) -> dict[_Key, NDArray[Any]]:
        """Read chunks together: on an object store each call takes its own round trips."""
        high, wide = array.chunks[:2]
        rows, columns = [key[2] for key in keys], [key[3] for key in keys]
        y, x = min(rows) * high, min(columns) * wide
        to_y, to_x = (max(rows) + 1) * high, (max(columns) + 1) * wide
        block = scene.read_part(keys[0][1], array, slice(y, to_y), slice(x, to_x))
        return {
            key: np.ascontiguousarray(
                block[key[2] * high - y :, key[3] * wide - x :][:high, :wide]
            )
            for key in keys
        }


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """Return a plain, read-only array: loops are compiled for that type only."""
    plain = array.view(np.ndarray)
    plain.flags.writeable = False
    return plain


def _most_maps() -> int:
    """Return how many scenes may be mapped at a time: each takes two open files."""
    try:
        import resource
    except ImportError:  # not on Windows, which has no such limit
        return 2**14
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return 2**14
    # Other code in the process needs files too.
    return max((limit - 256) // 2, 16)

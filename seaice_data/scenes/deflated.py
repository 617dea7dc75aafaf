"""Inflate planes in large deflated chunks with libdeflate, 2.5 times as fast as HDF5.

``is_deflated`` says which planes these are; ``DeflatedPlane`` reads rows of one. A chunk
that is not plainly deflated is left to HDF5.
"""

import sys
from typing import Any

import deflate
import h5py
import numpy as np

from seaice_data.arrays import ChartArray, IntArray, Values
from seaice_data.system.compiled import compiled

_LARGE_CHUNK_BYTES = 256 * 1024  # HDF5 reads smaller ones as fast


def is_deflated(dataset: h5py.Dataset) -> bool:
    """Return whether a plane has large chunks that are deflated, and possibly shuffled."""
    if dataset.chunks is None or len(dataset.chunks) != 2:
        return False
    if chunk_bytes(dataset) < _LARGE_CHUNK_BYTES:
        return False
    if not is_native(dataset):
        return False
    created = dataset.id.get_create_plist()
    filters = [created.get_filter(k) for k in range(created.get_nfilters())]
    if not filters or filters[-1][0] != h5py.h5z.FILTER_DEFLATE:
        return False
    if len(filters) == 1:
        return True
    kind, _, parameters, _ = filters[0]
    return (
        len(filters) == 2
        and kind == h5py.h5z.FILTER_SHUFFLE
        and parameters == (dataset.dtype.itemsize,)
    )


def is_native(dataset: h5py.Dataset) -> bool:
    """Return whether values have the same bytes in the file as in memory.

    Other byte orders, packed bits and enumerations differ from a plain type.
    """
    plain = h5py.h5t.py_create(dataset.dtype)
    return bool(dataset.dtype.isnative and dataset.id.get_type() == plain)


def chunk_bytes(dataset: h5py.Dataset) -> int:
    """Return the bytes of an inflated chunk of a chunked variable."""
    return int(np.prod(dataset.chunks, dtype=object)) * int(dataset.dtype.itemsize)


class DeflatedPlane:
    """A plane for which `is_deflated` is true."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._dataset = dataset
        self._width: int = dataset.shape[1]
        self._dtype: np.dtype[Any] = dataset.dtype
        self._chunks: tuple[int, int] = dataset.chunks
        self._chunk_bytes = chunk_bytes(dataset)
        self._is_shuffled = bool(dataset.shuffle)

    def read(self, rows: slice, values: Values) -> None:
        """Fill `values` with rows of the plane, chunk by chunk."""
        height, width = self._chunks
        for top in range(rows.start // height * height, rows.stop, height):
            inside = slice(max(rows.start, top), min(rows.stop, top + height))
            target = values[inside.start - rows.start : inside.stop - rows.start]
            for left in range(0, self._width, width):
                self._read_chunk(top, left, inside, target)

    def _read_chunk(self, top: int, left: int, rows: slice, target: Values) -> None:
        """Copy the columns of a chunk into `target`, which has these rows of the plane."""
        height, width = self._chunks
        size, first = self._dtype.itemsize, rows.start - top
        columns = slice(left, min(left + width, self._width))
        n_columns = columns.stop - left
        chunk = self._inflated(top, left)
        if chunk is None:
            target[:, columns] = self._dataset[rows, columns]
        elif not self._is_shuffled or size == 1:
            plane = np.frombuffer(chunk, self._dtype).reshape(height, width)
            target[:, columns] = plane[first : rows.stop - top, :n_columns]
        elif size == 4 and sys.byteorder == "little":
            planes = np.frombuffer(chunk, np.uint8).reshape(size, height, width)
            _unshuffle(planes, first, n_columns, target.view(np.uint32), left)
        else:
            planes = np.frombuffer(chunk, np.uint8).reshape(size, height, width)
            pixels = target.view(np.uint8).reshape(*target.shape, size)
            for k in range(size):
                pixels[:, columns, k] = planes[k, first : rows.stop - top, :n_columns]

    def _inflated(self, top: int, left: int) -> bytearray | None:
        """Inflate a chunk, or return None if it should be left to HDF5."""
        n_bytes = self._chunk_bytes
        info = self._dataset.id.get_chunk_info_by_coord((top, left))
        # Not written; written without one of the filters; too large for a deflated chunk.
        if info.byte_offset is None or info.filter_mask or info.size > 2 * n_bytes:
            return None
        _, packed = self._dataset.id.read_direct_chunk((top, left))
        try:
            chunk = deflate.zlib_decompress(packed, n_bytes)
        except deflate.DeflateError:
            return None
        return chunk if len(chunk) == n_bytes else None


@compiled
def _unshuffle(
    planes: ChartArray, first: int, n_columns: int, numbers: IntArray, left: int
) -> None:
    """Undo the shuffle of HDF5, which puts the first bytes of all four-byte numbers first.

    Parameters
    ----------
    planes
        The bytes of a chunk, least significant first, shape ``(4, y, x)``.
    first
        Row of the chunk that is the first row of the result.
    n_columns
        Columns of the chunk to take.
    numbers
        Result, uint32, shape ``(rows, at least left + n_columns)``.
    left
        Column of the result in which the chunk begins.
    """
    for y in range(len(numbers)):
        row = numbers[y, left : left + n_columns]
        byte_0, byte_1 = planes[0, first + y], planes[1, first + y]
        byte_2, byte_3 = planes[2, first + y], planes[3, first + y]
        for x in range(n_columns):
            row[x] = (
                byte_0[x]
                | np.uint32(byte_1[x]) << np.uint32(8)
                | np.uint32(byte_2[x]) << np.uint32(16)
                | np.uint32(byte_3[x]) << np.uint32(24)
            )

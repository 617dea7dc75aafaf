"""Read bands of rows of a chunked plane, and inflate each chunk only once.

A chunk may have more rows than a band. Its rows are kept until a band needs others, so that
it is inflated once, not once per band. `deflated` inflates large deflated chunks; HDF5
reads everything else.
"""

import h5py
import numpy as np

from seaice_data.arrays import Values
from seaice_data.scenes.deflated import DeflatedPlane, chunk_bytes, is_deflated
from seaice_data.system.memory import give_back, large_array

_PILING_BYTES = 5 * 2**20  # memory in which larger chunks are inflated would pile up
_KEPT_ROWS = 256  # at least, if chunks are lower


class ChunkedRows:
    """The rows of a chunked plane, some of which are kept inflated."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._dataset = dataset
        self._height: int = dataset.chunks[0]
        self._deflated = DeflatedPlane(dataset) if is_deflated(dataset) else None
        self._kept: tuple[slice, Values] | None = None
        self._buffer: Values | None = None

    def read(self, rows: slice, n_kept_rows: int) -> Values:
        """Read rows; the next call may change them. Keep at most `n_kept_rows`."""
        kept_rows, kept = self._keep(rows.start, n_kept_rows)
        if rows.stop <= kept_rows.stop:
            return kept[rows.start - kept_rows.start : rows.stop - kept_rows.start]
        shape = (rows.stop - rows.start, *self._dataset.shape[1:])
        values = np.empty(shape, self._dataset.dtype)
        start = rows.start
        while start < rows.stop:
            kept_rows, kept = self._keep(start, n_kept_rows)
            stop = min(rows.stop, kept_rows.stop)
            piece = kept[start - kept_rows.start : stop - kept_rows.start]
            values[start - rows.start : stop - rows.start] = piece
            start = stop
        return values

    def let_go(self) -> None:
        """Release the rows that are kept."""
        self._kept = self._buffer = None

    def _keep(self, row: int, limit: int) -> tuple[slice, Values]:
        """Read and keep the rows around `row`, as many as chunks and limit allow."""
        if self._kept is None or not self._kept[0].start <= row < self._kept[0].stop:
            n_rows = _n_rows_to_keep(self._height, max(limit, 1))
            rows = self._rows_to_keep(row, n_rows)
            if self._buffer is None:
                shape = (min(n_rows, self._dataset.shape[0]), *self._dataset.shape[1:])
                self._buffer = large_array(shape, self._dataset.dtype)
            values = self._buffer[: rows.stop - rows.start]
            self._kept = None
            if self._deflated is None:
                values[...] = self._dataset[rows]
            else:
                self._deflated.read(rows, values)
                if chunk_bytes(self._dataset) > _PILING_BYTES:
                    give_back()
            self._kept = rows, values
        return self._kept

    def _rows_to_keep(self, row: int, n_rows: int) -> slice:
        """Return the rows to keep around `row`; they do not cross a chunk needlessly."""
        is_part = n_rows < self._height
        base = row // self._height * self._height if is_part else 0
        start = base + (row - base) // n_rows * n_rows
        stop = min(start + n_rows, self._dataset.shape[0])
        return slice(start, min(stop, base + self._height) if is_part else stop)


def _n_rows_to_keep(height: int, limit: int) -> int:
    """Return a share of the rows of a chunk, or several chunks if they are low."""
    if height > limit:
        n_parts = -(-height // limit)
        return -(-height // n_parts)
    return height * max(min(limit, _KEPT_ROWS) // height, 1)

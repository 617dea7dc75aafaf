"""Read variables of a netCDF-4 file: fast where the layout allows, and safely everywhere.

``NetcdfFile`` opens a file and gives its variables; ``Variable.rows`` reads a band of rows.

A compressed plane lies in chunks of many rows. So that a chunk is inflated once and not
once a band, the rows of a chunk are kept until a band asks for others; how many rows,
`Variable.n_kept_rows` limits. Large deflated chunks are inflated by `deflated`; HDF5 reads
everything else.

What h5py raises on a broken file leaves here as a `SceneError` that names the file and the
variable.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import EllipsisType
from typing import Any

import h5py
import numpy as np

from seaice_data.arrays import Values
from seaice_data.deflated import DeflatedPlane, chunk_bytes, is_deflated, is_native
from seaice_data.errors import SceneError
from seaice_data.memory import give_back, large_array

_BROKEN = (
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    OverflowError,
    MemoryError,
)
"""What h5py raises on files whose metadata or data are damaged."""

_PILING_BYTES = 5 * 2**20  # chunks above it would stay in memory when they are inflated
_KEPT_ROWS = 256  # at least, where chunks are lower


class NetcdfFile:
    """An open netCDF-4 file, read only.

    Raises
    ------
    SceneError
        If it cannot be read as netCDF-4.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._variables: dict[str, Variable] = {}
        with _telling_why(path):
            with path.open("rb") as stream:
                magic = stream.read(3)
            if magic == b"CDF":
                raise SceneError(
                    f"{str(path)!r}: netCDF classic format, not netCDF-4",
                    hint="convert it with `nccopy -k nc4`",
                )
            # Rows are kept by `Variable`: chunks that HDF5 keeps would be kept twice.
            self._file = h5py.File(path, "r", driver="sec2", rdcc_nbytes=0)

    def close(self) -> None:
        """Close the file."""
        self._variables.clear()
        try:
            self._file.close()
        except RuntimeError as error:
            raise self.error(f"cannot close it: {_reason(error)}") from error

    def __contains__(self, name: str) -> bool:
        with self._reading(name):
            return name in self._file

    def variable(self, name: str, n_axes: int = 2) -> "Variable":
        """Return a variable of numbers.

        Raises
        ------
        SceneError
            If it is missing, has another number of axes or an empty one, or holds no
            numbers.
        """
        if name not in self._variables:
            dataset = self._dataset(name)
            if len(dataset.shape or ()) != n_axes or 0 in dataset.shape:
                raise self.error(f"{name!r} has shape {dataset.shape}, not {n_axes} axes")
            with self._reading(name):
                if dataset.dtype.kind not in "fiu":
                    raise self.error(f"{name!r} holds {dataset.dtype}, not numbers")
                self._variables[name] = Variable(self, name, dataset)
        return self._variables[name]

    def strings(self, name: str) -> list[str]:
        """Read a variable of strings."""
        dataset = self._dataset(name)
        if h5py.check_string_dtype(dataset.dtype) is None or len(dataset.shape or ()) != 1:
            raise self.error(f"{name!r} holds no list of texts")
        with self._reading(name):
            return [str(text) for text in dataset.asstr()[()]]

    def text(self, name: str) -> str:
        """Return a global attribute as text; empty if it is absent or no text."""
        with self._reading(f"attribute {name}"):
            value = self._file.attrs.get(name, "")
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        return value if isinstance(value, str) else ""

    def read_bytes(self, offset: int, values: Values) -> bool:
        """Read the bytes of an array from the file; false if the file ends before them."""
        descriptor = self._file.id.get_vfd_handle()  # that of the driver "sec2"
        n_read: int = os.preadv(descriptor, [values.data], offset)
        return n_read == values.nbytes

    def error(self, message: str, hint: str | None = None) -> SceneError:
        """Return an error that names the file."""
        return SceneError(f"{str(self.path)!r}: {message}", hint=hint)

    def _dataset(self, name: str) -> h5py.Dataset:
        with self._reading(name):
            dataset = self._file.get(name)
            if not isinstance(dataset, h5py.Dataset):
                raise self.error(f"variable {name!r} is missing")
            _ = dataset.shape, dataset.dtype  # they may be damaged, too
            return dataset

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        """Turn what a damaged file makes h5py raise into an error in words."""
        try:
            yield
        except _BROKEN as error:
            raise self.error(
                f"cannot read {name!r}: {_reason(error)}",
                hint="the file may be damaged; fetch it again",
            ) from error


class Variable:
    """A variable of numbers; made by `NetcdfFile.variable`."""

    def __init__(self, file: NetcdfFile, name: str, dataset: h5py.Dataset) -> None:
        self.name = name
        self.shape: tuple[int, ...] = dataset.shape
        self.dtype: np.dtype[Any] = dataset.dtype
        self.n_kept_rows = dataset.shape[0]
        """Rows of a compressed plane to keep inflated, at most. With fewer than a chunk
        has, chunks are inflated several times."""
        self._file = file
        self._dataset = dataset
        self._chunks: tuple[int, ...] | None = dataset.chunks
        self._deflated = DeflatedPlane(dataset) if is_deflated(dataset) else None
        self._offset = _offset(dataset)
        self._kept: tuple[slice, Values] | None = None
        self._buffer: Values | None = None
        self._packing = [
            self.number(name) for name in ("scale_factor", "add_offset", "_FillValue")
        ]

    @property
    def row_bytes(self) -> int:
        """Bytes of a row in memory."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize

    def number(self, name: str) -> float | None:
        """Return an attribute that holds a number, or None if there is none.

        Raises
        ------
        SceneError
            If it holds something else.
        """
        with self._file._reading(f"attribute {name} of {self.name}"):
            value = self._dataset.attrs.get(name)
        if value is None:
            return None
        values = np.asarray(value)
        if values.size != 1 or values.dtype.kind not in "fiu":
            raise self._file.error(
                f"attribute {name!r} of {self.name!r} is {value!r}, not a number"
            )
        return float(values.item())

    def read(self) -> Values:
        """Read all; undo packing and turn a declared fill value into NaN."""
        return self._unpacked(self._read(...))

    def rows(self, rows: slice) -> Values:
        """Read rows of a plane; undo packing and turn a declared fill value into NaN.

        To be used before the next call, which may change them, and not to be written to.
        """
        return self._unpacked(self.stored_rows(rows))

    def stored_rows(self, rows: slice) -> Values:
        """Read rows of a plane as the file holds them; otherwise as `rows`."""
        if self._chunks is None:
            return self._read(rows)
        kept_rows, kept = self._keep(rows.start)
        if rows.stop <= kept_rows.stop:
            return kept[rows.start - kept_rows.start : rows.stop - kept_rows.start]
        values = np.empty((rows.stop - rows.start, *self.shape[1:]), self.dtype)
        start = rows.start
        while start < rows.stop:
            kept_rows, kept = self._keep(start)
            stop = min(rows.stop, kept_rows.stop)
            piece = kept[start - kept_rows.start : stop - kept_rows.start]
            values[start - rows.start : stop - rows.start] = piece
            start = stop
        return values

    def read_rows(self, rows: slice, values: Values) -> None:
        """Read rows of a plane into an array; undo packing as `rows` does."""
        scale, offset, fill = self._packing
        if scale is None and offset is None and (fill is None or np.isnan(fill)):
            self.read_stored_rows(rows, values)
            return
        with np.errstate(over="ignore"):
            values[...] = self.rows(rows)

    def read_stored_rows(self, rows: slice, values: Values) -> None:
        """Read rows of a plane into an array, as the file holds them."""
        if self._offset is not None and values.dtype == self.dtype:
            at = self._offset + rows.start * self.row_bytes
            if values.flags.c_contiguous and self._file.read_bytes(at, values):
                return
        with np.errstate(over="ignore"):
            values[...] = self.stored_rows(rows)

    def let_go(self) -> None:
        """Give back the rows that are kept inflated."""
        self._kept = self._buffer = None

    def _read(self, index: slice | tuple[slice, ...] | EllipsisType) -> Values:
        with self._file._reading(self.name):
            return np.asarray(self._dataset[index])

    def _unpacked(self, values: Values) -> Values:
        scale, offset, fill = self._packing
        if fill is not None and not np.isnan(fill):
            # A whole number cannot say that it is none.
            decoded = values if values.dtype.kind == "f" else values.astype(np.float64)
            values = np.where(values == fill, np.array(np.nan, decoded.dtype), decoded)
        if scale is not None or offset is not None:
            values = values * (1.0 if scale is None else scale) + (offset or 0.0)
        return values

    def _keep(self, row: int) -> tuple[slice, Values]:
        """Have the rows around `row` in memory, as many as chunks and limit allow."""
        if self._kept is None or not self._kept[0].start <= row < self._kept[0].stop:
            rows = self._rows_to_keep(row)
            if self._buffer is None:
                shape = (min(self._n_rows_to_keep(), self.shape[0]), *self.shape[1:])
                self._buffer = large_array(shape, self.dtype)
            values = self._buffer[: rows.stop - rows.start]
            self._kept = None
            if self._deflated is not None:
                with self._file._reading(self.name):
                    self._deflated.read(rows, values)
                if chunk_bytes(self._dataset) > _PILING_BYTES:
                    give_back()
            else:
                values[...] = self._read(rows)
            self._kept = rows, values
        return self._kept

    def _n_rows_to_keep(self) -> int:
        """Return a share of the rows of a chunk, or several chunks if they are low."""
        assert self._chunks is not None  # noqa: S101 - the caller asked
        height: int = self._chunks[0]
        limit = max(self.n_kept_rows, 1)
        n_rows: int = height * max(min(limit, _KEPT_ROWS) // height, 1)
        if height > limit:
            n_parts = -(-height // limit)
            n_rows = -(-height // n_parts)
        return n_rows

    def _rows_to_keep(self, row: int) -> slice:
        """Return the rows to keep around `row`; they do not cross a chunk needlessly."""
        assert self._chunks is not None  # noqa: S101 - the caller asked
        height, n_rows = self._chunks[0], self._n_rows_to_keep()
        base = row // height * height if n_rows < height else 0
        start = base + (row - base) // n_rows * n_rows
        stop = min(start + n_rows, self.shape[0])
        return slice(start, min(stop, base + height) if n_rows < height else stop)


@contextmanager
def _telling_why(path: Path) -> Iterator[None]:
    """Turn what opening a file raises into an error in words."""
    try:
        yield
    except FileNotFoundError as error:
        gone = "a link to a file that is gone" if path.is_symlink() else "no such file"
        raise SceneError(f"{str(path)!r}: {gone}") from error
    except _BROKEN as error:
        reason = _reason(error).removeprefix("Unable to synchronously open file ")
        raise SceneError(
            f"{str(path)!r}: cannot read it as netCDF-4: {reason.strip('()')}",
            hint="the file may be truncated; fetch it again",
        ) from error


def _offset(dataset: h5py.Dataset) -> int | None:
    """Return where a plane lies in the file as it lies in memory, or None."""
    created = dataset.id.get_create_plist()
    is_plain = (
        created.get_layout() == h5py.h5d.CONTIGUOUS
        and created.get_external_count() == 0
        and dataset.id.get_storage_size() == dataset.size * dataset.dtype.itemsize
        and is_native(dataset)
    )
    offset: int | None = dataset.id.get_offset() if is_plain else None
    return offset


def _reason(error: BaseException) -> str:
    """Return what an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__

"""Read netCDF-4 files, which are HDF5 files, with h5py.

Rows of a contiguous plane come straight from the file; `chunks` reads the others.

HDF5 would follow links to any place, and read numbers from other files. Here links are
followed one name at a time, and only within the file.
"""

import math
import os
from pathlib import Path
from types import EllipsisType
from typing import Any

import h5py
import numpy as np

from seaice_data.arrays import Values
from seaice_data.errors import SceneError
from seaice_data.scenes.chunks import ChunkedRows
from seaice_data.scenes.deflated import chunk_bytes, is_native
from seaice_data.scenes.filters import missing_filters, without_filter
from seaice_data.scenes.netcdf_errors import unreadable
from seaice_data.scenes.reader import Attribute, Reader, StoredVariable

_LARGE_CHUNK_BYTES = 32 * 2**20  # the library's default may be larger than a variable
_MOST_LINKS = 16


class Hdf5Reader(Reader):
    """An open HDF5 file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file = _opened(path)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return name in self._file

    def attribute(self, name: str) -> Attribute | None:
        """Return an attribute of the file; None if it is absent."""
        return _attribute(self._file, name)

    def find(self, name: str) -> StoredVariable | None:
        """Return a variable; None if it is absent.

        Raises
        ------
        SceneError
            If its numbers are in another file, it needs a filter that is not installed, or
            one of its chunks takes more memory than the variable.
        """
        dataset = self._find(name)
        if not isinstance(dataset, h5py.Dataset):
            return None
        created = dataset.id.get_create_plist()
        if created.get_layout() == h5py.h5d.VIRTUAL:
            raise self._foreign(name, "a virtual dataset")
        if created.get_external_count():
            raise self._foreign(name, "a dataset in external storage")
        if dataset.chunks is None:
            return ContiguousVariable(dataset, self._file.id)
        n_bytes = math.prod(dataset.shape) * dataset.dtype.itemsize
        if chunk_bytes(dataset) > max(n_bytes, _LARGE_CHUNK_BYTES):
            raise SceneError(
                f"{str(self.path)!r}: {name!r} has chunks of {chunk_bytes(dataset)} bytes "
                f"for {n_bytes} bytes"
            )
        for code in missing_filters(dataset):
            raise unreadable(self.path, repr(name), *without_filter(code))
        return ChunkedVariable(dataset)

    def _find(self, name: str) -> h5py.HLObject | None:
        """Return the object of this name in this file, or None; open no other file."""
        place: h5py.HLObject = self._file
        names, n_links = [name], 0
        while names:
            step = names.pop(0)
            if not isinstance(place, h5py.Group) or step not in place:
                return None
            link = place.get(step, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise self._foreign(name, "an external link")
            if isinstance(link, h5py.SoftLink):
                n_links += 1
                if n_links > _MOST_LINKS:
                    return None
                place = self._file if link.path.startswith("/") else place
                names = [
                    part for part in link.path.split("/") if part not in ("", ".")
                ] + names
            else:
                place = place[step]
        if h5py.h5o.get_info(place.id).fileno != h5py.h5o.get_info(self._file.id).fileno:
            raise self._foreign(name, "an object of another file")
        return place

    def _foreign(self, name: str, what: str) -> SceneError:
        return SceneError(
            f"{str(self.path)!r}: variable {name!r} is {what}: its numbers are not in "
            "this file",
            hint="copy the numbers into this file, if you trust where they come from",
        )


class _Hdf5Variable(StoredVariable):
    def __init__(self, dataset: h5py.Dataset) -> None:
        super().__init__(dataset.shape or (), dataset.dtype)
        self._dataset = dataset
        self.is_text = h5py.check_string_dtype(dataset.dtype) is not None

    def attribute(self, name: str) -> Attribute | None:
        """Return an attribute; None if it is absent."""
        return _attribute(self._dataset, name)

    def read(self, index: int | slice | EllipsisType) -> Any:
        """Read a part, along the first axis."""
        return self._dataset[index]


class ContiguousVariable(_Hdf5Variable):
    """A variable whose values are contiguous in the file, or in its header."""

    def __init__(self, dataset: h5py.Dataset, file: h5py.h5f.FileID) -> None:
        super().__init__(dataset)
        self._file = file
        self._offset = _offset(dataset)
        self._row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        self._rows: Values | None = None

    def rows(self, rows: slice) -> Values:
        """Read rows; the next call changes them, because it uses the same memory."""
        start, stop, step = rows.indices(self.shape[0])
        is_plain = self.dtype.kind in "fiu" and self.dtype.itemsize <= 8
        if not is_plain or step != 1:
            return super().rows(rows)
        shape = max(stop - start, 0), *self.shape[1:]
        if self._rows is None or len(self._rows) < shape[0]:
            self._rows = np.empty(shape, self.dtype)
        values = self._rows[: shape[0]]
        return values if self._read_bytes(start, values) else super().rows(rows)

    def let_go(self) -> None:
        """Release the memory of rows."""
        self._rows = None

    def read_rows(self, rows: slice, values: Values) -> None:
        """Read rows into an array; straight from the file if both have the same type."""
        is_alike = values.dtype == self.dtype and values.flags.c_contiguous
        if not (is_alike and self._read_bytes(rows.start, values)):
            super().read_rows(rows, values)

    def _read_bytes(self, row: int, values: Values) -> bool:
        """Read the bytes of an array from a row on; false if the file ends before them."""
        if self._offset is None:
            return False
        descriptor = self._file.get_vfd_handle()  # that of the driver "sec2"
        at = self._offset + row * self._row_bytes
        n_read: int = os.preadv(descriptor, [values.data], at)
        return n_read == values.nbytes


class ChunkedVariable(_Hdf5Variable):
    """A variable in chunks, which may be compressed."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        super().__init__(dataset)
        digits = dataset.scaleoffset  # decimal digits that HDF5 keeps of floats
        if digits is not None and self.dtype.kind == "f":
            self.rounding = 0.51 * 10.0**-digits
        self._rows = ChunkedRows(dataset)

    def rows(self, rows: slice) -> Values:
        """Read rows; the next call may change them."""
        return self._rows.read(rows, self.n_kept_rows)

    def let_go(self) -> None:
        """Release the rows that are kept inflated."""
        self._rows.let_go()


def _attribute(owner: h5py.HLObject, name: str) -> Attribute | None:
    if name not in owner.attrs:
        return None
    stored = owner.attrs.get_id(name)
    n_values = stored.get_space().get_simple_extent_npoints()
    # Lists in a value may repeat one long text, whatever the size that it declares.
    is_text = h5py.check_string_dtype(stored.dtype) is not None
    return Attribute(
        n_values=n_values,
        n_bytes=n_values * stored.get_type().get_size(),
        is_plain=is_text or stored.dtype.kind not in "OV",
        read=lambda: owner.attrs[name],
    )


def _opened(path: Path) -> h5py.File:
    """Open a file; without a lock if the disk has no locks or refuses this one."""
    # Rows are kept by `ChunkedRows`: chunks that HDF5 keeps would be kept twice.
    options = {"mode": "r", "driver": "sec2", "rdcc_nbytes": 0}
    try:
        return h5py.File(path, **options)
    except OSError as error:
        # Not without a lock from the start: HDF5 refuses to open a file both ways in one
        # process, and other code may have it open.
        if "lock" not in str(error):
            raise
        return h5py.File(path, **options, locking=False)


def _offset(dataset: h5py.Dataset) -> int | None:
    """Return the offset of a plane whose bytes in the file are those in memory, or None."""
    created = dataset.id.get_create_plist()
    is_plain = (
        created.get_layout() == h5py.h5d.CONTIGUOUS
        and dataset.id.get_storage_size() == dataset.size * dataset.dtype.itemsize
        and is_native(dataset)
    )
    offset: int | None = dataset.id.get_offset() if is_plain else None
    return offset

"""Read variables of a netCDF-4 file: fast where the layout allows, and safely everywhere.

``NetcdfFile`` opens a file and gives its variables; ``Variable.rows`` reads a band of rows.

A compressed plane lies in chunks of many rows. So that a chunk is inflated once and not
once a band, the rows of a chunk are kept until a band asks for others; how many rows,
`Variable.n_kept_rows` limits. Large deflated chunks are inflated by `deflated`; HDF5 reads
everything else.

What h5py raises on a broken file leaves here as a `SceneError` that names the file and the
variable.
"""

import errno
import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import EllipsisType
from typing import Any

import h5py
import numpy as np

from seaice_data.arrays import Values
from seaice_data.errors import SceneError
from seaice_data.scenes.decoding import ATTRIBUTES, Decoding
from seaice_data.scenes.deflated import DeflatedPlane, chunk_bytes, is_deflated, is_native
from seaice_data.system.memory import give_back, large_array

_BROKEN = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError)
"""What h5py raises when it cannot read something."""

_ERRNO = re.compile(r"\berrno = (\d+), error message = ")  # in the words of HDF5

_FILTERS = {
    307: "bzip2",
    32001: "Blosc",
    32004: "LZ4",
    32008: "Bitshuffle",
    32013: "ZFP",
    32015: "Zstandard",
    32017: "SZ",
    32024: "SZ3",
    32026: "Blosc2",
    32028: "SPERR",
}
"""Filters that the package hdf5plugin adds to HDF5, by their registered number."""

# A file of a few kilobytes may declare terabytes: nothing larger than these is read.
_LONGEST_AXIS = 20_000  # a Sentinel-1 EW scene has about 10 000 pixels of 40 m
_MOST_PIXELS = 256_000_000  # the largest scene of the dataset has 127 million of 40 m
_MOST_VALUES = 1_000_000  # read at once: 21 x 21 tie points, 210 x 210 cells
_MOST_TEXTS = 10_000  # an ice chart has some hundred polygons
_MOST_TEXT_BYTES = 10_000_000
_MOST_ATTRIBUTE_VALUES = 100
_MOST_ATTRIBUTE_BYTES = 1_000_000
_LARGE_CHUNK_BYTES = 32 * 2**20  # the library's default may be larger than a variable
_MOST_LINKS = 16

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
        with netcdf_errors(path):
            _refuse_special(path)
            with path.open("rb") as stream:
                magic = stream.read(3)
            if magic == b"CDF":
                raise SceneError(
                    f"{str(path)!r}: netCDF classic format, not netCDF-4",
                    hint="convert it with `nccopy -k nc4`",
                )
            self._file = _opened(path)

    def close(self) -> None:
        """Close the file."""
        self._variables.clear()
        with netcdf_errors(self.path):
            self._file.close()

    def __contains__(self, name: str) -> bool:
        with self.reading(repr(name)):
            return name in self._file

    def variable(self, name: str, n_axes: int = 2) -> "Variable":
        """Return a variable of numbers.

        Raises
        ------
        SceneError
            If it is missing, not in this file, has another number of axes or an empty
            one, is larger than the format allows, or does not contain numbers.
        """
        if name not in self._variables:
            dataset = self._dataset(name)
            if len(dataset.shape or ()) != n_axes or 0 in dataset.shape:
                raise self.error(f"{name!r} has shape {dataset.shape}, not {n_axes} axes")
            if (
                max(dataset.shape) > _LONGEST_AXIS
                or math.prod(dataset.shape) > _MOST_PIXELS
            ):
                raise self.error(f"{name!r} has shape {dataset.shape}, too large for SAR")
            with self.reading(repr(name)):
                if dataset.dtype.kind not in "fiu":
                    raise self.error(f"{name!r} holds {dataset.dtype}, not numbers")
                self._variables[name] = Variable(self, name, dataset)
        return self._variables[name]

    def strings(self, name: str) -> list[str]:
        """Read a list of texts, stored as strings or, as in the classic model, as bytes.

        Raises
        ------
        SceneError
            If it is missing, is not a list of texts, or is longer than the format allows.
        """
        dataset = self._dataset(name)
        shape: tuple[int, ...] = dataset.shape or ()
        dtype = dataset.dtype
        # Bytes of a text may have an axis of their own.
        n_axes = 2 if dtype == np.dtype("S1") and len(shape) == 2 else 1
        if h5py.check_string_dtype(dtype) is None or len(shape) != n_axes or 0 in shape:
            raise self.error(f"{name!r} is not a list of texts")
        n_bytes = math.prod(shape) * dtype.itemsize
        if shape[0] > _MOST_TEXTS or n_bytes > _MOST_TEXT_BYTES:
            raise self.error(
                f"{name!r} has {shape[0]} texts, {n_bytes} bytes in all: too large for "
                "an ice chart"
            )
        with self.reading(repr(name), dataset):
            if dtype.kind != "O":
                values = np.ascontiguousarray(dataset[()])
                return [*map(_text, values.view(f"S{n_bytes // shape[0]}").ravel())]
            texts = []
            for k in range(shape[0]):  # their lengths are not known in advance
                texts.append(_text(dataset[k]))
                n_bytes += len(texts[-1])
                if n_bytes > _MOST_TEXT_BYTES:
                    raise self.error(f"{name!r} has texts too long for an ice chart")
        return texts

    def text(self, name: str) -> str:
        """Return a global attribute as text; empty if it is absent or not text.

        Several texts are joined with commas.
        """
        return _text(self.attribute(self._file, name, f"attribute {name!r}"))

    def attribute(self, owner: h5py.HLObject, name: str, what: str) -> Any:
        """Return an attribute of the file or of a variable; None if it is absent.

        Errors call it `what`.
        """
        with self.reading(what):
            if name not in owner.attrs:
                return None
            stored = owner.attrs.get_id(name)
            n_values = stored.get_space().get_simple_extent_npoints()
            n_bytes = n_values * stored.get_type().get_size()
            if n_values > _MOST_ATTRIBUTE_VALUES or n_bytes > _MOST_ATTRIBUTE_BYTES:
                raise self.error(
                    f"{what} has {n_values} values, {n_bytes} bytes: too large"
                )
            # Lists in a value may repeat one long text, whatever the size that it declares.
            is_text = h5py.check_string_dtype(stored.dtype) is not None
            if stored.dtype.kind in "OV" and not is_text:
                raise self.error(f"{what} is neither text nor numbers")
            return owner.attrs[name]

    def read_bytes(self, offset: int, values: Values) -> bool:
        """Read the bytes of an array from the file; false if the file ends before them."""
        descriptor = self._file.id.get_vfd_handle()  # that of the driver "sec2"
        n_read: int = os.preadv(descriptor, [values.data], offset)
        return n_read == values.nbytes

    def error(self, message: str, hint: str | None = None) -> SceneError:
        """Return an error that names the file."""
        return SceneError(f"{str(self.path)!r}: {message}", hint=hint)

    def reading(
        self, what: str, dataset: h5py.Dataset | None = None
    ) -> AbstractContextManager[None]:
        """Raise what goes wrong while `what` is read as a `SceneError`."""
        return netcdf_errors(self.path, what, dataset)

    def _dataset(self, name: str) -> h5py.Dataset:
        """Open a variable; refuse one whose numbers are in another file."""
        with self.reading(repr(name)):
            dataset = self._found(name)
            if not isinstance(dataset, h5py.Dataset):
                raise self.error(f"variable {name!r} is missing")
            created = dataset.id.get_create_plist()
            if created.get_layout() == h5py.h5d.VIRTUAL:
                raise self._foreign(name, "a virtual dataset")
            if created.get_external_count():
                raise self._foreign(name, "a dataset in external storage")
            _ = dataset.shape, dataset.dtype  # they may be damaged, too
            self._check_chunks(name, dataset)
            if missing_filters(dataset):
                with suppress(ImportError):
                    import_module("hdf5plugin")  # adds filters to HDF5
            return dataset

    def _found(self, name: str) -> h5py.HLObject | None:
        """Return the object of this name in this file, or None; open no other file.

        HDF5 would follow any link, wherever it leads. So it is given one name at a time,
        and each is checked before it is opened.
        """
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
        return self.error(
            f"variable {name!r} is {what}: its numbers are not in this file",
            hint="copy the numbers into this file, if you trust where they come from",
        )

    def _check_chunks(self, name: str, dataset: h5py.Dataset) -> None:
        """Refuse chunks that take more memory than the whole variable."""
        if dataset.chunks is None:
            return
        n_bytes = math.prod(dataset.shape) * dataset.dtype.itemsize
        if chunk_bytes(dataset) > max(n_bytes, _LARGE_CHUNK_BYTES):
            raise self.error(
                f"{name!r} has chunks of {chunk_bytes(dataset)} bytes for {n_bytes} bytes"
            )


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
        self._decoding = self._read_decoding()

    @property
    def row_bytes(self) -> int:
        """Bytes of a row in memory."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize

    @property
    def is_packed(self) -> bool:
        """Whether values differ from the stored numbers where there are no gaps."""
        return self._decoding.is_packed

    @property
    def rounding(self) -> float:
        """How far packing may have moved a value."""
        digits = self._dataset.scaleoffset  # decimal ones that HDF5 keeps of floats
        lossy = 0.0 if digits is None or self.dtype.kind != "f" else 0.51 * 10.0**-digits
        return max(self._decoding.rounding, lossy)

    def number(self, name: str) -> float | None:
        """Return an attribute that holds a number, or None if there is none.

        Raises
        ------
        SceneError
            If it is not one number.
        """
        value = self._attribute(name)
        return None if value is None else float(self._numbers(name, value, 1).item())

    def _attribute(self, name: str) -> Any:
        what = f"attribute {name!r} of {self.name!r}"
        return self._file.attribute(self._dataset, name, what)

    def _numbers(self, name: str, value: Any, n_numbers: int | None) -> Values:
        """Return an attribute as numbers, flat; refuse another kind or another count."""
        values = np.asarray(value).ravel()
        if values.dtype.kind not in "fiu" or n_numbers not in (None, values.size):
            wanted = "a number" if n_numbers == 1 else f"{n_numbers or ''} numbers".strip()
            raise self._file.error(
                f"attribute {name!r} of {self.name!r} is {value!r}, not {wanted}"
            )
        return values

    def _read_decoding(self) -> Decoding:
        given = {name: self._attribute(name) for name in ATTRIBUTES}
        numbers = {
            name: self._numbers(name, given[name], n_numbers)
            for name, n_numbers in ATTRIBUTES.items()
            if given[name] is not None
        }
        for name in ("scale_factor", "add_offset"):
            value = numbers.get(name, np.ones(1))[0]
            if not np.isfinite(value) or (name == "scale_factor" and value == 0):
                raise self._file.error(
                    f"attribute {name!r} of {self.name!r} is {value}, "
                    "which leaves no values"
                )
        unsigned = _text(self._attribute("_Unsigned"))
        return Decoding.of(self.dtype, numbers, is_unsigned=unsigned in ("true", "True"))

    def read(self) -> Values:
        """Read all; undo packing and turn gaps into NaN.

        Raises
        ------
        SceneError
            If it has more values than a coarse grid of the format, or cannot be read.
        """
        n_values = math.prod(self.shape)
        if n_values > _MOST_VALUES:
            raise self._file.error(
                f"{self.name!r} has shape {self.shape}, too large for a coarse grid"
            )
        return self._decoding.decode(self._read(...))

    def rows(self, rows: slice) -> Values:
        """Read rows of a plane; undo packing and turn gaps into NaN.

        To be used before the next call, which may change them, and not to be written to.
        """
        return self._decoding.decode(self.stored_rows(rows))

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

    def read_rows(self, rows: slice, values: Values, fill: float = np.nan) -> None:
        """Read rows of a plane into an array; undo packing and put `fill` into gaps.

        Packed planes have NaN in gaps, and so need an array of floats.
        """
        if self.is_packed or values.dtype != self.dtype:
            with np.errstate(over="ignore"):
                values[...] = self.rows(rows)
            return
        self.read_stored_rows(rows, values)
        self._decoding.fill_gaps(values, fill)

    def read_stored_rows(self, rows: slice, values: Values) -> None:
        """Read rows of a plane into an array, as the file holds them."""
        if self._offset is not None and values.dtype == self.dtype:
            at = self._offset + rows.start * self.row_bytes
            with self._file.reading(repr(self.name)):
                if values.flags.c_contiguous and self._file.read_bytes(at, values):
                    return
        with np.errstate(over="ignore"):
            values[...] = self.stored_rows(rows)

    def let_go(self) -> None:
        """Give back the rows that are kept inflated."""
        self._kept = self._buffer = None

    def _read(self, index: slice | tuple[slice, ...] | EllipsisType) -> Values:
        with self._file.reading(repr(self.name), self._dataset):
            return np.asarray(self._dataset[index])

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
                with self._file.reading(repr(self.name), self._dataset):
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
def netcdf_errors(
    path: Path, what: str = "it as netCDF-4", dataset: h5py.Dataset | None = None
) -> Iterator[None]:
    """Raise what h5py and the system raise as a `SceneError` with the cause, if known.

    Parameters
    ----------
    path
        The file that is read.
    what
        What is read from it.
    dataset
        The variable that is read, if any: its filters may be missing.

    Raises
    ------
    SceneError
        In place of errors of the system and of HDF5.
    """
    try:
        yield
    except FileNotFoundError as error:
        gone = "a link to a file that is gone" if path.is_symlink() else "no such file"
        raise SceneError(f"{str(path)!r}: {gone}") from error
    except _BROKEN as error:
        reason, hint = _cause(error, dataset)
        raise SceneError(
            f"{str(path)!r}: cannot read {what}: {reason}", hint=hint
        ) from error


def _cause(error: Exception, dataset: h5py.Dataset | None) -> tuple[str, str | None]:
    """Return why something cannot be read, and what to do if that is certain."""
    number = getattr(error, "errno", None)
    if match := _ERRNO.search(str(error)):
        number = int(match[1])
    if number in (errno.EACCES, errno.EPERM):
        hint = "this user needs permission to read the file and to enter its folder"
        return "permission denied", hint
    if number is not None:
        return os.strerror(number), None
    for code in missing_filters(dataset):
        return without_filter(code)
    # The text may contain names from the file.
    text = "".join(c if c.isprintable() else " " for c in str(error))
    reason = " ".join(text.split()) or type(error).__name__
    reason = reason.removeprefix("Unable to synchronously open file ").strip("()\"'")
    if "file signature not found" in reason:
        return "not an HDF5 file", None
    if "truncated file" in reason:
        return reason, "the file is truncated; fetch it again"
    return reason, "the file may be damaged; fetch it again"


def without_filter(code: int) -> tuple[str, str]:
    """Return what to say of a filter that HDF5 does not have here, and what to do."""
    if code in _FILTERS and find_spec("hdf5plugin") is None:
        hint = "`pip install hdf5plugin` adds this filter"
    else:
        hint = "repack the file where this filter is installed: `h5repack -f GZIP=1`"
    name = f" ({_FILTERS[code]})" if code in _FILTERS else ""
    return f"packed with HDF5 filter {code}{name}, which is not installed", hint


def missing_filters(dataset: h5py.Dataset | None) -> list[int]:
    """Return the filters of a variable that HDF5 does not have here, by number."""
    if dataset is None:
        return []
    created = dataset.id.get_create_plist()
    codes = [created.get_filter(k)[0] for k in range(created.get_nfilters())]
    return [code for code in codes if not h5py.h5z.filter_avail(code)]


def _text(value: Any) -> str:
    """Return an attribute or a text of HDF5 as text; empty if it is not text."""
    if isinstance(value, np.ndarray):
        return ", ".join(filter(None, map(_text, value.flat)))
    if isinstance(value, str):  # bytes that are not UTF-8 are in it as surrogates
        value = value.encode("utf-8", "surrogateescape")
    if not isinstance(value, bytes):
        return ""
    return value.decode("utf-8", "replace").rstrip("\0")


def _refuse_special(path: Path) -> None:
    """Refuse folders, pipes and devices: opening one may block for ever."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise SceneError(f"{str(path)!r}: a folder, not a file")
    if not stat.S_ISREG(mode):
        raise SceneError(f"{str(path)!r}: a pipe or a device, not a file")


def _opened(path: Path) -> h5py.File:
    """Open a file, without a lock where the disk has none or refuses this one."""
    # Rows are kept by `Variable`: chunks that HDF5 keeps would be kept twice.
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

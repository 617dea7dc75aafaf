"""Read variables of a netCDF file: checked before they are read, and decoded.

``NetcdfFile`` opens a file and returns its variables; ``Variable.rows`` reads a band of
rows. `reader` is the interface to the library that reads the file.
"""

import math
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from seaice_data.arrays import Values
from seaice_data.errors import SceneError
from seaice_data.scenes.decoding import ATTRIBUTES, Decoding
from seaice_data.scenes.hdf5 import Hdf5Reader
from seaice_data.scenes.netcdf_errors import netcdf_errors
from seaice_data.scenes.reader import Attribute, Reader, StoredVariable

# A file of a few kilobytes may declare terabytes: nothing larger than these is read.
_LONGEST_AXIS = 20_000  # a Sentinel-1 EW scene has about 10 000 pixels of 40 m
_MOST_PIXELS = 256_000_000  # the largest scene of the dataset has 127 million of 40 m
_MOST_VALUES = 1_000_000  # read at once: 21 x 21 tie points, 210 x 210 cells
_MOST_TEXTS = 10_000  # an ice chart has some hundred polygons
_MOST_TEXT_BYTES = 10_000_000
_MOST_ATTRIBUTE_VALUES = 100
_MOST_ATTRIBUTE_BYTES = 1_000_000


class NetcdfFile:
    """An open netCDF file, read only.

    Raises
    ------
    SceneError
        If it cannot be read as netCDF.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._variables: dict[str, Variable] = {}
        with netcdf_errors(path):
            _refuse_special(path)
            self._reader = _opened(path)

    def close(self) -> None:
        """Close the file."""
        self._variables.clear()
        with netcdf_errors(self.path):
            self._reader.close()

    def __contains__(self, name: str) -> bool:
        with self.reading(repr(name)):
            return name in self._reader

    def variable(self, name: str, n_axes: int = 2) -> "Variable":
        """Return a variable of numbers.

        Raises
        ------
        SceneError
            If it is missing, is not in this file, has another number of axes or an
            empty one, is larger than the format allows, or does not contain numbers.
        """
        if name not in self._variables:
            stored = self._find(name)
            if len(stored.shape) != n_axes or 0 in stored.shape:
                raise self.error(f"{name!r} has shape {stored.shape}, not {n_axes} axes")
            n_values = math.prod(stored.shape)
            if max(stored.shape) > _LONGEST_AXIS or n_values > _MOST_PIXELS:
                raise self.error(f"{name!r} has shape {stored.shape}, too large for SAR")
            if stored.dtype.kind not in "fiu":
                raise self.error(f"{name!r} contains {stored.dtype}, not numbers")
            with self.reading(repr(name)):
                self._variables[name] = Variable(self, name, stored)
        return self._variables[name]

    def strings(self, name: str) -> list[str]:
        """Read a list of texts, stored as strings or, as in the classic model, as bytes.

        Raises
        ------
        SceneError
            If it is missing, is not a list of texts, or is longer than the format allows.
        """
        stored = self._find(name)
        shape, dtype = stored.shape, stored.dtype
        # Bytes of a text may have an axis of their own.
        n_axes = 2 if dtype == np.dtype("S1") and len(shape) == 2 else 1
        if not stored.is_text or len(shape) != n_axes or 0 in shape:
            raise self.error(f"{name!r} is not a list of texts")
        n_bytes = math.prod(shape) * dtype.itemsize
        if shape[0] > _MOST_TEXTS or n_bytes > _MOST_TEXT_BYTES:
            raise self.error(
                f"{name!r} has {shape[0]} texts, {n_bytes} bytes in all: too large for "
                "an ice chart"
            )
        with self.reading(repr(name)):
            if dtype.kind != "O":
                values = np.ascontiguousarray(stored.read(...))
                return [*map(_text, values.view(f"S{n_bytes // shape[0]}").ravel())]
            texts = []
            for k in range(shape[0]):  # their lengths are not known in advance
                texts.append(_text(stored.read(k)))
                n_bytes += len(texts[-1])
                if n_bytes > _MOST_TEXT_BYTES:
                    raise self.error(f"{name!r} has texts too long for an ice chart")
        return texts

    def text(self, name: str) -> str:
        """Return a global attribute as text; empty if it is absent or not text.

        Several texts are joined with commas.
        """
        what = f"attribute {name!r}"
        return _text(self.attribute(lambda: self._reader.attribute(name), what))

    def attribute(self, find: Callable[[], Attribute | None], what: str) -> Any:
        """Return the value of the attribute that is found; None if it is absent.

        Errors call it `what`.
        """
        with self.reading(what):
            found = find()
            if found is None:
                return None
            n_values, n_bytes = found.n_values, found.n_bytes
            if n_values > _MOST_ATTRIBUTE_VALUES or n_bytes > _MOST_ATTRIBUTE_BYTES:
                raise self.error(
                    f"{what} has {n_values} values, {n_bytes} bytes: too large"
                )
            if not found.is_plain:
                raise self.error(f"{what} is neither text nor numbers")
            return found.read()

    def error(self, message: str, hint: str | None = None) -> SceneError:
        """Return an error that names the file."""
        return SceneError(f"{str(self.path)!r}: {message}", hint=hint)

    def reading(self, what: str) -> AbstractContextManager[None]:
        """Turn errors while `what` is read into a `SceneError`."""
        return netcdf_errors(self.path, what)

    def _find(self, name: str) -> StoredVariable:
        with self.reading(repr(name)):
            stored = self._reader.find(name)
        if stored is None:
            raise self.error(f"variable {name!r} is missing")
        return stored


class Variable:
    """A variable of numbers; made by `NetcdfFile.variable`."""

    def __init__(self, file: NetcdfFile, name: str, stored: StoredVariable) -> None:
        self.name = name
        self.shape = stored.shape
        self.dtype = stored.dtype
        self._file = file
        self._stored = stored
        self._decoding = self._read_decoding()

    @property
    def row_bytes(self) -> int:
        """Bytes of a row in memory."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def is_packed(self) -> bool:
        """Whether values differ from the stored numbers where there are no gaps."""
        return self._decoding.is_packed

    @property
    def rounding(self) -> float:
        """How far packing may have moved a value."""
        return max(self._decoding.rounding, self._stored.rounding)

    def keep_rows(self, n_rows: int) -> None:
        """Keep at most `n_rows` rows of a compressed plane inflated, and at least one.

        Chunks with more rows are inflated several times.
        """
        self._stored.n_kept_rows = n_rows

    def number(self, name: str) -> float | None:
        """Return an attribute that is a number, or None if it is absent.

        Raises
        ------
        SceneError
            If it is not one number.
        """
        value = self._attribute(name)
        return None if value is None else float(self._numbers(name, value, 1).item())

    def _attribute(self, name: str) -> Any:
        what = f"attribute {name!r} of {self.name!r}"
        return self._file.attribute(lambda: self._stored.attribute(name), what)

    def _numbers(self, name: str, value: Any, n_numbers: int | None) -> Values:
        """Return an attribute as a flat array of numbers; reject another kind or count."""
        values = np.asarray(value).ravel()
        if values.dtype.kind not in "fiu" or n_numbers not in (None, values.size):
            expected = (
                "a number" if n_numbers == 1 else f"{n_numbers or ''} numbers".strip()
            )
            raise self._file.error(
                f"attribute {name!r} of {self.name!r} is {value!r}, not {expected}"
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
        """Read all values; undo packing and turn gaps into NaN.

        Raises
        ------
        SceneError
            If it has more values than a coarse grid of the format, or cannot be read.
        """
        if math.prod(self.shape) > _MOST_VALUES:
            raise self._file.error(
                f"{self.name!r} has shape {self.shape}, too large for a coarse grid"
            )
        with self._file.reading(repr(self.name)):
            stored = np.asarray(self._stored.read(...))
        return self._decoding.decode(stored)

    def rows(self, rows: slice) -> Values:
        """Read rows of a plane; undo packing and turn gaps into NaN.

        They must not be written to, and the next call may change them.
        """
        return self._decoding.decode(self.stored_rows(rows))

    def stored_rows(self, rows: slice) -> Values:
        """Read rows of a plane as the file contains them; otherwise as `rows`."""
        with self._file.reading(repr(self.name)):
            return self._stored.rows(rows)

    def read_rows(self, rows: slice, values: Values, fill: float = np.nan) -> None:
        """Read rows of a plane into an array; undo packing and put `fill` into gaps.

        Packed planes have NaN in gaps, and so need an array of floats.
        """
        if self.is_packed or values.dtype != self.dtype:
            with np.errstate(over="ignore"):
                values[...] = self.rows(rows)
            return
        with self._file.reading(repr(self.name)):
            self._stored.read_rows(rows, values)
        self._decoding.fill_gaps(values, fill)

    def let_go(self) -> None:
        """Release the rows that are kept inflated."""
        self._stored.let_go()


def _opened(path: Path) -> Reader:
    """Open a file with the library that reads its format."""
    with path.open("rb") as stream:
        magic = stream.read(3)
    if magic != b"CDF":
        return Hdf5Reader(path)
    from seaice_data.scenes.classic import ClassicReader  # late: few files need it

    return ClassicReader(path)


def _refuse_special(path: Path) -> None:
    """Reject folders, pipes and devices: opening one may block forever."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise SceneError(f"{str(path)!r}: a folder, not a file")
    if not stat.S_ISREG(mode):
        raise SceneError(f"{str(path)!r}: a pipe or a device, not a file")


def _text(value: Any) -> str:
    """Return an attribute or a text of netCDF as text; empty if it is not text."""
    if isinstance(value, np.ndarray):
        return ", ".join(filter(None, map(_text, value.flat)))
    if isinstance(value, str):  # bytes that are not UTF-8 are in it as surrogates
        value = value.encode("utf-8", "surrogateescape")
    if not isinstance(value, bytes):
        return ""
    return value.decode("utf-8", "replace").rstrip("\0")

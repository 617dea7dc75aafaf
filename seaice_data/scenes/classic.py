"""Read netCDF-3, 64-bit offset and CDF-5 files with the netCDF library.

The library opens truncated files too, and returns whatever is in memory for the missing
part. So the header is checked against the size of the file first.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from types import EllipsisType
from typing import Any

import netCDF4
import numpy as np

from seaice_data.errors import SceneError
from seaice_data.scenes.reader import Attribute, Reader, StoredVariable

_MOST_HEADER_BYTES = 4 * 2**20  # the header of a scene has 50 kB
_TYPE_BYTES = (1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8)  # of types 1, 2, 3 and so on


class ClassicReader(Reader):
    """An open file of a classic format."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        _refuse_truncated(path)
        try:
            self._file = netCDF4.Dataset(path.absolute())  # never taken for a URL
        except AttributeError as error:  # what netCDF4 raises for names that are not text
            raise ValueError("the header is damaged") from error
        self._file.set_auto_maskandscale(False)
        self._file.set_auto_chartostring(False)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return name in self._file.variables

    def find(self, name: str) -> StoredVariable | None:
        """Return a variable; None if it is absent."""
        found = self._file.variables.get(name)
        return None if found is None else ClassicVariable(found)

    def attribute(self, name: str) -> Attribute | None:
        """Return an attribute of the file; None if it is absent."""
        return _attribute(self._file, name)


class ClassicVariable(StoredVariable):
    """A variable of a classic format; none is compressed."""

    def __init__(self, variable: "netCDF4.Variable[Any]") -> None:
        super().__init__(variable.shape, np.dtype(variable.dtype))
        self._variable = variable

    def attribute(self, name: str) -> Attribute | None:
        """Return an attribute; None if it is absent."""
        return _attribute(self._variable, name)

    def read(self, index: int | slice | EllipsisType) -> Any:
        """Read a part, along the first axis."""
        return self._variable[index]


def _attribute(
    owner: "netCDF4.Dataset | netCDF4.Variable[Any]", name: str
) -> Attribute | None:
    if name not in owner.ncattrs():
        return None
    # Already in memory, since the file was opened; text may not be UTF-8.
    value = owner.getncattr(name, encoding="latin-1")
    if isinstance(value, str):
        text = value.encode("latin-1").decode("utf-8", "replace")
        return Attribute(1, len(value), is_plain=True, read=lambda: text)
    n_bytes = np.asarray(value).nbytes
    return Attribute(np.size(value), n_bytes, is_plain=True, read=lambda: value)


def _refuse_truncated(path: Path) -> None:
    """Reject a file that is too short for its variables."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        header = _Header(stream.read(_MOST_HEADER_BYTES))
    end = header.end_of_numbers()
    if size < end:
        raise SceneError(
            f"{str(path)!r}: {size} bytes long; its variables need {end}",
            hint="the file is truncated; fetch it again",
        )


class _Header:
    """The header of a file of a classic format, read from front to back."""

    def __init__(self, content: bytes) -> None:
        version = content[3:4]
        if version not in (b"\x01", b"\x02", b"\x05"):
            raise ValueError(f"netCDF of an unknown version, {version!r}")
        self._content = content
        self._at = 4
        self._count_bytes = 8 if version == b"\x05" else 4
        self._offset_bytes = 4 if version == b"\x01" else 8

    def end_of_numbers(self) -> int:
        """Return the smallest size that a file with this header can have."""
        n_records = self._number(self._count_bytes)
        lengths = []
        for _ in self._items():
            self._skip_text()
            lengths.append(self._number(self._count_bytes))
        self._skip_attributes()
        ends, records = [self._at], []
        for _ in self._items():
            is_record, n_bytes, start = self._variable(lengths)
            if is_record:
                records.append((start, n_bytes))
            else:
                ends.append(start + n_bytes)
        # Records of several variables are padded, those of a single one are not.
        stride = sum(_padded(n) for _, n in records) if len(records) > 1 else 0
        for start, n_bytes in records:
            ends.append(start + max(n_records - 1, 0) * (stride or n_bytes))
            ends.append(ends[-1] + (n_bytes if n_records else 0))
        return max(ends)

    def _variable(self, lengths: list[int]) -> tuple[bool, int, int]:
        """Return whether a variable is in records, the bytes (of a record), its start."""
        self._skip_text()
        n_axes = self._number(self._count_bytes)
        shape = [self._length(lengths) for _ in range(n_axes)]
        self._skip_attributes()
        item_bytes = self._type_bytes()
        self._skip(self._count_bytes)  # the size, which may be too large for this field
        is_record = bool(shape) and shape[0] == 0
        start = self._number(self._offset_bytes)
        return is_record, math.prod(shape[is_record:]) * item_bytes, start

    def _length(self, lengths: list[int]) -> int:
        number = self._number(self._count_bytes)
        if number >= len(lengths):
            raise ValueError("a variable has an axis that the header does not define")
        return lengths[number]

    def _items(self) -> Iterator[None]:
        """Yield once per item of a list."""
        self._skip(4)  # what is in the list
        for _ in range(self._number(self._count_bytes)):
            yield

    def _skip_attributes(self) -> None:
        for _ in self._items():
            self._skip_text()
            item_bytes = self._type_bytes()
            self._skip(_padded(self._number(self._count_bytes) * item_bytes))

    def _skip_text(self) -> None:
        self._skip(_padded(self._number(self._count_bytes)))

    def _type_bytes(self) -> int:
        number = self._number(4)
        if not 1 <= number <= len(_TYPE_BYTES):
            raise ValueError(f"the header names an unknown type, {number}")
        return _TYPE_BYTES[number - 1]

    def _number(self, n_bytes: int) -> int:
        start = self._at
        self._skip(n_bytes)
        return int.from_bytes(self._content[start : self._at], "big")

    def _skip(self, n_bytes: int) -> None:
        self._at += n_bytes
        if self._at > len(self._content):
            raise ValueError("the header is truncated, or too large for a scene")


def _padded(n_bytes: int) -> int:
    return -(-n_bytes // 4) * 4

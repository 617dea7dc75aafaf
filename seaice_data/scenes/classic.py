"""Read netCDF-3, 64-bit offset and CDF-5 files with the netCDF library.

The library opens truncated files too, and returns whatever is in memory for the missing
part. So the header is checked against the size of the file first.
"""

import math
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Any

import numpy as np

from seaice_data.errors import SceneError
from seaice_data.scenes.reader import Attribute, Reader, StoredVariable
from seaice_data.system.netcdf_library import one_at_a_time, open_dataset

if TYPE_CHECKING:
    import netCDF4

_MOST_HEADER_BYTES = 4 * 2**20  # the header of a scene has 50 kB
_TYPE_BYTES = (1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8)  # of types 1, 2, 3 and so on


class ClassicReader(Reader):
    """An open file of a classic format."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        content = _checked(path)
        try:
            self._file = open_dataset(path, content=content)
        except AttributeError:  # what netCDF4 raises for names that are not text
            raise ValueError("the header is damaged") from None
        self._close = weakref.finalize(self, _close, self._file)
        with one_at_a_time:
            self._file.set_auto_maskandscale(False)
            self._file.set_auto_chartostring(False)

    def close(self) -> None:
        """Close the file; nothing happens if it is closed."""
        self._close()

    def __contains__(self, name: str) -> bool:
        return name in self._file.variables

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the variables."""
        return tuple(self._file.variables)

    def find(self, name: str) -> "ClassicVariable | None":
        """Return a variable; None if it is absent."""
        found = self._file.variables.get(name)
        if found is None:
            return None
        with one_at_a_time:
            return ClassicVariable(found)

    def attribute(self, name: str) -> Attribute | None:
        """Return an attribute of the file; None if it is absent."""
        return _attribute(self._file, name)

    def attributes(self) -> dict[str, Any]:
        """Return all attributes of the file."""
        return _attributes(self._file)


class ClassicVariable(StoredVariable):
    """A variable of a classic format; none is compressed."""

    def __init__(self, variable: "netCDF4.Variable[Any]") -> None:
        super().__init__(variable.shape, np.dtype(variable.dtype))
        self._variable = variable

    def attribute(self, name: str) -> Attribute | None:
        """Return an attribute; None if it is absent."""
        return _attribute(self._variable, name)

    def attributes(self) -> dict[str, Any]:
        """Return all attributes."""
        return _attributes(self._variable)

    def read(self, index: int | slice | EllipsisType) -> Any:
        """Read a part, along the first axis."""
        with one_at_a_time:
            return self._variable[index]


def _close(file: "netCDF4.Dataset") -> None:
    with one_at_a_time:
        file.close()


def _attributes(owner: "netCDF4.Dataset | netCDF4.Variable[Any]") -> dict[str, Any]:
    with one_at_a_time:
        names = owner.ncattrs()
    found = {name: _attribute(owner, name) for name in names}
    return {name: attribute.read() for name, attribute in found.items() if attribute}


def _attribute(
    owner: "netCDF4.Dataset | netCDF4.Variable[Any]", name: str
) -> Attribute | None:
    with one_at_a_time:
        if name not in owner.ncattrs():
            return None
        # Already in memory, since the file was opened; text may not be UTF-8.
        value = owner.getncattr(name, encoding="latin-1")
    if isinstance(value, str):
        text = value.encode("latin-1").decode("utf-8", "replace")
        return Attribute(1, len(value), is_plain=True, read=lambda: text)
    n_bytes = np.asarray(value).nbytes
    return Attribute(np.size(value), n_bytes, is_plain=True, read=lambda: value)


def _checked(path: Path) -> bytes | None:
    """Reject a file that is too short for its variables.

    Return its content with the number of records if the header leaves that open, as it may
    in a file that was written as a stream; the library does not count them.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        header = _Header(stream.read(_MOST_HEADER_BYTES))
    end = header.end_of_numbers()
    if size < end:
        raise SceneError(
            f"{str(path)!r}: {size} bytes long; its variables need {end}",
            hint="the file is truncated; fetch it again",
        )
    return header.with_records(path.read_bytes()) if header.is_stream else None


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
        self._n_records = self._number(self._count_bytes)
        self.is_stream = self._n_records == 2 ** (8 * self._count_bytes) - 1
        self._read_variables()

    def end_of_numbers(self) -> int:
        """Return the smallest size that a file with this header can have."""
        n_records = 0 if self.is_stream else self._n_records
        ends = [self._end]
        for start, n_bytes in self._records:
            ends.append(start + max(n_records - 1, 0) * self._stride)
            ends.append(ends[-1] + (n_bytes if n_records else 0))
        return max(ends)

    def with_records(self, content: bytes) -> bytes:
        """Return the content of the file with the number of its whole records."""
        starts = [start for start, _ in self._records]
        room = len(content) - min(starts, default=len(content))
        n_records = max(room, 0) // max(self._stride, 1)
        count = n_records.to_bytes(self._count_bytes, "big")
        return b"".join((content[:4], count, memoryview(content)[4 + len(count) :]))

    def _read_variables(self) -> None:
        """Find the end of those of fixed size, and starts and bytes of those in records."""
        lengths = []
        for _ in self._items():
            self._skip_text()
            lengths.append(self._number(self._count_bytes))
        self._skip_attributes()
        ends, self._records = [self._at], list[tuple[int, int]]()
        for _ in self._items():
            is_record, n_bytes, start = self._variable(lengths)
            if is_record:
                self._records.append((start, n_bytes))
            else:
                ends.append(start + n_bytes)
        self._end = max(ends)
        # Records of several variables are padded, those of a single one are not.
        sizes = [n_bytes for _, n_bytes in self._records]
        self._stride = sizes[0] if len(sizes) == 1 else sum(map(_padded, sizes))

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

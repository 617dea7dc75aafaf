"""Write the images of a synthetic product, row by row.

They are as those of ESA: unsigned integers of 16 bits, one row a strip, not compressed,
with the tie points as ground control points in geographic coordinates. Where each row goes
is known beforehand, so that nothing is held in memory or written twice.
"""

import hashlib
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray

_ASCII, _SHORT, _LONG, _DOUBLE = 2, 3, 4, 12

_N_BYTES = {_ASCII: 1, _SHORT: 2, _LONG: 4, _DOUBLE: 8}

# Version 1.1.0 and the number of keys; geographic, pixels are areas, WGS 84.
_GEO_KEYS = (1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326)


class Tag(NamedTuple):
    """An entry of the directory of a TIFF file."""

    number: int
    kind: int
    content: bytes


class TiffImage:
    """An image that is being written.

    Parameters
    ----------
    stream
        An empty file.
    shape
        Rows and columns.
    points
        Ground control points: column, row, 0, longitude, latitude, height in metres;
        shape ``(point, 6)``.
    description, software, time
        What the file says about itself; time as ``2022:11:30 01:43:42``.
    """

    def __init__(
        self,
        stream: BinaryIO,
        shape: tuple[int, int],
        points: FloatArray,
        *,
        description: str,
        software: str,
        time: str,
    ) -> None:
        self._stream = stream
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.n_bytes = 0
        texts = {270: description, 305: software, 306: time}
        self._put(_header(shape, points, texts))

    def write(self, rows: NDArray[np.uint16]) -> None:
        """Write the next rows."""
        self._put(rows.astype("<u2", copy=False).tobytes())

    @property
    def md5(self) -> str:
        """Checksum of what was written."""
        return self._md5.hexdigest()

    def _put(self, content: bytes) -> None:
        self._stream.write(content)
        self._md5.update(content)
        self.n_bytes += len(content)


@contextmanager
def open_tiff(
    path: Path, shape: tuple[int, int], points: FloatArray, **texts: str
) -> Iterator[TiffImage]:
    """Open an image to write, see `TiffImage`."""
    with path.open("wb") as stream:
        yield TiffImage(stream, shape, points, **texts)


def _header(shape: tuple[int, int], points: FloatArray, texts: dict[int, str]) -> bytes:
    """Return all that is before the first row."""
    height, width = shape
    tags = [
        _shorts(256, width),
        _shorts(257, height),
        _shorts(258, 16),  # bits
        _shorts(259, 1),  # not compressed
        _shorts(262, 1),  # black is zero
        Tag(273, _LONG, bytes(4 * height)),  # where rows begin: filled in below
        _shorts(277, 1),  # planes
        _shorts(278, 1),  # rows a strip
        Tag(279, _LONG, np.full(height, 2 * width, "<u4").tobytes()),
        _shorts(284, 1),  # planes are apart
        _shorts(339, 1),  # unsigned integers
        Tag(33922, _DOUBLE, points.astype("<f8").tobytes()),
        _shorts(34735, *_GEO_KEYS),
    ]
    tags += [Tag(n, _ASCII, text.encode("ascii") + b"\0") for n, text in texts.items()]
    tags.sort()
    first = 8 + len(_directory(tags, 8))
    rows = (first + 2 * width * np.arange(height, dtype=np.int64)).astype("<u4").tobytes()
    tags = [tag._replace(content=rows) if tag.number == 273 else tag for tag in tags]
    return struct.pack("<2sHI", b"II", 42, 8) + _directory(tags, 8)


def _shorts(number: int, *values: int) -> Tag:
    return Tag(number, _SHORT, np.array(values, "<u2").tobytes())


def _directory(tags: list[Tag], start: int) -> bytes:
    """Return the directory of a file, which begins at `start`, and what it points to."""
    after = start + 2 + 12 * len(tags) + 4
    entries, contents = struct.pack("<H", len(tags)), b""
    for number, kind, content in tags:
        place = content.ljust(4, b"\0")
        if len(content) > 4:
            place = struct.pack("<I", after + len(contents))
            contents += content + bytes(len(content) % 2)
        entries += struct.pack("<HHI", number, kind, len(content) // _N_BYTES[kind]) + place
    return entries + bytes(4) + contents

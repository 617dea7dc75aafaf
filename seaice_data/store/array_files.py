"""The files of a zarr array, written to the specifications of formats 2 and 3.

zarr reads these files and would write the same bytes, but it passes each of the fifty files
of a scene to a thread and back, which takes longer than preparing the scene.

A store may come from anywhere. ``read_array_document`` checks the document of an array
before zarr sees it: a codec may run code, and a shape may be larger than any memory.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import ceil, prod
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np

from seaice_data.system.documents import Content, DocumentError, parse_json, typed

ARRAY_DOCUMENTS = {2: (".zarray", ".zattrs"), 3: ("zarr.json",)}
"""Files that describe an array, by zarr format."""

_CODECS = ("bytes", "vlen-utf8", "zstd", "crc32c")
_SHARDING = "sharding_indexed"
_MOST_CHUNKS = 2**20
_LARGE_TEXT = 4 * 256  # bytes of a text of fixed length
_LARGE_CHUNK = 2**26  # values: chunks may be larger than the array, within limits

_ZSTD_LEVEL = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrayFiles:
    """An array to write."""

    name: str
    """Name of the array: the folder of its files."""

    values: np.ndarray[Any, Any]
    """Numbers, or texts along one axis."""

    dimensions: tuple[str, ...]
    """Names of the axes."""

    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Attributes of the array."""

    chunks: tuple[int, ...] | None = None
    """Shape of a chunk, where -1 is the whole axis; the whole array if not given."""

    is_compressed: bool = False
    """Whether chunks are compressed with zstd."""

    fill: int = 0
    """Value of chunks that are missing; NaN in floats."""

    zarr_format: int = 3
    """Format of zarr, 2 or 3."""

    def __iter__(self) -> Iterator[tuple[str, Content]]:
        """Yield names and contents of the files."""
        documents = self._documents_2() if self.zarr_format == 2 else self._documents_3()
        for name, document in documents.items():
            yield f"{self.name}/{name}", json.dumps(document, indent=2).encode()
        for number, chunk in self._cut():
            key = ("." if self.zarr_format == 2 else "/").join(map(str, number))
            prefix = "" if self.zarr_format == 2 else "c/"
            yield f"{self.name}/{prefix}{key}", self._encoded(chunk)

    @property
    def description(self) -> dict[str, Any]:
        """The same as `layout.describe` returns for the array."""
        return {
            "shape": self.values.shape,
            "dtype": "string" if self._is_text else self.values.dtype.name,
            "dimensions": self.dimensions,
            "attributes": dict(self.attributes),
        }

    @property
    def _is_text(self) -> bool:
        return bool(self.values.dtype.kind == "U")

    @property
    def _chunk_shape(self) -> tuple[int, ...]:
        shape = self.values.shape
        return tuple(
            size if chunk == -1 else min(chunk, size)
            for chunk, size in zip(self.chunks or shape, shape, strict=True)
        )

    def _documents_3(self) -> dict[str, Any]:
        dtype, codecs = self.values.dtype, []
        fill: Any = "NaN" if dtype.kind == "f" else self.fill
        if self._is_text:
            fill = ""
            codecs.append({"name": "vlen-utf8", "configuration": {}})
        elif dtype.itemsize == 1:
            codecs.append({"name": "bytes"})
        else:
            codecs.append({"name": "bytes", "configuration": {"endian": "little"}})
        if self.is_compressed:
            how = {"level": _ZSTD_LEVEL, "checksum": False}
            codecs.append({"name": "zstd", "configuration": how})
        grid = {"chunk_shape": self._chunk_shape}
        return {
            "zarr.json": {
                "shape": self.values.shape,
                "data_type": "string" if self._is_text else dtype.name,
                "chunk_grid": {"name": "regular", "configuration": grid},
                "chunk_key_encoding": {
                    "name": "default",
                    "configuration": {"separator": "/"},
                },
                "fill_value": fill,
                "codecs": codecs,
                "attributes": self.attributes,
                "dimension_names": self.dimensions,
                "zarr_format": 3,
                "node_type": "array",
                "storage_transformers": [],
            }
        }

    def _documents_2(self) -> dict[str, Any]:
        packing = {"id": "zstd", "level": _ZSTD_LEVEL} if self.is_compressed else None
        array = {
            "shape": self.values.shape,
            "chunks": self._chunk_shape,
            "dtype": self._little(self.values).dtype.str,
            # Readers of format 2 treat the fill value as missing data; 0 would be 0 % ice.
            "fill_value": None,
            "order": "C",
            "filters": None,
            "dimension_separator": ".",
            "compressor": packing,
            "zarr_format": 2,
        }
        attributes = {**self.attributes, "_ARRAY_DIMENSIONS": self.dimensions}
        return {".zarray": array, ".zattrs": attributes}

    def _cut(self) -> Iterator[tuple[tuple[int, ...], np.ndarray[Any, Any]]]:
        """Yield numbers and values of the chunks; the last ones are padded."""
        shape, chunk_shape = self.values.shape, self._chunk_shape
        counts = [ceil(n / chunk) for n, chunk in zip(shape, chunk_shape, strict=True)]
        for number in product(*map(range, counts)):
            window = tuple(
                slice(k * chunk, (k + 1) * chunk)
                for k, chunk in zip(number, chunk_shape, strict=True)
            )
            part = self.values[window]
            if part.shape != chunk_shape:
                whole = np.full(chunk_shape, self._padding, self.values.dtype)
                whole[tuple(slice(n) for n in part.shape)] = part
                part = whole
            yield number, part

    @property
    def _padding(self) -> float:
        """The value that zarr puts after the last row and column; it is never read."""
        if self.zarr_format == 2:
            return 0
        return np.nan if self.values.dtype.kind == "f" else self.fill

    def _encoded(self, chunk: np.ndarray[Any, Any]) -> Content:
        if self._is_text and self.zarr_format == 3:
            from numcodecs import VLenUTF8  # late: readers do not need it

            return bytes(VLenUTF8().encode(chunk.astype(object)))
        chunk = np.ascontiguousarray(self._little(chunk))
        if self.is_compressed:
            from numcodecs import Zstd  # late: as above

            return bytes(Zstd(_ZSTD_LEVEL).encode(chunk))
        return chunk.reshape(-1).view(np.uint8).data

    @staticmethod
    def _little(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return values.astype(values.dtype.newbyteorder("<"), copy=False)


@dataclass(frozen=True, slots=True)
class ArrayForm:
    """Type and shapes that an array of a store may have."""

    dtype: str
    """Name of the type; ``string`` for text."""

    shape: tuple[range, ...]
    """Lengths that each axis may have."""


class _Named(TypedDict):
    name: str
    configuration: NotRequired[dict[str, Any]]


class _ChunkShape(TypedDict):
    chunk_shape: list[int]


class _Grid(TypedDict):
    name: Literal["regular"]
    configuration: _ChunkShape


class _Sharding(TypedDict):
    chunk_shape: list[int]
    codecs: list[_Named]
    index_codecs: list[_Named]


class _Document3(TypedDict):
    zarr_format: Literal[3]
    node_type: Literal["array"]
    shape: list[int]
    data_type: str
    chunk_grid: _Grid
    chunk_key_encoding: _Named
    codecs: list[_Named]
    fill_value: int | float | str
    attributes: NotRequired[dict[str, Any]]
    dimension_names: NotRequired[list[str | None] | None]
    storage_transformers: NotRequired[list[Any]]


class _Compressor(TypedDict):
    id: str


class _Document2(TypedDict):
    zarr_format: Literal[2]
    shape: list[int]
    chunks: list[int]
    dtype: str
    compressor: _Compressor | None
    filters: list[Any] | None
    order: Literal["C"]
    fill_value: int | float | str | None
    dimension_separator: NotRequired[Literal[".", "/"]]


def read_array_document(documents: Sequence[bytes], form: ArrayForm) -> dict[str, Any]:
    """Parse and check what describes an array.

    Parameters
    ----------
    documents
        Contents of the `ARRAY_DOCUMENTS` of the array.
    form
        What the array must be.

    Returns
    -------
    dict
        The document with the attributes of the array, as zarr expects it.

    Raises
    ------
    DocumentError
        As `check_array_document`, or if a document is not JSON.
    """
    return check_array_document([parse_json(document) for document in documents], form)


def check_array_document(documents: Sequence[Any], form: ArrayForm) -> dict[str, Any]:
    """Check what describes an array, parsed; see `read_array_document`.

    Raises
    ------
    DocumentError
        If it does not describe an array, names a codec that seaice does not write, or has
        a type, shape or chunks that `form` does not allow.
    """
    document, *rest = documents
    if rest:
        attributes = typed(rest[0], dict[str, Any], "attributes")
        described = _check_2(typed(document, _Document2))
        document = {**document, "attributes": attributes}
    else:
        described = _check_3(typed(document, _Document3))
    dtype, shape, *chunk_shapes = described
    if dtype != form.dtype:
        raise DocumentError(f"its type is {dtype!r:.40}, not {form.dtype!r}")
    if len(shape) != len(form.shape) or not all(
        length in allowed for length, allowed in zip(shape, form.shape, strict=True)
    ):
        raise DocumentError(f"its shape {shape} does not fit the scene")
    for chunk_shape in chunk_shapes:
        _check_chunks(shape, chunk_shape)
    return dict(document)


def _check_3(document: _Document3) -> tuple[Any, ...]:
    """Return the type, the shape, and the shapes of shards and chunks."""
    if document.get("storage_transformers"):
        raise DocumentError("it has storage transformers")
    chunk_shapes = [document["chunk_grid"]["configuration"]["chunk_shape"]]
    for codec in document["codecs"]:
        if codec["name"] == _SHARDING:
            inner = typed(codec.get("configuration"), _Sharding, "codecs")
            _check_codecs([*inner["codecs"], *inner["index_codecs"]])
            chunk_shapes.append(inner["chunk_shape"])
        else:
            _check_codecs([codec])
    return document["data_type"], document["shape"], *chunk_shapes


def _check_codecs(codecs: Sequence[_Named]) -> None:
    for codec in codecs:
        if codec["name"] not in _CODECS:
            raise DocumentError(f"seaice does not write the codec {codec['name']!r:.40}")


def _check_2(document: _Document2) -> tuple[Any, ...]:
    """Return the type, the shape, and the shape of the chunks."""
    if document["filters"]:
        raise DocumentError(f"seaice does not write filters: {document['filters']!r:.60}")
    packing = document["compressor"]
    if packing and packing["id"] != "zstd":
        raise DocumentError(f"seaice does not write the codec {packing['id']!r:.40}")
    dtype = document["dtype"]
    try:
        read = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):
        raise DocumentError(f"{dtype!r:.40} is not a type") from None
    if read.kind not in "fiuU" or read.byteorder == ">" or read.itemsize > _LARGE_TEXT:
        raise DocumentError(f"seaice does not write the type {dtype!r:.40}")
    name = "string" if read.kind == "U" else read.name
    return name, document["shape"], document["chunks"]


def _check_chunks(shape: Sequence[int], chunk_shape: Sequence[int]) -> None:
    """Reject chunks that do not fit the shape, are too many or too large."""
    if len(chunk_shape) != len(shape) or min(chunk_shape, default=1) < 1:
        raise DocumentError(f"its chunks {chunk_shape} do not fit its shape {shape}")
    n_chunks = prod(ceil(n / chunk) for n, chunk in zip(shape, chunk_shape, strict=True))
    if n_chunks > _MOST_CHUNKS or prod(chunk_shape) > max(prod(shape), _LARGE_CHUNK):
        raise DocumentError(f"its chunks {chunk_shape} are too many or too large")

"""The files of a zarr array, written as the specifications of formats 2 and 3 say.

zarr reads what is written here, and writes the same bytes; but it hands each of the fifty
files of a scene to a thread and back, which takes longer than to prepare the scene.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import ceil
from typing import Any

import numpy as np

Content = bytes | memoryview
"""Content of a file."""

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
    """Whether chunks are packed with zstd."""

    fill: int = 0
    """What stands for chunks that are not there; NaN in floats."""

    zarr_format: int = 3
    """Format of zarr, 2 or 3."""

    def __iter__(self) -> Iterator[tuple[str, Content]]:
        """Yield names and contents, chunks as they are packed."""
        documents = self._documents_2() if self.zarr_format == 2 else self._documents_3()
        for name, document in documents.items():
            yield f"{self.name}/{name}", json.dumps(document, indent=2).encode()
        for number, chunk in self._cut():
            key = ("." if self.zarr_format == 2 else "/").join(map(str, number))
            prefix = "" if self.zarr_format == 2 else "c/"
            yield f"{self.name}/{prefix}{key}", self._packed(chunk)

    @property
    def description(self) -> dict[str, Any]:
        """What readers find to describe the array."""
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
            # Readers of format 2 would take a fill value for missing data, as 0 % ice.
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
        """Cut the values into chunks, the last ones filled up to their full shape."""
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
        """What zarr puts behind the last row and column; nobody reads it."""
        if self.zarr_format == 2:
            return 0
        return np.nan if self.values.dtype.kind == "f" else self.fill

    def _packed(self, chunk: np.ndarray[Any, Any]) -> Content:
        if self._is_text and self.zarr_format == 3:
            from numcodecs import VLenUTF8  # late: readers need none of it

            return bytes(VLenUTF8().encode(chunk.astype(object)))
        chunk = np.ascontiguousarray(self._little(chunk))
        if self.is_compressed:
            from numcodecs import Zstd  # late: as above

            return bytes(Zstd(_ZSTD_LEVEL).encode(chunk))
        return chunk.reshape(-1).view(np.uint8).data

    @staticmethod
    def _little(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return values.astype(values.dtype.newbyteorder("<"), copy=False)

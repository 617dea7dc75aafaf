"""Arrays that we write are the same files as those of zarr, byte for byte."""

from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from zarr.codecs import ZstdCodec

from seaice_data.store.array_files import ArrayFiles


def write_by_zarr(folder: Path, array: ArrayFiles) -> None:
    values, dtype = array.values, array.values.dtype
    chunks = array.chunks or values.shape
    options: dict[str, Any] = {"compressors": None, "dtype": dtype}
    if array.zarr_format == 3:
        options["compressors"] = ZstdCodec(level=1) if array.is_compressed else None
        options["fill_value"] = np.nan if dtype.kind == "f" else array.fill
        options["dimension_names"] = array.dimensions
        options["attributes"] = {**array.attributes}
        if dtype.kind == "U":
            options |= {"dtype": str, "fill_value": ""}
    else:
        options["compressors"] = numcodecs.Zstd(level=1) if array.is_compressed else None
        options["fill_value"] = None
        options["attributes"] = {
            **array.attributes,
            "_ARRAY_DIMENSIONS": [*array.dimensions],
        }
    made = zarr.create_array(
        folder,
        name=array.name,
        shape=values.shape,
        chunks=tuple(
            n if c == -1 else c for n, c in zip(values.shape, chunks, strict=True)
        ),
        config={"write_empty_chunks": True},
        zarr_format=array.zarr_format,
        **options,
    )
    made[...] = values


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


PLANE = np.arange(35, dtype=np.float64).reshape(5, 7)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {
            "values": PLANE.astype(np.float16),
            "attributes": {"units": "K", "scale": [1, 2.5]},
        },
        {"values": PLANE.astype(np.float32), "chunks": (5, 4)},
        {"values": PLANE.astype(np.uint8), "is_compressed": True, "chunks": (2, -1)},
        {"values": PLANE.astype(np.uint8).T, "is_compressed": True},
        {"values": PLANE.astype(np.int32), "chunks": (3, 3), "fill": 0},
        {"values": PLANE.astype(">f8")},
        {"values": np.array(["hh", "hv", "größer"])},
    ],
)
def test_zarr_would_write_the_same_files(
    tmp_path: Path, zarr_format: int, options: dict[str, Any]
) -> None:
    dimensions = ("y", "x")[: options["values"].ndim]
    array = ArrayFiles(name="a", dimensions=dimensions, zarr_format=zarr_format, **options)
    if array.values.dtype.isnative:
        write_by_zarr(tmp_path, array)
        expected = files(tmp_path / "a")
        assert {f"a/{k}": v for k, v in expected.items()} == {k: bytes(v) for k, v in array}
    for name, content in array:
        path = tmp_path / "ours" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    read = zarr.open_array(tmp_path / "ours" / "a", mode="r")
    np.testing.assert_array_equal(read[...], array.values)

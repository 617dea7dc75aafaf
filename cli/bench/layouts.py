"""`seaice bench layouts`: random windows of a large scene in several zarr layouts."""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..console import say
from .timing import line, timed

if TYPE_CHECKING:
    from seaice_data.arrays import FloatArray

_SIDE = 3072
_SIZE = 256
_N_WINDOWS = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layout:
    """How an array is divided into chunks and compressed."""

    title: str
    chunk: int | None
    shard: int | None = None
    codec: str | None = None


_LAYOUTS = (
    _Layout(title="one chunk, mapped", chunk=None),
    _Layout(title="chunks of 128", chunk=128),
    _Layout(title="chunks of 256", chunk=256),
    _Layout(title="chunks of 512", chunk=512),
    _Layout(title="chunks of 128, zstd", chunk=128, codec="zstd"),
    _Layout(title="chunks of 256, zstd", chunk=256, codec="zstd"),
    _Layout(title="chunks of 256, shuffled lz4", chunk=256, codec="lz4"),
    _Layout(
        title="chunks of 128 in shards of 1024, zstd", chunk=128, shard=1024, codec="zstd"
    ),
)


def measure(path: Path, rounds: int) -> None:
    """Write the corner of a scene in each layout; print windows/s, cold and warm."""
    import numpy as np

    from seaice_data.store.store import Store

    store = Store.open(str(path))
    scene = max((store.scene(i) for i in store.scenes), key=lambda s: s.grid.shape)
    planes = np.ascontiguousarray(scene.inputs[:_SIDE, :_SIDE])
    height, width, n_channels = planes.shape
    rng = np.random.default_rng(0)
    most = [max(height - _SIZE, 0) + 1, max(width - _SIZE, 0) + 1]
    corners = rng.integers(0, most, (_N_WINDOWS, 2)).tolist()
    for layout in _LAYOUTS:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            array = _write(layout, planes, Path(folder, "array.zarr"))
            n_bytes = _forget(Path(folder))
            read = _reading(array, corners, min(_SIZE, height), min(_SIZE, width))
            start = time.perf_counter()
            read()
            cold_s = time.perf_counter() - start
            warm = [_N_WINDOWS / elapsed_s for elapsed_s in timed(read, rounds)]
        what = f"{_SIZE} x {_SIZE} x {n_channels} {planes.dtype}, {n_bytes / 1e6:.0f} MB"
        say(line(f"{layout.title}, warm", warm, "windows/s", what))
        say(f"{layout.title}, first time: {_N_WINDOWS / cold_s:.3g} windows/s")


def _write(layout: _Layout, planes: "FloatArray", path: Path) -> Any:
    """Write planes, and return the array to read windows from."""
    import numpy as np
    import zarr
    from zarr.codecs import BloscCodec, ZstdCodec

    codecs = {"zstd": ZstdCodec(level=1), "lz4": BloscCodec(cname="lz4", shuffle="shuffle")}
    whole, n_channels = planes.shape[:2], planes.shape[2]
    chunk = (layout.chunk, layout.chunk) if layout.chunk else whole
    array = zarr.create_array(
        str(path),
        shape=planes.shape,
        chunks=(*chunk, n_channels),
        shards=(layout.shard, layout.shard, n_channels) if layout.shard else None,
        dtype=planes.dtype,
        compressors=codecs[layout.codec] if layout.codec else None,
        fill_value=np.nan,
        config={"write_empty_chunks": True},
    )
    array[...] = planes
    if layout.chunk:
        return zarr.open_array(str(path), mode="r")
    return np.memmap(path / "c" / "0" / "0" / "0", planes.dtype, "r", shape=planes.shape)


def _reading(
    array: Any, corners: list[list[int]], height: int, width: int
) -> Callable[[], None]:
    """Return a function that reads all windows into the same memory."""
    import numpy as np

    out = np.empty((height, width, array.shape[2]), array.dtype)

    def read() -> None:
        for top, left in corners:
            out[...] = array[top : top + height, left : left + width]

    return read


def _forget(folder: Path) -> int:
    """Write files to disk and drop them from the page cache; return their size."""
    n_bytes = 0
    for path in folder.rglob("*"):
        if path.is_file():
            n_bytes += path.stat().st_size
            file = os.open(path, os.O_RDONLY)
            os.fsync(file)
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)
    return n_bytes

"""Patches/s from a store in a bucket, by layout: moto's server on loopback.

    PYTHONPATH=tests python -m support.bench_remote raw/

"nothing kept" is what a store of many scenes is like, where a patch hardly ever finds its
chunks in memory; "kept" is one that fits into memory, at its second round. There is no
distance on loopback, and the server is slow itself: only compare the layouts.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Literal

import fsspec
import numpy as np
import zarr
from support.buckets import credentials, serving_buckets

from seaice import PatchSampler, Recipe, prepare
from seaice.bench.timing import line, machine
from seaice.console import say

SIZE = 256
BATCH = 16
N_BATCHES = 2
ROUNDS = 3
LAYOUTS: dict[str, tuple[Literal["none", "zstd"], int | None, int | None]] = {
    "one chunk a scene, not compressed": ("none", None, None),
    "--codec zstd, chunks of 256": ("zstd", None, None),
    "zstd, chunks of 128": ("zstd", 128, None),
    "zstd, chunks of 128 in shards of 512": ("zstd", 128, 512),
}
"""Codec of the recipe, and the chunks and shards in which the inputs are written again."""


@contextmanager
def bucket() -> Iterator[str]:
    """Yield the URL of an empty bucket."""
    with serving_buckets() as endpoint:
        os.environ.update(credentials(endpoint))
        fsspec.filesystem("s3").mkdir("s3://bench")
        yield "s3://bench"


def put(folder: Path, url: str) -> str:
    """Copy a store into the bucket."""
    fsspec.filesystem("s3").put(f"{folder}/", url, recursive=True)
    return url


def cut_again(path: Path, chunk: int, shard: int | None) -> None:
    """Write the inputs of a store again, in other chunks."""
    group = zarr.open_group(str(path / "scenes"), mode="r+", use_consolidated=False)
    for _, scene in group.groups():
        old = scene["inputs"]
        values, attributes, names = old[...], dict(old.attrs), old.metadata.dimension_names
        n_channels = values.shape[2]
        new = scene.create_array(
            "inputs", shape=values.shape, dtype=values.dtype, fill_value=np.nan,
            chunks=(chunk, chunk, n_channels),
            shards=(shard, shard, n_channels) if shard else None,
            compressors=zarr.codecs.ZstdCodec(level=1), attributes=attributes,
            dimension_names=names, overwrite=True,
        )  # fmt: skip
        new[...] = values


def n_bytes_sent() -> int:
    """Return the bytes that have gone through the loopback interface, on Linux."""
    lines = Path("/proc/net/dev").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.split()[0] == "lo:")


def measure(
    patches: PatchSampler, rates: list[float], megabytes: list[float] | None = None
) -> None:
    """Sample the same batches as every time; add how fast that was, and MB a patch."""
    before = n_bytes_sent()
    start = time.perf_counter()
    for first in range(0, N_BATCHES * BATCH, BATCH):
        patches.batch(range(first, first + BATCH))
    rates.append(N_BATCHES * BATCH / (time.perf_counter() - start))
    if megabytes is not None:
        megabytes.append((n_bytes_sent() - before) / 1e6 / (N_BATCHES * BATCH))


def main() -> None:
    """Measure the scenes of the folder named on the command line."""
    raw = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name, bucket() as url:
        folder, stores = Path(name), {}
        for title, (codec, chunk, shard) in LAYOUTS.items():
            local = folder / f"{len(stores)}.zarr"
            prepare(raw, local, Recipe(codec=codec))
            if chunk:
                cut_again(local, chunk, shard)
            stores[title] = put(local, f"{url}/{local.name}")
        rates: dict[str, list[float]] = {}
        sent: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for title, store in stores.items():
                alone = PatchSampler(store, size=SIZE, kept_bytes=0)
                title_alone = f"{title}, nothing kept"
                megabytes = sent.setdefault(title_alone, [])
                measure(alone, rates.setdefault(title_alone, []), megabytes)
                kept = PatchSampler(store, size=SIZE)
                measure(kept, [])
                measure(kept, rates.setdefault(f"{title}, kept", []))
    for title, values in rates.items():
        size = f", {median(sent[title]):.1f} MB a patch" if title in sent else ""
        say(line(title, values, "patches/s", f"{SIZE} x {SIZE}{size}"))
    say(f"machine: {machine()}")


if __name__ == "__main__":
    main()

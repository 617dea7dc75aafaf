"""Patches/s of torchgeo's random sampler, over the planes of a store as GeoTIFF.

    .venv-adapters/bin/python tests/support/bench_torchgeo.py store.zarr

`make adapters` makes this environment, which has torchgeo; `seaice bench others` measures
the other libraries on the same store. Scenes lie side by side on a map, because
torchgeo mosaics those that overlap. GDAL writes no float16, so planes are float32.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from torch.utils.data import DataLoader
from torchgeo.datasets import RasterDataset, stack_samples
from torchgeo.samplers import RandomGeoSampler

from seaice import Store
from seaice.bench.timing import line, machine, taking_turns
from seaice.console import say

SIZE = 256
BATCH = 16
N_BATCHES = 2
PIXEL_M = 400
ROUNDS = 3


class Planes(RasterDataset):
    """Inputs of all scenes."""

    filename_glob = "*_inputs.tif"


class Charts(RasterDataset):
    """Charts of all scenes."""

    filename_glob = "*_charts.tif"
    is_image = False


def write(folder: Path, name: str, planes: Any, left: float) -> None:
    """Write planes (y, x, plane) as a tiled GeoTIFF without compression."""
    height, width, count = planes.shape
    with rasterio.open(
        folder / name, "w", driver="GTiff", height=height, width=width, count=count,
        dtype=planes.dtype, crs="EPSG:3413", tiled=True, blockxsize=256, blockysize=256,
        transform=rasterio.transform.from_origin(left, 0, PIXEL_M, PIXEL_M),
    ) as file:  # fmt: skip
        file.write(np.moveaxis(planes, 2, 0))


def write_all(store: Store, folder: Path) -> Iterator[str]:
    """Write the scenes that are large enough; yield their ids."""
    for number, scene_id in enumerate(store):
        scene = store[scene_id]
        if min(scene.grid.shape) >= SIZE:
            left = number * 1000 * PIXEL_M
            write(folder, f"{scene_id}_inputs.tif", scene.inputs.astype("f4"), left)
            write(folder, f"{scene_id}_charts.tif", scene.charts, left)
            yield scene_id


def main() -> None:
    """Measure the store named on the command line."""
    store = Store(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenes = [*write_all(store, folder)]
        data = Planes(str(folder)) & Charts(str(folder))
        tasks, n_patches = {}, {}
        for workers, batches in ((0, N_BATCHES), (2, 4 * N_BATCHES)):
            title = f"torchgeo, RandomGeoSampler, {workers} workers"
            n_patches[title] = batches * BATCH
            sampler = RandomGeoSampler(data, size=SIZE, length=n_patches[title])
            loader = DataLoader(
                data, batch_size=BATCH, sampler=sampler, collate_fn=stack_samples,
                num_workers=workers, persistent_workers=workers > 0,
            )  # fmt: skip
            tasks[title] = lambda loader=loader: [
                (batch["image"].shape, batch["mask"].shape) for batch in loader
            ]
        times = taking_turns(tasks, ROUNDS)
    kind = f"{SIZE} x {SIZE} x {len(store.channels)} float32 and charts"
    for title, values in times.items():
        rates = [n_patches[title] / t for t in values]
        say(line(title, rates, "patches/s", f"{kind}, {len(scenes)} scenes"))
    say(f"machine: {machine()}")


if __name__ == "__main__":
    main()

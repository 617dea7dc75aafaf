"""`seaice bench others`: the same windows of a store, read with libraries people would use.

All tasks give batches of all channels and charts in memory. Every window is inside its
scene, and all tasks but xbatcher, which divides a scene into a grid, read the same windows.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..console import say
from .timing import line, taking_turns

if TYPE_CHECKING:
    import xarray as xr

    from seaice_data.sampling.sampler import PatchSampler
    from seaice_data.store.store import Store

_BATCH = 16
_N_BATCHES = 4
_N_LOADED = 16  # batches of a `DataLoader` in a round, so that starting it counts little
_N_WORKERS = 2
_SIZE = 256
_LEAST = 32
_CACHE_BYTES = 4_000_000_000

_Task = Callable[[], object]
_Arrays = dict[str, tuple[Any, Any]]
"""Inputs and charts by scene, of any library."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Windows:
    """Windows of the scenes of a store, which every library reads."""

    store: "Store"
    places: tuple[tuple[str, int, int], ...]
    """Scene, top and left of each."""

    size: int
    """Pixels of each side."""

    @property
    def scenes(self) -> tuple[str, ...]:
        """Return the scenes that have windows."""
        return tuple(dict.fromkeys(scene for scene, _, _ in self.places))

    def of(self, number: int, arrays: _Arrays) -> list[Any]:
        """Return inputs and charts of a window, as slices of arrays."""
        scene_id, top, left = self.places[number]
        rows, columns = (slice(at, at + self.size) for at in (top, left))
        return [array[rows, columns] for array in arrays[scene_id]]

    def batches(self) -> Iterator[range]:
        """Yield the numbers of the windows of each batch."""
        n = len(self.places)
        yield from (range(k, min(k + _BATCH, n)) for k in range(0, n, _BATCH))


def measure(path: Path, rounds: int) -> None:
    """Print how many patches/s each library gives, all in turns."""
    from seaice_data.sampling.sampler import PatchSampler
    from seaice_data.store.store import Store

    store = Store(path)
    # Windows lie inside their scenes: what a library does beyond the edge differs.
    sides = [min(store[scene_id].grid.shape) for scene_id in store]
    size = next((s for s in (_SIZE, 128, 64) if s <= max(sides)), _LEAST)
    scenes = [i for i, side in zip(store, sides, strict=True) if side >= size]
    patches = PatchSampler(store, scenes=scenes, channels=store.channels, size=size)
    places = tuple(
        (patches.scenes[scene], top, left)
        for scene, top, left in map(patches.place, range(_BATCH * _N_BATCHES))
    )
    windows = Windows(store=store, places=places, size=size)
    with ExitStack() as stack:
        tasks = _own_tasks(patches) | _array_tasks(windows, stack)
        loaders = _loader_tasks(patches, windows)
        times = taking_turns(tasks | loaders, rounds)
    what = f"{size} x {size} x {len(store.channels)} {store.recipe.dtype} and charts"
    say(f"windows of {what}, {len(scenes)} scenes, chunks of {_chunk(store, scenes[0])}")
    for title, values in times.items():
        n = _BATCH * (_N_LOADED if title in loaders else _N_BATCHES)
        say(line(title, [n / t for t in values], "patches/s", "in memory as stored"))
    for name in ("tensorstore", "xbatcher", "dask"):
        if find_spec(name) is None:
            say(f"not measured, because it is not installed: {name}")


def _chunk(store: "Store", scene_id: str) -> str:
    import zarr

    array = zarr.open_array(store.path, path=f"scenes/{scene_id}/inputs", mode="r")
    return " x ".join(map(str, array.chunks))


def _own_tasks(patches: "PatchSampler") -> dict[str, _Task]:
    """Return tasks of the sampler, which writes into the same memory or into new memory."""
    out, numbers = patches.empty(_BATCH), iter(range(0, 2**40, _BATCH))

    def sample(memory: Any) -> None:
        for _ in range(_N_BATCHES):
            first = next(numbers)
            patches.batch(range(first, first + _BATCH), memory)

    return {
        "seaice, memory used again": lambda: sample(out),
        "seaice, new memory for each batch": lambda: sample(None),
    }


def _array_tasks(windows: Windows, stack: ExitStack) -> dict[str, _Task]:
    """Return tasks of libraries that read slices of arrays."""
    tasks = {"zarr-python": _reading(windows, _zarr_arrays(windows))}
    tasks["xarray, without dask"] = _reading(windows, _xarray_arrays(windows, stack, None))
    if find_spec("dask"):
        tasks["xarray, with dask"] = _reading(windows, _xarray_arrays(windows, stack, {}))
    if find_spec("xbatcher"):
        tasks["xbatcher, a grid"] = _xbatcher(windows, stack)
    if find_spec("tensorstore"):
        tasks["tensorstore, with a cache"] = _tensorstore(windows)
    return tasks


def _reading(windows: Windows, arrays: _Arrays) -> _Task:
    def read() -> None:
        for batch in windows.batches():
            _stacked([windows.of(number, arrays) for number in batch])

    return read


def _stacked(windows: list[list[Any]]) -> list[Any]:
    """Return batches of inputs and charts, from windows of both."""
    import numpy as np

    return [np.stack(arrays) for arrays in zip(*windows, strict=True)]


def _zarr_arrays(windows: Windows) -> _Arrays:
    import zarr

    group = zarr.open_group(windows.store.path, mode="r", use_consolidated=False)
    return {
        i: (group[f"scenes/{i}/inputs"], group[f"scenes/{i}/charts"])
        for i in windows.scenes
    }


def _dataset(windows: Windows, scene_id: str, chunks: Any) -> "xr.Dataset":
    import xarray as xr

    scene: xr.Dataset = xr.open_zarr(
        windows.store.path, group=f"scenes/{scene_id}", consolidated=False, chunks=chunks
    )
    return scene[["inputs", "charts"]]


def _xarray_arrays(windows: Windows, stack: ExitStack, chunks: Any) -> _Arrays:
    arrays = {}
    for scene_id in windows.scenes:
        scene = stack.enter_context(_dataset(windows, scene_id, chunks))
        arrays[scene_id] = (scene.inputs, scene.charts)
    return arrays


def _xbatcher(windows: Windows, stack: ExitStack) -> _Task:
    """Return a task that reads windows of a grid, in the order of the places."""
    import xbatcher

    generators = {
        scene_id: xbatcher.BatchGenerator(
            stack.enter_context(_dataset(windows, scene_id, None)),
            {"y": windows.size, "x": windows.size},
        )
        for scene_id in windows.scenes
    }

    def window(number: int) -> list[Any]:
        generator = generators[windows.places[number][0]]
        found = generator[number % len(generator)]
        return [found.inputs.values, found.charts.values]

    def read() -> None:
        for batch in windows.batches():
            _stacked([window(number) for number in batch])

    return read


def _tensorstore(windows: Windows) -> _Task:
    """Return a task that reads the windows of a batch at once, and keeps chunks."""
    import tensorstore

    context = tensorstore.Context({"cache_pool": {"total_bytes_limit": _CACHE_BYTES}})
    driver = "zarr3" if windows.store.recipe.zarr_format == 3 else "zarr"

    def opened(scene_id: str, name: str) -> Any:
        array = Path(windows.store.path, "scenes", scene_id, name).resolve()
        return tensorstore.open(
            {
                "driver": driver,
                "kvstore": {"driver": "file", "path": f"{array}/"},
                "recheck_cached_data": False,
            },
            context=context,
            read=True,
        ).result()

    arrays = {i: (opened(i, "inputs"), opened(i, "charts")) for i in windows.scenes}

    def read() -> None:
        for batch in windows.batches():
            asked = [[part.read() for part in windows.of(k, arrays)] for k in batch]
            _stacked([[future.result() for future in window] for window in asked])

    return read


def _loader_tasks(patches: "PatchSampler", windows: Windows) -> dict[str, _Task]:
    """Return tasks of a PyTorch `DataLoader` with two workers: over zarr, and over us."""
    from torch.utils.data import DataLoader

    from seaice_model.training.patch_numbers import PatchNumbers

    settings: dict[str, Any] = {
        "batch_size": _BATCH,
        "num_workers": _N_WORKERS,
        "persistent_workers": True,
        "multiprocessing_context": "spawn",
    }
    n = _BATCH * _N_LOADED
    samples: Any = _ZarrWindows(windows, n)  # a data set is what has these two methods
    over_zarr: DataLoader[Any] = DataLoader(samples, **settings)
    ours = DataLoader(patches, sampler=PatchNumbers(n), **settings)
    return {
        f"DataLoader over zarr-python, {_N_WORKERS} workers": lambda: [
            None for _ in over_zarr
        ],
        f"DataLoader over seaice, {_N_WORKERS} workers": lambda: [None for _ in ours],
    }


class _ZarrWindows:
    """A data set as people write it: an array opened in each worker, a slice a sample."""

    def __init__(self, windows: Windows, n: int) -> None:
        self.windows, self.n = windows, n
        self.arrays: dict[str, tuple[Any, Any]] = {}

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, number: int) -> tuple[Any, Any]:
        self.arrays = self.arrays or _zarr_arrays(self.windows)
        inputs, charts = self.windows.of(number % len(self.windows.places), self.arrays)
        return inputs, charts

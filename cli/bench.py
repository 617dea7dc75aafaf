"""`seaice bench`: how fast the steps run on this machine, in lines that can be repeated."""

import math
import platform
import tempfile
import time
from collections.abc import Callable
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer

from seaice_data.errors import SceneError

from .console import say
from .machine import n_cores

if TYPE_CHECKING:
    from seaice_data.arrays import FloatArray


class Step(StrEnum):
    """What can be measured."""

    prepare = "prepare"
    sampler = "sampler"
    train = "train"
    predict = "predict"


def bench(
    step: Annotated[Step, typer.Argument(help="What to measure")],
    path: Annotated[Path, typer.Argument(help="Folder of scenes (prepare), or a store")],
    rounds: Annotated[int, typer.Option(min=1, help="How often to measure")] = 7,
) -> None:
    """Measure how fast a step runs on this machine.

    Prints the median and the range of several rounds after one that does not count. With
    `prepare`, the reference path is what training codes do at every start (open with
    xarray, stack, take every tenth pixel), and the floor is reading and inflating alone.

    Example: seaice bench sampler store.zarr
    """
    {
        Step.prepare: _prepare,
        Step.sampler: _sampler,
        Step.train: _train,
        Step.predict: _predict,
    }[step](path, rounds)
    say(f"machine: {_machine()}")


def _prepare(raw: Path, rounds: int) -> None:
    from concurrent.futures import ProcessPoolExecutor
    from contextlib import ExitStack
    from multiprocessing import get_context

    from seaice_data.scene import find_scenes

    paths = tuple(find_scenes(raw))
    n, jobs = len(paths), n_cores()
    tasks: dict[str, Callable[[tuple[Path, ...], Path, int], float]] = {
        "prepare": _prepare_once,
        "reference path": _reference_once,
        "floor, reading and inflating": _floor_once,
    }
    times: dict[str, list[float]] = {title: [] for title in tasks}
    peaks = {}
    with ExitStack() as stack:
        # A process each, so that each has its own peak of memory; rounds take turns, so
        # that what else the machine does meets all of them.
        pools = {
            title: stack.enter_context(
                ProcessPoolExecutor(1, mp_context=get_context("spawn"))
            )
            for title in tasks
        }
        for _ in range(rounds + 1):
            for title, task in tasks.items():
                elapsed_s = pools[title].submit(task, paths, raw, jobs).result()
                times[title].append(elapsed_s / n)
        for title, pool in pools.items():
            peaks[title] = pool.submit(_peak_mb).result()
    for title, values in times.items():
        processes = f"{min(jobs, n)} jobs" if title == "prepare" else "1 process"
        what = f"{n} scenes, {processes}, peak {peaks[title]:.0f} MB a process"
        say(_line(f"{title}, warm", values[1:], "s/scene", what))
    ours, reference, floor = (median(values[1:]) for values in times.values())
    say(
        f"prepare is {reference / ours:.1f} x the reference path, {ours / floor:.1f} floors"
    )


def _prepare_once(_paths: tuple[Path, ...], raw: Path, jobs: int) -> float:
    """Prepare all scenes into a new store and return the seconds."""
    from seaice_data.prepare import prepare

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        report = prepare(raw, str(Path(folder, "store.zarr")), jobs=jobs)
        elapsed_s = time.perf_counter() - start
    if report.failed:
        raise SceneError(report.failed[0].reason)
    return elapsed_s


def _reference_once(paths: tuple[Path, ...], _raw: Path, _jobs: int) -> float:
    """Do what training codes do at every start: open, stack, take every tenth pixel."""
    import xarray as xr

    start = time.perf_counter()
    for path in paths:
        with xr.open_dataset(path) as opened:
            on_sar_grid = opened.nersc_sar_primary.dims
            names = [name for name in opened if opened[name].dims == on_sar_grid]
            opened[names].to_array().values[:, ::10, ::10].copy()
    return time.perf_counter() - start


def _floor_once(paths: tuple[Path, ...], _raw: Path, _jobs: int) -> float:
    """Read all variables, inflate compressed ones, and do nothing with them."""
    import deflate
    import h5py

    start = time.perf_counter()
    for path in paths:
        with h5py.File(path, rdcc_nbytes=0) as file:
            for variable in file.values():
                if variable.chunks is None or variable.compression != "gzip":
                    for row in range(0, variable.shape[0], 250):
                        variable[row : row + 250]
                    continue
                n_bytes = math.prod(variable.chunks) * variable.dtype.itemsize
                for k in range(variable.id.get_num_chunks()):
                    offset = variable.id.get_chunk_info(k).chunk_offset
                    packed = variable.id.read_direct_chunk(offset)[1]
                    deflate.zlib_decompress(packed, n_bytes)
    return time.perf_counter() - start


def _peak_mb() -> float:
    """Return the most memory that this process or one of its children ever had."""
    import resource

    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(kind).ru_maxrss for kind in kinds) / 1024


def _sampler(path: Path, rounds: int) -> None:
    import numpy as np

    from seaice_data.channels import OFFICIAL_CHANNELS
    from seaice_data.sampler import PatchSampler
    from seaice_data.store import Store

    patches = PatchSampler(Store.open(str(path)), channels=OFFICIAL_CHANNELS)
    out = patches.empty(16)
    n_batches = 12
    times = _times(
        lambda: [patches.batch(range(16 * k, 16 * k + 16), out) for k in range(n_batches)],
        rounds,
    )
    source = np.ones_like(out["inputs"])
    copies = _times(lambda: _copy(source, out["inputs"], n_batches), rounds)
    n = 16 * n_batches
    what = f"16 x 256 x 256 {out['inputs'].dtype}, {len(patches.scenes)} scenes, 1 thread"
    say(_line("sampler, warm", [n / t for t in times], "patches/s", what))
    say(_line("copy of the same batch", [n / t for t in copies], "patches/s", what))


def _copy(source: "FloatArray", out: "FloatArray", n_batches: int) -> None:
    """Copy one batch several times: what memory allows."""
    for _ in range(n_batches):
        out[...] = source


def _train(path: Path, rounds: int) -> None:
    from dataclasses import replace

    from seaice_data.store import Store
    from seaice_model.presets import find_preset
    from seaice_model.train import train

    config = find_preset("default").config
    config = replace(config, train=replace(config.train, n_iterations=2, n_epochs=1))
    store = Store.open(str(path))
    speeds = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            speeds.append(train(store, Path(folder, str(number)), config).patches_per_s)
    what = "default network, batch 16, 16 x 256 x 256, auto device"
    say(_line("train, warm", speeds[1:], "patches/s", what))
    say(_line("train, warm", [16 / s for s in speeds[1:]], "s/step", what))


def _predict(path: Path, rounds: int) -> None:
    from dataclasses import replace

    from seaice_data.store import Store
    from seaice_model.predict import predict_store
    from seaice_model.presets import find_preset
    from seaice_model.train import train

    config = find_preset("default").config
    config = replace(config, train=replace(config.train, n_iterations=1, n_epochs=1))
    store = Store.open(str(path))
    n = len(store.scenes)
    size = max(store.scene(scene_id).source_grid.shape for scene_id in store.scenes)
    with tempfile.TemporaryDirectory() as folder:
        run, maps = Path(folder, "run"), Path(folder, "maps")
        train(store, run, config)
        for pictures in (False, True):
            times = _times(
                lambda pictures=pictures: predict_store(  # type: ignore[misc]
                    store, run, maps, scenes=store.scenes, overwrite=True, pictures=pictures
                ),
                rounds,
            )
            what = f"netCDF{' and PNG' if pictures else ''}, up to {size[0]} x {size[1]}"
            say(_line("predict, warm", [t / n for t in times], "s/scene", what))


def _times(work: Callable[[], object], rounds: int) -> list[float]:
    """Return the seconds of each round, after one that does not count."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return times[1:]


def _line(title: str, values: list[float], unit: str, what: str) -> str:
    """Write median, range and circumstances in a line."""
    middle, low, high = median(values), min(values), max(values)
    return (
        f"{title}: {middle:.3g} {unit} ({low:.3g}-{high:.3g}, {len(values)} rounds) {what}"
    )


def _machine() -> str:
    """Say what the numbers were measured on."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line for line in info.read_text().splitlines() if line[:10] == "model name"
        ]
        model = names[0].split(": ", 1)[1] if names else model
    versions = ", ".join(f"{name} {version(name)}" for name in ("zarr", "torch"))
    return f"{n_cores()} cores {model}, {versions}"

"""`seaice bench prepare`: scenes into a store, beside what training codes do instead."""

import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from seaice_data.errors import SceneError

from .console import say
from .machine import n_cores
from .timing import line


def measure(raw: Path, rounds: int) -> None:
    """Print how fast scenes are prepared."""
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
            peaks[title] = pool.submit(peak_mb).result()
    for title, values in times.items():
        processes = f"{min(jobs, n)} jobs" if title == "prepare" else "1 process"
        what = f"{n} scenes, {processes}, peak {peaks[title]:.0f} MB a process"
        say(line(f"{title}, warm", values[1:], "s/scene", what))
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


def peak_mb() -> float:
    """Return the most memory that this process or one of its children ever had."""
    import resource

    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(kind).ru_maxrss for kind in kinds) / 1024

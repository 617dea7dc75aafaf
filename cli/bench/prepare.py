"""`seaice bench prepare`: scenes into a store, compared with the official code."""

import math
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from seaice_data.errors import SceneError
from seaice_data.system.process import n_cores

from ..console import say
from .timing import line, taking_turns_apart

Paths = tuple[Path, ...]


def measure(path: Path, rounds: int) -> None:
    """Print how fast scenes are prepared."""
    from seaice_data.scenes.files import find_scenes

    paths = find_scenes(path)
    n, jobs = len(paths), min(n_cores(), len(paths))
    # The stores of all rounds are kept to the end: on ext4 without a journal a new file
    # takes 0.1 to 0.5 ms, not 0.02, if many were removed in the last minutes.
    with tempfile.TemporaryDirectory() as folder:
        tasks: dict[str, Callable[[], list[float]]] = {
            "prepare": partial(_prepare_once, paths, path, jobs, Path(folder)),
            "official code": partial(_official_once, paths),
            "floor, reading and inflating": partial(_floor_once, paths),
        }
        if _is_raw(paths[0]):  # files that the official code does not read
            del tasks["official code"]
        counted, peaks = taking_turns_apart(tasks, rounds)
    per_scene = {t: [done[-1] / n for done in values] for t, values in counted.items()}
    what = f"{n} scenes, {_layout(paths)}"
    for title, seconds in per_scene.items():
        who = f"{jobs} jobs" if title == "prepare" else "1 process"
        peak = f"peak {peaks[title]:.0f} MB a process"
        say(line(f"{title}, warm", seconds, "s/scene", f"{what}, {who}, {peak}"))
    # The first scene of each job waits for its process to start.
    rates = [_rate(done, n, jobs) for done in counted["prepare"]]
    say(line("prepare, each further scene", rates, "s/scene", f"{what}, {jobs} jobs"))
    starts = [
        done[-1] - n * rate for done, rate in zip(counted["prepare"], rates, strict=True)
    ]
    say(line("prepare, start and end", starts, "s", f"{what}, {jobs} jobs"))
    medians = {title: median(seconds) for title, seconds in per_scene.items()}
    floor = medians["floor, reading and inflating"]
    # Both others have one process: seconds of one core are compared, not of all jobs.
    ours, rate = jobs * medians["prepare"], jobs * median(rates)
    if official := medians.get("official code"):
        say(
            f"per core, prepare is {official / ours:.1f} x as fast as the official code "
            f"with its start, {official / rate:.1f} x without"
        )
    say(
        f"each further scene takes {rate / floor:.1f} x the floor per core, "
        f"{rate / jobs / floor:.2f} x with {jobs} jobs"
    )


def _rate(done: list[float], n: int, jobs: int) -> float:
    """Return the seconds from scene to scene while all jobs are working."""
    first, last, whole = done
    return (last - first) / (n - jobs) if n > jobs else whole / n


def _is_raw(path: Path) -> bool:
    """Return whether a file is a raw one, whose chart has polygons."""
    import h5py

    with h5py.File(path) as file:
        return "polygon_icechart" in file


def _layout(paths: Paths) -> str:
    """Return in words how the SAR is stored in the first file."""
    import h5py

    with h5py.File(paths[0]) as file:
        sar = file["nersc_sar_primary"]
        packing = f"{sar.compression} {sar.compression_opts}" if sar.compression else ""
        return packing or ("chunked" if sar.chunks else "uncompressed")


def _prepare_once(paths: Paths, raw: Path, jobs: int, folder: Path) -> list[float]:
    """Prepare all scenes into a new store in a folder.

    Returns three durations in seconds: until all jobs finished their first scene, until
    the last scene was finished, and until the store was complete.
    """
    from seaice_data.preparation.prepare import prepare

    done: list[float] = []
    store = Path(tempfile.mkdtemp(dir=folder), "store.zarr")
    start = time.perf_counter()
    report = prepare(
        raw,
        store,
        jobs=jobs,
        progress=lambda *_: done.append(time.perf_counter() - start),
    )
    whole = time.perf_counter() - start
    if report.failed:
        raise SceneError(report.failed[0].reason)
    return [done[min(jobs, len(paths)) - 1], done[-1], whole]


def _official_once(paths: Paths) -> list[float]:
    """Do what the official code does with each scene at every start.

    Variables on the SAR grid are stacked, and every tenth row and column is picked;
    variables on the 2 km grid are only stacked; tie points are resampled to the picked
    grid. Resampling takes the nearest neighbour, and everything is kept in memory. Charts
    of test scenes are in a second file.
    """
    import numpy as np
    import torch
    import xarray as xr

    from seaice_data.scenes.listing import reference_file_of

    def pick(planes: Any, shape: tuple[int, int]) -> Any:
        tensor = torch.from_numpy(np.asarray(planes))[np.newaxis]
        return torch.nn.functional.interpolate(tensor, size=shape, mode="nearest").numpy()

    kept = []
    start = time.perf_counter()
    for path in paths:
        with xr.open_dataset(path) as opened:
            sar = opened.nersc_sar_primary
            shape = sar.shape[0] // 10, sar.shape[1] // 10
            names = [name for name in opened if opened[name].dims == sar.dims]
            kept.append(pick(opened[names].to_array(), shape))
            cells = opened.btemp_6_9h.dims
            names = [name for name in opened if opened[name].dims == cells]
            kept.append(np.array(opened[names].to_array()))
            for name in ("sar_grid2d_latitude", "sar_grid2d_longitude"):
                kept.append(pick(opened[name].values[np.newaxis], shape))
        if second := reference_file_of(path):
            with xr.open_dataset(second) as charts:
                kept.append(pick(charts[["SIC", "SOD", "FLOE"]].to_array(), shape))
    return [time.perf_counter() - start]


def _floor_once(paths: Paths) -> list[float]:
    """Read all variables, inflate compressed ones, and do nothing with them."""
    import deflate
    import h5py

    from seaice_data.scenes.listing import reference_file_of

    start = time.perf_counter()
    for path in [file for p in paths for file in (p, reference_file_of(p)) if file]:
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
    return [time.perf_counter() - start]

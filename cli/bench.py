"""`seaice bench`: how fast the steps run on this machine, in lines that can be repeated."""

import os
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

from .console import say

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

    Prints the median and the range of several rounds after one that does not count. The
    reference path of `prepare` is what training codes do at every start: open with xarray,
    stack, take every tenth pixel.

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
    import xarray as xr

    from seaice_data.prepare import prepare
    from seaice_data.scene import find_scenes

    paths = find_scenes(raw)
    jobs = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder, "store.zarr"))
        times = _times(lambda: prepare(raw, store, jobs=jobs, overwrite=True), rounds)

    def reference() -> None:
        for path in paths:
            with xr.open_dataset(path) as opened:
                names = [
                    n for n in opened if opened[n].dims == opened.nersc_sar_primary.dims
                ]
                opened[names].to_array().values[:, ::10, ::10].copy()

    reference_times = _times(reference, rounds)
    n = len(paths)
    say(
        _line(
            "prepare, warm", [t / n for t in times], "s/scene", f"{n} scenes, {jobs} jobs"
        )
    )
    say(
        _line(
            "reference path, warm",
            [t / n for t in reference_times],
            "s/scene",
            f"{n} scenes",
        )
    )
    say(f"ratio: {median(reference_times) / median(times):.1f}")


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
    return f"{len(os.sched_getaffinity(0))} cores {model}, {versions}"

"""Time and memory of repeated work, and the lines that report them."""

import platform
import sys
import time
from collections.abc import Callable, Hashable, Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TypeVar

from seaice_data.system.process import n_cores

Task = TypeVar("Task", bound=Hashable)
Result = TypeVar("Result")


def timed(work: Callable[[], object], rounds: int) -> list[float]:
    """Return the seconds of each round, after a warm-up round."""
    return taking_turns({"": work}, rounds)[""]


def taking_turns(
    tasks: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, list[float]]:
    """Return the seconds of each round of each task, after a warm-up round.

    Each round runs every task once, so that other load on the machine affects all of them.
    """
    times: dict[str, list[float]] = {title: [] for title in tasks}
    for _ in range(rounds + 1):
        for title, work in tasks.items():
            start = time.perf_counter()
            work()
            times[title].append(time.perf_counter() - start)
    return {title: values[1:] for title, values in times.items()}


def apart(work: Callable[[], Result]) -> Result:
    """Work in a new process, so that later processes do not inherit its peak memory."""
    from concurrent.futures import ProcessPoolExecutor  # late: `seaice --help` is quick
    from multiprocessing import get_context

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work).result()


def taking_turns_apart(
    tasks: Mapping[Task, Callable[[], Result]], rounds: int
) -> tuple[dict[Task, list[Result]], dict[Task, float]]:
    """Return results without those of the first round, and peak memory in MB, by task.

    Each task has its own process, and so its own peak. Each round runs every task once, so
    that other load on the machine affects all of them.
    """
    from concurrent.futures import ProcessPoolExecutor  # late: `seaice --help` is quick
    from contextlib import ExitStack
    from multiprocessing import get_context

    results: dict[Task, list[Result]] = {task: [] for task in tasks}
    with ExitStack() as stack:
        pools = {
            task: stack.enter_context(
                ProcessPoolExecutor(1, mp_context=get_context("spawn"))
            )
            for task in tasks
        }
        for _ in range(rounds + 1):
            for task, work in tasks.items():
                results[task].append(pools[task].submit(work).result())
        peaks = {task: pool.submit(peak_mb).result() for task, pool in pools.items()}
    return {task: values[1:] for task, values in results.items()}, peaks


def peak_mb() -> float:
    """Return the peak memory of this process and of its largest child in MB."""
    import resource

    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kB elsewhere
    return max(resource.getrusage(kind).ru_maxrss for kind in kinds) / unit


def line(title: str, values: list[float], unit: str, what: str) -> str:
    """Return median, range and circumstances as a line."""
    middle, low, high = median(values), min(values), max(values)
    return (
        f"{title}: {middle:.3g} {unit} ({low:.3g}-{high:.3g}, {len(values)} rounds) {what}"
    )


def machine() -> str:
    """Return the processor, the GPU and the versions that were measured."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line for line in info.read_text().splitlines() if line[:10] == "model name"
        ]
        model = names[0].split(": ", 1)[1] if names else model
    versions = ", ".join(f"{name} {version(name)}" for name in ("zarr", "torch"))
    return f"{n_cores()} cores {model}{_gpu()}, {versions}"


def _gpu() -> str:
    import torch  # late: `seaice --help` is quick

    return f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""

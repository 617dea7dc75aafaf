"""Times of repeated work, and the lines that tell them."""

import platform
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median

from .machine import n_cores


def timed(work: Callable[[], object], rounds: int) -> list[float]:
    """Return the seconds of each round, after one that does not count."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return times[1:]


def taking_turns(
    tasks: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, list[float]]:
    """Return the seconds of each round of each task, after one that does not count.

    What else the machine does meets all of them: each round runs every task once.
    """
    times: dict[str, list[float]] = {title: [] for title in tasks}
    for _ in range(rounds + 1):
        for title, work in tasks.items():
            start = time.perf_counter()
            work()
            times[title].append(time.perf_counter() - start)
    return {title: values[1:] for title, values in times.items()}


def line(title: str, values: list[float], unit: str, what: str) -> str:
    """Write median, range and circumstances in a line."""
    middle, low, high = median(values), min(values), max(values)
    return (
        f"{title}: {middle:.3g} {unit} ({low:.3g}-{high:.3g}, {len(values)} rounds) {what}"
    )


def machine() -> str:
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

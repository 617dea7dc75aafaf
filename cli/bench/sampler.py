"""`seaice bench sampler`: patches from a store, compared with copies and official code."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from seaice_data.system.process import n_cores

from ..console import say
from .many_scenes import link_scenes
from .timing import line, taking_turns

if TYPE_CHECKING:
    from seaice_data.sampling.sampler import PatchSampler
    from seaice_data.store.store import Store

_BATCH = 16
_N_BATCHES = 4
_SIZE = 256
_N_COLD_SCENES = 500
_MOST_IN_MEMORY = 20_000_000  # pixels of all scenes together, to keep them as float32
_AUGMENTED = ("augmented, nearest", "augmented, bilinear", "augmented, profile official")
_PUBLISHED = (
    "the official code itself, on another 2-core machine: 163-181 plain, 62-88 augmented"
)

_COLD = """
import sys, time
times = [time.perf_counter()]
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.store import Store
times.append(time.perf_counter())
store = Store.open(sys.argv[1])
scenes = store.scenes
times.append(time.perf_counter())
patches = PatchSampler(store, scenes=scenes, channels=store.channels[:16])
patches.batch(range(16))
times.append(time.perf_counter())
print(*(end - start for start, end in zip(times, times[1:])))
"""


def measure(path: Path, rounds: int) -> None:
    """Print how many patches are sampled per second, all tasks in turns."""
    import torch

    from seaice_data.channels import OFFICIAL_CHANNELS
    from seaice_data.store.store import Store

    torch.set_num_threads(1)  # the official code copies little: more threads slow it down
    store = Store.open(str(path))
    channels = tuple(name for name in OFFICIAL_CHANNELS if name in store.channels)
    few, all_ = f"{len(channels)} channels", f"{len(store.channels)} channels"
    tasks = _plain_tasks(store, channels, few) | _plain_tasks(store, store.channels, all_)
    tasks |= _augmented_tasks(store, channels)
    if sum(prod(store.scene(i).grid.shape) for i in store.scenes) <= _MOST_IN_MEMORY:
        tasks |= _official_tasks(store, channels) | _resident_tasks(store, channels)
    n = _BATCH * _N_BATCHES
    rates = {
        title: [n / t for t in times]
        for title, times in taking_turns(tasks, rounds).items()
    }
    what = f"{_SIZE} x {_SIZE} {store.recipe.dtype}, {len(store.scenes)} scenes"
    for title, values in rates.items():
        say(line(title, values, "patches/s", what))
    _say_ratios({title: median(values) for title, values in rates.items()}, few, all_)
    imports, opening, first = zip(*_cold_starts(path, min(rounds, 3)), strict=True)
    what = f"{_N_COLD_SCENES} scenes"
    say(line("cold process: imports", [*imports], "s", "without torch"))
    say(line("cold process: open a store", [*opening], "s", what))
    say(line("cold process: sampler and first batch", [*first], "s", what))


def _sampler(store: "Store", channels: tuple[str, ...], **settings: Any) -> "PatchSampler":
    from seaice_data.sampling.sampler import PatchSampler

    return PatchSampler(
        store, scenes=store.scenes, channels=channels, size=_SIZE, **settings
    )


def _sampling(patches: "PatchSampler") -> Callable[[], object]:
    """Return a function that samples the next batches into the same memory."""
    out, batches = patches.empty(_BATCH), iter(range(2**40))

    def sample() -> None:
        for _ in range(_N_BATCHES):
            first = _BATCH * next(batches)
            patches.batch(range(first, first + _BATCH), out)

    return sample


def _plain_tasks(
    store: "Store", channels: tuple[str, ...], title: str
) -> dict[str, Callable[[], object]]:
    """Return tasks that copy windows unchanged, with the sampler and with numpy alone."""
    patches = _sampler(store, channels)
    out, n = patches.empty(_BATCH), len(channels)
    planes = [(s.inputs.view(), s.charts.view()) for s in map(store.scene, patches.scenes)]
    places = [patches.place(number) for number in range(_BATCH * _N_BATCHES)]

    def gather() -> None:
        for k, (scene, top, left) in enumerate(places):
            inputs, charts = planes[scene]
            rows, columns = slice(top, top + _SIZE), slice(left, left + _SIZE)
            window = inputs[rows, columns, :n]
            height, width = window.shape[:2]
            out["inputs"][k % _BATCH, :height, :width] = window
            out["charts"][k % _BATCH, :height, :width] = charts[rows, columns]
            if min(height, width) < _SIZE:  # padding is written too
                out["inputs"][k % _BATCH, height:], out["charts"][k % _BATCH, height:] = (
                    0,
                    0,
                )
                out["inputs"][k % _BATCH, :, width:] = 0
                out["charts"][k % _BATCH, :, width:] = 0

    return {
        f"plain, {title}, 1 thread": _sampling(patches),
        f"gather limit, {title}, 1 thread": gather,
    }


def _augmented_tasks(
    store: "Store", channels: tuple[str, ...]
) -> dict[str, Callable[[], object]]:
    """Return tasks that augment patches, on one thread and on all cores."""
    from seaice_data.sampling.augmentation import AUGMENTATIONS

    ours = AUGMENTATIONS["default"]
    kinds = (replace(ours, method="nearest"), ours, AUGMENTATIONS["official"])
    tasks = {
        f"{title}, 1 thread": _sampling(_sampler(store, channels, augmentation=kind))
        for title, kind in zip(_AUGMENTED, kinds, strict=True)
    }
    if (n := n_cores()) > 1:
        for title, kind in (
            ("plain", AUGMENTATIONS["none"]),
            ("augmented, bilinear", ours),
        ):
            patches = _sampler(store, channels, augmentation=kind, n_threads=n)
            tasks[f"{title}, {n} threads"] = _sampling(patches)
    return tasks


def _official_tasks(
    store: "Store", channels: tuple[str, ...]
) -> dict[str, Callable[[], object]]:
    """Return tasks of the official code, re-created."""
    import numpy as np

    from .official_sampler import OfficialSampler

    official = OfficialSampler(store, store.scenes, channels, _SIZE)
    rng = np.random.default_rng(0)

    def sampling(*, augmented: bool) -> Callable[[], object]:
        return lambda: [
            official.batch(_BATCH, rng, augmented=augmented) for _ in range(_N_BATCHES)
        ]

    return {
        "official code re-created, plain": sampling(augmented=False),
        "official code re-created, augmented": sampling(augmented=True),
    }


def _resident_tasks(
    store: "Store", channels: tuple[str, ...]
) -> dict[str, Callable[[], object]]:
    """Return tasks with scenes in CPU memory, and in GPU memory if there is a GPU."""
    import torch

    from seaice_data.sampling.augmentation import AUGMENTATIONS
    from seaice_model.training.gpu_patches import GpuPatches

    tasks = {}
    patches = _sampler(store, channels, augmentation=AUGMENTATIONS["default"])
    for name in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        resident = GpuPatches(patches, torch.device(name), _BATCH)
        tasks[f"augmented, bilinear, resident on {name}"] = _sampling_resident(
            resident, name
        )
    return tasks


def _sampling_resident(resident: Any, name: str) -> Callable[[], object]:
    import torch

    batches = iter(range(2**40))

    def sample() -> None:
        for _ in range(_N_BATCHES):
            first = _BATCH * next(batches)
            resident.batch(range(first, first + _BATCH))
        if name == "cuda":
            torch.cuda.synchronize()

    return sample


def _say_ratios(rates: dict[str, float], few: str, all_: str) -> None:
    for title in dict.fromkeys((few, all_)):
        ours, limit = (
            rates[f"{kind}, {title}, 1 thread"] for kind in ("plain", "gather limit")
        )
        say(f"plain, {title}: {100 * ours / limit:.0f} % of the gather limit")
    pairs = {f"plain, {few}": "plain"} | dict.fromkeys(_AUGMENTED, "augmented")
    for title, kind in pairs.items():
        if official := rates.get(f"official code re-created, {kind}"):
            ratio = rates[f"{title}, 1 thread"] / official
            say(f"{title}: {ratio:.1f} x as fast as the official code re-created, {kind}")
    say(f"published: {_PUBLISHED} (patches/s, 16 channels)")


def _cold_starts(path: Path, rounds: int) -> list[tuple[float, ...]]:
    """Return the seconds that new processes need for imports, a store and a first batch."""
    with tempfile.TemporaryDirectory() as folder:
        many = link_scenes(path, _N_COLD_SCENES, Path(folder))
        command = [sys.executable, "-c", _COLD, str(many)]
        printed = [
            subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own
            for _ in range(rounds + 1)
        ]
        return [tuple(map(float, line.split())) for line in printed[1:]]

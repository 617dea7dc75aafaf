"""`seaice bench train`: training steps, compared with the official code.

The official code trains a plain U-Net of PyTorch's modules: channels first, skip
connections concatenated by PyTorch, memory from the allocator of the C library. Both
networks start from the same weights and see the same batches, so their losses can be
compared step by step.
"""

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from seaice_data.system.process import n_cores

from ..console import say, seconds
from .gpu_steps import compare_sharing, compare_steps
from .many_scenes import link_scenes
from .timing import line, timed

if TYPE_CHECKING:
    from seaice_model.config.run_config import RunConfig
    from seaice_model.networks.device import Batch

_N_SCENES = 500
_N_PRODUCTS = 5
_STEPS: list[Iterator[tuple[float, float]]] = []
"""Steps that this process repeats."""


def measure(path: Path, rounds: int) -> None:
    """Print the speed of our step, of the official step and of a whole training.

    On a GPU the store has 500 scenes.
    """
    from seaice_model.config.presets import find_preset
    from seaice_model.networks.device import find_device

    config = find_preset("default").config
    if find_device("auto").type == "cuda":
        with tempfile.TemporaryDirectory() as folder:
            many = link_scenes(path, _N_SCENES, Path(folder))
            compare_steps(many, config, rounds)
            _train(str(many), rounds)
        for preset in ("default", "tiny"):
            compare_sharing(find_preset(preset).config, f"preset {preset}", rounds)
        return
    config = replace(config, train=replace(config.train, precision="float32"))
    what = f"batch 16, {len(config.model.channels)} x 256 x 256 f32, {n_cores()} threads"
    _compare_steps(str(path), config, rounds, what)
    _train(str(path), rounds)


def _compare_steps(path: str, config: "RunConfig", rounds: int, what: str) -> None:
    titles = {"ours": "training step", "plain": "training step, as the official code"}
    times: dict[str, list[float]] = {way: [] for way in titles}
    losses: dict[str, list[float]] = {way: [] for way in titles}
    with ExitStack() as stack:
        # Each has its own process, because processes keep freed memory. They take turns,
        # so that other load on the machine affects both.
        pools = {
            way: stack.enter_context(
                ProcessPoolExecutor(1, mp_context=get_context("spawn"))
            )
            for way in titles
        }
        for way, pool in pools.items():
            pool.submit(_start, way, path, config).result()
        for _ in range(rounds + 1):
            for way, pool in pools.items():
                elapsed_s, loss = pool.submit(_step).result()
                times[way].append(elapsed_s)
                losses[way].append(loss)
        n_flop = pools["ours"].submit(_flop_of_a_step, path, config).result()
        limit = pools["ours"].submit(_matrix_rate).result()
    for way, title in titles.items():
        say(line(title, times[way][1:], "s/step", what))
        say(f"{title}: losses {' '.join(f'{loss:.4f}' for loss in losses[way])}")
    ours, plain = median(times["ours"][1:]), median(times["plain"][1:])
    say(f"a training step is {plain / ours:.2f} x as fast as the official one")
    say(
        f"{n_flop / 1e9:.0f} GFLOP a step: {n_flop / 1e9 / ours:.0f} GFLOP/s, "
        f"a large matrix product has {limit / 1e9:.0f} GFLOP/s"
    )


def _train(path: str, rounds: int) -> None:
    """Print the speed of `seaice train`, patches and validation included."""
    from seaice_data.store.store import Store
    from seaice_model.config.presets import find_preset
    from seaice_model.networks.device import find_device
    from seaice_model.runs.folder import RunFolder
    from seaice_model.runs.log import read_log
    from seaice_model.training.train import train

    recipe = find_preset("default").config
    device = find_device("auto")
    # On a GPU an epoch takes a second or two, and the first one includes compilation.
    n_iterations = 2 if device.type == "cpu" else recipe.train.n_iterations
    short = replace(recipe.train, n_iterations=n_iterations, n_epochs=rounds + 1)
    with tempfile.TemporaryDirectory() as folder:
        train(Store.open(path), Path(folder), replace(recipe, train=short))
        epochs = read_log(RunFolder(Path(folder)).log)[1:]
    speeds = [epoch.patches_per_s for epoch in epochs]
    waiting = 100 * median(epoch.wait_share for epoch in epochs)
    what = f"the default preset on {device}, {waiting:.0f} % waiting for patches"
    say(line("train, warm", speeds, "patches/s", what))
    train_s = recipe.train.n_iterations * recipe.train.batch_size / median(speeds)
    validation_s = median(epoch.validation_s for epoch in epochs)
    whole_s = recipe.train.n_epochs * (train_s + validation_s)
    say(
        f"the whole recipe: {seconds(whole_s)} for {recipe.train.n_epochs} epochs of "
        f"{recipe.train.n_iterations} batches; validation takes "
        f"{100 * validation_s / (train_s + validation_s):.1f} % of an epoch"
    )


def _start(way: str, path: str, config: "RunConfig") -> None:
    """Make this process ready for steps."""
    import torch

    torch.set_num_threads(n_cores())
    _STEPS.append({"ours": _ours, "plain": _plain}[way](path, config))


def _step() -> tuple[float, float]:
    """Train on the next batch; return seconds and loss."""
    return next(_STEPS[0])


def _ours(path: str, config: "RunConfig") -> Iterator[tuple[float, float]]:
    import torch

    from seaice_data.system.memory import kept_pages
    from seaice_model.training.learner import Learner
    from seaice_model.training.processes import Processes

    with kept_pages():
        learner = Learner(config, Processes(device=torch.device("cpu")))
        for batch in _batches(path, config):
            start = time.perf_counter()
            loss = float(learner.learn(batch, config.train.learning_rate)[0])
            yield time.perf_counter() - start, loss


def _plain(path: str, config: "RunConfig") -> Iterator[tuple[float, float]]:
    from seaice_model.networks.device import as_classes, as_planes
    from seaice_model.networks.unet import MultiTaskUNet

    from .plain_unet import PlainUNet, plain_step

    network = PlainUNet(config.model)
    network.take_weights(MultiTaskUNet(config.model, seed=config.train.seed))
    step = plain_step(network, config.train)
    for batch in _batches(path, config):
        inputs = as_planes(batch.inputs).contiguous()
        charts = as_classes(batch.charts).contiguous()
        start = time.perf_counter()
        loss = float(step(inputs, charts))
        yield time.perf_counter() - start, loss


def _batches(path: str, config: "RunConfig") -> "Iterator[Batch]":
    """Yield batches for ever, each made before its step is timed."""
    from itertools import count

    import torch

    from seaice_data.sampling.sampler import PatchSampler
    from seaice_data.store.store import Store
    from seaice_model.training.batches import batches

    size = config.train.batch_size
    sampler = PatchSampler(
        Store.open(path), channels=config.model.channels, size=config.train.patch_size
    )
    for first in count(0, size):
        yield next(batches(sampler, first, first + size, size, torch.device("cpu")))


def _flop_of_a_step(path: str, config: "RunConfig") -> int:
    """Count the floating-point operations of a step; a multiply-add counts as two."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        next(_ours(path, config))
    return int(counter.get_total_flops())


def _matrix_rate() -> float:
    """Return the operations per second of a large matrix product, the best of a few."""
    import torch

    n = 4096
    a, b = torch.randn(n, n), torch.randn(n, n)
    return 2 * n**3 / min(timed(lambda: a @ b, _N_PRODUCTS))

"""Training steps on a GPU, compared with the official code and the limits of the card.

The official code trains a plain U-Net of PyTorch's modules, step by step from Python, in
float16 without scaling. There are two limits: the time for the floating-point operations of
a step at the measured rate of a large matrix product, and the time for reading and writing
the planes of its convolutions once, at the measured rate of a large copy.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from ..console import say
from .timing import line, timed

if TYPE_CHECKING:
    import torch

    from seaice_model.config.run_config import RunConfig
    from seaice_model.networks.device import Batch

_N_STEPS = 50
_N_SHARING = 2
_STEPS: list[Callable[[], None]] = []
"""What this process repeats."""


def compare_steps(path: Path, config: "RunConfig", rounds: int) -> None:
    """Print the times of our step and the official step, and the limits of the GPU."""
    import torch

    from seaice_data.sampling.sampler import PatchSampler
    from seaice_data.store.store import Store
    from seaice_model.training.batches import batches
    from seaice_model.training.gpu_patches import GpuPatches

    device = torch.device("cuda")
    size = config.train.batch_size
    sampler = PatchSampler(
        Store.open(str(path)),
        channels=config.model.channels,
        size=config.train.patch_size,
        augmentation=config.augmentation,
    )
    start = time.perf_counter()
    resident = GpuPatches(sampler, device, size, compiled=True)
    torch.cuda.synchronize()
    loading_s = time.perf_counter() - start
    say(f"{len(sampler.scenes)} scenes read and sent to the GPU in {loading_s:.1f} s")
    numbers = [range(k * size, (k + 1) * size) for k in range(_N_STEPS)]

    def cut() -> None:
        for _ in resident.cut(table, numbers):
            pass
        torch.cuda.synchronize()

    table = resident.plan(numbers)
    what = f"batch {size}, {len(config.model.channels)} x {sampler.size} x {sampler.size}"
    planning = timed(lambda: resident.plan(numbers), rounds)
    say(line("plan of a batch (a thread)", _each_ms(planning), "ms", what))
    say(line("cut of a batch", _each_ms(timed(cut, rounds)), "ms", what))
    batch = next(batches(resident, 0, size, size, device))
    ours = _each_ms(timed(_repeated(_ours(config, batch)), rounds))
    plain = _each_ms(timed(_repeated(_plain(config, batch)), rounds))
    say(line("training step", ours, "ms", f"{what}, bfloat16"))
    say(line("training step, as the official code", plain, "ms", f"{what}, float16"))
    say(f"a step is {median(plain) / median(ours):.1f} x as fast as the official one")
    _say_limits(config, batch, median(ours))


def compare_sharing(config: "RunConfig", title: str, rounds: int) -> None:
    """Print how long steps take when several processes share the GPU."""
    from concurrent.futures import ProcessPoolExecutor
    from contextlib import ExitStack
    from multiprocessing import get_context

    spawn = get_context("spawn")
    with ExitStack() as stack:
        pools = [
            stack.enter_context(ProcessPoolExecutor(1, mp_context=spawn))
            for _ in range(_N_SHARING)
        ]
        pools[0].submit(_start, config).result()  # its compiled code serves the others
        for future in [pool.submit(_start, config) for pool in pools[1:]]:
            future.result()

        def work(n: int) -> None:
            for future in [pool.submit(_run_steps) for pool in pools[:n]]:
                future.result()

        for n in range(1, _N_SHARING + 1):
            per_step = [t / n for t in _each_ms(timed(partial(work, n), rounds))]
            say(line(f"training step, {title}, {n} at once", per_step, "ms", "each"))


def _each_ms(times: list[float]) -> list[float]:
    return [1000 * elapsed_s / _N_STEPS for elapsed_s in times]


def _repeated(step: Callable[[], object]) -> Callable[[], None]:
    import torch

    def work() -> None:
        for _ in range(_N_STEPS):
            step()
        torch.cuda.synchronize()

    return work


def _ours(config: "RunConfig", batch: "Batch") -> Callable[[], object]:
    import torch

    from seaice_model.training.learner import Learner
    from seaice_model.training.processes import Processes

    learner = Learner(config, Processes(device=torch.device("cuda")))
    learner.network.train()
    return lambda: learner.learn(batch, config.train.learning_rate)


def _start(config: "RunConfig") -> None:
    """Make this process ready for steps on patches of noise."""
    import torch

    from seaice_model.networks.device import Batch

    shape = (config.train.batch_size, *[config.train.patch_size] * 2)
    batch = Batch(
        torch.randn(*shape, len(config.model.channels), device="cuda").half(),
        torch.randint(0, 6, (*shape, 3), dtype=torch.uint8, device="cuda"),
        torch.ones(shape[0], device="cuda"),
        wait_s=0,
    )
    _STEPS.append(_repeated(_ours(config, batch)))
    _run_steps()


def _run_steps() -> None:
    _STEPS[0]()


def _plain(config: "RunConfig", batch: "Batch") -> Callable[[], object]:
    from seaice_model.networks.device import as_classes, as_planes

    from .plain_unet import PlainUNet, plain_step

    step = plain_step(PlainUNet(config.model).to("cuda"), config.train)
    inputs = as_planes(batch.inputs).contiguous()
    charts = as_classes(batch.charts).contiguous()
    return lambda: step(inputs, charts)


def _say_limits(config: "RunConfig", batch: "Batch", step_ms: float) -> None:
    n_flop, n_bytes = _counted(config, batch)
    flop_per_s, bytes_per_s = _matrix_rate(), _copy_rate()
    arithmetic_ms = 1000 * n_flop / flop_per_s
    memory_ms = 1000 * n_bytes / bytes_per_s
    say(
        f"limits: {arithmetic_ms:.2f} ms for {n_flop / 1e9:.0f} GFLOP a step at "
        f"{flop_per_s / 1e12:.0f} TFLOP/s; {memory_ms:.2f} ms for {n_bytes / 1e9:.2f} GB "
        f"of its convolutions at {bytes_per_s / 1e12:.2f} TB/s; a step takes "
        f"{step_ms / max(arithmetic_ms, memory_ms):.1f} times the longer limit"
    )


def _counted(config: "RunConfig", batch: "Batch") -> tuple[int, int]:
    """Count the operations of a step, and the bytes of the planes around convolutions."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from seaice_model.networks.device import as_planes
    from seaice_model.networks.unet import MultiTaskUNet

    network = MultiTaskUNet(config.model).to("cuda")
    n_bytes = 0

    def count(_: object, given: "tuple[torch.Tensor, ...]", result: "torch.Tensor") -> None:
        nonlocal n_bytes
        # The forward pass and two gradients; the first layer needs only one of them.
        n_passes = 3 if given[0].requires_grad else 2
        n_bytes += 2 * n_passes * (given[0].numel() + result.numel())

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(count)
    with FlopCounterMode(display=False) as counter:
        prediction = network(as_planes(batch.inputs))
        sum(plane.float().sum() for plane in prediction).backward()
    return int(counter.get_total_flops()), n_bytes


def _matrix_rate() -> float:
    """Return the operations per second of a large matrix product."""
    import torch

    n = 8192
    a, b = (torch.randn(n, n, device="cuda", dtype=torch.bfloat16) for _ in range(2))

    return _N_STEPS * 2 * n**3 / median(timed(_repeated(lambda: a @ b), 3))


def _copy_rate() -> float:
    """Return the bytes per second that a large copy reads and writes."""
    import torch

    n = 2**31
    a, b = (torch.zeros(n, device="cuda", dtype=torch.uint8) for _ in range(2))

    return _N_STEPS * 2 * n / median(timed(_repeated(lambda: b.copy_(a)), 3))

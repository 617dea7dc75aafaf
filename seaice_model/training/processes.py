"""Processes that train one network together, each on its share of every batch.

``torchrun --nproc-per-node 2 --no-python -- seaice train store.zarr`` starts two and gives
each its rank. The batch size of the settings is that of all processes together: patch
numbers are divided by arithmetic, so patches and gradients are the same for any number of
processes, and a run that was stopped may continue with another number.

On GPUs, batch norm averages over all processes (``SyncBatchNorm``), which PyTorch does not
offer on CPUs. There each process normalises its own share, as if one process
normalised the parts of a batch one by one; the running means, which predictions use, are
averaged over the processes when an epoch ends or is stopped.
"""

import atexit
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from seaice_data.texts import shortened
from seaice_model.errors import RunError
from seaice_model.networks.device import find_device
from seaice_model.training.rendezvous import WAIT_S, Rendezvous, is_waiting

Item = TypeVar("Item")

_UNSET = "start several processes with torchrun; to train alone, unset WORLD_SIZE"
_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Processes:
    """The processes that train together, and the place of this one among them."""

    rank: int = 0
    """Number of this process, from 0."""

    count: int = 1
    """How many there are."""

    device: torch.device
    """Where this one trains."""

    @property
    def is_first(self) -> bool:
        """Return whether this process writes files and reports progress."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return this process's part of a list, every `count`-th."""
        return items[self.rank :: self.count]

    def mean(self, tensor: Tensor) -> Tensor:
        """Return the mean of a tensor over all processes."""
        return self.sum(tensor) / self.count if self.count > 1 else tensor

    def sum(self, tensor: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes."""
        if self.count == 1:
            return tensor
        total = tensor.detach().to(self.device, copy=True)
        distributed.all_reduce(total)
        return total.to(tensor.device)

    def any(self, is_so: bool) -> bool:
        """Return whether `is_so` is true in any of the processes."""
        return bool(self.sum(torch.tensor(float(is_so), device=self.device)) > 0)

    def barrier(self) -> None:
        """Wait until all processes are here, so that none ends while others need it."""
        self.any(False)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what PyTorch raises if another process has ended into a `RunError`."""
        try:
            yield
        except RuntimeError as error:
            # gloo, which connects CPUs, has no error of its own.
            if not (isinstance(error, distributed.DistError) or "gloo" in str(error)):
                raise
            # A message of gloo: [place in its code] what happened. general advice.
            reason = re.sub(r"^\[[^]]*\] *", "", str(error)).splitlines()[0]
            raise RunError(
                f"rank {self.rank} of {self.count} processes has lost the others: "
                f"{reason.partition('. ')[0]}",
                hint="one of them has ended: see what each of them has printed",
            ) from error

    def check_batch(self, n_patches: int) -> None:
        """Refuse a batch that cannot be shared evenly.

        Raises
        ------
        RunError
            If the number of patches is not a multiple of the number of processes.
        """
        if n_patches % self.count:
            raise RunError(
                f"a batch of {n_patches} patches cannot be shared by {self.count} "
                "processes",
                hint="change batch_size or the number of processes",
            )

    def synchronised(self, network: nn.Module, *, uses_all: bool = True) -> nn.Module:
        """Return `network` with gradients that are the means over all processes.

        `uses_all` is whether each prediction depends on all weights; looking for those
        without a gradient takes time.
        """
        if self.count == 1:
            return network
        if self.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
            devices = [self.device.index]
        else:
            devices = None
        return DistributedDataParallel(
            network,
            devices,
            broadcast_buffers=False,
            find_unused_parameters=not uses_all,
        )

    def average_buffers(self, network: nn.Module) -> None:
        """Replace the running means of `network` by their means over all processes."""
        if self.count == 1:
            return
        for buffer in network.buffers():
            if buffer.is_floating_point():
                buffer.copy_(self.mean(buffer))


def join(device: str, environment: Mapping[str, str] = os.environ) -> Processes:
    """Join the other processes that torchrun started; without torchrun, train alone.

    Processes stay joined until they end. If they left and joined again, they would find the
    state of the first time, and wait for each other forever.

    Parameters
    ----------
    device
        "auto", "cpu", "cuda" and so on; with several processes, each uses the GPU of its
        local rank.
    environment
        Variables that torchrun sets; ``SEAICE_WAIT_S`` is how many seconds to wait for the
        others (five minutes).

    Raises
    ------
    RunError
        If there is no such device, variables of torchrun are not numbers, or the other
        processes do not join in time.
    """
    if _is_alone(environment):
        return Processes(device=find_device(device))
    count = _number(environment, "WORLD_SIZE", 1)
    if count == 1:
        return Processes(device=find_device(device))
    rank, local_rank = (_number(environment, name, 0) for name in ("RANK", "LOCAL_RANK"))
    port = _number(environment, "MASTER_PORT", 0, 2**16 - 1)
    wait_s = WAIT_S
    if environment.get("SEAICE_WAIT_S"):
        wait_s = _number(environment, "SEAICE_WAIT_S", 1)
    if rank >= count:
        raise RunError(f"RANK is {rank}, but WORLD_SIZE is {count}", hint=_UNSET)
    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        device = f"cuda:{local_rank}"
    elif device not in ("auto", "cpu"):
        raise RunError(
            f"device {device!r} cannot be shared by {count} processes",
            hint="leave out --device: each process uses its own GPU",
        )
    found = find_device(device)
    if found.type == "cuda":
        torch.cuda.set_device(found)
    if not distributed.is_initialized():
        rendezvous = Rendezvous(
            host=environment["MASTER_ADDR"],
            port=port,
            rank=rank,
            count=count,
            wait_s=wait_s,
            is_served=environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
            attempt=environment.get("TORCHELASTIC_RESTART_COUNT", "0"),
        )
        rendezvous.join("nccl" if found.type == "cuda" else "gloo")
        atexit.register(distributed.destroy_process_group)
    return Processes(rank=rank, count=count, device=found)


def is_first(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether this process prints: it trains alone, or is the first of several."""
    if _is_alone(environment):
        return True
    return environment["WORLD_SIZE"] == "1" or environment["RANK"] == "0"


def _is_alone(environment: Mapping[str, str]) -> bool:
    """Return whether a variable of torchrun is not set; an empty one counts as not set."""
    return any(not environment.get(name) for name in _VARIABLES)


def _number(
    environment: Mapping[str, str], name: str, least: int, most: int = 2**31 - 1
) -> int:
    text = environment[name]
    number = int(text) if re.fullmatch("[0-9]{1,10}", text) else -1
    if not least <= number <= most:
        raise RunError(
            f"the environment variable {name} is {shortened(text)!r}, which is not a "
            f"number in {least}..{most}",
            hint=_UNSET,
        )
    return number


def leave(code: object = 0) -> None:
    """End this process at once if it has joined others, or was to; return if it is alone.

    Call it last. While Python shuts down, threads of PyTorch's process group sometimes
    abort the process, and torchrun then reports a finished training as failed.

    Parameters
    ----------
    code
        Exit code or message, as for `sys.exit`.
    """
    if is_waiting() or (distributed.is_available() and distributed.is_initialized()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))

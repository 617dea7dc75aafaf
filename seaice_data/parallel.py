"""Run one task a scene with dask: here, in several local processes, or on a cluster."""

import signal
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from dask.base import compute
from dask.callbacks import Callback
from dask.delayed import Delayed, delayed

from seaice_data.errors import SeaIceError

Result = TypeVar("Result")

Progress = Callable[[int, int, str], None]
"""Called with tasks done, tasks in all, and the name of the task just done."""


def run_tasks(
    function: Callable[..., Result],
    arguments: Mapping[str, tuple[Any, ...]],
    jobs: int = 1,
    progress: Progress | None = None,
    *,
    scheduler: str | None = None,
) -> list[Result]:
    """Call `function` with each of `arguments` and return the results in their order.

    Parameters
    ----------
    function
        Something that can be pickled; its exceptions come out of `run_tasks`.
    arguments
        Arguments by the name of the task.
    jobs
        Processes that work at the same time; with 1, this one.
    progress
        Told after each task.
    scheduler
        Address of a dask.distributed scheduler, ``tcp://node1:8786``: its workers do the
        work, whatever `jobs` says. A task whose worker dies is done again by another.

    Raises
    ------
    SeaIceError
        If a process was killed, or there is no such scheduler; results of other tasks may
        be on disk, if they wrote any.
    """
    # A scheduler takes tasks with equal keys for the same task, whoever asks for it.
    run = uuid.uuid4().hex
    names = {f"{name}-{run}": name for name in arguments}
    task = delayed(function)
    tasks = [task(*arguments[name], dask_key_name=key) for key, name in names.items()]
    n_done = 0

    def count(key: object, *_: object) -> None:
        nonlocal n_done
        if key in names:
            n_done += 1
            if progress:
                progress(n_done, len(names), names[str(key)])

    if not tasks:
        return []
    if scheduler:
        return _compute_there(tasks, scheduler, count)
    return _compute_here(tasks, jobs, count)


def _compute_here(tasks: list[Delayed], jobs: int, count: Callable[..., None]) -> list[Any]:
    """Compute in this process or in several of this machine."""
    options: dict[str, Any] = {"scheduler": "synchronous"}
    if jobs > 1 and len(tasks) > 1:
        options = {
            "scheduler": "processes",
            "num_workers": min(jobs, len(tasks)),
            "chunksize": 1,
            "initializer": _ignore_interrupt,
        }
    try:
        with Callback(posttask=count):
            return list(compute(*tasks, **options))
    except BrokenProcessPool as error:
        raise SeaIceError(
            "a working process was killed, perhaps for want of memory",
            hint="run again to go on where it stopped; --jobs 1 needs least memory",
        ) from error


def _compute_there(
    tasks: list[Delayed], scheduler: str, count: Callable[..., None]
) -> list[Any]:
    """Compute on the workers of a dask.distributed cluster."""
    with _connected(scheduler) as client:
        from distributed import KilledWorker, as_completed

        futures = client.compute(tasks)
        try:
            for future in as_completed(futures):
                future.result()
                count(future.key)
            return [future.result() for future in futures]
        except KilledWorker as error:
            raise SeaIceError(
                f"one task killed several workers of {scheduler!r}, "
                "perhaps for want of memory",
                hint="run again to go on where it stopped; give the workers more memory, "
                "and one thread each (dask worker --nthreads 1)",
            ) from error


@contextmanager
def _connected(scheduler: str) -> Iterator[Any]:
    """Connect to a scheduler, or say in words why not."""
    try:
        from distributed import Client
    except ImportError as error:
        raise SeaIceError(
            "a cluster needs the package distributed", hint="pip install 'seaice[hpc]'"
        ) from error
    try:
        client = Client(scheduler)
    except (OSError, ValueError) as error:
        raise SeaIceError(
            f"no dask scheduler at {scheduler!r}: {error}",
            hint="start one with `dask scheduler`, and workers with "
            "`dask worker tcp://node1:8786 --nthreads 1`",
        ) from error
    with client:
        yield client


def _ignore_interrupt() -> None:
    """Leave Ctrl-C to the process that coordinates the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

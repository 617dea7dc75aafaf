"""Run one task a scene with dask: here, or in several local processes."""

import signal
from collections.abc import Callable, Mapping
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from dask.base import compute
from dask.callbacks import Callback
from dask.delayed import delayed

from seaice_data.errors import SeaIceError

Result = TypeVar("Result")

Progress = Callable[[int, int, str], None]
"""Called with tasks done, tasks in all, and the name of the task just done."""


def run_tasks(
    function: Callable[..., Result],
    arguments: Mapping[str, tuple[Any, ...]],
    jobs: int,
    progress: Progress | None = None,
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

    Raises
    ------
    SeaIceError
        If a process was killed; results of other tasks may be on disk, if they wrote any.
    """
    task = delayed(function)
    tasks = [task(*values, dask_key_name=name) for name, values in arguments.items()]
    n_done = 0

    def count(key: str, *_: object) -> None:
        nonlocal n_done
        if key in arguments:
            n_done += 1
            if progress:
                progress(n_done, len(arguments), key)

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


def _ignore_interrupt() -> None:
    """Leave Ctrl-C to the process that coordinates the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

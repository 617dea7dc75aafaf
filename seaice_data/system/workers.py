"""Run one task per scene: in this process, in several, or on a dask cluster.

A task returns its error as a value, which is raised here unchanged, with its hint.
Worker processes end when this one does, however it ends. They import what they need, never
the program that starts them: it needs no ``if __name__ == "__main__":``, and may come from
the standard input.
"""

import atexit
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from types import FrameType, ModuleType
from typing import Any, NoReturn, TypeVar

from seaice_data.errors import SeaIceError
from seaice_data.system.extras import extra
from seaice_data.system.process import do_nothing, ending_signals, raise_again
from seaice_data.texts import OneLine

Result = TypeVar("Result")

_Task = tuple[Any, ...]  # a function and its arguments
_Count = Callable[[str, Any], None]  # called with the name and the result of a task

Progress = Callable[[int, int, str], None]
"""Called with the tasks done, the tasks in all, and the name of the task just done."""


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
        Defined in a module, so that other processes can import it, like the classes of its
        arguments and results. Its errors are raised unchanged by `run_tasks`, or in words
        if they cannot be sent from one process to another.
    arguments
        Arguments by the name of the task.
    jobs
        Number of processes; with 1, only this one.
    progress
        Called after each task.
    scheduler
        Address of a dask.distributed scheduler, ``tcp://node1:8786``: its workers do the
        work, whatever `jobs` is. A task whose worker dies is given to another.

    Raises
    ------
    SeaIceError
        If a process was killed, or the scheduler does not exist; other tasks may have
        written their results to disk.
    """
    results: dict[str, Any] = {}

    def count(name: str, result: Any) -> None:
        if isinstance(result, _Raised):
            raise result.error
        results[name] = result
        if progress:
            progress(len(results), len(arguments), name)

    tasks = {name: (function, *given) for name, given in arguments.items()}
    if tasks and scheduler:
        _compute_there(tasks, scheduler, count)
    elif jobs <= 1 or len(tasks) <= 1:
        for name, task in tasks.items():
            count(name, _attempt(*task))
    else:
        _compute_here(tasks, min(jobs, len(tasks)), count)
    return [results[name] for name in arguments]


def _compute_here(tasks: Mapping[str, _Task], jobs: int, count: _Count) -> None:
    """Compute in several processes of this machine."""
    context = WorkerContext()
    pool = ProcessPoolExecutor(jobs, context, _begin)
    # Processes that are still starting open its queues, maybe after it has let go of them.
    shared = dict(vars(pool))
    try:
        with pool:
            # No more than are worked on: after an error, or Ctrl-C, nothing else begins.
            waiting, running = iter(tasks.items()), dict[Future[Any], str]()
            while True:
                for name, task in islice(waiting, jobs - len(running)):
                    running[pool.submit(_attempt_apart, *task)] = name
                if not running:
                    break
                for future in wait_for(running, return_when=FIRST_COMPLETED).done:
                    count(running.pop(future), future.result())
    except BrokenProcessPool as error:
        message, hint = end_in_words(context.processes)
        raise SeaIceError(message, hint=hint) from error
    finally:
        # After an interruption some may still be starting, and the pool does not know them.
        for process in context.processes:
            if process.is_alive():
                process.terminate()
                process.join()
        shared.clear()


def _compute_there(tasks: Mapping[str, _Task], scheduler: str, count: _Count) -> None:
    """Compute on the workers of a dask.distributed cluster."""
    with _connected(scheduler) as client:
        import distributed

        # A scheduler treats tasks with equal keys as one task, whoever submits them.
        run = uuid.uuid4().hex
        names = {
            client.submit(_attempt_apart, *task, key=f"{name}-{run}"): name
            for name, task in tasks.items()
        }
        try:
            for future in distributed.as_completed([*names]):
                count(names[future], future.result())
        except distributed.KilledWorker as error:
            raise SeaIceError(
                f"workers of {scheduler!r} ended during the same task, "
                f"{error.allowed_failures + 1} in all, "
                f"the last one at {error.last_worker.address}",
                hint="run again to continue where it stopped; the logs say how they ended",
            ) from error


@contextmanager
def _connected(scheduler: str) -> Iterator[Any]:
    """Connect to a scheduler."""
    with extra("hpc", SeaIceError):
        from distributed import Client
        from distributed.comm.addressing import get_address_host_port
    try:
        get_address_host_port(scheduler)  # a client of a wrong one would remain the default
        client = Client(scheduler)
    except (OSError, ValueError) as error:
        raise SeaIceError(
            f"no dask scheduler at {scheduler!r}: {error}",
            hint="start one with `dask scheduler`, and workers with "
            "`dask worker tcp://node1:8786 --nthreads 1`",
        ) from error
    with client:
        yield client


@dataclass(frozen=True, slots=True)
class _Raised:
    """The error of a task."""

    error: Exception


class _Ended(SystemExit):
    """A process of the pool was asked to end."""


def _attempt(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function; return its errors as values, without a trace of dask."""
    try:
        return function(*arguments)
    except (SeaIceError, OSError, MemoryError) as error:
        return _Raised(error)


def _attempt_apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Do the same in another process, which an error must be able to leave."""
    try:
        outcome = _attempt(function, *arguments)
        if isinstance(outcome, _Raised) and not _travels(outcome.error):
            return _Raised(SeaIceError(f"{type(outcome.error).__name__}: {outcome.error}"))
    except Exception as error:
        if not _travels(error):
            raise RuntimeError(f"{type(error).__name__}: {error}") from None
        raise
    except _Ended as ended:  # the pool would treat it as the result, and continue
        _leave(ended)
    return outcome


def _travels(error: Exception) -> bool:
    """Return whether an error can be sent to another process: not all of libraries can."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - whatever its class does
        return False
    return True


def _begin() -> None:
    """Begin a process of the pool."""
    try:
        begin_worker()
    except _Ended as ended:  # the pool would print it
        _leave(ended)


def _leave(ended: _Ended) -> NoReturn:
    """End this process now that it has tidied up."""
    os._exit(int(str(ended.code)))


_starting = threading.Lock()


class _Process(SpawnProcess):
    """Does not import the program; blocks Ctrl-C until it can ignore it."""

    def run(self) -> None:
        """Do the work, and end without taking the interpreter apart, which takes 0.2 s."""
        super().run()
        atexit._run_exitfuncs()  # of libraries, which may remove temporary folders
        for stream in filter(None, (sys.stdout, sys.stderr)):  # None if they were closed
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(0)

    def start(self) -> None:
        """Start it; a signal that comes meanwhile takes effect afterwards."""
        program = sys.modules["__main__"]
        try:
            with _starting, _signals_later():
                # Otherwise it would import the program to find its functions, and run it.
                sys.modules["__main__"] = ModuleType("__main__")
                try:
                    super().start()
                finally:
                    sys.modules["__main__"] = program
        except KeyboardInterrupt:
            if self.pid is not None:  # its pool does not know it yet
                self.terminate()
            raise


@contextmanager
def _signals_later() -> Iterator[None]:
    """Hold signals back to the end; block Ctrl-C, which processes started here inherit."""
    came: list[int] = []
    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in ending_signals():
            before[number] = signal.signal(
                number, lambda number, _frame: came.append(number)
            )
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        for held, handler in before.items():
            signal.signal(held, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if came:  # one of them is enough
            os.kill(os.getpid(), came[0])


class WorkerContext(SpawnContext):
    """Starts processes that begin with `begin_worker`."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[BaseProcess] = []
        """Those that were started."""
        _start_tracker()

    def Process(self, *arguments: Any, **options: Any) -> _Process:  # type: ignore[override]  # noqa: N802
        """Make a process."""
        process = _Process(*arguments, **options)
        self.processes.append(process)
        return process


def _start_tracker() -> None:
    """Start Python's resource tracker now: starting it later would unblock Ctrl-C.

    It ignores the other signals that go to all processes, but not SIGHUP.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # it inherits that
    try:
        resource_tracker.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_in_words(processes: Iterable[BaseProcess]) -> tuple[str, str]:
    """Return how the first of several processes ended early, and what to do."""
    codes = [process.exitcode or 0 for process in processes]
    # The remaining ones are terminated after it.
    code = min(codes, key=lambda code: (code == 0, _signal_of(code) == signal.SIGTERM))
    again = "run again to continue where it stopped"
    if not (number := _signal_of(code)):
        return f"a worker process ended with exit code {code}", again
    name = {item.value: f" ({item.name})" for item in signal.Signals}.get(number, "")
    if name == " (SIGKILL)":
        again += "; the system does this when memory runs out, and fewer jobs need less"
    return f"a worker process was killed by signal {number}{name}", again


def _signal_of(code: int) -> int:
    """Return the signal that an exit code stands for; 0 if none."""
    return -code if code < 0 else max(code - 128, 0)


def _end(number: int, _frame: FrameType | None) -> None:
    """Tidy up on the way out: half-written files go away."""
    for other in ending_signals():  # one of them is enough
        signal.signal(other, do_nothing)
    raise _Ended(128 + number)


def begin_worker(terminate: Callable[[int, FrameType | None], None] = _end) -> None:
    """Leave Ctrl-C to the process that coordinates the others, and end when it does.

    Parameters
    ----------
    terminate
        Handler of the signals by which others ask a process to end.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    raise_again(_Ended)
    for number in ending_signals():
        signal.signal(number, terminate)
    if logging.lastResort is not None:  # in use where nobody has set up logging
        logging.lastResort.setFormatter(OneLine())
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    """End this process as soon as the one that started it has ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)

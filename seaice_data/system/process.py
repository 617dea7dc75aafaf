"""What the system grants this process, and asks of it: cores, and signals to end."""

import atexit
import math
import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import Any

_AGAIN_S = (0.001, 0.05)
"""When to raise a lost error first, and how often to try again."""


def n_cores(root: Path = Path("/")) -> int:
    """Return the cores that this process may use at the same time, at least 1.

    The smallest of the number of cores that it may run on (all, if the system does not
    say), and on Linux the quotas of its control groups, rounded up.

    Parameters
    ----------
    root
        Where the files of the system are.

    Examples
    --------
    >>> n_cores() <= os.cpu_count()
    True
    """
    if hasattr(os, "sched_getaffinity"):
        n_there = len(os.sched_getaffinity(0))
    else:  # on macOS and Windows
        n_there = os.cpu_count() or 1
    return max(1, math.ceil(min(n_there, _quota(root))))


def _quota(root: Path) -> float:
    """Return how many cores control groups allow, as `docker run --cpus` sets them."""
    try:
        # Names of groups are bytes, like those of files.
        text = (root / "proc/self/cgroup").read_text("utf-8", "surrogateescape")
        lines = text.splitlines()
    except OSError:
        return math.inf
    quota = math.inf
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # Quotas of parent groups count, too. A container sees its own group as the root,
        # whatever the path says.
        group = PurePosixPath(path.lstrip("/"))
        for folder in (group, *group.parents):
            found = root / "sys/fs/cgroup" / controllers / folder
            quota = min(quota, _quota_of(found, is_new=not controllers))
    return quota


def _quota_of(group: Path, *, is_new: bool) -> float:
    """Return the quota of one control group, of version 2 or 1; infinite without one."""
    names = ("cpu.max",) if is_new else ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    try:
        content = " ".join((group / name).read_text() for name in names)
        allowed, period = map(int, content.split())
    except (OSError, ValueError):  # there is none, or it is "max"
        return math.inf
    return allowed / period if allowed > 0 else math.inf


def ending_signals() -> tuple[signal.Signals, ...]:
    """Return those to which this process reacts: SIGTERM and SIGHUP (its terminal closed).

    Ignored signals stay ignored: `nohup` starts commands that survive their terminal.
    """
    names = ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP
    numbers = (getattr(signal, name) for name in names if hasattr(signal, name))
    return tuple(n for n in numbers if signal.getsignal(n) is not signal.SIG_IGN)


def do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Handle a signal that has no effect any more.

    A signal that is ignored from within the handler of another one may have come already:
    Python would report it as an error.
    """


def raise_again(*kinds: type[BaseException]) -> None:
    """Raise errors of signal handlers again that a library has lost, until Python exits.

    Python runs a handler wherever its main thread is. In a function that a library calls
    back, such as a finalizer, nothing can receive the error: Python prints and forgets it.

    For programs and processes of our own: it takes ``sys.unraisablehook``, SIGALRM and the
    timer that sends it.

    Parameters
    ----------
    kinds
        What handlers raise. Nothing is printed about these.
    """
    if hasattr(signal, "setitimer"):  # Windows has neither that nor these signals
        before = sys.unraisablehook
        sys.unraisablehook = partial(_raise_later, kinds, before)
        atexit.register(_raise_no_more, before)  # then Python itself handles signals


def _raise_no_more(hook: Any) -> None:
    sys.unraisablehook = hook
    signal.setitimer(signal.ITIMER_REAL, 0)


def _raise_later(kinds: tuple[type[BaseException], ...], report: Any, lost: Any) -> None:
    """Raise a lost error in a moment, when the function that lost it should have ended."""
    error = lost.exc_value
    if isinstance(error, kinds) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGALRM, partial(_raise, type(error), error.args))
        signal.setitimer(signal.ITIMER_REAL, *_AGAIN_S)
    else:
        report(lost)


def _raise(
    kind: type[BaseException], args: tuple[Any, ...], _number: int, frame: FrameType | None
) -> None:
    while frame is not None:  # here it would be lost once more
        if frame.f_code is _raise_later.__code__:
            return
        frame = frame.f_back
    signal.setitimer(signal.ITIMER_REAL, 0)
    raise kind(*args)

"""Stop long work cleanly on SIGINT, SIGTERM or SIGHUP."""

import os
import signal
import socket
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType

from seaice_data.system.process import do_nothing, ending_signals

_PATIENCE_S = 30.0


class StopRequest:
    """A request to stop the work."""

    def __init__(self) -> None:
        self.is_made = False
        """True after the first signal."""

    def make(self, _number: int, _frame: FrameType | None) -> None:
        """Make the request; this is a signal handler."""
        self.is_made = True


@contextmanager
def stop_on_signals(patience_s: float = _PATIENCE_S) -> Iterator[StopRequest]:
    """Turn the first signal to end into a request; a second one has its usual effect.

    The signals are SIGTERM, SIGHUP (the terminal was closed) and SIGINT (Ctrl-C), except
    those that the process ignores, as under `nohup`. The previous handlers are restored at
    the end. In other threads, where Python handles no signals, there is never a request.
    A request that an earlier handler (`StopRequest.make`) has received counts, too.

    Python handles no signal while native code does not return, as when a GPU or another
    process hangs. A second signal then ends the process at once, if it comes `patience_s`
    after the first, which would be handled by then otherwise.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    numbers = [*ending_signals()]
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        numbers.append(signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(_number: int, _frame: FrameType | None) -> None:
        request.is_made = True
        restore()
        if hasattr(signal, "SIGHUP"):  # both the system and the shell send it
            signal.signal(signal.SIGHUP, do_nothing)

    for number in numbers:
        signal.signal(number, ask)
    earlier = (getattr(handler, "__self__", None) for handler in before.values())
    if any(isinstance(other, StopRequest) and other.is_made for other in earlier):
        request.is_made = True
    try:
        with _ended_if_hanging(numbers, request, patience_s):
            yield request
    finally:
        restore()


@contextmanager
def _ended_if_hanging(
    numbers: Collection[int], request: StopRequest, patience_s: float
) -> Iterator[None]:
    """Watch for signals that Python does not handle."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    # The handler in C, which runs at once, writes the numbers of signals.
    before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    if before != -1:  # it is used by an event loop
        signal.set_wakeup_fd(before)
    _leave_to_parent()
    arguments = (ours, {*numbers}, request, patience_s)
    watching = threading.Thread(target=_watch, args=arguments, daemon=True)
    watching.start()
    try:
        yield
    finally:
        if before == -1:
            signal.set_wakeup_fd(-1)
        theirs.shutdown(socket.SHUT_RDWR)  # forked processes have a copy of it
        theirs.close()
        watching.join()
        ours.close()


def _watch(
    signals: socket.socket,
    numbers: Collection[int],
    request: StopRequest,
    patience_s: float,
) -> None:
    """End the process on a second signal, if the first has not been handled for long."""
    first_s = None
    while received := signals.recv(1):  # nothing once the other end is closed
        number = received[0]
        if number not in numbers:
            continue
        now = time.monotonic()
        if first_s is None:
            first_s = now
        elif now - first_s > patience_s:
            time.sleep(min(patience_s, 1.0))  # the handler may just have been called
            if not request.is_made:
                os._exit(128 + number)


@cache
def _leave_to_parent() -> None:
    """Keep signals to forked processes from being taken for signals to this one."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))

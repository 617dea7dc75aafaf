"""Stop long work cleanly on SIGINT, SIGTERM or SIGHUP."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from seaice_data.system.process import ending_signals


class StopRequest:
    """A request to stop the work."""

    def __init__(self) -> None:
        self.is_made = False
        """True after the first signal."""

    def make(self, _number: int, _frame: FrameType | None) -> None:
        """Make the request; this is a signal handler."""
        self.is_made = True


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn the first signal to end into a request; a second one has its usual effect.

    The signals are SIGTERM, SIGHUP (the terminal was closed) and SIGINT (Ctrl-C), except
    those that the process ignores, as under `nohup`. The previous handlers are restored at
    the end. In other threads, where Python handles no signals, there is never a request.
    A request that an earlier handler (`StopRequest.make`) has received counts, too.
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
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    for number in numbers:
        signal.signal(number, ask)
    earlier = (getattr(handler, "__self__", None) for handler in before.values())
    if any(isinstance(other, StopRequest) and other.is_made for other in earlier):
        request.is_made = True
    try:
        yield request
    finally:
        restore()

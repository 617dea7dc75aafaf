"""While a thread uses the netCDF library, no other one closes forgotten datasets."""

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from seaice_data.system.netcdf_library import one_at_a_time


def test_no_garbage_is_collected_while_the_library_is_in_use() -> None:
    assert gc.isenabled()
    with one_at_a_time:
        assert not gc.isenabled()
        with one_at_a_time:
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_who_had_collecting_switched_off_finds_it_off() -> None:
    gc.disable()
    try:
        with one_at_a_time:
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_library_waits_for_a_collection_in_another_thread() -> None:
    begun, may_end, entered = (threading.Event() for _ in range(3))
    order = []

    def close() -> None:
        begun.set()
        may_end.wait()
        order.append("collected")

    def use() -> None:
        with one_at_a_time:
            order.append("used")
            entered.set()

    with _collecting_beside(close, begun, use):
        entered_early = entered.wait(0.1)
        may_end.set()
    assert not entered_early
    assert order == ["collected", "used"]


def test_what_is_collected_may_use_the_library() -> None:
    begun, waits = threading.Event(), threading.Event()
    order = []

    def close() -> None:
        begun.set()
        waits.wait()  # until the other thread wants it, too
        with one_at_a_time:
            order.append("collected")

    def use() -> None:
        waits.set()
        with one_at_a_time:
            order.append("used")

    with _collecting_beside(close, begun, use):
        pass
    assert order == ["collected", "used"]


class _Forgotten:
    """Nobody knows it but itself; calls `close` when it is collected."""

    def __init__(self, close: Callable[[], None]) -> None:
        self.itself = self
        self.close = close

    def __del__(self) -> None:
        self.close()


@contextmanager
def _collecting_beside(
    close: Callable[[], None], begun: threading.Event, use: Callable[[], None]
) -> Iterator[None]:
    """Collect something in a thread; once `close` has begun, call `use` in another."""
    gc.disable()  # not collected earlier, by this thread
    try:
        _Forgotten(close)
        threads = [threading.Thread(target=work) for work in (gc.collect, use)]
        threads[0].start()
        begun.wait()
        threads[1].start()
        yield
        for thread in threads:
            thread.join()
    finally:
        gc.enable()

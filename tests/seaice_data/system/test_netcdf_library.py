"""While a thread uses the netCDF library, no other one closes forgotten datasets."""

import gc
import threading

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

    class Forgotten:
        def __init__(self) -> None:
            self.cycle = self

        def __del__(self) -> None:
            begun.set()
            may_end.wait()
            order.append("collected")

    def use() -> None:
        with one_at_a_time:
            order.append("used")
            entered.set()

    gc.disable()  # it is collected below, in a thread of its own
    try:
        Forgotten()
        threads = [threading.Thread(target=work) for work in (gc.collect, use)]
        threads[0].start()
        begun.wait()
        threads[1].start()
        entered_early = entered.wait(0.1)
        may_end.set()
        for thread in threads:
            thread.join()
    finally:
        gc.enable()
    assert not entered_early
    assert order == ["collected", "used"]


def test_what_is_collected_may_use_the_library() -> None:
    begun, waits = threading.Event(), threading.Event()
    used = []

    class Forgotten:
        def __init__(self) -> None:
            self.cycle = self

        def __del__(self) -> None:
            begun.set()
            waits.wait()  # until the other thread wants it, too
            with one_at_a_time:
                used.append("collected")

    def use() -> None:
        waits.set()
        with one_at_a_time:
            used.append("used")

    gc.disable()
    try:
        Forgotten()
        threads = [threading.Thread(target=work) for work in (gc.collect, use)]
        threads[0].start()
        begun.wait()
        threads[1].start()
        for thread in threads:
            thread.join()
    finally:
        gc.enable()
    assert used == ["collected", "used"]

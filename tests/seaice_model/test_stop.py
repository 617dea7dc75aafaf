import os
import signal
import threading

import pytest

from seaice_model.stop import stop_on_signals


def test_the_first_signal_is_a_request_and_the_second_acts() -> None:
    with stop_on_signals() as stop:
        assert not stop.is_made
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.is_made
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_signals():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_other_threads_take_no_signals() -> None:
    made: list[bool] = []

    def work() -> None:
        with stop_on_signals() as stop:
            made.append(stop.is_made)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert made == [False]

import os
import signal
import threading

import pytest

from seaice_model.training.stop import StopRequest, stop_on_signals


def test_the_first_signal_is_a_request_and_the_second_acts() -> None:
    with stop_on_signals() as stop:
        assert not stop.is_made
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.is_made
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_handlers_are_restored(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_on_signals():
        assert signal.getsignal(number) is not before
    assert signal.getsignal(number) is before


def test_a_closed_terminal_is_one_request_however_often_it_is_sent() -> None:
    with stop_on_signals() as stop:
        for _ in range(2):  # by the system and by the shell
            os.kill(os.getpid(), signal.SIGHUP)
        assert stop.is_made


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_ignored_signal_is_not_a_request(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)  # as `nohup` starts a command
    try:
        with stop_on_signals() as stop:
            os.kill(os.getpid(), number)
        assert not stop.is_made
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_other_threads_handle_no_signals() -> None:
    made: list[bool] = []

    def work() -> None:
        with stop_on_signals() as stop:
            made.append(stop.is_made)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert made == [False]


def test_a_request_made_before_the_handlers_are_set_counts() -> None:
    worker = StopRequest()
    before = signal.signal(signal.SIGTERM, worker.make)
    try:
        with stop_on_signals() as stop:
            assert not stop.is_made
        os.kill(os.getpid(), signal.SIGTERM)
        with stop_on_signals() as stop:
            assert stop.is_made
    finally:
        signal.signal(signal.SIGTERM, before)

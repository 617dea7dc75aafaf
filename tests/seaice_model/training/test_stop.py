import os
import signal
import socket
import subprocess
import sys
import threading
import time

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


HANGING = """
import ctypes
from seaice_model.training.stop import stop_on_signals
with stop_on_signals(patience_s=0.1):
    ctypes.CDLL(None).system(b"echo ready; cat")  # waits in C, whatever the signals
"""


@pytest.mark.skipif(sys.platform != "linux", reason="another libc")
def test_a_process_that_hangs_ends_by_a_second_signal() -> None:
    command = [sys.executable, "-c", HANGING]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        n_sent = 0
        while process.poll() is None:
            process.terminate()
            n_sent += 1
            time.sleep(0.2)
    assert process.returncode == 128 + signal.SIGTERM
    assert n_sent > 1


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_forked_processes_and_event_loops_keep_their_signals() -> None:
    with stop_on_signals(patience_s=0) as stop:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, lambda *_: None)
            for _ in range(3):
                os.kill(os.getpid(), signal.SIGTERM)
            os._exit(signal.set_wakeup_fd(-1) == -1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        assert not stop.is_made
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    before = signal.set_wakeup_fd(theirs.fileno())
    try:
        with stop_on_signals():
            pass
    finally:
        assert signal.set_wakeup_fd(before) == theirs.fileno()
        ours.close()
        theirs.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_forked_processes_that_live_on_do_not_hold_up_the_end() -> None:
    with stop_on_signals():
        child = os.fork()
        if child == 0:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
            signal.sigwait({signal.SIGUSR1})  # until it is killed
    assert os.waitpid(child, os.WNOHANG) == (0, 0)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


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

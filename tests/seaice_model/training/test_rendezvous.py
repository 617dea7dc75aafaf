"""Processes of one training meet, or say who is missing; signals end those that wait."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from torch import distributed

from seaice_model.errors import RunError
from seaice_model.training.processes import join

SEAICE = Path(sys.executable).with_name("seaice")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def environment(rank: int, port: int, **more: str) -> dict[str, str]:
    return {
        "WORLD_SIZE": "3", "RANK": str(rank), "LOCAL_RANK": str(rank),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), **more,
    }  # fmt: skip


def wait_for_port(port: int, process: "subprocess.Popen[str]") -> None:
    """Return once a process listens, which is when it waits for the others."""
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(process.communicate())


def test_processes_that_do_not_come_are_named() -> None:
    port = free_port()
    with pytest.raises(RunError, match="rank 1, 2 of 3 processes did not come") as caught:
        join("cpu", environment(0, port, SEAICE_WAIT_S="1"))
    assert f"'127.0.0.1:{port}', after 1 s" in str(caught.value)
    assert "MASTER_ADDR" in str(caught.value.hint)
    assert not distributed.is_initialized()


def test_a_first_process_that_does_not_come_is_named() -> None:
    port = free_port()
    message = (
        f"rank 2 of 3 .* the process of rank 0 at '127.0.0.1:{port}': Connection refused"
    )
    with pytest.raises(RunError, match=message):
        join("cpu", environment(2, port, SEAICE_WAIT_S="1"))


def test_a_place_that_others_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
        with pytest.raises(RunError, match=f"'127.0.0.1:{port}': .*already in use"):
            join("cpu", environment(0, port, SEAICE_WAIT_S="1"))


@pytest.mark.parametrize("value", ["0", "soon", "1e3"])
def test_a_time_to_wait_that_is_not_a_number_is_named(value: str) -> None:
    with pytest.raises(RunError, match="environment variable SEAICE_WAIT_S is "):
        join("cpu", environment(0, free_port(), SEAICE_WAIT_S=value))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_training_that_waits_for_others(
    store_path: str, tmp_path: Path, number: signal.Signals
) -> None:
    port = free_port()
    process = subprocess.Popen(
        [SEAICE, "train", store_path, "--preset", "tiny", "--run", tmp_path / "run"],
        env=os.environ | environment(0, port), text=True, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        wait_for_port(port, process)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]  # it would wait for five minutes
    finally:
        process.kill()
    assert process.returncode == 128 + number
    assert "error: " in said.splitlines()[-2]
    assert not (tmp_path / "run").exists()


def test_a_server_that_never_answers_does_not_hold_up_a_signal() -> None:
    code = "from seaice_model.training.processes import join; join('cpu')"
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = subprocess.Popen(
            [sys.executable, "-c", code], text=True, stderr=subprocess.PIPE,
            env=os.environ | environment(1, server.getsockname()[1]),
        )  # fmt: skip
        try:
            first, _ = server.accept()  # looks whether anybody is there
            second, _ = server.accept()  # speaks to the store that it takes us for
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        finally:
            process.kill()
        first.close()
        second.close()
    assert process.returncode != 0


def together(code: str) -> list[str]:
    """Run code in three processes that join without torchrun; return what each prints."""
    port = free_port()
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            text=True,
            stdout=subprocess.PIPE,
            env=os.environ | environment(rank, port),
        )
        for rank in (2, 1, 0)
    ]
    said = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    return said[::-1]


JOIN = """
import torch
from seaice_model.training.processes import join, leave
processes = join("cpu")
"""

SLOW = """
import os, time
from torch import distributed

def join_slowly(*names, join=distributed.init_process_group, store, **others):
    join(*names, store=store, **others)
    while not store.check(["joined 0"]):  # fails if the first process ends before
        time.sleep(0.01)
    store.set("slow", "")

if os.environ["RANK"] == "1":
    distributed.init_process_group = join_slowly
"""


def test_the_first_process_keeps_the_store_until_all_have_joined() -> None:
    assert together(SLOW + JOIN + "print(processes.rank)\nleave()") == ["0\n", "1\n", "2\n"]


MEETING = """
from seaice_model.errors import RunError
from torch.distributed.distributed_c10d import _get_default_store
print(processes.rank, int(processes.sum(torch.tensor(processes.rank))))
print(_get_default_store().timeout, flush=True)
processes.barrier()  # all have connected
try:
    if processes.rank:
        with processes.errors():
            processes.barrier()
except RunError as error:
    print(error)
leave()
"""


@pytest.fixture(scope="module")
def said() -> list[list[str]]:
    """Return the lines of three processes that meet, of which the first soon leaves."""
    return [text.splitlines() for text in together(JOIN + MEETING)]


def test_processes_meet_without_torchrun_in_any_order(said: list[list[str]]) -> None:
    assert [lines[0] for lines in said] == ["0 3", "1 3", "2 3"]


def test_the_time_to_come_does_not_limit_what_follows(said: list[list[str]]) -> None:
    assert [lines[1] for lines in said] == ["0:30:00"] * 3


def test_a_process_that_others_left_says_so(said: list[list[str]]) -> None:
    assert said[0][2:] == []
    for rank in (1, 2):
        (last,) = said[rank][2:]
        lost = f"rank {rank} of 3 processes has lost the others: "
        assert re.match(lost + "[A-Z][^.]* \\[127.0.0.1\\]:[0-9]+", last)
        assert "GLHF" not in last

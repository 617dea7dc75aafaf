"""How many cores a process may use, on several systems; what signals do in callbacks."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import seaice_data.system.process
from seaice_data.system.process import n_cores

HERE = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
GROUPS = "sys/fs/cgroup"


def system(root: Path, groups: str, files: dict[str, str]) -> Path:
    """Write what Linux shows of control groups."""
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let the system report 64 cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {*range(64)}, raising=False)
    return 64


@pytest.mark.parametrize(
    ("quota", "n"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("20000 100000", 1),
        ("max 100000", 64),
        ("9999999 100000", 64),
        ("", 64),
    ],
)
def test_a_container_has_the_cores_of_its_quota(
    tmp_path: Path, many: int, quota: str, n: int
) -> None:
    root = system(tmp_path, "0::/\n", {f"{GROUPS}/cpu.max": f"{quota}\n"})
    assert many == 64
    assert n_cores(root) == n


def test_names_of_groups_may_have_any_bytes(tmp_path: Path, many: int) -> None:
    root = system(tmp_path, "", {f"{GROUPS}/cpu.max": "200000 100000\n"})
    (root / "proc/self/cgroup").write_bytes(b"0::/caf\xe9\n")
    assert n_cores(root) == 2 < many


def test_the_quota_of_a_group_around_it_counts(tmp_path: Path, many: int) -> None:
    files = {
        f"{GROUPS}/slice/cpu.max": "300000 100000\n",
        f"{GROUPS}/slice/job:1/cpu.max": "max 100000\n",
    }
    root = system(tmp_path, "0::/slice/job:1\n", files)
    assert n_cores(root) == 3 < many


@pytest.mark.parametrize("inside", ["docker/0123abcd", ""])
def test_control_groups_of_version_1_have_quotas(
    tmp_path: Path, many: int, inside: str
) -> None:
    group = f"{GROUPS}/cpu,cpuacct/{inside}"
    files = {
        f"{group}/cpu.cfs_quota_us": "200000\n",
        f"{group}/cpu.cfs_period_us": "100000",
    }
    files |= {f"{GROUPS}/cpu,cpuacct/other/cpu.cfs_quota_us": "-1\n"}
    groups = "9:cpuset:/\n4:cpu,cpuacct:/docker/0123abcd\n0::/\n"
    assert n_cores(system(tmp_path, groups, files)) == 2 < many


def test_without_control_groups_a_process_has_the_cores_it_may_run_on(
    tmp_path: Path,
) -> None:
    assert n_cores(tmp_path) == HERE


def test_systems_without_affinity_have_all_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert n_cores(tmp_path) == 12
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert n_cores(tmp_path) == 1


def test_nobody_else_counts_cores() -> None:
    ours = Path(seaice_data.system.process.__file__)
    root = ours.parents[2]
    sources = [
        p for f in ("seaice_data", "seaice_model", "cli") for p in (root / f).rglob("*.py")
    ]
    assert ours in sources
    asking = re.compile(r"cpu_count|sched_getaffinity")
    assert [p.name for p in sources if p != ours and asking.search(p.read_text())] == []


LOST = """
import os, signal, time
from seaice_data.system.process import raise_again

class Ended(KeyboardInterrupt):
    pass

def end(number, frame):
    raise Ended(number)

class Finalized:
    def __init__(self, action):
        self.action = action

    def __del__(self):
        self.action()

def fail():
    raise ValueError("ours")

signal.signal(signal.SIGTERM, end)
raise_again(Ended)
Finalized(fail)
try:
    Finalized(lambda: signal.raise_signal(signal.SIGTERM))
    for _ in range(100):
        time.sleep(0.1)
except Ended as ended:
    print("raised", *ended.args)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
def test_an_error_of_a_signal_is_raised_again_where_a_callback_lost_it() -> None:
    command = [sys.executable, "-c", LOST]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "raised 15\n"
    assert done.stderr.count("Exception ignored") == 1
    assert done.stderr.endswith("ValueError: ours\n")


AT_EXIT = """
import atexit, signal, time
from seaice_data.system.process import raise_again

class Late:
    def __del__(self):
        time.sleep(0.2)

raise_again(KeyboardInterrupt)
atexit.register(signal.raise_signal, signal.SIGINT)
late = Late()
print("done", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
def test_ctrl_c_while_python_exits_does_not_kill_it() -> None:
    command = [sys.executable, "-c", AT_EXIT]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "done\n")

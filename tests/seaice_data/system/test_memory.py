"""A process that prepares scenes needs bounded memory, the same for 3 and for 300."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
import pytest
from support.other_systems import OtherSystem

from seaice_data.synthetic.plan import plan_scenes
from seaice_data.synthetic.scene import write_scene
from seaice_data.system.memory import give_back, kept_pages, large_array

LIMIT_MB = 400

# The high-water mark of the process itself: `ru_maxrss` would count its parent, too.
PREPARE = """
import sys
from pathlib import Path
from seaice_data.preparation.prepare import prepare

for number in range(int(sys.argv[3])):
    report = prepare(Path(sys.argv[1]), sys.argv[2] + str(number))
    assert len(report.written) == 1, report.failed
    status = Path("/proc/self/status").read_text().split()
    print(int(status[status.index("VmHWM:") + 1]) / 1024)
"""


def peaks_mb(path: Path, n_runs: int) -> list[float]:
    """Prepare a file several times in one process; return its peak after each run."""
    arguments = [sys.executable, "-c", PREPARE, str(path), f"{path}.zarr", str(n_runs)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return [float(line) for line in done.stdout.split()]


def deflated(path: Path, chunk: int) -> Path:
    """Copy a file with its planes on the SAR grid deflated, as netCDF-4 writers do."""
    packed = path.parent / "deflated" / path.name
    packed.parent.mkdir()
    with h5py.File(path) as source, h5py.File(packed, "w") as file:
        for name, value in source.attrs.items():
            if not name.startswith("_"):
                file.attrs[name] = value
        for name, variable in source.items():
            options = {}
            if variable.ndim == 2 and variable.shape[0] > 1000:
                options = {"chunks": (chunk, chunk), "compression": 1, "shuffle": True}
            file.create_dataset(name, data=variable[...], dtype=variable.dtype, **options)
    return packed


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("version", "chunk"), [("ready", 1700), ("raw", 1024)])
def test_a_whole_scene_needs_less_than_400_mb(
    tmp_path: Path, version: Literal["ready", "raw"], chunk: int
) -> None:
    plan = next(plan for plan in plan_scenes(6, 5000, 0) if not plan.is_test)
    path = write_scene(tmp_path, plan, version)[0]
    assert max(peaks_mb(path, 2)) < LIMIT_MB
    assert max(peaks_mb(deflated(path, chunk), 2)) < LIMIT_MB


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_number_of_scenes(tmp_path: Path) -> None:
    plan = next(plan for plan in plan_scenes(6, 1000, 0) if not plan.is_test)
    peaks = peaks_mb(deflated(write_scene(tmp_path, plan, "ready")[0], 512), 40)
    assert peaks[-1] < peaks[9] + 5


def test_large_arrays_can_be_written_to() -> None:
    array = large_array((3, 4), np.float32)
    array[1] = 2
    assert array.sum() == 8
    give_back()
    assert array.sum() == 8


def test_a_kernel_without_huge_pages_has_large_arrays(other_system: OtherSystem) -> None:
    program = """
from seaice_data.system.memory import large_array
print(large_array((3, 4), "f4").sum())"""
    assert other_system.python(program, madvise=22) == "0.0\n"


PAGE_FAULTS = """
import resource, sys
import numpy as np
from contextlib import nullcontext
from seaice_data.system.memory import kept_pages

with kept_pages() if sys.argv[1] == "kept" else nullcontext():
    np.ones(2**24)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        np.ones(2**24)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

MAPPED = """
import ctypes, sys
import numpy as np
from seaice_data.system.memory import return_pages

class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in "abcdefghij"]

mallinfo = ctypes.CDLL(None).mallinfo
mallinfo.restype = Mallinfo

if sys.argv[1] == "returned":
    return_pages()
np.ones(30 * 10**5)  # freed at once: the C library now keeps what is not larger
before = mallinfo().e  # bytes in blocks that go back when they are freed
plane = np.ones(25 * 10**5)
print((mallinfo().e - before) / 1e6)
"""

gnu = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="no C library of GNU"
)


def told(script: str, way: str) -> float:
    # dask.distributed leaves settings of malloc behind for the processes that follow.
    usual = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    command = [sys.executable, "-c", script, way]
    return float(subprocess.check_output(command, env=usual))


@gnu
def test_memory_that_is_used_again_is_not_cleared_again() -> None:
    assert told(PAGE_FAULTS, "kept") < 100 < told(PAGE_FAULTS, "as usual")


@gnu
def test_memory_of_planes_goes_back_when_they_are_freed() -> None:
    assert told(MAPPED, "as usual") == 0
    assert told(MAPPED, "returned") == pytest.approx(20, abs=0.1)


@gnu
def test_keeping_tells_that_it_works() -> None:
    with kept_pages() as is_possible:
        assert is_possible

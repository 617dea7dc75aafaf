import ctypes
import os
import subprocess
import sys

import pytest

from seaice_data.system.allocator import kept_pages

PAGE_FAULTS = """
import resource, sys
import numpy as np
from contextlib import nullcontext
from seaice_data.system.allocator import kept_pages

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
from seaice_data.system.allocator import return_pages

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


def measured(script: str, way: str) -> float:
    # dask.distributed leaves settings of malloc to later processes.
    usual = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    command = [sys.executable, "-c", script, way]
    return float(subprocess.check_output(command, env=usual))


@gnu
def test_memory_that_is_used_again_is_not_cleared_again() -> None:
    assert measured(PAGE_FAULTS, "kept") < 100 < measured(PAGE_FAULTS, "as usual")


@gnu
def test_memory_of_planes_goes_back_when_they_are_freed() -> None:
    assert measured(MAPPED, "as usual") == 0
    assert measured(MAPPED, "returned") == pytest.approx(20, abs=0.1)


@gnu
def test_keeping_reports_whether_it_works() -> None:
    with kept_pages() as is_possible:
        assert is_possible

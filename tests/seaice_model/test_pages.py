import ctypes
import subprocess
import sys

import pytest

from seaice_model.pages import kept_pages

PAGE_FAULTS = """
import resource, sys
import numpy as np
from contextlib import nullcontext
from seaice_model.pages import kept_pages

with kept_pages() if sys.argv[1] == "kept" else nullcontext():
    np.ones(2**24)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        np.ones(2**24)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

FREED = """
import sys
import numpy as np
from pathlib import Path
from seaice_model.pages import return_pages

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

if sys.argv[1] == "returned":
    return_pages()
np.ones(30 * 10**5)
before = resident_mb()
planes = [np.ones(25 * 10**5), np.ones(10**5), np.ones(25 * 10**5), np.ones(10**5)]
planes[0] = planes[2] = None
print(resident_mb() - before)
"""

gnu = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="no C library of GNU"
)


def told(script: str, way: str) -> float:
    command = [sys.executable, "-c", script, way]
    return float(subprocess.run(command, capture_output=True, check=True).stdout)


@gnu
def test_memory_that_is_used_again_is_not_cleared_again() -> None:
    assert told(PAGE_FAULTS, "kept") < 100 < told(PAGE_FAULTS, "as usual")


@gnu
def test_memory_of_planes_goes_back_when_they_are_freed() -> None:
    # Two planes of 20 MB are freed, with something small above each that is not.
    assert told(FREED, "returned") < 10 < 30 < told(FREED, "as usual")


@gnu
def test_keeping_tells_that_it_works() -> None:
    with kept_pages() as is_possible:
        assert is_possible

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

gnu = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="no C library of GNU"
)


@gnu
def test_memory_that_is_used_again_is_not_cleared_again() -> None:
    faults = {
        way: int(
            subprocess.run(
                [sys.executable, "-c", PAGE_FAULTS, way], capture_output=True, check=True
            ).stdout
        )
        for way in ("kept", "as usual")
    }
    assert faults["kept"] < 100 < faults["as usual"]


@gnu
def test_keeping_tells_that_it_works() -> None:
    with kept_pages() as is_possible:
        assert is_possible

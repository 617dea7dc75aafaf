"""Compiled loops."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np

from seaice_data.system.compiled import compiled


@compiled
def _ratio(above: np.ndarray, below: np.ndarray, out: np.ndarray) -> None:
    for k in range(out.size):
        out[k] = above[k] / below[k]


def test_division_by_zero_is_that_of_numpy() -> None:
    out = np.empty(3)
    _ratio(np.array([1.0, 0.0, -1.0]), np.zeros(3), out)
    np.testing.assert_array_equal(out, [np.inf, np.nan, -np.inf])


def test_a_function_compiles_where_nothing_can_be_kept(tmp_path: Path) -> None:
    module = tmp_path / "loops.py"
    module.write_text(
        textwrap.dedent("""
        from seaice_data.system.compiled import compiled

        @compiled
        def twice(value):
            return 2 * value
        """)
    )
    # Files are in the way of the cache folders of both the module and the user.
    (tmp_path / "__pycache__").write_text("")
    (tmp_path / "nowhere").write_text("")
    nowhere = str(tmp_path / "nowhere" / "below")
    result = subprocess.run(
        [sys.executable, "-c", "from loops import *; print(twice(21), twice.signatures)"],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "HOME": nowhere,
             "XDG_CACHE_HOME": nowhere, "PYTHONDONTWRITEBYTECODE": "1",
             "NUMBA_DISABLE_JIT": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert result.stdout == "42 [(int64,)]\n"  # compiled

"""What may not be imported is not; the contracts themselves are checked by lint-imports."""

import subprocess
import sys

import pytest

HEAVY = {"numpy", "torch", "zarr", "xarray", "h5py", "dask", "matplotlib", "rich"}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["prepare", "--help"], ["train", "--help"]]
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import atexit, sys; from seaice.main import app\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        f"app({arguments!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert HEAVY.isdisjoint(done.stderr.split())
    assert "Usage:" in done.stdout


def test_the_sampler_needs_neither_torch_nor_dask() -> None:
    code = "import sys; from seaice_data import PatchSampler, Store; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert {"torch", "dask", "h5py", "xarray"}.isdisjoint(done.stdout.split())

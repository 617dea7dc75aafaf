"""What may not be imported is not; the contracts themselves are checked by lint-imports."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
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


def test_every_folder_of_the_code_is_installed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    homes = settings["package-dir"]
    listed = {
        ROOT.joinpath(homes[package.split(".")[0]], *package.split(".")[1:])
        for package in settings["packages"]
    }
    folders = {
        path.parent for home in homes.values() for path in (ROOT / home).rglob("*.py")
    }
    assert listed == folders

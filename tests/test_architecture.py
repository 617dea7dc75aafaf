"""Imports, public names and installed folders; lint-imports checks the import contracts."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import seaice_data
import seaice_model

ROOT = Path(__file__).parents[1]
HEAVY = {
    *("numpy", "torch", "zarr", "xarray", "h5py", "dask", "matplotlib", "rich"),
    *("rasterio", "shapely", "pyproj", "pyogrio", "eccodes", "numba"),
}


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["ingest", "--help"], ["prepare", "--help"], ["train", "--help"]],
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


def test_ingest_imports_its_libraries_when_it_needs_them() -> None:
    code = "import sys; from seaice import ingest_scene; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    extras = {"rasterio", "shapely", "pyproj", "pyogrio", "eccodes", "roaring_landmask"}
    heavy = {"torch", "dask", "xarray", "zarr", "netCDF4"}
    assert {*extras, *heavy}.isdisjoint(done.stdout.split())


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


def test_one_import_gives_the_names_of_both_packages_and_loads_neither() -> None:
    code = (
        "import sys, seaice; before = {*sys.modules}\n"
        "from seaice import ingest_scene, prepare, train, Store\n"
        "found = ingest_scene, prepare, train, Store\n"
        "print(*(each.__name__ for each in found), len(dir(seaice)))\n"
        "print(*before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    found, loaded = done.stdout.splitlines()
    n_names = len({*seaice_data.__all__, *seaice_model.__all__})
    assert found == f"ingest_scene prepare train Store {n_names}"
    assert {"typer", *HEAVY}.isdisjoint(loaded.split())


def test_the_package_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "seaice", "--version"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"seaice {version('seaice')}\n"


def test_no_module_of_the_command_hides_a_public_name() -> None:
    modules = {path.stem for path in (ROOT / "cli").glob("*.py")}
    assert modules.isdisjoint([*seaice_data.__all__, *seaice_model.__all__])


def test_the_import_of_a_module_changes_nothing_else_in_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "support.import_effects"],
        capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
    )  # fmt: skip
    assert done.stdout == ""

"""Commands on disks and kernels without links, huge pages or processor affinity."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from support.coded_scenes import write_coded
from support.command_results import errors
from support.other_systems import OtherSystem

SEAICE = Path(sys.executable).with_name("seaice")
SCENE_ID = "20190114T101830_dmi"


def tree(folder: Path) -> dict[str, bytes]:
    """Return the content of all files in a folder, by path."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_prepare_works_without_hard_links_huge_pages_and_renameat2(
    tmp_path: Path, other_system: OtherSystem
) -> None:
    raw, store = tmp_path / "raw", tmp_path / "store.zarr"
    write_coded(raw, 203, 251, SCENE_ID)
    command = [SEAICE, "prepare", raw, store, "--jobs", 1]
    lacking = {"link": 95, "renameat2": 38, "madvise": 22}
    assert errors(other_system.run(*command).stderr) == ""
    usual = tree(store)
    done = other_system.run(*command, "--overwrite", **lacking)
    assert (done.returncode, errors(done.stderr)) == (0, "")
    assert tree(store) == usual
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "store.zarr"}


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_synth_works_on_disks_without_locks(
    tmp_path: Path, other_system: OtherSystem, number: int
) -> None:
    command = [SEAICE, "synth", tmp_path, "--scenes", 1, "--size", 100]
    done = other_system.run(*command, flock=number)
    assert (done.returncode, errors(done.stderr)) == (0, "")
    assert [path.suffix for path in tmp_path.iterdir()] == [".nc"]


MAP = """
import sys
from pathlib import Path
from support.chart_maps import chart_map
from seaice_model.maps.netcdf import read_netcdf, write_netcdf

write_netcdf(chart_map(), Path(sys.argv[1], "map.nc"))
print(read_netcdf(Path(sys.argv[1], "map.nc")).scene)
"""


def test_maps_are_written_to_disks_without_locks(
    tmp_path: Path, other_system: OtherSystem
) -> None:
    other_system.python(MAP, tmp_path, flock=errno.ENOLCK)
    assert [path.name for path in tmp_path.iterdir()] == ["map.nc"]


def test_commands_run_on_systems_without_affinity(tmp_path: Path) -> None:
    write_coded(tmp_path / "raw", 203, 251, SCENE_ID)
    program = (
        "import os, sys; vars(os).pop('sched_getaffinity', None)\n"
        "from seaice.main import app\n"
        "for command in (['prepare', *sys.argv[1:3]], ['verify', sys.argv[2]]):\n"
        "    app(command, standalone_mode=False)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "raw", tmp_path / "store.zarr"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, errors(done.stderr)) == (0, "")
    assert done.stdout.count("1 scene") == 2

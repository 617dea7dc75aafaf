"""One bad file in a folder does not stop a command from reading the others."""

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from support.coded_scenes import coded_arrays, write_coded

from seaice_data.system.documents import parse_json

SEAICE = Path(sys.executable).with_name("seaice")
IDS = [f"2019{month:02d}14T101830_dmi" for month in (1, 2, 3)]


def seaice(*arguments: object, before: tuple[str, ...] = ()) -> tuple[int, str, str]:
    command = [*before, SEAICE, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="drops rights as Linux does")
def test_prepare_reports_a_folder_without_permission(tmp_path: Path) -> None:
    write_coded(tmp_path / "raw", 203, 251, IDS[0])
    write_coded(tmp_path / "raw" / "closed", 203, 251, IDS[1])
    (tmp_path / "raw" / "closed").chmod(0)
    rights = "-dac_override,-dac_read_search"
    drop = ("setpriv", "--bounding-set", rights, "--inh-caps", rights)
    ended, printed, warned = seaice(
        *("prepare", tmp_path / "raw", tmp_path / "store.zarr", "--jobs", "1"),
        before=drop if os.geteuid() == 0 else (),
    )
    (tmp_path / "raw" / "closed").chmod(0o755)
    assert (ended, printed.partition(" to ")[0]) == (1, "1 scene written")
    assert warned == f"left out: '{tmp_path}/raw/closed': Permission denied\n"


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_prepare_leaves_out_a_scene_that_needs_too_much_memory(tmp_path: Path) -> None:
    for scene_id in (IDS[0], IDS[2]):
        write_coded(tmp_path / "raw", 203, 251, scene_id)
    large = tmp_path / "raw" / f"{IDS[1]}_prep.nc"
    with h5py.File(large, "w") as file:  # a few kilobytes: its chunks are not written
        file.attrs["scene_id"] = large.name
        for name, values in coded_arrays(50, 50).items():
            shape = {50: (20000, 20000), 2: (800, 800)}.get(len(values), values.shape)
            chunks = (100, 100) if len(values) != 21 else None
            data = None if chunks else values
            file.create_dataset(name, shape, values.dtype, data, chunks=chunks)
    limited = ("bash", "-c", 'ulimit -v 2200000; exec "$@"', "limited")
    ended, printed, warned = seaice(
        *("prepare", tmp_path / "raw", tmp_path / "store.zarr", "--jobs", "1"),
        before=limited,
    )
    assert (ended, printed.partition(" to ")[0]) == (1, "2 scenes written")
    assert warned.startswith(f"left out: '{large}'")
    assert warned.count("\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")
def test_files_whose_names_are_not_utf8_can_be_prepared(tmp_path: Path) -> None:
    name = os.fsdecode(b"K\xf8benhavn")
    folder = tmp_path / name
    path = write_coded(folder, 203, 251, IDS[0])
    path.rename(folder / f"{name}.nc")
    (folder / f"{name}_gone.nc").symlink_to("nowhere")
    store = tmp_path / f"{name}.zarr"
    ended, printed, warned = seaice("prepare", folder, store, "--jobs", "1")
    assert ended == 1
    assert printed.startswith(f"1 scene written to {tmp_path}/K\\udcf8benhavn.zarr, 0 kept")
    assert warned == (
        f"left out: '{tmp_path}/K\\udcf8benhavn/K\\udcf8benhavn_gone.nc': "
        "a link to a file or folder that is gone\n"
    )
    scene = parse_json((store / "scenes" / IDS[0] / "zarr.json").read_bytes())
    (source,) = scene["attributes"]["source_files"]
    assert source["name"] == "K\\udcf8benhavn.nc"
    ended, printed, _ = seaice("prepare", folder, store, "--jobs", "1", "--json")
    assert (ended, json.loads(printed)["kept"]) == (1, [IDS[0]])

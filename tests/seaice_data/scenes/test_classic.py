"""Files of the classic formats give the bytes of their netCDF-4 twins."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import netCDF4
import numpy as np
import pytest

from seaice_data.errors import SceneError
from seaice_data.preparation.prepare import prepare
from seaice_data.scenes.netcdf import NetcdfFile
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.synthetic.plan import plan_scenes
from seaice_data.synthetic.scene import write_scene

Model = Literal["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"]
MODELS: list[Model] = ["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"]


def rewrite(source: Path, target: Path, model: Model) -> Path:
    """Copy a netCDF-4 file to a classic format, which may lack strings and bytes."""
    with netCDF4.Dataset(source) as old, netCDF4.Dataset(target, "w", format=model) as new:
        new.setncatts({name: old.getncattr(name) for name in old.ncattrs()})
        for name, dimension in old.dimensions.items():
            new.createDimension(name, dimension.size)
        new.createDimension("letters", 200)
        old.set_auto_maskandscale(False)
        for name, variable in old.variables.items():
            values, axes = variable[:], variable.dimensions
            if variable.dtype is str:
                values = np.array([text.encode() for text in values], "S200").view("S1")
                values, axes = values.reshape(-1, 200), (*axes, "letters")
            if values.dtype == np.uint8 and model != "NETCDF3_64BIT_DATA":
                values = values.astype(np.int16)
            kind = values.dtype.newbyteorder("=")
            copied = new.createVariable(name, kind, axes, fill_value=False)
            copied.set_auto_chartostring(False)
            names = {*variable.ncattrs()} - {"_FillValue"}
            copied.setncatts({name: variable.getncattr(name) for name in names})
            copied[:] = values
    return target


def prepared(source: Path, store: Path) -> Any:
    """Return the checksums of the scene that a file gives."""
    report = prepare(source.parent, store, Recipe(ratio=5))
    assert report.failed == ()
    return Store.open(store).scene(report.written[0]).known["checksums"]


@pytest.mark.parametrize("version", ["ready", "raw"])
def test_classic_files_prepare_to_the_same_bytes(
    tmp_path: Path, version: Literal["ready", "raw"]
) -> None:
    (tmp_path / "new").mkdir()
    plan = plan_scenes(1, 200, 0)[0]
    source = write_scene(tmp_path / "new", plan, version)[0]
    expected = prepared(source, tmp_path / "new.zarr")
    for model in MODELS:
        (tmp_path / model).mkdir()
        path = rewrite(source, tmp_path / model / source.name, model)
        assert path.read_bytes()[:3] == b"CDF"
        assert prepared(path, tmp_path / f"{model}.zarr") == expected


def write_records(path: Path, model: Model, n_records: int, n_variables: int) -> None:
    with netCDF4.Dataset(path, "w", format=model) as file:
        file.createDimension("y", None)
        file.createDimension("x", 3)
        file.comment = "odd"
        fixed = file.createVariable("fixed", "i2", ("x",))
        fixed[:] = 7
        for k in range(n_variables):
            variable = file.createVariable(f"plane{k}", "i2", ("y", "x"))
            variable[:] = np.arange(3 * n_records).reshape(n_records, 3) + k


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("n_variables", [1, 2])
def test_records_are_read_to_the_last_byte(
    tmp_path: Path, model: Model, n_variables: int
) -> None:
    path = tmp_path / "file.nc"
    write_records(path, model, 5, n_variables)
    values = NetcdfFile(path).variable(f"plane{n_variables - 1}").read()
    np.testing.assert_array_equal(values.ravel(), np.arange(15) + n_variables - 1)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 3])  # of which two may be padding
    with pytest.raises(SceneError, match=r"file\.nc': \d+ bytes long; its variables need"):
        NetcdfFile(path)


@pytest.mark.parametrize("model", MODELS)
def test_a_truncated_file_is_refused_in_one_line(tmp_path: Path, model: Model) -> None:
    path = tmp_path / "file.nc"
    write_records(path, model, 50, 2)
    content = path.read_bytes()
    for n_bytes in (3, 4, 20, 100, len(content) // 2):
        path.write_bytes(content[:n_bytes])
        with pytest.raises(SceneError) as caught:
            NetcdfFile(path)
        assert str(caught.value).startswith(f"{str(path)!r}: ")
        assert "\n" not in str(caught.value)
        assert "fetch it again" in str(caught.value.hint)


def test_sizes_that_the_file_does_not_have_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    write_records(path, "NETCDF3_CLASSIC", 5, 1)
    content = bytearray(path.read_bytes())
    content[4:8] = (2**31 - 1).to_bytes(4, "big")  # records
    path.write_bytes(content)
    with pytest.raises(SceneError, match=r"its variables need 128849\d+"):
        NetcdfFile(path)


def test_axes_texts_and_types_are_checked_as_in_netcdf4_files(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_DATA") as file:
        file.createDimension("y", 30_000)
        file.createDimension("x", 2)
        file.createVariable("long", "u1", ("y", "x"))[:] = 0
        file.createVariable("letters", "S1", ("x", "x"))[:] = b"a"
        file.createVariable("pair", "f8", ("x",))[:] = 1.5
        file["pair"].scale_factor = "half"
        file.scene_id = "20190314T101830_cis_prep.nc"
    opened = NetcdfFile(path)
    assert opened.text("scene_id") == "20190314T101830_cis_prep.nc"
    assert opened.text("original_id") == ""
    assert "pair" in opened
    assert opened.strings("letters") == ["aa", "aa"]
    for name, message in {
        "long": "too large for SAR",
        "letters": "not numbers",
        "pair": "not 2 axes",
        "absent": "'absent' is missing",
    }.items():
        with pytest.raises(SceneError, match=message):
            opened.variable(name)
    with pytest.raises(
        SceneError, match="'scale_factor' of 'pair' is 'half', not a number"
    ):
        opened.variable("pair", n_axes=1)
    with pytest.raises(SceneError, match="'pair' is not a list of texts"):
        opened.strings("pair")


def test_the_newest_version_is_named_if_unknown(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    path.write_bytes(b"CDF\x07" + bytes(100))
    with pytest.raises(SceneError, match="cannot read it as netCDF: netCDF of an unknown"):
        NetcdfFile(path)


THREADS = """
import os, sys, threading
from pathlib import Path
from seaice_data.scenes.netcdf import NetcdfFile

def read(n_times):
    for _ in range(n_times):
        file = NetcdfFile(Path(sys.argv[1]))
        assert file.variable("plane1").read().sum() == 11325
        file.close()

read(1)  # forks must not meet imports
threads = [threading.Thread(target=read, args=(300,)) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(20):  # of processes that start while a thread reads
    child = os.fork()
    if child == 0:
        try:
            read(1)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
for thread in threads:
    thread.join()
print("whole")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_threads_and_forked_processes_read_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    write_records(path, "NETCDF3_64BIT_DATA", 50, 2)
    command = [sys.executable, "-W", "ignore", "-c", THREADS, path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "whole\n")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", ["größe", os.fsdecode(b"gr\xf6\xdfe")])
def test_names_may_be_any_bytes(tmp_path: Path, model: Model, name: str) -> None:
    write_records(tmp_path / "file.nc", model, 5, 1)
    path = tmp_path / name / f"{name}.nc"
    path.parent.mkdir()
    (tmp_path / "file.nc").rename(path)
    assert NetcdfFile(path).variable("plane0").read().sum() == 105


def test_a_file_may_be_closed_twice(tmp_path: Path) -> None:
    write_records(tmp_path / "file.nc", "NETCDF3_CLASSIC", 5, 1)
    file = NetcdfFile(tmp_path / "file.nc")
    file.close()
    file.close()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("n_variables", [1, 2])
def test_records_of_a_stream_are_counted(
    tmp_path: Path, model: Model, n_variables: int
) -> None:
    path = tmp_path / "file.nc"
    write_records(path, model, 5, n_variables)
    content = bytearray(path.read_bytes())
    n_bytes = 8 if model == "NETCDF3_64BIT_DATA" else 4
    content[4 : 4 + n_bytes] = b"\xff" * n_bytes
    path.write_bytes(content)
    variable = NetcdfFile(path).variable(f"plane{n_variables - 1}")
    expected = np.arange(15).reshape(5, 3) + n_variables - 1
    np.testing.assert_array_equal(variable.read(), expected)
    path.write_bytes(content[:-12])
    variable = NetcdfFile(path).variable(f"plane{n_variables - 1}")
    assert 0 < variable.shape[0] < 5
    np.testing.assert_array_equal(variable.read(), expected[: variable.shape[0]])

"""Errors name the reason why a file cannot be read, and never guess."""

import fcntl
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest

from seaice_data.errors import SceneError
from seaice_data.scenes.decoding import Decoding
from seaice_data.scenes.netcdf import NetcdfFile

ZFP, ZSTANDARD, UNKNOWN = 32013, 32015, 32999


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write a file with a deflated plane."""
    path = tmp_path / "scene.nc"
    with h5py.File(path, "w") as file:
        values = np.arange(10_000, dtype="f4").reshape(100, 100)
        file.create_dataset("plane", data=values, chunks=(50, 50), compression=4)
    return path


def write_filtered(path: Path, code: int) -> None:
    """Write a plane of ones that claims to be packed with a filter; its bytes are plain."""
    with h5py.File(path, "w") as file:
        created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        created.set_chunk((8, 8))
        created.set_filter(code, h5py.h5z.FLAG_OPTIONAL, (3,))
        space = h5py.h5s.create_simple((8, 8))
        kind = h5py.h5t.NATIVE_FLOAT
        plane = h5py.h5d.create(file.id, b"plane", kind, space, created)
        plane.write_direct_chunk((0, 0), np.ones((8, 8), "f4").tobytes(), filter_mask=0)


def error_of(path: Path) -> SceneError:
    with pytest.raises(SceneError) as caught:
        NetcdfFile(path).variable("plane").read()
    return caught.value


def run(code: str, *command: str, **environment: str) -> str:
    """Run Python in a process of its own; return what it prints."""
    # netCDF4 comes with filters, and sets this variable when it is imported.
    inherited = {k: v for k, v in os.environ.items() if k != "HDF5_PLUGIN_PATH"}
    done = subprocess.run(
        [*command, sys.executable, "-c", code],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


READ = """
import os
from pathlib import Path
from seaice_data.errors import SceneError
from seaice_data.scenes.netcdf import NetcdfFile
try:
    file = NetcdfFile(Path({path!r}))
    os.environ["NOW"] = "1"
    print(file.variable("plane").read().max())
except SceneError as error:
    print(error, error.hint, sep="\\n")
"""


def read(path: Path) -> str:
    """Return Python that reads a plane and prints its maximum, or what is wrong."""
    return READ.format(path=str(path))


def test_a_missing_filter_is_named(path: Path) -> None:
    write_filtered(path, UNKNOWN)
    error = error_of(path)
    assert "cannot read 'plane': packed with HDF5 filter 32999, which is" in str(error)
    assert "h5repack" in str(error.hint)


@pytest.mark.skipif(find_spec("hdf5plugin") is not None, reason="the filter is there")
def test_a_filter_that_a_package_brings_is_hinted_at(path: Path) -> None:
    write_filtered(path, ZFP)
    said = run(read(path))
    assert "HDF5 filter 32013 (ZFP), which is not installed\n" in said
    assert said.endswith("\n`pip install hdf5plugin` adds this filter\n")


@pytest.mark.skipif(not netCDF4.__has_zstandard_support__, reason="netCDF4 has no filters")
@pytest.mark.parametrize("name", ["zstd", "bzip2", "blosc_lz4"])
def test_filters_of_the_netcdf_library_are_used(path: Path, name: Any) -> None:
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("y", 300)
        file.createDimension("x", 300)
        plane = file.createVariable("plane", "f4", ("y", "x"), compression=name)
        plane[:] = np.arange(90_000).reshape(300, 300)
    assert run(read(path)) == "89999.0\n"


PLUGIN = """
import ctypes as c, h5py
Function = c.CFUNCTYPE(c.c_size_t, c.c_uint, c.c_size_t, c.c_void_p, c.c_size_t,
                       c.c_void_p, c.c_void_p)
class Filter(c.Structure):
    _fields_ = [("version", c.c_int), ("id", c.c_int), ("encoder", c.c_uint),
                ("decoder", c.c_uint), ("name", c.c_char_p), ("can_apply", c.c_void_p),
                ("set_local", c.c_void_p), ("filter", Function)]
as_it_is = Filter(1, 32015, 1, 1, b"zstd", None, None, Function(lambda *a: a[3]))
h5py.h5z.register_filter(c.addressof(as_it_is))
"""


def test_filters_of_an_installed_package_are_used(path: Path, tmp_path: Path) -> None:
    write_filtered(path, ZSTANDARD)
    (tmp_path / "hdf5plugin.py").write_text(PLUGIN)
    assert run(read(path), PYTHONPATH=str(tmp_path)) == "1.0\n"


def test_the_path_of_filters_is_extended_once(path: Path) -> None:
    write_filtered(path, UNKNOWN)
    reading = read(path)
    size = "import h5py\nprint(h5py.h5pl.size())\n"
    sizes = run(f"{reading}{size}{reading}{size}").splitlines()[2::3]
    assert sizes[0] == sizes[1]


def test_attributes_that_cannot_be_decoded_are_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OverflowError("too large")

    monkeypatch.setattr(Decoding, "of", fail)
    with pytest.raises(SceneError, match="cannot read 'plane': too large"):
        NetcdfFile(path).variable("plane")


def test_a_truncated_file_comes_with_the_hint_to_fetch_it_again(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    error = error_of(path)
    assert "truncated file: eof = " in str(error)
    assert error.hint == "the file is truncated; fetch it again"


@pytest.mark.parametrize("content", [b"", b"<html>404</html>" * 100])
def test_a_file_that_is_not_hdf5_is_named_as_such(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    error = error_of(path)
    assert str(error).endswith("cannot read it as netCDF: not an HDF5 file")
    assert error.hint is None


def test_a_damaged_chunk_is_reported_as_damage(path: Path) -> None:
    with h5py.File(path) as file:
        chunk = file["plane"].id.get_chunk_info(1)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(content)
    assert error_of(path).hint == "the file may be damaged; fetch it again"


def test_pipes_are_not_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.nc"
    os.mkfifo(pipe)
    both_ends = os.open(pipe, os.O_RDWR)  # so that opening it would not block
    os.write(both_ends, b"\x89HDF\r\n\x1a\n" * 64)
    with pytest.raises(SceneError, match=r"pipe\.nc': a pipe or a device, not a file"):
        NetcdfFile(pipe)
    os.close(both_ends)


def test_a_folder_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="a folder, not a file"):
        NetcdfFile(tmp_path)


def test_a_link_to_a_pipe_is_not_followed(path: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with h5py.File(path, "w") as file:
        file["plane"] = h5py.ExternalLink(str(tmp_path / "pipe"), "plane")
    said = run(read(path))
    assert "variable 'plane' is an external link" in said


@pytest.mark.skipif(not shutil.which("setpriv"), reason="no `setpriv`")
def test_a_missing_permission_is_named(path: Path) -> None:
    path.chmod(0)
    nobody = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")
    if os.getuid():
        nobody = ()
    said = run(read(path), *nobody)
    assert "cannot read it as netCDF: permission denied\n" in said
    assert "this user needs permission to read the file" in said


def test_a_file_locked_by_another_program_is_read(path: Path) -> None:
    with path.open("r+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert NetcdfFile(path).variable("plane").shape == (100, 100)


DISK = """
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <dlfcn.h>
#include <sys/uio.h>
#include <unistd.h>
int flock(int file, int how) { errno = atoi(getenv("FLOCK_ERRNO")); return -1; }
ssize_t pread(int file, void *to, size_t n, off_t at) {
    ssize_t (*real)(int, void *, size_t, off_t) = dlsym(RTLD_NEXT, "pread");
    if (getenv("NOW") && getenv("PREAD_ERRNO")) {
        errno = atoi(getenv("PREAD_ERRNO")); return -1;
    }
    return real(file, to, n, at);
}
ssize_t pread64(int file, void *to, size_t n, off_t at) { return pread(file, to, n, at); }
ssize_t preadv(int file, const struct iovec *to, int n, off_t at) {
    return pread(file, to[0].iov_base, to[0].iov_len, at);
}
ssize_t preadv64(int file, const struct iovec *to, int n, off_t at) {
    return preadv(file, to, n, at);
}
ssize_t preadv2(int file, const struct iovec *to, int n, off_t at, int how) {
    return preadv(file, to, n, at);
}
ssize_t preadv64v2(int file, const struct iovec *to, int n, off_t at, int how) {
    return preadv(file, to, n, at);
}
"""


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Compile a library that answers like a network disk without locks."""
    if sys.platform != "linux" or not shutil.which("cc"):
        pytest.skip("no Linux, or no C compiler")
    folder = tmp_path_factory.mktemp("disk")
    (folder / "disk.c").write_text(DISK)
    library = str(folder / "disk.so")
    command = ["cc", "-shared", "-fPIC", "-o", library, str(folder / "disk.c"), "-ldl"]
    subprocess.run(command, check=True)
    return library


@pytest.mark.parametrize("number", [37, 38, 95, 5, 524, 11])
def test_disks_without_locks_are_read(path: Path, disk: str, number: int) -> None:
    assert run(read(path), LD_PRELOAD=disk, FLOCK_ERRNO=str(number)) == "9999.0\n"


def test_errors_of_the_system_in_reading_rows_are_passed_on(path: Path, disk: str) -> None:
    with h5py.File(path, "w") as file:
        file["plane"] = np.zeros((10, 10), "f4")
    code = read(path).replace(
        'os.environ["NOW"] = "1"\n    print(file.variable("plane").read().max())',
        'plane = file.variable("plane")\n    os.environ["NOW"] = "1"\n'
        '    plane.read_rows(slice(0, 5), __import__("numpy").zeros((5, 10), "f4"))',
    )
    said = run(code, LD_PRELOAD=disk, FLOCK_ERRNO="37", PREAD_ERRNO="5")
    assert said.endswith("cannot read 'plane': Input/output error\nNone\n")


def test_errors_of_the_system_are_passed_on(path: Path, disk: str) -> None:
    said = run(read(path), LD_PRELOAD=disk, FLOCK_ERRNO="37", PREAD_ERRNO="5")
    assert said.endswith("cannot read 'plane': Input/output error\nNone\n")

"""Stores in archives, read by several threads and processes at once."""

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from seaice_data.storage.object_store import UnreachableError
from seaice_data.storage.storage import open_storage

N_FILES = 2000
LAST = [str(number) for number in range(N_FILES - 8, N_FILES)]


@pytest.fixture(params=["zip", "tar"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A URL of an archive in which each file contains its name, 100 times."""
    path = tmp_path / f"store.{request.param}"
    contents = {f"a/{number}": f"{number}".encode() * 100 for number in range(N_FILES)}
    if request.param == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in contents.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(path, "w") as archive:
            for name, content in contents.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return f"{request.param}://::{path}"


# In a process of its own: threads that switch this often break the tracing of coverage.
READ_AT_ONCE = """
import asyncio, sys
from zarr.core.buffer import default_buffer_prototype
from seaice_data.storage.storage import open_storage

sys.setswitchinterval(1e-6)
url, *names = sys.argv[1:]
for _ in range(10):
    storage = open_storage(url)
    store = storage.open_zarr("a")

    async def read():
        asked = (store.get(name, default_buffer_prototype()) for name in names)
        return await asyncio.gather(*asked)

    for name, chunk in zip(names, asyncio.run(read()), strict=True):
        assert chunk is not None and chunk.to_bytes() == name.encode() * 100
    type(storage._files).clear_instance_cache()
"""


# In a process without threads, so that it may fork.
READ_IN_FORKS = """
import os, sys
from seaice_data.storage.storage import open_storage

url, *names = sys.argv[1:]
storage = open_storage(url)
expected = {f"a/{name}": name.encode() * 100 for name in names}
assert storage.read_many([*expected]) == expected
children = []
for _ in range(2):
    if child := os.fork():
        children.append(child)
        continue
    os._exit(0 if all(storage.read_many([*expected]) == expected for _ in range(50)) else 1)
statuses = [os.waitpid(child, 0)[1] for child in children]
assert statuses == [0, 0], statuses
"""


def test_chunks_asked_for_at_once_are_found(url: str) -> None:
    subprocess.run([sys.executable, "-c", READ_AT_ONCE, url, *LAST], check=True)


def test_forked_processes_read_the_same_archive(url: str) -> None:
    subprocess.run([sys.executable, "-c", READ_IN_FORKS, url, *LAST], check=True)


def test_damaged_bytes_in_an_archive_are_an_error_in_words(tmp_path: Path) -> None:
    path = tmp_path / "store.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(range(256)) * 100)
    content = bytearray(path.read_bytes())
    content[40:60] = b"\xff" * 20  # in the middle of what is deflated
    path.write_bytes(content)
    with pytest.raises(UnreachableError, match="cannot reach"):
        open_storage(f"zip://::{path}").read_many(["a"])

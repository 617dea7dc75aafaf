"""Stores in archives, read by several threads and processes at once."""

import asyncio
import io
import multiprocessing
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from zarr.core.buffer import default_buffer_prototype

from seaice_data.storage.storage import Storage, open_storage

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


@pytest.fixture(autouse=True)
def switch_threads_often() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def read_through_zarr(storage: Storage) -> list[bytes | None]:
    store = storage.open_zarr("a")
    prototype = default_buffer_prototype()

    async def read() -> list[bytes | None]:
        found = await asyncio.gather(*(store.get(name, prototype) for name in LAST))
        return [None if chunk is None else chunk.to_bytes() for chunk in found]

    return asyncio.run(read())


def are_right(storage: Storage) -> bool:
    found = storage.read_many([f"a/{name}" for name in LAST])
    return found == {f"a/{name}": name.encode() * 100 for name in LAST}


def test_chunks_asked_for_at_once_are_found(url: str) -> None:
    for _ in range(10):
        storage = open_storage(url)
        assert read_through_zarr(storage) == [name.encode() * 100 for name in LAST]
        type(storage._files).clear_instance_cache()  # type: ignore[attr-defined]


def test_forked_processes_read_the_same_archive(url: str) -> None:
    storage = open_storage(url)
    assert are_right(storage)
    context = multiprocessing.get_context("fork")
    with context.Pool(2, initializer=_keep, initargs=(storage,)) as pool:
        assert all(pool.map(_read_again, range(100), chunksize=50))


_kept: list[Storage] = []


def _keep(storage: Storage) -> None:
    _kept[:] = [storage]


def _read_again(_: int) -> bool:
    return are_right(_kept[0])

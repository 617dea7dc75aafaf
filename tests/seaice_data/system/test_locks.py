"""Locks of two who have the same file open; it does not matter in which processes."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.other_systems import OtherSystem

from seaice_data.system.locks import lock, try_lock

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there are no such locks")


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[int, int]]:
    one, two = (os.open(tmp_path, os.O_RDONLY) for _ in range(2))
    yield one, two
    os.close(one)
    os.close(two)


def test_an_exclusive_lock_keeps_everybody_out(both: tuple[int, int]) -> None:
    one, two = both
    assert lock(one)
    assert not try_lock(two)
    with pytest.raises(BlockingIOError):
        lock(two, alone=False)


def test_shared_locks_keep_an_exclusive_one_out(both: tuple[int, int]) -> None:
    one, two = both
    assert lock(one, alone=False)
    assert lock(two, alone=False)
    assert not try_lock(two)


def test_a_lock_ends_with_its_file(both: tuple[int, int], tmp_path: Path) -> None:
    three = os.open(tmp_path, os.O_RDONLY)
    assert lock(three)
    assert not try_lock(both[0])
    os.close(three)
    assert try_lock(both[0])


LOCK = """
import os, sys
from seaice_data.system.locks import lock, try_lock
from seaice_data.storage.local_folder import LocalFolder

for number in map(int, sys.argv[2:]):
    os.environ["FAIL_FLOCK"] = str(number)
    folder = os.open(sys.argv[1], os.O_RDONLY)
    for wait in (False, True):
        assert not lock(folder, wait=wait), number
        assert try_lock(folder, wait=wait), number
    os.close(folder)
    store = LocalFolder(f"{sys.argv[1]}/{number}")
    with store.lock(alone=True):
        store.put("zarr.json", b"whole")
        store.drop_staging()
    assert store.names() == ["zarr.json"]
"""


# EPERM, EIO, EBADF, EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP, ENOTSUPP (Linux has no name for it)
def test_a_disk_without_locks_keeps_nobody_out(
    tmp_path: Path, other_system: OtherSystem
) -> None:
    other_system.python(LOCK, tmp_path, 1, 5, 9, 22, 37, 38, 95, 524)


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EACCES])
def test_the_lock_of_another_process_keeps_out(
    tmp_path: Path, other_system: OtherSystem, number: int
) -> None:
    asked = """if True:
    import os, sys
    from seaice_data.system.locks import try_lock
    print(try_lock(os.open(sys.argv[1], os.O_RDONLY)))"""
    assert other_system.python(asked, tmp_path, flock=number) == "False\n"

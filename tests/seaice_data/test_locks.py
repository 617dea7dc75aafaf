"""Locks of two that have the same file open; a process and another differ in nothing."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from seaice_data.locks import lock, try_lock

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there are no such locks")


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[int, int]]:
    one, two = (os.open(tmp_path, os.O_RDONLY) for _ in range(2))
    yield one, two
    os.close(one)
    os.close(two)


def test_one_who_is_alone_keeps_everybody_out(both: tuple[int, int]) -> None:
    one, two = both
    assert lock(one)
    assert not try_lock(two)
    with pytest.raises(BlockingIOError):
        lock(two, alone=False)


def test_those_who_need_not_be_alone_keep_out_who_must(both: tuple[int, int]) -> None:
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

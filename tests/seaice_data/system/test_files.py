import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.other_systems import OtherSystem

from seaice_data.system.files import alone_in, lock, replacing, try_lock


def test_an_error_leaves_the_old_file_and_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "map.nc"
    path.write_text("old")

    def interrupted() -> None:
        with replacing(path) as new:
            new.write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["map.nc"]


def test_the_new_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "map.nc"
    path.write_text("old")
    with replacing(path) as new:
        assert new.suffix == ".nc"
        new.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["map.nc"]


def test_a_full_disk_names_the_file_it_is_about(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"

    def fill() -> None:
        with replacing(path) as new:
            new.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match=r"No space left on device: '.*last\.safetensors'"):
        fill()
    with (
        pytest.raises(FileNotFoundError) as caught,
        replacing(tmp_path / "no" / "a") as new,
    ):
        new.write_text("x")
    assert caught.value.filename == str(tmp_path / "no" / "a")


WRITE = """
import sys
from pathlib import Path
from seaice_data.system.files import replacing
with replacing(Path(sys.argv[1])) as new:
    new.write_text("half")
    print(new, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    foreign = {".other.123.nc", ".seaice.cfg", f".seaice.elsewhere.{'a' * 12}"}
    (tmp_path / ".other.123.nc").write_text("is not ours")
    (tmp_path / ".seaice.cfg").write_text("is not ours")
    (tmp_path / f".seaice.elsewhere.{'a' * 12}").mkdir()  # may still be written to
    command = [sys.executable, "-c", WRITE, str(tmp_path / "a.nc")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    killed, alive = (subprocess.Popen(command, **pipes) for _ in range(2))  # type: ignore[call-overload]
    left, written = (Path(process.stdout.readline()[:-1]) for process in (killed, alive))
    killed.kill()
    killed.communicate()
    assert left.read_text() == written.read_text() == "half"
    with replacing(tmp_path / "b.nc") as new:
        new.write_text("whole")
    assert {p.name for p in tmp_path.iterdir()} == {"b.nc", written.parent.name, *foreign}
    alive.communicate("")
    assert {p.name for p in tmp_path.iterdir()} == {"a.nc", "b.nc", *foreign}


def test_what_a_machine_left_is_removed_after_a_day(tmp_path: Path) -> None:
    left = tmp_path / f".seaice.elsewhere.{'a' * 12}"
    left.mkdir()
    (tmp_path / ".seaice.cfg").touch()  # nobody's but the user's
    yesterday = time.time() - 25 * 3600
    for path in tmp_path.iterdir():
        os.utime(path, (yesterday, yesterday))
    with replacing(tmp_path / "a.nc") as new:
        new.write_text("whole")
    assert {p.name for p in tmp_path.iterdir()} == {"a.nc", ".seaice.cfg"}


def test_a_second_process_learns_that_it_is_not_alone(tmp_path: Path) -> None:
    ask = (
        "import sys; from pathlib import Path\n"
        "from seaice_data.system.files import alone_in\n"
        "with alone_in(Path(sys.argv[1])) as is_alone: print(is_alone)"
    )
    command = [sys.executable, "-c", ask, str(tmp_path)]
    with alone_in(tmp_path) as is_alone:
        assert is_alone
        assert subprocess.check_output(command, text=True) == "False\n"
    assert subprocess.check_output(command, text=True) == "True\n"


locking = pytest.mark.skipif(os.name != "posix", reason="there are no such locks")


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[int, int]]:
    one, two = (os.open(tmp_path, os.O_RDONLY) for _ in range(2))
    yield one, two
    os.close(one)
    os.close(two)


@locking
def test_one_who_is_alone_keeps_everybody_out(both: tuple[int, int]) -> None:
    one, two = both
    assert lock(one)
    assert not try_lock(two)
    with pytest.raises(BlockingIOError):
        lock(two, alone=False)


@locking
def test_those_who_need_not_be_alone_keep_out_who_must(both: tuple[int, int]) -> None:
    one, two = both
    assert lock(one, alone=False)
    assert lock(two, alone=False)
    assert not try_lock(two)


@locking
def test_a_lock_ends_with_its_file(both: tuple[int, int], tmp_path: Path) -> None:
    three = os.open(tmp_path, os.O_RDONLY)
    assert lock(three)
    assert not try_lock(both[0])
    os.close(three)
    assert try_lock(both[0])


LOCK = """
import os, sys
from seaice_data.system.files import lock, try_lock
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
@locking
def test_a_disk_without_locks_keeps_nobody_out(
    tmp_path: Path, other_system: OtherSystem
) -> None:
    other_system.python(LOCK, tmp_path, 1, 5, 9, 22, 37, 38, 95, 524)


@locking
@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EACCES])
def test_a_lock_that_another_holds_keeps_out(
    tmp_path: Path, other_system: OtherSystem, number: int
) -> None:
    asked = """if True:
    import os, sys
    from seaice_data.system.files import try_lock
    print(try_lock(os.open(sys.argv[1], os.O_RDONLY)))"""
    assert other_system.python(asked, tmp_path, flock=number) == "False\n"

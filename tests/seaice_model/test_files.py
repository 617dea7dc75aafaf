import subprocess
import sys
from pathlib import Path

import pytest

from seaice_model.files import alone_in, replacing


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


def test_a_second_process_is_told_that_it_is_not_alone(tmp_path: Path) -> None:
    ask = (
        "import sys; from pathlib import Path; from seaice_model.files import alone_in\n"
        "with alone_in(Path(sys.argv[1])) as is_alone: print(is_alone)"
    )
    command = [sys.executable, "-c", ask, str(tmp_path)]
    with alone_in(tmp_path) as is_alone:
        assert is_alone
        assert subprocess.check_output(command, text=True) == "False\n"
    assert subprocess.check_output(command, text=True) == "True\n"

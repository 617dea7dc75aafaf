from pathlib import Path

import pytest

from seaice_model.files import replacing


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

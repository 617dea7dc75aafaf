"""The record of what was unpacked."""

from pathlib import Path

import pytest

from seaice_data.download.record import RECORD, Unpacked, read_record, write_record
from seaice_data.errors import ForeignFileError


def test_a_record_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / RECORD
    assert read_record(path, overwrite=False) == {}
    record = {"a.tar": Unpacked(("md5:1", "md5:2"), {"a/b.nc": 3}), "b.tar": Unpacked(())}
    write_record(record, path, "10.1/x")
    assert read_record(path, overwrite=False) == record


@pytest.mark.parametrize("text", ["", "{}", '{"doi": "x", "archives": {"a": 1}}'])
def test_another_file_is_not_taken_for_one(tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(ForeignFileError, match="not a record of what was fetched"):
        read_record(tmp_path / RECORD, overwrite=False)
    assert read_record(tmp_path / RECORD, overwrite=True) == {}

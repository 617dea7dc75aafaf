from dataclasses import replace
from pathlib import Path

import pytest
from support.learnable_scenes import ENTRY

from seaice_model.errors import RunError
from seaice_model.runs.log import append_entry, keep_epochs, read_log


def test_entries_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    assert read_log(path) == []
    learned = replace(ENTRY, epoch=3, loss_weights=(0.5, 1.5, 2.0))
    entries = [ENTRY, replace(ENTRY, epoch=2, is_best=False), learned]
    for entry in entries:
        append_entry(path, entry)
    assert read_log(path) == entries


def test_an_unfinished_line_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    append_entry(path, ENTRY)
    path.write_text(path.read_text() + path.read_text()[:20])
    assert read_log(path) == [ENTRY]
    keep_epochs(path, 1)
    append_entry(path, replace(ENTRY, epoch=2))
    assert [entry.epoch for entry in read_log(path)] == [1, 2]


def test_epochs_that_are_repeated_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    for epoch in (1, 2, 3):
        append_entry(path, replace(ENTRY, epoch=epoch))
    keep_epochs(path, 2)
    assert [entry.epoch for entry in read_log(path)] == [1, 2]


def test_what_a_later_version_adds_to_an_entry_is_ignored_and_kept(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.jsonl"
    append_entry(path, ENTRY)
    line = path.read_text().replace('{"epoch"', '{"grad_norm": [1.5], "epoch"')
    path.write_text(line)
    append_entry(path, replace(ENTRY, epoch=2))
    assert read_log(path) == [ENTRY, replace(ENTRY, epoch=2)]
    keep_epochs(path, 1)
    assert path.read_text() == line


def test_an_entry_of_version_0_1_has_no_learned_weights(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    append_entry(path, ENTRY)
    line = path.read_text().replace(', "loss_weights": null', "")
    assert "loss_weights" not in line
    path.write_text(line)
    assert read_log(path) == [ENTRY]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    append_entry(path, ENTRY)
    path.write_text("{broken\n" + path.read_text())
    with pytest.raises(RunError, match=r"log\.jsonl' is damaged: line 1: it is not JSON"):
        read_log(path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{}", " is not a log entry: setting '.*' is missing"),
        (b"[]", " is not a log entry"),
        (b"5", " is not a log entry"),
        (b'{"epoch": "x"}', " is not a log entry: epoch must be int"),
        (b'{"epoch": 1, "loss": NaN}', " is not a log entry: loss must be a finite number"),
        (b"\xff\xfe", ": byte 0 is not text in UTF-8"),
        (b"[" * 100_000, ": it is nested too deeply"),
        (b"9" * 5000, ": 999999999999... has 5000 digits"),
    ],
)
def test_a_damaged_line_is_named_and_can_be_removed(
    tmp_path: Path, line: bytes, words: str
) -> None:
    path = tmp_path / "log.jsonl"
    append_entry(path, ENTRY)
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(RunError, match=f"is damaged: line 2{words}") as caught:
        read_log(path)
    assert "remove this line" in str(caught.value.hint)

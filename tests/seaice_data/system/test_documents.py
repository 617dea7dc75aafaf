"""Documents of unknown origin give typed values, or one error."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import pytest

from seaice_data.scene_id import SceneId
from seaice_data.system.documents import (
    DocumentError,
    parse_json,
    parse_toml,
    read_text,
    typed,
)


class Grid(TypedDict):
    height: int
    name: NotRequired[str]


@dataclass(frozen=True)
class Point:
    x: float
    y: float = 0.0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b"[" * 40 + b"]" * 40, "nested more than 32 deep"),
        (b"{" + b'"a":{' * 40 + b"}" * 41, "nested more than 32 deep"),
        (b"9" * 5000, "999999999999... has 5000 digits"),
        (b"[18446744073709551616]", "beyond 64 bits"),
        (b'"\xff"', "byte 1 is not text in UTF-8"),
        (b'"\\ud800"', "half character"),
        (b'{"\\ud800": 1}', "half character"),
        (b"{", "not JSON: .* at line 1, column 2"),
        (b"", "not JSON"),
        (b"\x00", "not JSON"),
    ],
)
def test_json_that_other_code_could_not_process_is_refused(
    content: bytes, message: str
) -> None:
    with pytest.raises(DocumentError, match=message) as refused:
        parse_json(content)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("a = " + "[" * 40 + "]" * 40, "nested more than 32 deep"),
        ("a = " + "9" * 5000, "not TOML"),
        ("a = 18446744073709551616", "beyond 64 bits"),
        ("a = \x00", "not TOML"),
        ("a", "not TOML"),
    ],
)
def test_toml_that_other_code_could_not_process_is_refused(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        parse_toml(text)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (3, float, 3.0),
        (None, int | None, None),
        ([1, 2], tuple[int, ...], (1, 2)),
        ([1, "a"], tuple[int, str], (1, "a")),
        ({"a": [1]}, dict[str, list[int]], {"a": [1]}),
        ("mean", Literal["mean", "nearest"], "mean"),
        ({"height": 3, "later": 1}, Grid, {"height": 3}),
        ({"x": 1}, Point, Point(1.0)),
        ("20180607T184326_dmi", SceneId, SceneId("20180607T184326_dmi")),
        (
            "2018-06-07T18:43:26+00:00",
            datetime,
            datetime(2018, 6, 7, 18, 43, 26, tzinfo=UTC),
        ),
        ([{"a": None}], Any, [{"a": None}]),
        ("a", int | str, "a"),
    ],
)
def test_a_value_of_its_type_is_returned(value: Any, kind: Any, expected: Any) -> None:
    found = typed(value, kind, "it")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (True, int, "it must be int, got True"),
        (1, bool, "it must be bool, got 1"),
        (1.5, int, "it must be int, got 1.5"),
        ("1", float, "it must be float, got '1'"),
        ([], Grid, "it must be a table, got a list"),
        ({}, Grid, "'it.height' is missing"),
        ({"height": None}, Grid, "it.height must be int, got nothing"),
        ({"y": 1}, Point, "'it.x' is missing"),
        ("ab", tuple[str, ...], "it must be a list, got 'ab'"),
        ([1], tuple[int, int], "it must be a list of 2, got a list"),
        ({"a": ["b"]}, dict[str, list[int]], r"it\.a\[0\] must be int, got 'b'"),
        (1, Literal["mean"], "it must be one of mean, got 1"),
        ("backup", SceneId, "it: 'backup' is not a scene id"),
        ("2018-06-07", datetime, "it: '2018-06-07' has no time zone"),
        ("today", datetime, "it: Invalid isoformat"),
    ],
)
def test_a_value_of_another_type_is_refused(value: Any, kind: Any, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        typed(value, kind, "it")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "list.txt")
    with pytest.raises(DocumentError, match="not a regular file"):
        read_text(tmp_path / "list.txt")
    with pytest.raises(DocumentError, match="not a regular file"):
        read_text(Path("/dev/zero"))


def test_a_path_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(DocumentError, match="cannot be the name of a file"):
        read_text(Path("a\0b"))


def test_text_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("æ\n".encode())
    assert read_text(tmp_path / "a.txt") == "æ\n"
    (tmp_path / "a.txt").write_bytes(b"\xe6")
    with pytest.raises(DocumentError, match="byte 0 is not text"):
        read_text(tmp_path / "a.txt")

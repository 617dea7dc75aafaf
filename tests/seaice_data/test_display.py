"""Results show themselves briefly, and escape what files say."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import html5lib
import numpy as np
import pytest

from seaice_data.display import Displayed, as_table, failures_in_short, in_short
from seaice_data.errors import Failure


@dataclass(frozen=True, slots=True, repr=False)
class Report(Displayed):
    path: Path
    scenes: tuple[str, ...]
    failed: tuple[Failure, ...] = ()
    elapsed_s: float = 1.23456789


def test_a_short_report_is_shown_whole() -> None:
    report = Report(Path("maps"), ("a", "b"))
    shown = "Report(path='maps', scenes=('a', 'b'), failed=(), elapsed_s=1.23457)"
    assert repr(report) == shown


def test_a_long_report_stays_short() -> None:
    failed = tuple(Failure(f"{k}.nc", f"{k}.nc is <b>damaged</b>") for k in range(900))
    report = Report(Path("x" * 9000), tuple(map(str, range(9000))), failed)
    assert len(repr(report)) < 250
    assert "scenes=<9000 values>, failed=<900 values>" in repr(report)
    page = report._repr_html_()
    assert len(page) < 1500
    assert "4.nc is &lt;b&gt;damaged&lt;/b&gt;; and 895 more" in page
    assert "5.nc" not in page


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\nb", r"'a\nb'"),
        (("one",), "('one',)"),
        ({}, "{}"),
        (np.zeros((3, 4), np.uint8), "<uint8 3 x 4>"),
        (("x" * 60, "y" * 60), "<2 values>"),
        (("x" * 200,), "<1 value>"),
        (None, "None"),
    ],
)
def test_values_are_shown_on_one_line(value: Any, shown: str) -> None:
    assert in_short(value) == shown


def test_only_failures_have_reasons() -> None:
    assert failures_in_short(("a",)) == failures_in_short(()) == failures_in_short(3) == ""
    assert failures_in_short((Failure("a", "no sea\x1b"),)) == r"no sea\x1b"


def test_tables_are_valid_and_run_nothing() -> None:
    table = as_table("<i>", [("a", "<script>"), ("b", "\u202e")])
    parsed = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parseFragment(
        table
    )
    assert [cell.text for cell in parsed.iter("td")] == ["<script>", r"\u202e"]
    assert not [*parsed.iter("script")]

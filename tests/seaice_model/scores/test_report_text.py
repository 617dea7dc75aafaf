from dataclasses import replace

import html5lib
from support.learnable_scenes import TEST_SCENE

from seaice_model.scores.report_text import aligned, as_text
from seaice_model.scores.score import ScoreReport

HOSTILE = "a\x1b[31m\r\n<b>\u202e"
SHOWN = r"a\x1b[31m\r\n<b>\u202e"


def with_region(report: ScoreReport, name: str) -> ScoreReport:
    original = report.grids["original"]
    named = replace(original, regions={name: original.pooled})
    return replace(report, grids={**report.grids, "original": named})


def test_a_report_shows_itself_in_a_terminal(report: ScoreReport) -> None:
    text = repr(report)
    assert text == as_text(report)
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith("scores in %, ratio 2")
    (line,) = [line for line in text.splitlines() if line.startswith(TEST_SCENE)]
    assert f"{report.scenes[TEST_SCENE].combined:.1f}" in line.split()
    assert "baseline: climatology" in text
    *_, floes, remarks = text.split("\n\n")
    assert floes.startswith("FLOE open water")
    assert remarks.startswith("ice in the map only")
    assert "predict them again with --probabilities" in " ".join(remarks.split())


def test_a_submission_says_why_its_uncertainty_is_not_known(report: ScoreReport) -> None:
    assert "A submission file contains only classes" in as_text(replace(report, run=""))


def test_cells_are_aligned_and_shown_as_they_are() -> None:
    assert aligned([["scene", "n"], [HOSTILE, "17"], ["b", ""]]) == [
        "scene" + " " * (len(SHOWN) - 5) + "   n",
        f"{SHOWN}  17",
        "b",
    ]


def test_a_region_cannot_act_on_the_terminal(report: ScoreReport) -> None:
    text = repr(with_region(report, HOSTILE))
    assert f"region {SHOWN}" in text
    assert "\x1b" not in text


def test_a_notebook_shows_the_tables_as_html(report: ScoreReport) -> None:
    page = html5lib.parse(
        with_region(report, HOSTILE)._repr_html_(), namespaceHTMLElements=False
    )
    assert len([*page.iter("table")]) == 3
    assert len([*page.iter("b")]) == 0
    cells = [cell.text for cell in page.iter("td")]
    assert f"{report.pooled.combined:.1f}" in cells
    assert TEST_SCENE in cells

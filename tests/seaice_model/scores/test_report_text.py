from dataclasses import replace
from pathlib import Path

import html5lib
import numpy as np
from support.learnable_scenes import TEST_SCENE

from seaice_data.charts import SOD
from seaice_data.sources.charts import charts_of
from seaice_data.store.store import Store
from seaice_model.metrics import ChartScorer
from seaice_model.scores.report_numbers import as_mapping
from seaice_model.scores.report_text import aligned, as_html, as_text, class_lines
from seaice_model.scores.score import ScoreReport, score_maps

HOSTILE = "a\x1b[31m\r\n<b>\u202e"
SHOWN = r"a\x1b[31m\r\n<b>\u202e"


def with_region(report: ScoreReport, name: str) -> ScoreReport:
    original = report.grids["original"]
    named = replace(original, regions={name: original.pooled})
    return replace(report, grids={**report.grids, "original": named})


def test_a_report_shows_itself_in_a_terminal(report: ScoreReport) -> None:
    text = str(report)
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


def test_the_hidden_truth_is_not_called_a_chart(maps: Path, store: Store) -> None:
    charts = charts_of(store)
    hidden = {id_: replace(scene, is_hidden=True) for id_, scene in charts.scenes.items()}
    report = score_maps(maps, replace(charts, scenes=hidden))
    assert report.is_of_hidden_truth
    text = as_text(report)
    for words in ("\nhidden truth  ", "overlap on hidden truth, %", "hidden truth, %"):
        assert words in text
    assert as_mapping(report)["grids"]["original"]["about"].startswith("hidden truth of")
    for said in (text, as_html(report), str(as_mapping(report)["grids"])):
        assert "original charts" not in said
        assert "score of the official" not in said
    assert max(map(len, text.splitlines())) <= 80


def test_iou_and_accuracy_have_a_table_with_baselines(report: ScoreReport) -> None:
    _, table = as_text(report).split("overlap on original charts, %")
    of_iou, of_accuracy, _ = table.split("\n\n", 2)
    for text, measure in ((of_iou, "mean_iou"), (of_accuracy, "pixel_accuracy")):
        lines = [line.rsplit(maxsplit=3) for line in text.splitlines()[-4:]]
        assert [name for name, *_ in lines][1:] == [
            f"baseline: {n}" for n in report.baselines
        ]
        scored = [report.pooled, *(b.scores for b in report.baselines.values())]
        for (_, *cells), scores in zip(lines, scored, strict=True):
            charts = scores.charts.values()
            assert cells == [f"{getattr(chart, measure):.1f}" for chart in charts]


def test_a_class_that_does_not_occur_has_no_iou() -> None:
    scorer = ChartScorer()
    chart = np.array([[0, 0, 5]], np.uint8)
    scorer.add_chart(SOD, chart, np.array([[0, 1, 5]], np.uint8))
    lines = class_lines(SOD, scorer.scores().charts["SOD"])
    assert lines[0] == ["open water", "100.0", "50.0", "66.7", "50.0", "2"]
    assert lines[2][1:] == ["0.0", "0.0", "0.0", "-", "0"]


def test_a_submission_says_why_its_uncertainty_is_not_known(report: ScoreReport) -> None:
    assert "A submission file contains only classes" in as_text(replace(report, run=""))


def test_cells_are_aligned_and_shown_as_they_are() -> None:
    assert aligned([["scene", "n"], [HOSTILE, "17"], ["b", ""]]) == [
        "scene" + " " * (len(SHOWN) - 5) + "   n",
        f"{SHOWN}  17",
        "b",
    ]


def test_a_region_cannot_act_on_the_terminal(report: ScoreReport) -> None:
    text = str(with_region(report, HOSTILE))
    assert f"region {SHOWN}" in text
    assert "\x1b" not in text


def test_a_notebook_shows_the_tables_as_html(report: ScoreReport) -> None:
    page = html5lib.parse(
        with_region(report, HOSTILE)._repr_html_(), namespaceHTMLElements=False
    )
    assert len([*page.iter("table")]) == 4
    assert len([*page.iter("b")]) == 0
    cells = [cell.text for cell in page.iter("td")]
    assert f"{report.pooled.combined:.1f}" in cells
    assert TEST_SCENE in cells


def test_a_report_is_one_line_until_it_is_printed(report: ScoreReport) -> None:
    assert repr(report).startswith("<ScoreReport of ")
    assert f"{len(report.scenes)} scenes, combined " in repr(report)
    assert len(repr(report)) < 300 + len(report.maps) + len(report.truth)
    assert "\n" not in repr(report)
    assert str(report).count("\n") > 20
    for part in (report.grids["original"], report.pooled):
        assert len(repr(part)) < 120
        assert f"combined={report.pooled.combined:.6g}" in repr(part)

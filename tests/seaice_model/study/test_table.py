import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from seaice_data.charts import CHARTS
from seaice_data.store.split import TEST_IDS
from seaice_model.config.presets import find_preset
from seaice_model.errors import StudyError
from seaice_model.study.candidates import Candidate, quick, read_candidates, read_variant
from seaice_model.study.plan import StudyPlan
from seaice_model.study.plot import plot_study
from seaice_model.study.records import TRUTH_PARTS, RunRecord, StudyRun, save_record
from seaice_model.study.summary import StudyTable, summarise
from seaice_model.study.table import (
    as_csv,
    as_latex,
    as_mapping,
    as_markdown,
    as_text,
    update_tables,
)


def matrices(percent: float) -> dict[str, NDArray[np.int64]]:
    """Return charts of two classes, with this share of right pixels in SOD and FLOE."""
    found = {}
    for chart in CHARTS:
        matrix = np.zeros((chart.n_classes, chart.n_classes + 1), np.int64)
        hits, misses = round(100 * percent), round(100 * (100 - percent))
        matrix[0, :2] = hits, misses
        matrix[1, :2] = misses, hits
        found[chart.name] = matrix
    return found


PAPER_SCENES = tuple(sorted(TEST_IDS))
OTHER_SCENES = tuple(f"20190201T0000{k:02d}_dmi" for k in range(8))


def finish(
    run: StudyRun,
    validation: float,
    test: list[float],
    scenes: tuple[str, ...] = PAPER_SCENES,
) -> None:
    """Write the record of a run with these scores."""
    run.record.parent.mkdir(parents=True, exist_ok=True)
    sampled = {
        f"20190101T{run.seed:02d}00{k:02d}_dmi": matrices(validation) for k in range(3)
    }
    scored = dict(zip(scenes, map(matrices, test), strict=False))
    record = RunRecord(
        config=run.config,
        store_fingerprint="fingerprint",
        best_epoch=3,
        confusion={"validation": sampled, "test": scored},
    )
    save_record(record, run.record)
    if run.truth:
        # Mixed pixels are harder by 20 percentage points, whatever the network.
        parts = {
            part: dict(
                zip(
                    scenes,
                    (matrices(p - 20 * ("mixed" in part)) for p in test),
                    strict=False,
                )
            )
            for part in TRUTH_PARTS
        }
        save_record(replace(record, confusion=parts), run.truth_record)


def make_plan(
    out: Path,
    candidates: tuple[Candidate, ...],
    *,
    is_quick: bool = False,
    **more: Any,
) -> StudyPlan:
    return StudyPlan(
        out=out,
        candidates=candidates,
        seeds=(0, 1, 2),
        stores=("store.zarr",) * len(candidates),
        left_out=read_candidates("model2"),
        is_quick=is_quick,
        **more,
    )


@pytest.fixture
def plan(tmp_path: Path) -> StudyPlan:
    """Return a study of two presets and a variant; the last run is not finished."""
    rows = (*read_candidates("model1,model3"), read_variant("wide_deep: filters=[8, 8]"))
    plan = make_plan(tmp_path, rows)
    for run in plan.runs[:-1]:
        better = {"model1": 0, "model3": -10, "wide_deep": 1}.get(run.candidate.name, 0)
        finish(run, 80 + better + run.seed, [70 + better + run.seed + k for k in range(4)])
    return plan


def test_means_and_deviations_are_those_of_the_runs(plan: StudyPlan) -> None:
    model1, model3, wide = summarise(plan).candidates
    # FLOE scores of the runs on test: 71.5, 72.5, 73.5, pooled over scenes.
    assert model1.splits["test"].mean("FLOE") == pytest.approx(72.5)
    assert model1.splits["test"].std("FLOE") == pytest.approx(1)
    assert model3.splits["validation"].mean("SOD") == pytest.approx(71)
    assert [candidate.n_runs for candidate in (model1, model3, wide)] == [3, 3, 2]


def test_candidates_are_compared_with_model_1_on_the_seeds_of_both(plan: StudyPlan) -> None:
    model1, model3, wide = (one.splits["test"] for one in summarise(plan).candidates)
    assert model1.effects is None
    assert model3.effects is not None
    assert model3.effects["SOD"].mean == pytest.approx(-10)
    assert model3.effects["SOD"].is_real
    assert model3.effects["SOD"].p == pytest.approx(0, abs=1e-9)
    assert wide.effects is not None
    assert wide.effects["FLOE"].mean == pytest.approx(1)


def test_the_scores_of_the_paper_are_shown_with_ours(plan: StudyPlan) -> None:
    model1, model3, wide = (one.splits["test"] for one in summarise(plan).candidates)
    assert model1.paper == find_preset("model1").test
    assert model3.paper_score("FLOE") == 73.1
    assert model3.paper_effects["combined"] == pytest.approx(78.6 - 86.5)
    assert (wide.paper, wide.paper_effects) == (None, {})
    lines = as_text(summarise(plan)).splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith("model3"))
    assert "67.5" not in lines[place]
    assert lines[place].split()[-1] == "62.5"
    assert lines[place + 1].split()[:2] == ["paper", "20"]
    assert lines[place + 1].split()[-1] == "73.1"
    assert lines[place + 2].split()[-1] == "-10.6"


def test_on_other_scenes_only_the_differences_of_the_paper_are_shown(
    tmp_path: Path,
) -> None:
    plan = make_plan(tmp_path, read_candidates("model1,model3"))
    for run in plan.runs:
        finish(run, 80, [70 - 10 * (run.candidate.name == "model3")] * 4, OTHER_SCENES)
    table = summarise(plan)
    text = as_text(table)
    assert not table.has_paper_scenes
    assert "ours - paper" not in text
    assert "only differences between candidates can be compared" in text
    lines = text.split("Differences to model1")[1].splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith("model3"))
    # Table 4: Model 3 minus Model 1, test (combined, SIC, SOD, FLOE) and validation.
    assert lines[place + 1].split() == ["paper", "-7.9", "-6.9", "-12.1", "-0.6", "-3.7"]
    frame = table.to_frame().set_index(["row", "split"])
    assert frame["combined_minus_paper"].isna().all()
    assert frame.loc[("model3", "test"), "sod_effect_paper"] == pytest.approx(-12.1)
    assert [one.paper for one in table.candidates[0].splits.values()] == [None, None]


def test_candidates_are_also_compared_as_asked(tmp_path: Path) -> None:
    rows = (*read_candidates("model1,model3"), read_variant("wide: filters=[8, 8]"))
    pairs = (("wide", "model3"), ("model3", "model1"))
    plan = make_plan(tmp_path, rows, comparisons=pairs)
    for run in plan.runs:
        better = {"model1": 0, "model3": -10, "wide": 1 + run.seed}[run.candidate.name]
        finish(run, 80 + better, [70 + better, 71 + better])
    table = summarise(plan)
    effects = table.comparisons[0].effects["test"]["SOD"]
    assert effects.mean == pytest.approx(12)  # 11, 12 and 13
    assert effects.low is not None
    assert effects.is_real == (effects.p is not None and effects.p < 0.05 / 15)
    # Two pairs with the baseline and one other; the pair that is asked for again is not
    # counted again: 3 x 5.
    assert table.n_tested == 15
    assert (
        table.comparisons[1].effects["test"] == table.candidates[1].splits["test"].effects
    )
    asked = as_text(table).split("Further comparisons")[1].splitlines()
    assert asked[3].split()[:2] == ["wide", "model3"]
    assert asked[3].count("+12.0 [") == 2  # SOD and FLOE
    assert "Further comparisons" in as_markdown(table)
    assert as_mapping(table)["comparisons"][0]["reference"] == "model3"
    frame = table.to_frame()
    line = frame[(frame.row == "wide") & (frame.reference == "model3")]
    assert line["split"].tolist() == ["validation", "test"]
    assert line["sod_effect"].tolist() == pytest.approx([12, 12])


def test_scores_against_the_hidden_truth_have_a_table(tmp_path: Path) -> None:
    rows = read_candidates("model1,model3")
    plan = make_plan(tmp_path, rows, truth="truth", comparisons=(("model3", "model1"),))
    for run in plan.runs:
        better = {"model1": 0, "model3": -10}[run.candidate.name]
        finish(run, 80 + better, [70 + better + run.seed] * 2)
    table = summarise(plan)
    model3 = table.candidates[1].splits["truth, mixed"]
    assert model3.mean("SOD") == pytest.approx(41)  # 61 - 20
    assert model3.effects is not None
    assert model3.effects["SOD"].mean == pytest.approx(-10)
    # SIC, SOD and FLOE of four parts, but for SIC of ice pixels: tested on their own.
    assert (table.n_tested, table.n_tested_truth) == (5, 11)
    lines = as_text(table).split("hidden truth of test scenes")[1].splitlines()
    (line,) = (
        one
        for one in lines
        if one.startswith("model3 ") and " mixed ice " in one and "- model1" not in one
    )
    assert line.split()[:8] == ["model3", "mixed", "ice", "-", "41.0", "41.0", "-", "-10.0"]
    assert any(one.startswith("model3 - model1") for one in lines)
    assert "hidden truth" in as_latex(table)
    assert as_mapping(table)["truth"] == "truth"
    assert "truth, mixed ice" in set(table.to_frame()["split"])


def test_real_differences_are_marked(plan: StudyPlan) -> None:
    text = as_text(summarise(plan))
    effects = text.split("Differences to model1")[1]
    # Test combined, SIC, SOD and FLOE, and validation combined; the variant has two runs.
    words = "* marks differences that are real when all 5 are tested together (Holm, 5 %)"
    assert words in " ".join(effects.split())
    row = next(line for line in effects.splitlines() if line.startswith("model3"))
    assert "-10.0 [-10.0, -10.0] *" in row


@pytest.mark.parametrize("form", [as_text, as_markdown, as_latex, as_csv])
def test_every_form_says_that_a_study_was_quick(tmp_path: Path, form) -> None:  # type: ignore[no-untyped-def]
    rows = tuple(quick(one) for one in read_candidates("model1,model3"))
    plan = make_plan(tmp_path, rows, is_quick=True)
    for run in plan.runs:
        finish(run, 80, [70, 71])
    assert "quick" in form(summarise(plan)).lower()
    assert as_mapping(summarise(plan))["quick"] is True
    texts = [
        text.get_text()
        for text in plot_study(summarise(plan)).findobj()
        if hasattr(text, "get_text")
    ]
    assert any("QUICK STUDY" in text for text in texts)


def test_missing_runs_and_stores_are_noted(plan: StudyPlan) -> None:
    text = as_text(summarise(plan))
    assert "1 of 9 runs are not finished" in text
    assert "Left out because no store fits: model2" in text
    assert "2 of 3" in text


def test_csv_is_read_back_with_all_numbers(plan: StudyPlan) -> None:
    lines = list(csv.DictReader(io.StringIO(as_csv(summarise(plan)))))
    assert [(line["row"], line["split"]) for line in lines] == [
        (name, split)
        for name in ("model1", "model3", "wide_deep")
        for split in ("validation", "test")
    ]
    model3 = lines[3]
    assert float(model3["sod"]) == pytest.approx(62.5)
    assert float(model3["sod_effect"]) == pytest.approx(-10)
    assert float(model3["combined_paper"]) == 78.6
    assert model3["sod_effect_is_real"] == "True"
    assert lines[1]["combined_effect"] == ""


def test_the_frame_has_the_numbers_of_the_table(plan: StudyPlan) -> None:
    table = summarise(plan)
    frame = table.to_frame().set_index(["row", "split"])
    assert frame.loc[("model3", "test"), "sod"] == pytest.approx(62.5)
    assert frame.loc[("model3", "test"), "sod_effect_is_real"]
    assert np.isnan(frame.loc[("wide_deep", "test"), "combined_paper"])
    assert frame["runs"].tolist() == [3, 3, 3, 3, 2, 2]


def test_latex_escapes_and_closes_what_it_opens(plan: StudyPlan) -> None:
    text = as_latex(summarise(plan))
    assert r"wide\_deep & filters=[8, 8]" in text
    assert text.count(r"\begin{") == text.count(r"\end{") == 4
    assert r"\%" in text
    assert "$-$10.6" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count(" & ") for line in rows} == {10, 6}


def test_markdown_rows_have_equal_cells(plan: StudyPlan) -> None:
    rows = [line for line in as_markdown(summarise(plan)).splitlines() if line[:1] == "|"]
    assert {line.count("|") for line in rows} == {12, 8}


def test_a_summary_is_shown_as_it_is_in_all_forms(tmp_path: Path) -> None:
    text = r"where='region == $\frac{|\input~a^'"
    plan = make_plan(tmp_path, (*read_candidates("model1"), read_variant(f"wild: {text}")))
    for run in plan.runs:
        finish(run, 80, [70, 80])
    table = update_tables(plan)  # and no error about a formula that does not end
    assert r"| wild | where='region == $\frac{\|\input~a^' |" in as_markdown(table)
    latex = as_latex(table)
    shown = r"\$\textbackslash{}frac\{|\textbackslash{}input\textasciitilde{}a"
    assert shown in latex
    assert (tmp_path / "table.png").exists()


def test_tables_are_written_in_all_forms(plan: StudyPlan) -> None:
    update_tables(plan)
    written = {path.name for path in plan.out.iterdir() if path.is_file()}
    assert written == {
        "table.csv", "table.json", "table.md", "table.png", "table.tex", ".table.lock",
    }  # fmt: skip
    mapping = json.loads((plan.out / "table.json").read_text())
    assert mapping["rows"][1]["splits"]["test"]["effects"]["SOD"]["mean"] == pytest.approx(
        -10
    )
    assert mapping["rows"][2]["settings"]["config"]["model"]["filters"] == [8, 8]


def test_a_study_without_a_finished_run_has_an_empty_table(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, read_candidates("model1,model3"))
    table = update_tables(plan)
    assert table.n_finished == 0
    assert "6 of 6 runs are not finished" in as_text(table)
    assert not (tmp_path / "table.png").exists()


@pytest.mark.parametrize("n_runs", [1, 2])
def test_one_run_and_two_have_no_interval_and_no_star(tmp_path: Path, n_runs: int) -> None:
    plan = make_plan(tmp_path, read_candidates("model1,model3"))
    for run in plan.runs:
        if run.seed < n_runs:
            finish(run, 80 + run.seed, [70, 80])
    text = as_text(summarise(plan)).split("Differences")[1]
    assert "[" not in text
    assert "*" not in text
    assert "intervals need 3 runs and 2 scenes" in text


def test_a_difference_that_is_one_of_many_needs_more_for_a_star(tmp_path: Path) -> None:
    # Three runs on equal scenes: means -2, -1.8 and -1.6, t is 15.6 with 2 degrees of
    # freedom. A star needs p below 0.05 / 5, with two more candidates below 0.05 / 15.
    def table_of(names: str) -> StudyTable:
        plan = make_plan(tmp_path / names.replace(",", "-"), read_candidates(names))
        for run in plan.runs:
            better = {"model1": 0, "model3": -2 + run.seed / 5}.get(
                run.candidate.name, (-1) ** run.seed
            )
            finish(run, 80 + better, [70 + better] * 2)
        return summarise(plan)

    alone, among_many = table_of("model1,model3"), table_of("model1,model3,model4,model5")
    for table, is_real in ((alone, True), (among_many, False)):
        effects = table.candidates[1].splits["test"].effects
        assert effects is not None
        assert effects["SOD"].high is not None
        assert effects["SOD"].high < 0
        assert effects["SOD"].p == pytest.approx(0.0041, abs=1e-4)
        assert effects["SOD"].is_real == is_real


def test_runs_scored_on_other_test_scenes_are_refused(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, read_candidates("model1"))
    for run in plan.runs:
        finish(run, 80, [70] * (2 + run.seed))
    with pytest.raises(
        StudyError, match=f"different test scenes: {PAPER_SCENES[2]}, {PAPER_SCENES[3]}"
    ):
        summarise(plan)


def test_without_model_1_the_first_candidate_is_the_baseline(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, read_candidates("model4,model3"))
    assert summarise(plan).baseline == "model4"


def test_the_figure_shows_every_run_and_every_interval(plan: StudyPlan) -> None:
    figure = plot_study(summarise(plan))
    scores, effects = figure.axes
    runs = [line for line in scores.lines if line.get_marker() == "o"]
    assert sum(np.size(line.get_xdata()) for line in runs) == 2 * 8  # of both splits
    assert len(scores.get_yticklabels()) == 3
    lengths = [np.size(line.get_xdata()) for line in effects.lines]
    assert lengths.count(2) == 1 + 2  # that of zero, both splits; the variant has two runs


def test_long_names_leave_room_in_the_figure(tmp_path: Path) -> None:
    rows = read_candidates("model1,dropped-constant-without-amsr2")
    plan = make_plan(tmp_path, rows)
    for run in plan.runs:
        finish(run, 80, [70, 71], OTHER_SCENES)
    figure = plot_study(summarise(plan))
    figure.draw_without_rendering()
    left, right = (axes.get_legend().get_window_extent() for axes in figure.axes)
    assert left.x1 < right.x0
    assert right.x1 < figure.bbox.x1
    assert figure.axes[1].xaxis.label.get_window_extent().x1 < figure.bbox.x1

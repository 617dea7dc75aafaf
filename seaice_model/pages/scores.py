"""A score report as one HTML page with embedded figures."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seaice_data.charts import CHARTS, SIC, Chart
from seaice_data.deprecation import former_arguments
from seaice_data.errors import Failure
from seaice_data.sources.charts import AnyCharts, ChartedScenes, find_charts
from seaice_data.texts import counted
from seaice_model.errors import PlotError
from seaice_model.metrics import ChartScore, Scores
from seaice_model.pages.html import PageFigure, Table, write_page
from seaice_model.plots.maps import plot_comparison
from seaice_model.plots.scores import plot_calibration, plot_confusion
from seaice_model.scores.calibration import Calibration
from seaice_model.scores.edge import EDGE_PERCENT, EdgeScore
from seaice_model.scores.report_numbers import grids_in_words
from seaice_model.scores.report_text import (
    CLASS_COLUMNS,
    COLUMNS,
    UNPREDICTED,
    accuracy_cells,
    class_lines,
    coverage_in_words,
    decimal,
    denoised_in_words,
    edge_in_words,
    grid_titles,
    iou_cells,
    score_cells,
    seen_in_words,
    truth_in_words,
    uncalibrated_in_words,
)
from seaice_model.scores.score import ScoreReport
from seaice_model.scores.scored_maps import read_scored

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_N_COMPARISONS = 6
_GROUP_TITLES = {
    "month": "By month",
    "service": "By service",
    "region": "By region",
    "without": "By what maps were predicted without",
}


@former_arguments(reference="truth")
def write_report(
    report: ScoreReport, path: str | Path, truth: AnyCharts
) -> tuple[Failure, ...]:
    """Write a report as one page that needs no other file and no network.

    Parameters
    ----------
    report
        What `score_maps` returned.
    path
        File to write; an existing one stays until the new one is complete.
    truth
        Where the charts are, for figures of the best and the worst scenes; see
        `score_maps`.

    Returns
    -------
    tuple
        Figures that could not be plotted; the page says so in their place.
    """
    truth = find_charts(truth)
    failed: list[Failure] = []
    original = report.grids["original"]
    calibration = report.calibration
    by_group = original.groups
    write_page(
        Path(path),
        "scores.html",
        report=report,
        n_maps=counted(len(report.scenes), "map"),
        denoised=denoised_in_words(report),
        headline=_headline(report),
        overlap=_overlap(report),
        notes=[*_notes(report)],
        classes=[
            _class_table(chart, original.pooled.charts[chart.name]) for chart in CHARTS
        ],
        confusion=_confusion(report, failed),
        edge=_edge_table(report.edge),
        edge_percent=EDGE_PERCENT,
        calibration=calibration and _calibration_figure(calibration, failed),
        uncalibrated=uncalibrated_in_words(report),
        calibration_tables=[] if calibration is None else _calibration_tables(calibration),
        groups=[
            _group_table(f"{title}, original grid, %", by_group[by], {})
            for by, title in _GROUP_TITLES.items()
            if by in by_group
        ],
        scenes=_group_table(
            "Original grid, %; displacement of the ice edge in km",
            original.scenes,
            report.scene_edges,
        ),
        comparisons=[*_comparisons(report, truth, failed)],
    )
    return tuple(failed)


def _figure(
    plot: "Callable[[], Figure]",
    failed: list[Failure],
    alternative: str,
    caption: str = "",
) -> PageFigure:
    """Plot a figure and embed it; if that fails, list it, and say so in its place."""
    try:
        return PageFigure.of(plot(), alternative, caption)
    except PlotError as error:
        failed.append(Failure.of(alternative, error))
        return PageFigure("", alternative, f"{alternative}: {error}.")


def _headline(report: ScoreReport) -> Table:
    titles = grid_titles(report)
    rows = [
        [titles[name], *score_cells(scored.pooled)] for name, scored in report.grids.items()
    ]
    pooled = report.pooled
    where = [decimal(pooled.charts[c.name].score_where_predicted) for c in CHARTS]
    rows.insert(1, ["original, only where the map has a class", "", *where])
    rows += [
        [f"baseline: {name} ({baseline.title})", *score_cells(baseline.scores)]
        for name, baseline in report.baselines.items()
    ]
    labelled = [f"{pooled.charts[c.name].n_pixels:,}" for c in CHARTS]
    without = [f"{pooled.charts[c.name].n_unpredicted:,}" for c in CHARTS]
    rows += [
        ["pixels with a charted class", "", *labelled],
        ["of these, pixels without a class in the map", "", *without],
    ]
    return Table(f"All scenes together, %; ratio {report.ratio}", ["", *COLUMNS], rows)


def _overlap(report: ScoreReport) -> Table:
    titles = grid_titles(report)
    named = {titles[name]: scored.pooled for name, scored in report.grids.items()}
    for name, baseline in report.baselines.items():
        named[f"baseline: {name} ({baseline.title})"] = baseline.scores
    columns = [f"{chart.name} {what}" for what in ("IoU", "accuracy") for chart in CHARTS]
    return Table(
        "Mean IoU of the classes that chart or map show, and pixel accuracy, as other "
        "leaderboards print them (Long et al. 2015); all scenes together, %",
        ["", *columns],
        [[name, *iou_cells(s), *accuracy_cells(s)] for name, s in named.items()],
    )


def _notes(report: ScoreReport) -> Iterator[str]:
    """Yield how pixels are counted, and what was left out."""
    yield UNPREDICTED
    titles = grid_titles(report)
    for name, about in grids_in_words(report).items():
        yield f"{titles[name]}: {about}."
    if not report.baselines:
        yield f"No baselines: {report.truth} has no training scenes."
    if report.without_charts:
        yield "Not scored, without charts: " + ", ".join(report.without_charts)
    for failure in report.failed:
        yield f"Not scored: {failure.name}: {failure.reason}"
    if report.seen:
        yield seen_in_words(report)


def _class_table(chart: Chart, score: ChartScore) -> Table:
    caption = f"{chart.name}: {chart.long_name}"
    *measures, pixels = CLASS_COLUMNS
    return Table(
        caption,
        ["class", *(f"{name} %" for name in measures), pixels],
        class_lines(chart, score),
    )


def _confusion(report: ScoreReport, failed: list[Failure]) -> list[PageFigure]:
    truth = truth_in_words(report)
    plot = partial(plot_confusion, report.grids["original"].confusion, truth=truth)
    return [
        _figure(partial(plot, (SIC,)), failed, "Confusion matrix of SIC"),
        _figure(
            plot,
            failed,
            "Confusion matrices of SOD and FLOE",
            f"What the maps show where the {truth} shows a class, in % of each row "
            "(Chen et al. 2024, Figure 4).",
        ),
    ]


def _edge_table(edge: EdgeScore) -> Table:
    rows = [
        ["mean displacement, km", decimal(edge.mean_km)],
        ["median", decimal(edge.median_km)],
        ["95 % are within", decimal(edge.p95_km)],
        ["ice in the map only, km2", f"{edge.overestimate_km2:,.0f}"],
        ["ice in the chart only, km2", f"{edge.underestimate_km2:,.0f}"],
        ["scenes with an edge in both", str(edge.n_scenes)],
        ["scenes without an edge in the chart", str(edge.n_without_chart_edge)],
        ["scenes whose edge the map misses", str(edge.n_without_map_edge)],
    ]
    return Table("", ["", "all scenes"], rows)


def _calibration_figure(calibration: Calibration, failed: list[Failure]) -> PageFigure:
    return _figure(
        partial(plot_calibration, calibration),
        failed,
        "How often probabilities are right, and what the spread of SIC covers",
        "Perfect calibration follows the dashed lines. The calibration error is the mean "
        "gap (Guo et al. 2017).",
    )


def _calibration_tables(calibration: Calibration) -> list[Table]:
    tables = []
    rows = [
        [
            name,
            decimal(100 * reliability.expected_error),
            decimal(100 * reliability.mean_probability),
            decimal(100 * reliability.accuracy),
            decimal(100 * float(np.mean(reliability.class_errors))),
        ]
        for name, reliability in calibration.reliability.items()
    ]
    if rows:
        columns = ["", "calibration error", "mean probability", "right", "mean of classes"]
        tables.append(Table("Class probabilities, %", columns, rows))
    if (coverage := calibration.coverage) is not None:
        expected = coverage.expected or (None,) * len(coverage.within)
        covered = [
            [f"{within:g} spreads", decimal(e and 100 * e), decimal(100 * observed)]
            for within, e, observed in zip(
                coverage.within, expected, coverage.observed, strict=True
            )
        ]
        covered.append(
            [
                "root mean square error of SIC",
                decimal(coverage.expected_error_percent),
                decimal(coverage.mean_error_percent),
            ]
        )
        columns = ["within", "if the spread is right", "observed"]
        caption = (
            "Pixels whose SIC is within the spread, %; charts have steps of 10 %. "
            f"{coverage_in_words(coverage)}"
        )
        tables.append(Table(caption, columns, covered))
    return tables


def _group_table(
    caption: str, groups: Mapping[str, Scores], edges: Mapping[str, EdgeScore]
) -> Table:
    rows = [
        [
            name,
            *score_cells(scores),
            f"{scores.charts['SIC'].n_pixels:,}",
            *([edge_in_words(edges[name])] if edges else []),
        ]
        for name, scores in groups.items()
    ]
    columns = ["", *COLUMNS, "pixels", *(["edge, km"] if edges else [])]
    return Table(caption, columns, rows)


def _comparisons(
    report: ScoreReport, truth: ChartedScenes, failed: list[Failure]
) -> Iterator[PageFigure]:
    """Compare maps and charts of the worst and the best scenes."""
    ranked = sorted(
        (scores.combined, scene)
        for scene, scores in report.scenes.items()
        if scores.combined is not None
    )
    half = _N_COMPARISONS // 2
    name = truth_in_words(report)
    chosen = ranked if len(ranked) <= _N_COMPARISONS else [*ranked[:half], *ranked[-half:]]
    for combined, scene_id in chosen:
        scene = truth.scenes[scene_id]
        charts, chart_map = read_scored(Path(report.maps), scene)
        plot = partial(
            plot_comparison,
            f"{scene_id}, combined score {combined:.1f} % (not an official ice chart)",
            {"map": charts, name: scene.read()},
            scene.grid,
            {"map": report.scenes[scene_id]},
            place=chart_map,
        )
        yield _figure(plot, failed, f"Map and {name} of {scene_id}")

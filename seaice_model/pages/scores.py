"""A score report as one HTML page that holds its pictures, and as rows for a table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seaice_data.charts import CHARTS, SIC, Chart
from seaice_data.sources.charts import ChartedScenes
from seaice_model.metrics import ChartScore, Scores
from seaice_model.pages.html import Picture, Table, percent, write_page
from seaice_model.plots.maps import draw_comparison
from seaice_model.plots.scores import draw_calibration, draw_confusion
from seaice_model.scores.calibration import Calibration
from seaice_model.scores.edge import EDGE_PERCENT, EdgeScore
from seaice_model.scores.score import GRIDS, GridScores, ScoreReport, read_scored

_NAMES = ("combined", *(chart.name for chart in CHARTS))
_COLUMNS = ("combined", "SIC R2", "SOD F1", "FLOE F1")
_N_PICTURES = 6
GRID_TITLES = {
    "original": "original charts (the challenge)",
    "enlarged": "charts enlarged again (reference test)",
    "downscaled": "downscaled (reference validation)",
}
"""Short names of the grids of `GRIDS`."""

UNPREDICTED = (
    "Pixels with a charted class count, also where the map has none (land, no SAR): the "
    "class is missed, and in R2 such a pixel explains nothing."
)
"""How pixels without a class in the map count, for people."""


@dataclass(frozen=True, slots=True)
class Row:
    """One number of a report, for a table of many."""

    grid: str
    """Key of `GRIDS`."""

    by: str
    """What scenes are grouped by: ``all``, ``scene``, ``month``, ``service``, ``region``
    or ``baseline``."""

    name: str
    """Which of these."""

    chart: str
    """``SIC``, ``SOD``, ``FLOE``, or ``combined``."""

    class_name: str
    """Which class; empty for the whole chart."""

    measure: str
    """As ``score``, ``recall``, ``edge_mean``."""

    value: float | int | None
    """The number; none where it is not defined."""

    unit: str
    """``%``, ``pixels``, ``km`` or ``km2``."""


def rows_of(report: ScoreReport) -> Iterator[Row]:
    """Give every number of a report, one a row."""
    for grid, scored in report.grids.items():
        for by, groups in groups_of(scored).items():
            for name, scores in groups.items():
                yield from _rows_of_scores(scores, (grid, by, name))
    for name, baseline in report.baselines.items():
        yield from _rows_of_scores(baseline.scores, ("original", "baseline", name))
    edges = {("all", "all"): report.edge}
    edges |= {("scene", scene): edge for scene, edge in report.scene_edges.items()}
    for (by, name), edge in edges.items():
        for measure, value, unit in (
            ("edge_mean", edge.mean_km, "km"),
            ("edge_median", edge.median_km, "km"),
            ("edge_p95", edge.p95_km, "km"),
            ("ice_overestimated", edge.overestimate_km2, "km2"),
            ("ice_underestimated", edge.underestimate_km2, "km2"),
        ):
            yield Row("original", by, name, "SIC", "", measure, value, unit)
    if report.calibration is not None:
        yield from _rows_of_calibration(report.calibration)


def groups_of(scored: GridScores) -> dict[str, Mapping[str, Scores]]:
    """Return the groups of scenes on a grid, by what they are grouped by."""
    return {
        "all": {"all": scored.pooled},
        "month": scored.months,
        "service": scored.services,
        "region": scored.regions,
        "scene": scored.scenes,
    }


def write_report(report: ScoreReport, path: str | Path, reference: ChartedScenes) -> None:
    """Write a report as a page with everything inside; no other file, no network.

    Parameters
    ----------
    report
        What `score_maps` returned.
    path
        File to write; one that is there stays until the new one is whole.
    reference
        Where the charts are, for pictures of the best and the worst scenes.
    """
    original = report.grids["original"]
    calibration = report.calibration
    by_group = groups_of(original)
    write_page(
        Path(path),
        "scores.html",
        report=report,
        headline=_headline(report),
        notes=[*_notes(report)],
        classes=[
            _class_table(chart, original.pooled.charts[chart.name]) for chart in CHARTS
        ],
        confusion=_confusion(original),
        edge=_edge_table(report.edge),
        edge_percent=EDGE_PERCENT,
        calibration=None if calibration is None else _calibration_picture(calibration),
        calibration_tables=[] if calibration is None else _calibration_tables(calibration),
        groups=[
            _group_table(f"By {by}, original grid, %", by_group[by], {})
            for by in ("month", "service", "region")
        ],
        scenes=_group_table(
            "Original grid, %; displacement of the ice edge in km",
            original.scenes,
            report.scene_edges,
        ),
        comparisons=[*_comparisons(report, reference)],
    )


def seen_in_words(report: ScoreReport) -> str:
    """Say how many scenes are not new to the network; empty if all are."""
    if not report.seen:
        return ""
    return (
        f"{len(report.seen)} of {len(report.scenes)} scenes were trained or validated on: "
        "on scenes that are new to the network scores are lower"
    )


def edge_in_words(edge: EdgeScore) -> str:
    """Say how far the ice edge of a scene is displaced, or why that is not known.

    Examples
    --------
    >>> from seaice_model.scores.edge import EdgeScorer
    >>> edge_in_words(EdgeScorer().score())
    'no edge'
    """
    if edge.mean_km is not None:
        return f"{edge.mean_km:.1f}"
    return "no edge in the map" if edge.n_without_map_edge else "no edge"


def _rows_of_scores(scores: Scores, key: tuple[str, str, str]) -> Iterator[Row]:
    yield Row(*key, "combined", "", "score", scores.combined, "%")
    for chart in CHARTS:
        of_chart = scores.charts[chart.name]
        for measure, value, unit in (
            ("score", of_chart.score, "%"),
            ("score_where_predicted", of_chart.score_where_predicted, "%"),
            ("labelled", of_chart.n_pixels, "pixels"),
            ("unpredicted", of_chart.n_unpredicted, "pixels"),
        ):
            yield Row(*key, chart.name, "", measure, value, unit)
        for k, class_name in enumerate(chart.class_names):
            for measure, values, unit in (
                ("precision", of_chart.class_precision, "%"),
                ("recall", of_chart.class_recall, "%"),
                ("f1", of_chart.class_f1, "%"),
                ("support", of_chart.class_pixels, "pixels"),
            ):
                yield Row(*key, chart.name, class_name, measure, values[k], unit)


def _rows_of_calibration(calibration: Calibration) -> Iterator[Row]:
    key = ("original", "all", "all")
    for name, reliability in calibration.reliability.items():
        error = 100 * reliability.expected_error
        yield Row(*key, name, "", "calibration_error", error, "%")
        confidence = 100 * reliability.mean_probability
        yield Row(*key, name, "", "mean_probability", confidence, "%")
        yield Row(*key, name, "", "accuracy", 100 * reliability.accuracy, "%")
    if (coverage := calibration.coverage) is not None:
        for within, observed in zip(coverage.within, coverage.observed, strict=True):
            measure = f"covered_by_{within:g}_spreads"
            yield Row(*key, "SIC", "", measure, 100 * observed, "%")


def _values(scores: Scores) -> list[str]:
    return [
        percent(scores.combined),
        *(percent(scores.charts[chart.name].score) for chart in CHARTS),
    ]


def _headline(report: ScoreReport) -> Table:
    rows = [
        [GRID_TITLES[name], *_values(scored.pooled)]
        for name, scored in report.grids.items()
    ]
    pooled = report.pooled
    where = [percent(pooled.charts[c.name].score_where_predicted) for c in CHARTS]
    rows.insert(1, ["original, only where the map has a class", "", *where])
    rows += [
        [f"baseline: {name} ({baseline.title})", *_values(baseline.scores)]
        for name, baseline in report.baselines.items()
    ]
    labelled = [f"{pooled.charts[c.name].n_pixels:,}" for c in CHARTS]
    without = [f"{pooled.charts[c.name].n_unpredicted:,}" for c in CHARTS]
    rows += [
        ["pixels with a charted class", "", *labelled],
        ["of these, pixels without a class in the map", "", *without],
    ]
    return Table(f"All scenes together, %; ratio {report.ratio}", ["", *_COLUMNS], rows)


def _notes(report: ScoreReport) -> Iterator[str]:
    """Yield how pixels were counted, and what was left out."""
    yield UNPREDICTED
    for name, about in GRIDS.items():
        yield f"{GRID_TITLES[name]}: {about}."
    if not report.baselines:
        yield f"No baselines: {report.reference} has no training scenes to learn them from."
    if report.without_charts:
        yield "Not scored, without charts: " + ", ".join(report.without_charts)
    for failure in report.failed:
        yield f"Not scored: {failure.name}: {failure.reason}"
    if report.seen:
        yield seen_in_words(report)


def _class_table(chart: Chart, score: ChartScore) -> Table:
    rows = [
        [name, percent(precision), percent(recall), percent(f1), f"{pixels:,}"]
        for name, precision, recall, f1, pixels in zip(
            chart.class_names,
            score.class_precision,
            score.class_recall,
            score.class_f1,
            score.class_pixels,
            strict=True,
        )
    ]
    caption = f"{chart.name}: {chart.long_name}"
    return Table(caption, ["class", "precision %", "recall %", "F1 %", "pixels"], rows)


def _confusion(scored: GridScores) -> list[Picture]:
    return [
        Picture.of(draw_confusion(scored.confusion, (SIC,)), "Confusion matrix of SIC"),
        Picture.of(
            draw_confusion(scored.confusion),
            "Confusion matrices of SOD and FLOE",
            "What the maps show where the charts show a class, in % of each row "
            "(Chen et al. 2024, Figure 4).",
        ),
    ]


def _edge_table(edge: EdgeScore) -> Table:
    rows = [
        ["mean displacement, km", _km(edge.mean_km)],
        ["median", _km(edge.median_km)],
        ["95 % are within", _km(edge.p95_km)],
        ["ice in the map only, km2", f"{edge.overestimate_km2:,.0f}"],
        ["ice in the chart only, km2", f"{edge.underestimate_km2:,.0f}"],
        ["scenes with an edge in both", str(edge.n_scenes)],
        ["scenes without an edge in the chart", str(edge.n_without_chart_edge)],
        ["scenes whose edge the map misses", str(edge.n_without_map_edge)],
    ]
    return Table("", ["", "all scenes"], rows)


def _calibration_picture(calibration: Calibration) -> Picture:
    return Picture.of(
        draw_calibration(calibration),
        "How often probabilities come true, and what the spread of SIC covers",
        "A perfect map follows the dashed lines. The calibration error is the mean gap "
        "(Guo et al. 2017).",
    )


def _calibration_tables(calibration: Calibration) -> list[Table]:
    tables = []
    rows = [
        [
            name,
            percent(100 * reliability.expected_error),
            percent(100 * reliability.mean_probability),
            percent(100 * reliability.accuracy),
            percent(100 * float(np.mean(reliability.class_errors))),
        ]
        for name, reliability in calibration.reliability.items()
    ]
    if rows:
        columns = ["", "calibration error", "mean probability", "right", "mean of classes"]
        tables.append(Table("Class probabilities, %", columns, rows))
    if (coverage := calibration.coverage) is not None:
        covered = [
            [f"{within:g} spreads", percent(100 * expected), percent(100 * observed)]
            for within, expected, observed in zip(
                coverage.within, coverage.expected, coverage.observed, strict=True
            )
        ]
        columns = ["within", "if errors are normal", "observed"]
        caption = "Pixels whose SIC lies within the spread, %; charts have steps of 10 %"
        tables.append(Table(caption, columns, covered))
    return tables


def _group_table(
    caption: str, groups: Mapping[str, Scores], edges: Mapping[str, EdgeScore]
) -> Table:
    rows = [
        [
            name,
            *_values(scores),
            f"{scores.charts['SIC'].n_pixels:,}",
            *([edge_in_words(edges[name])] if edges else []),
        ]
        for name, scores in groups.items()
    ]
    columns = ["", *_COLUMNS, "pixels", *(["edge, km"] if edges else [])]
    return Table(caption, columns, rows)


def _comparisons(report: ScoreReport, reference: ChartedScenes) -> Iterator[Picture]:
    """Draw the worst and the best scenes."""
    ranked = sorted(
        (scores.combined, scene)
        for scene, scores in report.scenes.items()
        if scores.combined is not None
    )
    half = _N_PICTURES // 2
    chosen = ranked if len(ranked) <= _N_PICTURES else [*ranked[:half], *ranked[-half:]]
    for combined, scene_id in chosen:
        scene = reference.scenes[scene_id]
        figure = draw_comparison(
            f"{scene_id}, combined score {combined:.1f} %",
            {"map": read_scored(Path(report.maps), scene), "ice chart": scene.read()},
            scene.grid,
            {"map": report.scenes[scene_id]},
        )
        yield Picture.of(figure, f"Map and ice chart of {scene_id}")


def _km(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"

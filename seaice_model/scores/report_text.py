"""A score report as text: tables and remarks, for a terminal, a notebook and a page."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import chain, islice
from textwrap import wrap
from typing import TYPE_CHECKING

from seaice_data.charts import CHARTS, Chart
from seaice_data.texts import agreeing, counted, printable
from seaice_model.metrics import ChartScore, Scores
from seaice_model.scores.calibration import Calibration, Coverage
from seaice_model.scores.edge import EDGE_PERCENT, EdgeScore

if TYPE_CHECKING:
    from seaice_model.scores.score import ScoreReport

COLUMNS = ("combined", "SIC R2", "SOD F1", "FLOE F1")
"""Headings of the scores, as `score_cells` returns them."""

CLASS_COLUMNS = ("precision", "recall", "F1", "IoU", "pixels")
"""Headings of the classes of a chart, as `class_lines` returns them."""

GRID_TITLES = {
    "original": "original charts (the challenge)",
    "enlarged": "charts enlarged again (official test)",
    "downscaled": "downscaled (official validation)",
}
"""Short names of the grids of `GRIDS`."""

_HIDDEN_TITLES = {
    "original": "hidden truth",
    "enlarged": "hidden truth enlarged again",
    "downscaled": "hidden truth, downscaled",
}

UNPREDICTED = (
    "All pixels with a charted class count, even where the map has none (land, no SAR): "
    "there the class is missed, and such a pixel explains nothing in R2."
)
"""How pixels without a class in the map count, in words."""

_WIDTH = 80

_Lines = list[list[str]]
"""Cells, line by line."""


def grid_titles(report: "ScoreReport") -> dict[str, str]:
    """Return short names of the grids of a report; the hidden truth is not a chart."""
    return _HIDDEN_TITLES if report.is_of_hidden_truth else GRID_TITLES


def truth_in_words(report: "ScoreReport") -> str:
    """Return what maps are scored against: the ice chart, or the hidden truth."""
    return "hidden truth" if report.is_of_hidden_truth else "ice chart"


def as_text(report: "ScoreReport") -> str:
    """Return the tables that fit into 80 columns of a terminal, and remarks below them.

    `seaice_model.scores.report_numbers.numbers_of` yields the remaining numbers.
    """
    tables = [_ruled(columns, groups) for columns, groups in _tables(report)]
    return "\n\n".join([*tables, "\n".join(map(printable, _remarks(report)))])


def as_html(report: "ScoreReport") -> str:
    """Return the same tables and remarks as HTML, for a notebook."""
    from pandas import DataFrame  # late: few need it

    tables = [
        DataFrame([*chain(*groups)], columns=columns).to_html(index=False)
        for columns, groups in _tables(report)
    ]
    remarks = (f"<p>{escape(printable(remark))}</p>" for remark in _remarks(report))
    return "\n".join([*tables, *remarks])


def aligned(cells: Sequence[Sequence[str]], n_words: int = 1) -> list[str]:
    """Align cells, line by line: the first `n_words` columns left, the others right.

    Examples
    --------
    >>> aligned([["scene", "%"], ["a", "91.7"]])
    ['scene     %', 'a      91.7']
    """
    shown = [[printable(cell) for cell in line] for line in cells]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place < n_words else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in shown
    ]


def decimal(value: float | None, sign: str = "") -> str:
    """Return a number with one decimal, or a dash where there is none.

    Examples
    --------
    >>> decimal(91.66), decimal(1.52, "+"), decimal(None)
    ('91.7', '+1.5', '-')
    """
    return "-" if value is None else f"{value:{sign}.1f}"


def score_cells(scores: Scores) -> list[str]:
    """Return scores as cells of a table, in the order of `COLUMNS`."""
    return [decimal(value) for value in scores.by_name.values()]


def iou_cells(scores: Scores) -> list[str]:
    """Return the mean IoU of each chart as cells of a table."""
    return [decimal(scores.charts[chart.name].mean_iou) for chart in CHARTS]


def accuracy_cells(scores: Scores) -> list[str]:
    """Return the pixel accuracy of each chart as cells of a table."""
    return [decimal(scores.charts[chart.name].pixel_accuracy) for chart in CHARTS]


def class_lines(chart: Chart, score: ChartScore) -> list[list[str]]:
    """Return name, precision, recall, F1, IoU and pixels of each class of a chart."""
    return [
        [name, *map(decimal, (precision, recall, f1, iou)), f"{pixels:,}"]
        for name, precision, recall, f1, iou, pixels in zip(
            chart.class_names,
            score.class_precision,
            score.class_recall,
            score.class_f1,
            score.class_iou,
            score.class_pixels,
            strict=True,
        )
    ]


def edge_in_words(edge: EdgeScore) -> str:
    """Return how far the ice edge of a scene is displaced, or why that is not known.

    Examples
    --------
    >>> from seaice_model.scores.edge import EdgeScorer
    >>> edge_in_words(EdgeScorer().score())
    'no edge'
    """
    if edge.mean_km is not None:
        return f"{edge.mean_km:.1f}"
    return "no edge in the map" if edge.n_without_map_edge else "no edge"


def seen_in_words(report: "ScoreReport") -> str:
    """Return how many scenes are not new to the network; an empty text if all are new."""
    if not report.seen:
        return ""
    return (
        f"{len(report.seen)} of {counted(len(report.scenes), 'scene')} "
        f"{agreeing(len(report.seen), 'was', 'were')} trained or validated on: "
        "scores are lower on scenes that are new to the network"
    )


def denoised_in_words(report: "ScoreReport") -> str:
    """Return how many scenes were denoised unlike training scenes; empty if none was."""
    if not report.denoised_otherwise:
        return ""
    ways = "; ".join(sorted({*report.denoised_otherwise.values()}))
    return (
        f"noise was removed from {len(report.denoised_otherwise)} of "
        f"{counted(len(report.scenes), 'scene')} in another way than in training ({ways}): "
        "maps may be worse"
    )


def coverage_in_words(coverage: Coverage) -> str:
    """Return how well the spread of SIC agrees with the errors."""
    place = coverage.within.index(1.0)
    found = f"{100 * coverage.observed[place]:.0f} % of the pixels are within one spread"
    if coverage.expected is None:
        return (
            f"{found}; what to expect is not known, because the maps lack class "
            "probabilities of SIC or do not say what their spread comes from: predict them "
            "again with --probabilities"
        )
    return f"{found}, {100 * coverage.expected[place]:.0f} % if it is right: " + (
        coverage.verdict
        if coverage.verdict == "as expected"
        else f"the spread is {coverage.verdict}"
    )


def uncalibrated_in_words(report: "ScoreReport") -> str:
    """Return why nothing is known about the uncertainty of maps, and what to do."""
    if not report.run:
        return "A submission file contains only classes: their uncertainty is not known."
    return (
        "The maps contain neither class probabilities nor a spread of SIC, so their "
        "uncertainty cannot be judged: predict them again with --probabilities, or with "
        "several runs."
    )


def _tables(report: "ScoreReport") -> list[tuple[list[str], list[_Lines]]]:
    """Return headings and groups of lines of each table."""
    titles = grid_titles(report)
    against = "hidden truth" if report.is_of_hidden_truth else "original charts"
    pooled = [[titles[n], *score_cells(g.pooled)] for n, g in report.grids.items()]
    baselines = [
        [f"baseline: {name}", *score_cells(baseline.scores)]
        for name, baseline in report.baselines.items()
    ]
    groups = [
        [_group_line(report, by, name, scores) for name, scores in group.items()]
        for by, group in report.grids["original"].groups.items()
        if by != "all"
    ]
    overlaps = [
        [
            [measure, *cells(report.pooled)],
            *(
                [f"baseline: {name}", *cells(baseline.scores)]
                for name, baseline in report.baselines.items()
            ),
        ]
        for measure, cells in (
            ("mean IoU of the classes", iou_cells),
            ("pixel accuracy", accuracy_cells),
        )
    ]
    classes = [
        [
            [f"{chart.name} {name}", *cells]
            for name, *cells in class_lines(chart, report.pooled.charts[chart.name])
        ]
        for chart in CHARTS
    ]
    return [
        ([f"scores in %, ratio {report.ratio}", *COLUMNS], [pooled, baselines]),
        ([f"{against}, %", *COLUMNS, "edge, km"], groups),
        ([f"overlap on {against}, %", *(c.name for c in CHARTS)], overlaps),
        (["classes, %", *CLASS_COLUMNS], classes),
    ]


def _group_line(report: "ScoreReport", by: str, name: str, scores: Scores) -> list[str]:
    if by == "scene":
        return [name, *score_cells(scores), edge_in_words(report.scene_edges[name])]
    return [f"{by} {name}", *score_cells(scores), ""]


def _ruled(columns: Sequence[str], groups: Sequence[_Lines]) -> str:
    """Write a table with a rule below its headings and an empty line between groups."""
    head, *lines = aligned([columns, *chain(*groups)])
    rest = iter(lines)
    blocks = ["\n".join(islice(rest, len(group))) for group in groups if group]
    return "\n".join([head, "─" * len(head), "\n\n".join(blocks)])


def _remarks(report: "ScoreReport") -> Iterator[str]:
    """Yield lines about the ice edge, the uncertainty, and what is missing."""
    yield from _edge_remarks(report.edge)
    if report.calibration is not None:
        yield from _calibration_remarks(report.calibration)
    else:
        yield from wrap(uncalibrated_in_words(report), _WIDTH)
    for name, chart in report.pooled.charts.items():
        if chart.n_unpredicted:
            share = 100 * chart.n_unpredicted / chart.n_pixels
            yield (
                f"{name}: {chart.n_unpredicted:,} of {chart.n_pixels:,} charted pixels "
                f"({share:.1f} %) have no class in the map"
            )
    if not report.baselines:
        yield f"no baselines: {report.truth} has no training scenes"


def _edge_remarks(edge: EdgeScore) -> Iterator[str]:
    if edge.mean_km is not None:
        yield (
            f"ice edge ({EDGE_PERCENT} %): displaced by {edge.mean_km:.1f} km on average, "
            f"median {edge.median_km:.1f}, in {counted(edge.n_scenes, 'scene')}"
        )
    yield (
        f"ice in the map only {edge.overestimate_km2:,.0f} km2, in the chart only "
        f"{edge.underestimate_km2:,.0f} km2"
    )
    if without := edge.n_without_chart_edge + edge.n_without_map_edge:
        yield (
            f"scenes without an ice edge: {without} ({edge.n_without_chart_edge} in the "
            f"chart, {edge.n_without_map_edge} in the map alone)"
        )


def _calibration_remarks(calibration: Calibration) -> Iterator[str]:
    for name, reliability in calibration.reliability.items():
        yield (
            f"{name} probabilities: calibration error "
            f"{100 * reliability.expected_error:.1f} % (mean "
            f"{100 * reliability.mean_probability:.1f}, "
            f"right {100 * reliability.accuracy:.1f})"
        )
    if (coverage := calibration.coverage) is not None:
        yield from wrap(f"SIC spread: {coverage_in_words(coverage)}", _WIDTH)

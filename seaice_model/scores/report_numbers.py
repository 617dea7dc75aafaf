"""The numbers of a score report: one by one, by scene, as CSV and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from seaice_data.charts import CHARTS
from seaice_model.metrics import Scores
from seaice_model.scores.calibration import Calibration

if TYPE_CHECKING:
    from pandas import DataFrame

    from seaice_model.scores.score import ScoreReport

GRIDS = {
    "original": "original 80 m charts: the score of the challenge",
    "enlarged": "charts decimated by the ratio (every n-th pixel) and enlarged to 80 m "
    "again, both nearest: the test score of the official code",
    "downscaled": "charts decimated by the ratio, maps at the same pixels: the validation "
    "score of the official code",
}
"""Grids that maps are scored on. The second and third are for comparison with published
scores of the official code: they ignore the pixels of the charts that it does not pick.
Only the first counts all pixels."""

_HIDDEN_GRIDS = {
    "original": "hidden truth of synthetic scenes, each pixel as it is: not a score of the "
    "challenge",
    "enlarged": "hidden truth decimated by the ratio (every n-th pixel) and enlarged to "
    "80 m again, both nearest",
    "downscaled": "hidden truth decimated by the ratio, maps at the same pixels",
}


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a report."""

    grid: str
    """Key of `GRIDS`."""

    by: str
    """What scenes are grouped by: ``all``, ``scene``, ``month``, ``service``, ``region``,
    ``without`` (what maps were predicted without) or ``baseline``."""

    name: str
    """Name of the group."""

    chart: str
    """``SIC``, ``SOD``, ``FLOE``, or ``combined``."""

    class_name: str
    """Name of the class; empty for the whole chart."""

    measure: str
    """For example ``score``, ``recall`` or ``edge_mean``."""

    value: float | int | None
    """The number; None where it is not defined."""

    unit: str
    """``%``, ``pixels``, ``km`` or ``km2``."""


def grids_in_words(report: "ScoreReport") -> dict[str, str]:
    """Return what each grid of a report is: `GRIDS`, or the same for the hidden truth."""
    return _HIDDEN_GRIDS if report.is_of_hidden_truth else GRIDS


def numbers_of(report: "ScoreReport") -> Iterator[Number]:
    """Yield every number of a report."""
    for grid, scored in report.grids.items():
        for by, groups in scored.groups.items():
            for name, scores in groups.items():
                yield from _numbers_of_scores(scores, (grid, by, name))
    for name, baseline in report.baselines.items():
        yield from _numbers_of_scores(baseline.scores, ("original", "baseline", name))
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
            yield Number("original", by, name, "SIC", "", measure, value, unit)
    if report.calibration is not None:
        yield from _numbers_of_calibration(report.calibration)


def frame_of_scenes(report: "ScoreReport") -> "DataFrame":
    """Return the scores of each scene; see `ScoreReport.to_frame`."""
    from pandas import DataFrame  # late: few need it

    values = {
        scene: {**scores.by_name, "edge_km": report.scene_edges[scene].mean_km}
        for scene, scores in report.scenes.items()
    }
    frame = DataFrame.from_dict(values, orient="index", dtype=float)
    return frame.rename_axis("scene")


def as_csv(report: "ScoreReport") -> str:
    """Return every number of a report, one per line, as comma-separated values."""
    from pandas import DataFrame  # late: few need it

    cells = [
        {name: _inert(value) for name, value in asdict(number).items()}
        for number in numbers_of(report)
    ]
    # Objects, so that counts of pixels stay whole numbers.
    text: str = DataFrame(cells, dtype=object).to_csv(index=False, lineterminator="\n")
    return text


def as_mapping(report: "ScoreReport") -> dict[str, Any]:
    """Return a report, ready for JSON."""
    return {
        "maps": report.maps,
        "run": report.run,
        "weights": report.weights,
        "reference": report.truth,
        "is_of_hidden_truth": report.is_of_hidden_truth,
        "ratio": report.ratio,
        "pooled": report.pooled.by_name,
        "grids": {
            name: {
                "about": grids_in_words(report)[name],
                **{
                    by: {n: scores.by_name for n, scores in groups.items()}
                    for by, groups in scored.groups.items()
                },
                "classes": {
                    chart: asdict(of_chart)
                    for chart, of_chart in scored.pooled.charts.items()
                },
                "confusion": scored.confusion,
            }
            for name, scored in report.grids.items()
        },
        "baselines": {n: b.scores.by_name for n, b in report.baselines.items()},
        "edge": asdict(report.edge),
        "scene_edges": {i: asdict(edge) for i, edge in report.scene_edges.items()},
        "calibration": report.calibration and asdict(report.calibration),
        "without_charts": report.without_charts,
        "seen": report.seen,
        "failed": [{"map": f.name, "reason": f.reason} for f in report.failed],
        "elapsed_s": round(report.elapsed_s, 3),
    }


def _inert(value: Any) -> Any:
    """Return a value that no spreadsheet reads as a formula: regions come from files."""
    is_formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@"))
    return f"'{value}" if is_formula else value


def _numbers_of_scores(scores: Scores, key: tuple[str, str, str]) -> Iterator[Number]:
    yield Number(*key, "combined", "", "score", scores.combined, "%")
    for chart in CHARTS:
        of_chart = scores.charts[chart.name]
        for measure, value, unit in (
            ("score", of_chart.score, "%"),
            ("score_where_predicted", of_chart.score_where_predicted, "%"),
            ("mean_iou", of_chart.mean_iou, "%"),
            ("pixel_accuracy", of_chart.pixel_accuracy, "%"),
            ("labelled", of_chart.n_pixels, "pixels"),
            ("unpredicted", of_chart.n_unpredicted, "pixels"),
        ):
            yield Number(*key, chart.name, "", measure, value, unit)
        for k, class_name in enumerate(chart.class_names):
            for measure, values, unit in (
                ("precision", of_chart.class_precision, "%"),
                ("recall", of_chart.class_recall, "%"),
                ("f1", of_chart.class_f1, "%"),
                ("iou", of_chart.class_iou, "%"),
                ("support", of_chart.class_pixels, "pixels"),
            ):
                yield Number(*key, chart.name, class_name, measure, values[k], unit)


def _numbers_of_calibration(calibration: Calibration) -> Iterator[Number]:
    key = ("original", "all", "all")
    for name, reliability in calibration.reliability.items():
        for measure, share in (
            ("calibration_error", reliability.expected_error),
            ("mean_probability", reliability.mean_probability),
            ("accuracy", reliability.accuracy),
        ):
            yield Number(*key, name, "", measure, 100 * share, "%")
    if (coverage := calibration.coverage) is not None:
        for place, within in enumerate(coverage.within):
            measure = f"covered_by_{within:g}_spreads"
            observed = 100 * coverage.observed[place]
            yield Number(*key, "SIC", "", measure, observed, "%")
            expected = 100 * coverage.expected[place] if coverage.expected else None
            yield Number(*key, "SIC", "", f"{measure}_expected", expected, "%")
        for measure, value in (
            ("error_rms", coverage.mean_error_percent),
            ("error_rms_expected", coverage.expected_error_percent),
        ):
            yield Number(*key, "SIC", "", measure, value, "%")

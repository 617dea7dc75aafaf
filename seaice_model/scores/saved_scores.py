"""Scores that `seaice score --json` has printed, read again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seaice_data.charts import CHARTS
from seaice_data.system.documents import DocumentError, parse_json, read_text, typed
from seaice_model.errors import MapError


@dataclass(frozen=True, slots=True)
class SavedChart:
    """Scores of a chart; see `seaice_model.metrics.ChartScore`."""

    score: float | None
    """R2 or weighted F1 in percent."""

    mean_iou: float | None
    """Mean IoU of the classes in percent."""

    pixel_accuracy: float | None
    """Percent of the pixels whose class the map shows."""

    n_pixels: int
    """Pixels with a class in the charts."""

    class_precision: tuple[float, ...]
    """Precision of each class in percent."""

    class_recall: tuple[float, ...]
    """Recall of each class in percent."""

    class_f1: tuple[float, ...]
    """F1 of each class in percent."""

    class_pixels: tuple[int, ...]
    """Pixels of each class in the charts."""


@dataclass(frozen=True, slots=True)
class SavedScores:
    """The scores of a report that other documents show."""

    run: str
    """The run that made the maps, as far as they say."""

    pooled: dict[str, float | None]
    """``combined``, ``SIC``, ``SOD`` and ``FLOE`` in percent, on the original charts."""

    scenes: tuple[str, ...]
    """Ids of the scored scenes."""

    charts: dict[str, SavedChart]
    """Scores by chart, on the original charts."""

    baselines: dict[str, float | None]
    """Combined scores of trivial maps, in percent."""

    edge_km: float | None
    """Mean displacement of the ice edge."""

    seen: tuple[str, ...]
    """Scored scenes that a network was trained or validated on."""

    weights: str
    """Fingerprint of the weights that made the maps; empty if it is not known."""

    is_of_hidden_truth: bool
    """Whether maps were scored against the hidden truth of synthetic scenes."""


@dataclass(frozen=True, slots=True)
class _Grid:
    scene: dict[str, Any]
    classes: dict[str, SavedChart]


@dataclass(frozen=True, slots=True)
class _Edge:
    mean_km: float | None


@dataclass(frozen=True, slots=True)
class _Report:
    run: str
    pooled: dict[str, float | None]
    grids: dict[str, Any]
    baselines: dict[str, dict[str, float | None]]
    edge: _Edge
    seen: tuple[str, ...]
    weights: str = ""
    is_of_hidden_truth: bool = False


def read_scores(path: str | Path) -> SavedScores:
    """Read what `seaice score --json` has printed.

    Raises
    ------
    MapError
        If the file cannot be read, or is something else.
    """
    try:
        report = typed(parse_json(read_text(Path(path))), _Report)
        if "original" not in report.grids:
            raise DocumentError("it has no scores on the original charts")
        grid = typed(report.grids["original"], _Grid, "original")
        _check_classes(grid, report)
    except OSError as error:
        raise MapError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except DocumentError as error:
        raise MapError(
            f"{str(path)!r} is not a report of scores: {error}",
            hint="write one with `seaice score maps/ --json`",
        ) from error
    return SavedScores(
        run=report.run,
        pooled=report.pooled,
        scenes=tuple(grid.scene),
        charts=grid.classes,
        baselines={name: of.get("combined") for name, of in report.baselines.items()},
        edge_km=report.edge.mean_km,
        seen=report.seen,
        weights=report.weights,
        is_of_hidden_truth=report.is_of_hidden_truth,
    )


def _check_classes(grid: _Grid, report: _Report) -> None:
    names = {chart.name for chart in CHARTS}
    if {*grid.classes} != names or {*report.pooled} != names | {"combined"}:
        raise DocumentError(f"it must have scores of {', '.join(sorted(names))}")
    for chart in CHARTS:
        found = grid.classes[chart.name]
        by_class = (found.class_precision, found.class_recall, found.class_f1)
        if {chart.n_classes} != {len(found.class_pixels), *map(len, by_class)}:
            raise DocumentError(f"{chart.name} must have {chart.n_classes} classes")

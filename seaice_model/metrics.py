"""Scores of the AutoICE challenge from confusion matrices, in constant memory.

R2 for SIC, support-weighted F1 for SOD and FLOE, and their combination 2 : 2 : 1, in
percent (Chen et al. 2024, Table 1). Pixels of all scenes are pooled. A score needs only the
confusion matrix, so scenes are added one by one and scorers of several processes are
merged; everything is counted in integers, so the order does not matter.

As in the challenge, every pixel with a class in the chart counts, whether or not the map
has a class there. Where it has none (land, no SAR), the class of the chart is missed. R2
needs a number there: it uses the mean of the chart, so such a pixel explains nothing.

IoU and pixel accuracy, which other leaderboards print, count the same pixels (Long et al.
2015, section 5): the IoU of a class is the number of pixels that show it in chart and map,
over those that show it in either (Jaccard). In their mean, each class has the same weight;
a class that occurs neither in chart nor map has no IoU and is left out. A pixel without a
class in the map is wrong.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.charts import CHART_FILL, CHARTS, SIC, Chart
from seaice_data.display import Displayed
from seaice_data.system.compiled import compiled

_N_BYTES = CHART_FILL + 1


@dataclass(frozen=True, slots=True)
class ChartScore:
    """How well one chart is predicted."""

    score: float | None
    """R2 (SIC) or weighted F1 (SOD, FLOE) in percent; None if no pixel counts."""

    score_where_predicted: float | None
    """The same over the pixels that have a class in the map."""

    class_precision: tuple[float, ...]
    """Percent of the pixels shown as a class that belong to it; 0 if none is shown."""

    class_recall: tuple[float, ...]
    """Percent of the pixels of a class that the map shows as such; 0 if there are none."""

    class_f1: tuple[float, ...]
    """F1 of each class in percent; 0 for a class that neither chart nor map shows."""

    class_iou: tuple[float | None, ...]
    """IoU of each class in percent; None for a class that neither chart nor map shows."""

    class_pixels: tuple[int, ...]
    """Pixels of each class in the charts (the support)."""

    n_pixels: int
    """Pixels that count: those with a class in the chart."""

    n_unpredicted: int
    """Those of them that have no class in the map (land, no SAR)."""

    mean_iou: float | None
    """Mean of `class_iou` in percent; None if no pixel counts."""

    pixel_accuracy: float | None
    """Percent of the pixels whose class the map shows; None if no pixel counts."""


@dataclass(frozen=True, slots=True, repr=False)
class Scores(Displayed):
    """Scores of all charts."""

    combined: float | None
    """(2 SIC + 2 SOD + FLOE) / 5 in percent; charts without a score are left out."""

    charts: Mapping[str, ChartScore]
    """Score of each chart by its name."""

    def _displayed(self) -> Iterator[tuple[str, object]]:
        yield from self.by_name.items()

    @property
    def by_name(self) -> dict[str, float | None]:
        """All scores in percent: ``combined``, then those of the charts."""
        return {"combined": self.combined, **{n: c.score for n, c in self.charts.items()}}


class ChartScorer:
    """Count charts and maps scene by scene; scores can be asked for at any time.

    Examples
    --------
    >>> scorer = ChartScorer()
    >>> chart = np.array([[[0, 10]], [[0, 5]], [[0, 6]]], dtype=np.uint8)
    >>> scorer.add(chart, chart)
    >>> scorer.scores().combined
    100.0
    """

    def __init__(self) -> None:
        self.confusion: dict[str, IntArray] = {
            chart.name: np.zeros((chart.n_classes, chart.n_classes + 1), np.int64)
            for chart in CHARTS
        }
        """Pixels by class of the chart (row) and class of the map (column); the last
        column is for pixels without a class in the map."""

    def add(self, charts: ChartArray, predicted: ChartArray) -> None:
        """Count the pixels of a scene.

        Parameters
        ----------
        charts
            Classes, shape ``(chart, y, x)``; 255 where there is none. Any integer type;
            bytes are counted without a copy.
        predicted
            The same for the map.

        Raises
        ------
        ValueError
            If a shape is wrong, or a value is neither a class nor 255.
        TypeError
            If one of them does not contain whole numbers.
        """
        for name, planes in (("charts", charts), ("predicted", predicted)):
            if np.ndim(planes) != 3 or len(planes) != len(CHARTS):
                raise ValueError(
                    f"{name} must have shape ({len(CHARTS)}, y, x), got "
                    f"{np.shape(planes)}: charts come first, pass "
                    "np.moveaxis(planes, -1, 0)"
                )
        for chart, truth, guess in zip(CHARTS, charts, predicted, strict=True):
            self.add_chart(chart, truth, guess)

    def add_chart(self, chart: Chart, truth: ChartArray, predicted: ChartArray) -> None:
        """Count the pixels of one chart; both planes have the same shape.

        Raises
        ------
        ValueError
            If the shapes differ, or a value is neither a class of `chart` nor 255.
        TypeError
            If one of them does not contain whole numbers.
        """
        truth, predicted = _as_bytes(chart, truth), _as_bytes(chart, predicted)
        if truth.shape != predicted.shape:
            raise ValueError(f"shapes differ: {truth.shape} and {predicted.shape}")
        pairs = np.zeros((_N_BYTES, _N_BYTES), np.int64)
        _count_pairs(truth.ravel(), predicted.ravel(), pairs)
        self._add_pairs(chart, pairs)

    def add_enlarged(
        self,
        chart: Chart,
        truth: ChartArray,
        predicted: ChartArray,
        rows: IntArray,
        columns: IntArray,
    ) -> None:
        """Count the pixels of one chart that has a coarser grid than the map.

        Like `add_chart` with ``truth[rows][:, columns]``, but without making that array.

        Parameters
        ----------
        chart
            The chart.
        truth
            Classes, shape ``(y, x)``, 255 is fill.
        predicted
            The same for the map, of any shape.
        rows, columns
            Row and column of `truth` for each row and column of `predicted`.

        Raises
        ------
        ValueError
            If a value is neither a class of `chart` nor 255.
        TypeError
            If one of the planes does not contain whole numbers.
        IndexError
            If `rows` or `columns` do not fit `predicted` and `truth`.
        """
        truth, predicted = _as_bytes(chart, truth), _as_bytes(chart, predicted)
        for places, n_from, n_to in zip(
            (rows, columns), predicted.shape, truth.shape, strict=True
        ):
            if len(places) != n_from or places.min() < 0 or places.max() >= n_to:
                raise IndexError(
                    f"rows and columns do not lead from {predicted.shape} to {truth.shape}"
                )
        pairs = np.zeros((_N_BYTES, _N_BYTES), np.int64)
        _count_enlarged(truth, predicted, rows, columns, pairs)
        self._add_pairs(chart, pairs)

    def _add_pairs(self, chart: Chart, pairs: IntArray) -> None:
        """Add pairs of values; reject values that are not classes."""
        known = [*range(chart.n_classes), CHART_FILL]
        unknown = pairs.copy()
        unknown[np.ix_(known, known)] = 0
        if unknown.any():
            raise ValueError(f"{chart.name} has no class {np.argwhere(unknown)[0].max()}")
        self.confusion[chart.name] += pairs[np.ix_(known[:-1], known)]

    def merge(self, other: Self) -> None:
        """Add what `other` has counted."""
        for name in self.confusion:
            self.confusion[name] += other.confusion[name]

    def scores(self) -> Scores:
        """Return the scores of everything counted so far."""
        charts = {
            chart.name: _chart_score(chart, self.confusion[chart.name]) for chart in CHARTS
        }
        return Scores(_combined(charts), charts)


def r2(confusion: IntArray) -> float:
    """Return the coefficient of determination of the class numbers, at most 1.

    Where the chart has a single class there is nothing to explain: 1 if the map is
    perfect, else 0, as in scikit-learn.

    Parameters
    ----------
    confusion
        Pixels by class of the chart (row) and of the map (column), at least one; a last
        column without a row is for pixels that have no class in the map.
    """
    n = len(confusion)
    truth, guess = np.arange(n)[:, None], np.arange(n)[None, :]
    residual = int((confusion[:, :n] * (truth - guess) ** 2).sum())
    # Multiplied by the number of pixels, the spread is an integer too: nothing is rounded.
    n_pixels, first, second = _moments(confusion)
    spread = n_pixels * second - first**2
    n_missed, first_missed, second_missed = _moments(confusion[:, n:])
    if spread == 0:
        return 1.0 if residual == n_missed == 0 else 0.0
    missed = n_pixels**2 * second_missed - 2 * n_pixels * first * first_missed
    missed += n_missed * first**2
    return 1 - (residual * n_pixels**2 + missed) / (spread * n_pixels)


def class_precision(confusion: IntArray) -> FloatArray:
    """Return the share of the pixels shown as a class that belong to it, else 0."""
    return _shares(np.diagonal(confusion), confusion[:, : len(confusion)].sum(axis=0))


def class_recall(confusion: IntArray) -> FloatArray:
    """Return the share of the pixels of a class that the map shows as such, else 0."""
    return _shares(np.diagonal(confusion), confusion.sum(axis=1))


def class_f1(confusion: IntArray) -> FloatArray:
    """Return the F1 of each class; 0 for a class that neither chart nor map shows."""
    shown = confusion[:, : len(confusion)].sum(axis=0)
    return _shares(2 * np.diagonal(confusion), shown + confusion.sum(axis=1))


def class_iou(confusion: IntArray) -> FloatArray:
    """Return the IoU of each class; NaN for a class that neither chart nor map shows.

    Parameters
    ----------
    confusion
        See `r2`.

    Examples
    --------
    >>> class_iou(np.array([[3, 1, 0], [0, 2, 0], [0, 0, 0]]))
    array([0.75      , 0.66666667,        nan])
    """
    both = np.diagonal(confusion)
    either = confusion[:, : len(confusion)].sum(axis=0) + confusion.sum(axis=1) - both
    return np.where(either > 0, _shares(both, either), np.nan)


def mean_iou(confusion: IntArray) -> float:
    """Return the mean IoU of the classes that chart or map show, at least one."""
    return float(np.nanmean(class_iou(confusion)))


def pixel_accuracy(confusion: IntArray) -> float:
    """Return the share of the pixels, at least one, whose class the map shows."""
    return float(np.trace(confusion) / confusion.sum())


def weighted_f1(confusion: IntArray) -> float:
    """Return the mean F1 weighted by the pixels of each class in the chart."""
    support = confusion.sum(axis=1)
    return float((class_f1(confusion) * support).sum() / support.sum())


def _as_bytes(chart: Chart, plane: ChartArray) -> ChartArray:
    """Return a plane as bytes; compiled loops do not check the bounds of other types."""
    plane = np.asarray(plane)
    if plane.dtype == np.uint8:
        return plane
    if plane.dtype.kind not in "iu":
        raise TypeError(f"{chart.name} must contain whole numbers, got {plane.dtype}")
    if plane.size and (plane.min() < 0 or plane.max() > CHART_FILL):
        wrong = plane.min() if plane.min() < 0 else plane.max()
        raise ValueError(f"{chart.name} has no class {wrong}")
    return plane.astype(np.uint8)


@compiled
def _count_pairs(truth: ChartArray, predicted: ChartArray, pairs: IntArray) -> None:
    """Count how often each pair of values occurs at a pixel, shape ``(256, 256)``."""
    for pixel in range(truth.size):
        pairs[truth[pixel], predicted[pixel]] += 1


@compiled
def _count_enlarged(
    truth: ChartArray,
    predicted: ChartArray,
    rows: IntArray,
    columns: IntArray,
    pairs: IntArray,
) -> None:
    """Count how often each pair of values occurs at a pixel of `predicted`."""
    row_shown = -1
    shown = np.empty(len(columns), np.uint8)
    for y in range(predicted.shape[0]):
        if rows[y] != row_shown:  # rows of `truth` repeat
            row_shown = rows[y]
            for x in range(len(columns)):
                shown[x] = truth[row_shown, columns[x]]
        for x in range(len(columns)):
            pairs[shown[x], predicted[y, x]] += 1


def _moments(confusion: IntArray) -> tuple[int, int, int]:
    """Return number, sum and sum of squares of the classes of the chart."""
    support = confusion.sum(axis=1)
    classes = np.arange(len(support))
    return int(support.sum()), int(support @ classes), int(support @ classes**2)


def _shares(parts: IntArray, wholes: IntArray) -> FloatArray:
    shares: FloatArray = np.zeros(len(parts))
    np.divide(parts, wholes, out=shares, where=wholes > 0)
    return shares


def _chart_score(chart: Chart, confusion: IntArray) -> ChartScore:
    predicted = confusion[:, : chart.n_classes]
    has_pixels = bool(confusion.any())
    ious = (100 * class_iou(confusion)).tolist()
    return ChartScore(
        score=_score(chart, confusion),
        score_where_predicted=_score(chart, predicted),
        class_precision=tuple((100 * class_precision(confusion)).tolist()),
        class_recall=tuple((100 * class_recall(confusion)).tolist()),
        class_f1=tuple((100 * class_f1(confusion)).tolist()),
        class_iou=tuple(None if math.isnan(iou) else iou for iou in ious),
        class_pixels=tuple(confusion.sum(axis=1).tolist()),
        n_pixels=int(confusion.sum()),
        n_unpredicted=int(confusion.sum() - predicted.sum()),
        mean_iou=100 * mean_iou(confusion) if has_pixels else None,
        pixel_accuracy=100 * pixel_accuracy(confusion) if has_pixels else None,
    )


def _score(chart: Chart, confusion: IntArray) -> float | None:
    """Return R2 or weighted F1 in percent; None if no pixel counts."""
    if not confusion.any():
        return None
    return 100 * (r2(confusion) if chart is SIC else weighted_f1(confusion))


def _combined(charts: Mapping[str, ChartScore]) -> float | None:
    scored = [
        (chart.weight, score)
        for chart in CHARTS
        if (score := charts[chart.name].score) is not None
    ]
    if not scored:
        return None
    return sum(weight * score for weight, score in scored) / sum(w for w, _ in scored)

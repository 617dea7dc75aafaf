"""Figures of scores: which classes are confused, and whether probabilities are right."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seaice_data.charts import CHARTS, FLOE, SOD, Chart
from seaice_data.texts import printable
from seaice_model.scores.calibration import Calibration, Coverage, Reliability
from seaice_model.style import drawing, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK = "#333333"
_COLOUR = "#2b6ca3"


@drawing()
def plot_confusion(
    confusion: Mapping[str, Sequence[Sequence[int]]],
    charts: Sequence[Chart] = (SOD, FLOE),
    title: str = "",
    truth: str = "ice chart",
) -> "Figure":
    """Plot which classes the map shows where the chart shows a class.

    Each row adds up to 100 %. There is a column for pixels without a class in the map only
    if there are any; rows of classes that no chart shows stay empty.

    Parameters
    ----------
    confusion
        Pixels by class of the chart (row) and of the map (column), by chart.
    charts
        The charts to plot.
    title
        Title of the figure.
    truth
        What is called the chart here.

    Notes
    -----
    Chen et al. (2024), Figure 4.
    """
    sides = [chart.n_classes for chart in charts]
    figure = new_figure(2.6 + 0.62 * sum(sides) + 1.4 * len(sides), 5.2)
    panels = figure.subplots(1, len(charts), squeeze=False, width_ratios=sides)[0]
    for axes, chart in zip(panels, charts, strict=True):
        _plot_matrix(axes, chart, np.asarray(confusion[chart.name], float), truth)
    if title:
        figure.suptitle(printable(title), fontsize=12, x=0.01, ha="left", parse_math=False)
    return figure


@drawing()
def plot_calibration(calibration: Calibration) -> "Figure":
    """Plot how often probabilities are right, and how much the spread of SIC covers.

    A panel for each chart with probabilities, and one for the spread if there is one.
    """
    n_panels = len(calibration.reliability) + (calibration.coverage is not None)
    figure = new_figure(3.7 * n_panels, 3.9)
    panels = iter(figure.subplots(1, n_panels, squeeze=False)[0])
    for chart in CHARTS:
        if chart.name in calibration.reliability:
            _plot_reliability(next(panels), chart, calibration.reliability[chart.name])
    if calibration.coverage is not None:
        _plot_coverage(next(panels), calibration.coverage)
    return figure


def _plot_matrix(axes: "Axes", chart: Chart, counts: np.ndarray, truth: str) -> None:
    names = list(chart.class_names)
    columns = [*names, "no class"]
    if not counts[:, len(names) :].any():
        columns, counts = names, counts[:, : len(names)]
    support = counts.sum(axis=1, keepdims=True)
    shares = 100 * np.divide(counts, support, out=np.zeros_like(counts), where=support > 0)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto", origin="upper")
    for row, column in np.ndindex(*shares.shape):
        if support[row, 0] == 0:
            continue
        share = shares[row, column]
        label = "<1" if 0 < share < 0.5 else f"{share:.0f}"
        colour = "white" if share > 55 else _INK
        axes.text(
            column, row, label, ha="center", va="center", fontsize=9,
            color=colour if counts[row, column] else "#bbbbbb",
        )  # fmt: skip
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right", fontsize=9)
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_xlabel("map", fontsize=9)
    axes.set_ylabel(truth, fontsize=9)
    axes.set_title(f"{chart.name}: {chart.long_name}\n(% of each row)", fontsize=10)
    axes.spines[:].set_visible(False)


def _plot_reliability(axes: "Axes", chart: Chart, reliability: Reliability) -> None:
    filled = [b for b in reliability.bins if b.n_pixels]
    centres = [(b.lowest + b.highest) / 2 for b in filled]
    weights = [b.n_pixels / reliability.n_pixels for b in filled]
    axes.bar(centres, weights, width=0.09, color="#dddddd", label="share of the pixels")
    axes.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1)
    axes.plot(
        [b.probability or 0 for b in filled], [b.share or 0 for b in filled], "o-",
        color=_COLOUR,
        markersize=5, label="came true",
    )  # fmt: skip
    axes.set(
        xlim=(0, 1), ylim=(0, 1), xlabel="probability of the class shown",
        ylabel="share of the pixels",
    )  # fmt: skip
    axes.set_title(
        f"{chart.name}: calibration error {100 * reliability.expected_error:.1f} %",
        fontsize=10,
    )
    _finish(axes)


def _plot_coverage(axes: "Axes", coverage: Coverage) -> None:
    if coverage.expected is not None:
        axes.plot(
            coverage.within, np.multiply(100, coverage.expected), "--", color="#999999",
            label="if the spread is right",
        )  # fmt: skip
    axes.plot(
        coverage.within, np.multiply(100, coverage.observed), "o-", color=_COLOUR,
        label="observed",
    )  # fmt: skip
    axes.set(ylim=(0, 102), xlabel="spreads around the map", ylabel="pixels within (%)")
    expected = coverage.expected_error_percent
    axes.set_title(
        f"SIC: error {coverage.mean_error_percent:.1f} %"
        + (f", {expected:.1f} % expected" if expected is not None else ""),
        fontsize=10,
    )
    _finish(axes)


def _finish(axes: "Axes") -> None:
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left")

"""Figures of maps, made without pyplot, so that no global state is touched.

- ``plot_map``: SAR, predicted charts and ice charts of a scene side by side, as in
  Chen et al. (2024), Figures 2 and 3;
- ``plot_comparison``: charts of a scene from several networks, as in the same figures.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.charts import CHART_FILL, CHARTS, SIC, Chart
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_data.texts import printable, time_in_words
from seaice_model.maps.chart_map import ChartMap
from seaice_model.metrics import Scores
from seaice_model.style import COLOURS, drawing, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform

_LONGEST_SIDE = 530  # pixels; a panel has 340, a scene at ratio 10 as many as this
_DECIBELS = {"hh": (-30.0, -5.0), "hv": (-35.0, -15.0)}


@drawing()
def plot_map(
    chart_map: ChartMap,
    *,
    sar: Mapping[str, FloatArray] | None = None,
    charts: ChartArray | None = None,
    scores: Scores | None = None,
) -> "Figure":
    """Plot a map next to its SAR and above the ice charts.

    Planes may have different grids of the same scene; each fills its panel. Planes with
    more pixels than a figure shows are thinned out first.

    Parameters
    ----------
    chart_map
        The map.
    sar
        Backscatter in dB by channel name (``hh``, ``hv``), shape ``(y, x)``, NaN is fill.
    charts
        Charts of the ice service, shape ``(chart, y, x)``, 255 is fill.
    scores
        Scores of the map against `charts`, for the titles.
    """
    sar = sar or {}
    rows = [chart_map.charts] if charts is None else [chart_map.charts, charts]
    panels = _place(chart_map.grid, list(sar), n_rows=len(rows))
    figure = panels.figure
    for name, axes in panels.sar.items():
        _plot_sar(axes, name, sar[name])
    for row, planes in enumerate(rows):
        for chart, plane in zip(CHARTS, planes, strict=True):
            axes = panels.charts[row][chart.name]
            _plot_chart(axes, chart, plane)
            axes.set_title(_panel_title(chart, scores, is_prediction=row == 0), fontsize=10)
    for chart in CHARTS:
        _plot_legend(panels.legends[chart.name], chart)
    first = next(iter(panels.sar.values()), panels.charts[0][SIC.name])
    _plot_scale_bar(first, chart_map.grid)
    _plot_north_arrow(first, chart_map.tie_points, chart_map.grid)
    title = _title(chart_map, scores)
    figure.suptitle(title, fontsize=13, x=0.01, ha="left", parse_math=False)
    return figure


@drawing()
def plot_comparison(
    title: str,
    rows: Mapping[str, ChartArray],
    grid: Grid,
    scores: Mapping[str, Scores] | None = None,
) -> "Figure":
    """Plot the charts of one scene from several sources, one below the other.

    Parameters
    ----------
    title
        Title of the figure.
    rows
        Charts by the name of their source, shape ``(chart, y, x)``; 255 stays white.
    grid
        80 m grid of the scene.
    scores
        Scores of the sources that are maps, for the titles of their panels.

    Notes
    -----
    Chen et al. (2024), Figures 2 and 3: the models, then the ice chart.
    """
    width, legend = 3.1, 1.55
    height = min(max(width * grid.height / grid.width, 0.8), 6.0)
    n_columns = len(CHARTS)
    figure = new_figure(width * n_columns + 0.4, (height + 0.3) * len(rows) + legend + 0.5)
    cells = figure.add_gridspec(
        len(rows) + 1, n_columns, height_ratios=[*[height] * len(rows), legend]
    )
    for row, (name, planes) in enumerate(rows.items()):
        of_row = (scores or {}).get(name)
        for column, (chart, plane) in enumerate(zip(CHARTS, planes, strict=True)):
            axes = _bare(figure.add_subplot(cells[row, column]), grid)
            _plot_chart(axes, chart, plane)
            score = None if of_row is None else of_row.charts[chart.name].score
            kind = "R2" if chart is SIC else "F1"
            suffix = "" if score is None else f" ({kind} {score:.1f} %)"
            axes.set_title(f"{chart.name}{suffix}", fontsize=9)
            if column == 0:
                axes.set_ylabel(printable(name), fontsize=10, parse_math=False)
                if row == 0:
                    _plot_scale_bar(axes, grid)
    for column, chart in enumerate(CHARTS):
        axes = figure.add_subplot(cells[len(rows), column])
        axes.set_axis_off()
        _plot_legend(axes, chart)
    figure.suptitle(printable(title), fontsize=12, x=0.01, ha="left", parse_math=False)
    return figure


class _Panels:
    """Axes of a map figure by what they show."""

    def __init__(self, figure: "Figure") -> None:
        self.figure = figure
        self.sar: dict[str, Axes] = {}
        self.charts: list[dict[str, Axes]] = []
        self.legends: dict[str, Axes] = {}


def _place(grid: Grid, sar: Sequence[str], n_rows: int) -> _Panels:
    """Place SAR on the left, charts on the right, a legend below each chart.

    With two rows, SAR panels are one below the other, else side by side.
    """
    n_sar = -(-len(sar) // n_rows)
    n_columns = n_sar + len(CHARTS)
    width = 3.1
    height = min(max(width * grid.height / grid.width, 1.0), 6.0)
    legend = 1.45
    figure = new_figure(width * n_columns, (height + 0.35) * n_rows + legend + 0.5)
    cells = figure.add_gridspec(
        n_rows + 1, n_columns, height_ratios=[*[height] * n_rows, legend]
    )
    panels = _Panels(figure)
    for position, name in enumerate(sar):
        row, column = position % n_rows, position // n_rows
        panels.sar[name] = _bare(figure.add_subplot(cells[row, column]), grid)
    for row in range(n_rows):
        panels.charts.append(
            {
                chart.name: _bare(figure.add_subplot(cells[row, n_sar + column]), grid)
                for column, chart in enumerate(CHARTS)
            }
        )
    for column, chart in enumerate(CHARTS):
        axes = figure.add_subplot(cells[n_rows, n_sar + column])
        axes.set_axis_off()
        panels.legends[chart.name] = axes
    return panels


def _bare(axes: "Axes", grid: Grid) -> "Axes":
    axes.set_box_aspect(grid.height / grid.width)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color="#bbbbbb", linewidth=0.6)
    return axes


def _plot_sar(axes: "Axes", name: str, plane: FloatArray) -> None:
    lowest, highest = _DECIBELS.get(name, (None, None))
    _show(axes, plane.astype(np.float32), cmap="gray", vmin=lowest, vmax=highest)
    span = "" if lowest is None else f" {lowest:.0f} to {highest:.0f} dB"
    axes.set_title(f"{name.upper()}{span}", fontsize=10)


def _plot_chart(axes: "Axes", chart: Chart, plane: ChartArray) -> None:
    from matplotlib.colors import ListedColormap  # late: see `seaice_data.system.figures`

    colours = ListedColormap(COLOURS[chart.name])
    thin = _thinned(plane)
    # One unit per class, so that class k has colour k.
    _show(
        axes,
        np.ma.masked_equal(thin, CHART_FILL),
        cmap=colours,
        vmin=-0.5,
        vmax=chart.n_classes - 0.5,
    )


def _show(axes: "Axes", plane: Any, **options: Any) -> None:
    # Panels of different grids are equally large: coordinates of the scene, 0 to 1, in the
    # proportions that `_place` gave the panel.
    axes.imshow(
        _thinned(plane),
        interpolation="nearest",
        origin="upper",
        extent=(0, 1, 1, 0),
        aspect="auto",
        **options,
    )


def _thinned(plane: Any) -> Any:
    """Keep every k-th pixel, so that no side is longer than the figure needs."""
    step = -(-max(plane.shape) // _LONGEST_SIDE)
    return plane[step // 2 :: step, step // 2 :: step]


def _plot_legend(axes: "Axes", chart: Chart) -> None:
    from matplotlib.patches import Patch as Swatch  # late: see `seaice_data.system.figures`

    swatches = [
        Swatch(facecolor=colour, edgecolor="#999999", linewidth=0.4, label=name)
        for colour, name in zip(COLOURS[chart.name], chart.class_names, strict=True)
    ]
    swatches.append(
        Swatch(
            facecolor="white", edgecolor="#999999", linewidth=0.4, label="land or no data"
        )
    )
    axes.legend(
        handles=swatches,
        loc="upper center",
        ncols=2,
        fontsize=8,
        title=chart.long_name,
        title_fontsize=9,
        frameon=False,
        handlelength=1.3,
        columnspacing=1.2,
        labelspacing=0.3,
    )


def _plot_scale_bar(axes: "Axes", grid: Grid) -> None:
    """Plot a bar of a round length, about a quarter of the scene."""
    width_km = grid.width * grid.pixel_spacing_m / 1000
    length_km = _round_length(width_km / 4)
    start, stop = 0.05, 0.05 + length_km / width_km
    axes.plot(
        [start, stop], [0, 0], color="black", linewidth=2.5, path_effects=[_halo()],
        transform=_moved(axes, 0, 8), zorder=4,
    )  # fmt: skip
    axes.text(
        (start + stop) / 2, 0, f"{length_km:g} km", fontsize=8, ha="center", va="bottom",
        path_effects=[_halo()], transform=_moved(axes, 0, 11), zorder=4,
    )  # fmt: skip


def _plot_north_arrow(axes: "Axes", tie_points: TiePoints, grid: Grid) -> None:
    """Plot an arrow to north, for the middle of the scene."""
    along_x, along_y = _north(tie_points, grid)
    half = 9  # points, from the middle of the arrow to its ends
    centre = (-18, -18)
    tip, tail = (
        (centre[0] + sign * half * along_x, centre[1] - sign * half * along_y)
        for sign in (1, -1)
    )
    corner = (1, 1)
    axes.annotate(
        "", xy=corner, xycoords=_moved(axes, *tip),
        xytext=corner, textcoords=_moved(axes, *tail), zorder=4,
        arrowprops={
            "arrowstyle": "-|>", "color": "black", "linewidth": 1.3, "shrinkA": 0,
            "shrinkB": 4, "mutation_scale": 9, "path_effects": [_halo()],
        },
    )  # fmt: skip
    axes.text(
        *corner, "N", transform=_moved(axes, *tip), fontsize=8,
        ha="center", va="center", zorder=5, path_effects=[_halo()],
    )  # fmt: skip


def _moved(axes: "Axes", right: float, up: float) -> "Transform":
    """Return the coordinates of the panel, 0 to 1, moved by a number of points."""
    from matplotlib.transforms import (
        ScaledTranslation,
    )  # late: see `seaice_data.system.figures`

    scale = axes.figure.dpi_scale_trans
    return axes.transAxes + ScaledTranslation(right / 72, up / 72, scale)


def _halo() -> Any:
    """Return a white border around lines and letters."""
    from matplotlib.patheffects import withStroke  # late: see `seaice_data.system.figures`

    return withStroke(linewidth=3, foreground="white")


def _north(tie_points: TiePoints, grid: Grid) -> tuple[float, float]:
    """Return the direction of north in the middle, as a unit vector along x and y.

    Examples
    --------
    >>> ends = np.array([0.0, 9.0])
    >>> beyond_the_pole = np.array([[0.0, 0.0], [180.0, 180.0]])
    >>> latitude = np.array([[89.5, 89.5], [88.5, 88.5]])
    >>> points = TiePoints(latitude, beyond_the_pole, ends, ends)
    >>> _north(points, Grid(10, 10, 80.0))
    (0.0, -1.0)
    """
    rows, columns = ((n - 1) / 2 + np.array([-0.5, 0.5]) for n in grid.shape)
    latitude, _ = tie_points.places(rows, columns)
    step = np.array([np.diff(latitude, axis=1).mean(), np.diff(latitude, axis=0).mean()])
    along_x, along_y = step / (np.hypot(*step) or 1.0)
    return float(along_x), float(along_y)


def _round_length(length_km: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that does not exceed it.

    Examples
    --------
    >>> _round_length(104)
    100.0
    """
    power = 10.0 ** np.floor(np.log10(length_km))
    return float(max(step * power for step in (1, 2, 5) if step * power <= length_km))


def _title(chart_map: ChartMap, scores: Scores | None) -> str:
    title = f"{chart_map.scene}   {time_in_words(chart_map.acquired)}"
    if scores is not None and scores.combined is not None:
        title += f"   combined score {scores.combined:.1f} %"
    if remarks := chart_map.provenance.remarks:
        title += f"   {remarks}"
    return title


def _panel_title(chart: Chart, scores: Scores | None, *, is_prediction: bool) -> str:
    if not is_prediction:
        return f"{chart.name}, ice chart"
    title = f"{chart.name}, predicted"
    if scores is not None and (score := scores.charts[chart.name].score) is not None:
        title += f" ({'R2' if chart is SIC else 'F1'} {score:.1f} %)"
    return title

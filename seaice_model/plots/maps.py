"""Figures of maps, made without pyplot, so that no global state is touched.

- ``plot_map``: SAR, predicted charts, ice charts and uncertainty of a scene, with what a
  reader of ice charts expects: legend, graticule, scale, north, source;
- ``plot_comparison``: charts of a scene from several sources, as in Chen et al. (2024),
  Figures 2 and 3.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.charts import CHARTS, SIC, Chart
from seaice_data.colours import LAND_COLOUR, UNKNOWN_COLOUR, WMO_COLOURS
from seaice_data.grid import Grid
from seaice_data.texts import counted, printable, shortened, time_in_words
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.decision import Decision
from seaice_model.metrics import Scores
from seaice_model.plots.framing import Framing, Geometry, frame
from seaice_model.plots.painting import RAMP, paint_ramp
from seaice_model.plots.panels import MARGIN, Panels
from seaice_model.plots.sheet import SOFT, Box, Key
from seaice_model.style import drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 100
"""Pixels an inch of a figure, unless asked for others."""

_LEAST_NAMED = 110
_MOST_SPREAD = 30.0
_NOT_OFFICIAL = "Not an official ice chart. Not for navigation."


@drawing()
def plot_map(
    chart_map: ChartMap,
    *,
    sar: Mapping[str, FloatArray] | None = None,
    charts: ChartArray | None = None,
    scores: Scores | None = None,
    geometry: Geometry = "swath",
    dpi: float = DPI,
) -> "Figure":
    """Plot a map with its SAR, the ice charts below it, and its uncertainty below these.

    SIC and SOD have the colours of the WMO. Land, missing SAR and missing classes have
    tones of their own. Planes may have different grids of the same scene.

    Parameters
    ----------
    chart_map
        The map; if it has a decision, its uncertainty is shown.
    sar
        Backscatter in dB by channel name (``hh``, ``hv``), shape ``(y, x)``, NaN is fill.
    charts
        Charts of the ice service, shape ``(chart, y, x)``, 255 is fill.
    scores
        Scores of the map against `charts`, for the titles.
    geometry
        ``swath``: rows and columns of the scene, north up as far as possible; ``polar``:
        polar stereographic, EPSG:3413 in the north.
    dpi
        Pixels an inch; a panel is about 6.4 inches wide.

    Returns
    -------
    matplotlib.figure.Figure
        ``.savefig("map.png")`` writes it. It does not belong to pyplot.

    Raises
    ------
    PlotError
        If it cannot be plotted; in polar geometry, if the map does not say where it is.

    Examples
    --------
    >>> scene = Store("store.zarr")[chart_map.scene]  # doctest: +SKIP
    >>> figure = plot_map(  # doctest: +SKIP
    ...     chart_map, sar={"hh": scene.to_xarray().hh.values}, charts=scene.full_charts()
    ... )
    >>> figure.savefig("map.png")  # doctest: +SKIP
    """
    sar = sar or {}
    framing = frame(chart_map.tie_points, chart_map.grid, geometry)
    rows: list[_ChartRow | _UncertaintyRow] = [
        _ChartRow(chart_map.charts, chart_map.flags, scores, _whose(chart_map))
    ]
    if charts is not None:
        name = chart_map.scene.service.upper()
        rows.append(_ChartRow(charts, chart_map.flags, None, f"ice chart of {name}"))
    if (decision := chart_map.decision) is not None and not chart_map.charted_by:
        found = {chart.name: _uncertainty(decision, chart) for chart in CHARTS}
        if any(found.values()):
            rows.append(_UncertaintyRow(decision, chart_map.flags, found))
    panels = Panels(framing, len(sar), len(rows), dpi, len(CHARTS))
    for (name, plane), box in zip(sar.items(), panels.sar, strict=True):
        panels.show_sar(box, name, plane, chart_map.flags, _sides(plane, chart_map))
    for row, boxes in zip(rows, panels.charts, strict=True):
        for chart, box in zip(CHARTS, boxes, strict=True):
            row.show(panels, box, chart)
    panels.finish([*panels.sar, *panels.charts[0]][0])
    is_charted = charts is not None or bool(chart_map.charted_by)
    _plot_legends(panels, is_charted=is_charted)
    panels.place_overview()
    _plot_notes(panels, chart_map, has_sar=bool(sar))
    _plot_words(panels, chart_map, scores)
    return panels.sheet.figure


@drawing()
def plot_comparison(
    title: str,
    rows: Mapping[str, ChartArray],
    grid: Grid,
    scores: Mapping[str, Scores] | None = None,
    *,
    place: ChartMap | None = None,
    dpi: float = 60,
) -> "Figure":
    """Plot the charts of one scene from several sources, one below the other.

    Parameters
    ----------
    title
        Title of the figure.
    rows
        Charts by the name of their source, shape ``(chart, y, x)``; 255 is fill.
    grid
        80 m grid of the scene.
    scores
        Scores of the sources that are maps, for the titles of their panels.
    place
        A map of the scene, which says where it is, where land is and where SAR is missing.
        Without it, rows and columns are shown as they are, and fill in one tone.
    dpi
        Pixels an inch; a panel is about 6.4 inches wide.

    Notes
    -----
    Chen et al. (2024), Figures 2 and 3: the models, then the ice chart.
    """
    points = None if place is None else place.tie_points
    framing = frame(points, grid if place is None else place.grid, "swath")
    panels = Panels(framing, 0, len(rows), dpi, len(CHARTS), has_overview=False)
    flags = None if place is None else place.flags
    for (name, planes), boxes in zip(rows.items(), panels.charts, strict=True):
        row = _ChartRow(planes, flags, (scores or {}).get(name), printable(name))
        for chart, box in zip(CHARTS, boxes, strict=True):
            row.show(panels, box, chart)
    panels.finish(panels.charts[0][0])
    _plot_legends(panels, is_charted=True, is_placed=place is not None)
    sheet = panels.sheet
    sheet.figure.suptitle(
        printable(title), fontsize=15, x=MARGIN / sheet.width, y=1 - 30 / sheet.height,
        ha="left", va="top", parse_math=False,
    )  # fmt: skip
    return sheet.figure


def figure_path(path: Path, geometry: Geometry) -> Path:
    """Return the path of a figure of the map at `path`.

    Examples
    --------
    >>> figure_path(Path("maps/a.nc"), "swath"), figure_path(Path("maps/a.nc"), "polar")
    (PosixPath('maps/a.png'), PosixPath('maps/a_polar.png'))
    """
    suffix = "" if geometry == "swath" else f"_{geometry}"
    return path.with_name(f"{path.stem}{suffix}.png")


class _ChartRow:
    """Panels of three charts beside each other."""

    def __init__(
        self,
        planes: ChartArray,
        flags: ChartArray | None,
        scores: Scores | None,
        whose: str,
    ) -> None:
        self._planes, self._flags, self._scores = planes, flags, scores
        self._whose = whose

    def show(self, panels: Panels, box: Box, chart: Chart) -> None:
        """Show classes, with their score in the title."""
        panels.show_classes(box, chart, self._planes[CHARTS.index(chart)], self._flags)
        score = None if self._scores is None else self._scores.charts[chart.name].score
        kind = "R2" if chart is SIC else "F1"
        suffix = "" if score is None else f" ({kind} {score:.1f} %)"
        panels.title(box, f"{chart.name}, {self._whose}{suffix}")


def _sides(plane: FloatArray, chart_map: ChartMap) -> tuple[float, float]:
    """Return height and width of a map in pixels of a plane of the same scene.

    A store drops the rows and columns after the last whole block; if it picks pixels, they
    are spread over the whole scene. The decision says which of the two it is.
    """
    decision = chart_map.decision
    known = decision is not None and decision.classes.shape[1:] == plane.shape
    sides = []
    for axis, (n_pixels, n) in enumerate(
        zip(chart_map.flags.shape, plane.shape, strict=True)
    ):
        if decision is not None and known and n > 1:
            stand_ins = (decision.rows, decision.columns)[axis]
            spacing = np.searchsorted(stand_ins, n - 1) / (n - 1)
        else:
            spacing = n_pixels // n or n_pixels / n  # of a finer plane, too
        sides.append(n_pixels / spacing)
    return sides[0], sides[1]


_Uncertainty = tuple[str, FloatArray, float, tuple[str, str]]
"""Title, values on the grid of the store, the largest shown, and what the ends mean."""


class _UncertaintyRow:
    """Panels of the uncertainty of three charts."""

    def __init__(
        self, decision: Decision, flags: ChartArray,
        found: Mapping[str, _Uncertainty | None],
    ) -> None:  # fmt: skip
        self._decision, self._flags, self._found = decision, flags, found

    def show(self, panels: Panels, box: Box, chart: Chart) -> None:
        """Show uncertainty; say why if there is none."""
        if (found := self._found[chart.name]) is None:
            panels.title(box, f"{chart.name}, uncertainty: not known")
            for k, text in enumerate(
                ("A single network that predicts a number", "does not say how sure it is.")
            ):
                panels.sheet.write(
                    box.left + box.width / 2, box.top + box.height / 2 + 22 * k, text, 12,
                    ha="center", color=SOFT,
                )  # fmt: skip
            panels.sheet.outline(box, "#bbbbbb")
            return
        title, values, most, ends = found
        rows, columns = panels.positions.pixels(self._flags.shape)
        sampled = values[self._decision.rows[rows], self._decision.columns[columns]]
        panels.show_uncertainty(box, sampled, self._flags, most)
        panels.title(box, title)
        key = Box(box.right - 100 - 8 * len(ends[1]), box.top - 22, 92, 13)
        pixels = paint_ramp(*panels.sheet.size_of(key), RAMP)
        panels.sheet.ramp(key, pixels, ends)


def _uncertainty(decision: Decision, chart: Chart) -> _Uncertainty | None:
    """Return what is known of the uncertainty of a chart."""
    spread = decision.spread_percent() if chart is SIC else None
    if spread is not None:
        n = decision.n_networks
        of = counted(n, "network") if n > 1 else "its probabilities"
        ends = ("0", f"{_MOST_SPREAD:.0f} % or more")
        return f"SIC, spread of {of}", spread, _MOST_SPREAD, ends
    entropy = decision.entropy_of(chart.name)
    if np.isnan(entropy).all():
        return None
    return f"{chart.name}, uncertainty (entropy)", entropy, 1.0, ("sure", "undecided")


def _plot_legends(panels: Panels, *, is_charted: bool, is_placed: bool = True) -> None:
    for chart, box in zip(CHARTS, panels.legends, strict=True):
        keys = chart_keys(chart, is_charted=is_charted, is_placed=is_placed)
        name = f"{chart.name}: {chart.long_name}"
        panels.sheet.legend(box.left, box.top, name, keys, min(box.width, 560))


def chart_keys(chart: Chart, *, is_charted: bool, is_placed: bool = True) -> list[Key]:
    """Return the legend of a chart; classes of the same colour are one entry.

    Parameters
    ----------
    chart
        The chart.
    is_charted
        Whether what analysts charted is shown, too, which may have no class.
    is_placed
        Whether land and missing SAR are known.
    """
    colours, names = WMO_COLOURS[chart.name], chart.class_names
    firsts = [k for k, colour in enumerate(colours) if colour not in colours[:k]]
    ends = [*firsts[1:], len(colours)]
    keys = []
    for first, end in zip(firsts, ends, strict=True):
        name = names[first]
        if end - first > 1:
            name = f"{name.removesuffix(' %')} to {names[end - 1]}"
        elif chart is SIC:
            name = f"{name} (open water)"
        keys.append(Key(colours[first], name))
    if not is_placed:
        return [*keys, Key(UNKNOWN_COLOUR, "land, or no class")]
    keys += [Key(LAND_COLOUR, "land"), Key("", "no SAR")]
    if is_charted:
        keys.append(Key(UNKNOWN_COLOUR, chart.fill_name))
    return keys


def _plot_notes(panels: Panels, chart_map: ChartMap, *, has_sar: bool) -> None:
    if panels.notes is None:
        return
    lines = [
        _geometry_in_words(panels.framing),
        f"Maps: pixels of {chart_map.grid.pixel_spacing_m:g} m",
        *(["Radar: as the network sees it,"] if has_sar else []),
        *(["percentiles 1 to 99.5 of the sea"] if has_sar else []),
        "SIC, SOD: colours of WMO/TD-No. 1215",
        "FLOE: own colours, WMO has none",
    ]  # fmt: skip
    for k, line in enumerate(lines):
        panels.sheet.write(
            panels.notes_left, panels.notes.top + 14 + 22 * k, line, 11, color=SOFT
        )


def _geometry_in_words(framing: Framing) -> str:
    if framing.nodes is None:
        return "Rows and columns of the scene"
    if framing.geometry == "polar":
        return f"Polar stereographic, {framing.nodes.plane.crs}"
    return "Swath geometry, north up"


def _plot_words(panels: Panels, chart_map: ChartMap, scores: Scores | None) -> None:
    """Write title and source."""
    sheet, made_by = panels.sheet, chart_map.provenance
    heading = "Ice chart" if chart_map.charted_by else "Predicted ice chart"
    sheet.write(MARGIN, 42, heading, 19, fontweight="bold")
    sheet.write(
        sheet.width - MARGIN, 42, _NOT_OFFICIAL, 14, ha="right", fontweight="bold",
        color="#9d1c1c",
    )  # fmt: skip
    sheet.figure.suptitle(
        _title(chart_map, scores), fontsize=13.5, x=MARGIN / sheet.width,
        y=1 - 54 / sheet.height, ha="left", va="top", parse_math=False,
    )  # fmt: skip
    source = f"{made_by.network}: {made_by.run_in_words}; {made_by.software}"
    if made_by.scene_use != "unseen":
        source += f"; the network was {made_by.scene_use} on this scene"
    longest = max(int(sheet.width / 9), _LEAST_NAMED)
    sheet.write(
        MARGIN, sheet.height - 20, shortened(f"Source: {source}", longest), 11, color=SOFT
    )


def _whose(chart_map: ChartMap) -> str:
    if service := chart_map.charted_by:
        return f"chart of {service.upper()}"
    return "predicted"


def _title(chart_map: ChartMap, scores: Scores | None) -> str:
    title = f"{chart_map.scene}   {time_in_words(chart_map.acquired)}"
    if scores is not None and scores.combined is not None:
        title += f"   combined score {scores.combined:.1f} %"
    if remarks := chart_map.provenance.remarks:
        title += f"   {remarks}"
    return title

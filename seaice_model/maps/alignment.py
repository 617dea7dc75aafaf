"""Bring a map to the 80 m grid of its chart, where scores are counted."""

from dataclasses import dataclass

import numpy as np

from seaice_data.arrays import ChartArray, IntArray
from seaice_data.grid import Grid
from seaice_model.errors import MapError
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.decision import Decision


@dataclass(frozen=True, slots=True)
class Aligned:
    """A map on the 80 m grid of its chart."""

    charts: ChartArray
    """Shape ``(chart, y, x)``; 255 where there is no class."""

    decision: Decision | None
    """How sure the network was, on the grid of the store; None if the map does not say."""

    rows: IntArray
    """Row of `decision` for each row of the 80 m grid; empty without one."""

    columns: IntArray
    """Column of `decision` for each column of the 80 m grid; empty without one."""


def align(chart_map: ChartMap, grid: Grid) -> Aligned:
    """Bring a map to the grid of the ice charts.

    Maps of raw files are on their 40 m grid: the first of each 2 x 2 pixels represents the
    80 m pixel, because all four show the same stored pixel.

    Parameters
    ----------
    chart_map
        On `grid`, or on one whose pixel spacing divides that of `grid`.
    grid
        80 m grid of the ice charts.

    Raises
    ------
    MapError
        If the map is coarser than the charts or shows another area.
    """
    step = max(round(grid.pixel_spacing_m / chart_map.grid.pixel_spacing_m), 1)
    if (chart_map.grid.height // step, chart_map.grid.width // step) != grid.shape:
        raise MapError(
            f"the map of {chart_map.scene} has {chart_map.grid.height} x "
            f"{chart_map.grid.width} pixels of {chart_map.grid.pixel_spacing_m:g} m, its "
            f"scene has {grid.height} x {grid.width} of {grid.pixel_spacing_m:g} m",
            hint="scores are counted on the 80 m grid: predict the map on it, and pass the "
            "charts of the same scene",
        )
    charts = chart_map.charts[:, ::step, ::step][:, : grid.height, : grid.width]
    decision = chart_map.decision
    if decision is None:
        return without_decision(charts)
    return Aligned(
        charts=charts,
        decision=decision,
        rows=decision.rows[::step][: grid.height],
        columns=decision.columns[::step][: grid.width],
    )


def without_decision(charts: ChartArray) -> Aligned:
    """Return charts on the 80 m grid for which there is no decision."""
    nowhere = np.arange(0)
    return Aligned(charts=charts, decision=None, rows=nowhere, columns=nowhere)

"""Maps with large areas of one class each, wherever they are."""

from dataclasses import replace

import numpy as np
from support.chart_maps import chart_map
from support.swaths import swath

from seaice_data.charts import CHART_FILL
from seaice_data.grid import Grid
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.decision import Decision

CELLS = (24, 30)
"""Shape of the store's grid."""

RATIO = 10


def quarters() -> np.ndarray:
    """Return classes ``(chart, y, x)``: water, and three kinds of ice."""
    classes = np.zeros((3, *CELLS), np.uint8)
    classes[:, :12, 15:] = np.array([7, 4, 5])[:, None, None]
    classes[:, 12:, :15] = np.array([10, 5, 4])[:, None, None]
    classes[:, 12:, 15:] = np.array([3, 1, 2])[:, None, None]
    return classes


def map_at(
    latitude: float, longitude: float, classes: np.ndarray | None = None
) -> ChartMap:
    """Return a map of 24 by 30 pixels of the store around a place."""
    classes = quarters() if classes is None else classes
    grid = Grid(CELLS[0] * RATIO, CELLS[1] * RATIO, 400.0)
    rows, columns = np.arange(grid.height) // RATIO, np.arange(grid.width) // RATIO
    plane = np.full(CELLS, 50, np.uint8)
    decision = Decision(
        classes=classes,
        concentration=plane,
        entropy=np.stack([plane] * 3),
        spread=None,
        probabilities=None,
        n_networks=1,
        rows=rows,
        columns=columns,
    )
    flags = np.zeros(grid.shape, np.uint8)
    flags[:20, :20] = 2
    charts = classes[:, rows][:, :, columns]
    charts[:, flags != 0] = CHART_FILL
    return replace(
        chart_map(),
        grid=grid,
        charts=charts,
        flags=flags,
        tie_points=swath(latitude, longitude, grid, n_points=(7, 8)),
        decision=decision,
    )

"""A small map, made without a network."""

from datetime import UTC, datetime

import numpy as np
from support.learnable_scenes import tie_points

from seaice_data.arrays import ChartArray
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.grid import Grid
from seaice_model.maps.chart_map import ChartMap, Provenance
from seaice_model.maps.decision import Decision

GRID = Grid(60, 80, 80.0)
RATIO = 10


def decision() -> Decision:
    """Return random classes on 6 x 8 pixels, and as much as can be known of them."""
    rng = np.random.default_rng(0)
    shape = (GRID.height // RATIO, GRID.width // RATIO)

    def steps(*leading: int) -> ChartArray:
        return rng.integers(0, 251, (*leading, *shape), np.uint8)

    return Decision(
        classes=np.stack([rng.integers(0, c.n_classes, shape, np.uint8) for c in CHARTS]),
        concentration=np.minimum(steps(), 200),
        entropy=steps(3),
        spread=steps(),
        probabilities={chart.name: steps(chart.n_classes) for chart in CHARTS},
        n_networks=3,
        sic_basis="votes",
        rows=np.arange(GRID.height) // RATIO,
        columns=np.arange(GRID.width) // RATIO,
    )


def chart_map() -> ChartMap:
    """Return the map of this decision; pixel (1, 2) is land."""
    decided = decision()
    charts = decided.classes[:, decided.rows][:, :, decided.columns]
    flags = np.zeros(GRID.shape, np.uint8)
    flags[1, 2] = 2
    charts[:, 1, 2] = CHART_FILL
    return ChartMap(
        scene="20180607T184326_dmi",
        acquired=datetime(2018, 6, 7, 18, 43, 26, tzinfo=UTC),
        grid=GRID,
        charts=charts,
        flags=flags,
        tie_points=tie_points(GRID),
        provenance=Provenance(
            run="run",
            weights="abc",
            epochs=(7,),
            store="store.zarr",
            store_fingerprint="def",
            software="seaice 0",
        ),
        decision=decided,
    )

"""What is under the satellite in a synthetic scene: land, ice and the chart.

The region decides where the land is, the climate where the ice edge is. Seeds along the ice
edge grow into regions, which are more ragged in reality than on the chart. Each region gets
an egg code.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.synthetic.fields import Float32, Labels, signed_distance
from seaice_data.synthetic.ice import RegionMap, choose_seeds, grow, ice_edge
from seaice_data.synthetic.nodes import Nodes, node_spacing
from seaice_data.synthetic.plan import ScenePlan
from seaice_data.synthetic.polygons import HEADER, Polygon, egg_code, make_polygons
from seaice_data.synthetic.regions import REGIONS


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """What is under the satellite, at nodes."""

    spacing: int
    """Raw pixels of 40 m from node to node: 2, 4, 8 or 16."""

    land_km: Float32
    """Distance to land, below 0 on land."""

    extent: Float32
    """Above 0 where the chart has polygons."""

    chart: RegionMap
    """Regions as analysts chart them."""

    truth: RegionMap
    """Regions as they are: the same, more ragged."""

    polygons: tuple[Polygon, ...]
    """The regions by label."""

    ids: Labels
    """Polygon ids by label, with gaps; 0 means none."""

    rows: tuple[str, ...]
    """Egg codes, header first, as in ``polygon_codes``."""


class Cover(NamedTuple):
    """Shares of a pixel or cell."""

    ice: FloatArray
    old: FloatArray
    thin: FloatArray
    land: FloatArray


def make_surface(plan: ScenePlan) -> Surface:
    """Make land, ice and chart of a scene."""
    spacing = node_spacing(plan)
    shape = tuple(-(-(n + 1) // spacing) + 2 for n in plan.raw_shape)
    nodes = Nodes(plan, spacing, (shape[0], shape[1]))
    land_km = _land_km(nodes)
    extent = _extent(nodes, land_km)
    edge, water_share = ice_edge(nodes, extent > 0)
    seeds = choose_seeds(nodes, land_km, edge, extent > 0, water_share)
    chart = grow(nodes, seeds, edge, land_km, ragged=0.0)
    truth = grow(nodes, seeds, edge, land_km, ragged=1.0)
    polygons = make_polygons(nodes, seeds, chart.labels, edge, extent > 0)
    rng = plan.rng(30)
    ids = np.sort(rng.permutation(np.arange(1, 251))[: len(polygons)]).astype(np.uint8)
    rows = [";".join(HEADER)]
    rows += [
        egg_code(rng, int(number), polygon)
        for number, polygon in zip(ids, polygons, strict=True)
    ]
    return Surface(spacing, land_km, extent, chart, truth, polygons, ids, tuple(rows))


def _land_km(nodes: Nodes) -> Float32:
    """Return the distance to land; some scenes have none."""
    plan, region = nodes.plan, REGIONS[nodes.plan.region]
    rng = plan.rng(10)
    slope = nodes.slope(region.land_azimuth)
    if rng.uniform() < 0.25:
        # The nearest land is outside the scene.
        km: Float32 = (slope.max() - slope) * np.float32(plan.width * 0.08)
        return km + np.float32(rng.uniform(15, 250))
    share = 0.55 * rng.beta(1.6, 1.6)
    potential = (
        4.5 * slope + nodes.fractal(11, 0.6, 3.9) + 0.05 * nodes.fractal(12, 0.1, 2.8)
    )
    potential -= np.quantile(potential, 1 - share)
    return signed_distance(potential) * np.float32(nodes.km)


def _extent(nodes: Nodes, land_km: Float32) -> Float32:
    """Return a field above 0 on the sea side of the chart's coast, inside its footprint."""
    rng = nodes.plan.rng(13)
    # The coast of analysts is not that of the distance map.
    coast = land_km - np.float32(nodes.km * 0.8) * nodes.fractal(14, 0.04, 4.0)
    if rng.uniform() < 0.4:
        return coast
    border = nodes.slope(rng.uniform(0, 360))
    border -= np.quantile(border, rng.uniform(0.04, 0.5))
    extent: Float32 = np.minimum(coast, border * np.float32(nodes.across * nodes.km))
    return extent

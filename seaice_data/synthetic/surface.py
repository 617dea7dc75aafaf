"""The surface under the satellite in a synthetic scene: land, ice and the chart.

The whole swath is made first, coarsely: the region decides where the land is, the climate
where the ice edge is, and seeds grow into regions that get egg codes. The scene is the
section of the swath whose classes are most like those of the whole, so that a small scene
has an ice edge if the swath has one. There, regions are more ragged in reality than on the
chart.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.charts import CHART_FILL
from seaice_data.egg_codes import PolygonTable
from seaice_data.synthetic.fields import Float32, Labels, signed_distance
from seaice_data.synthetic.ice import Ground, RegionMap, Seeds, choose_seeds, grow, ice_edge
from seaice_data.synthetic.nodes import SWATH_KM, Nodes, scene_nodes, swath_nodes
from seaice_data.synthetic.plan import ScenePlan
from seaice_data.synthetic.polygons import HEADER, Polygon, egg_code, make_polygons
from seaice_data.synthetic.regions import REGIONS

_REACH_KM = 30
"""Distance to land up to which ice follows the scene's own coast; beyond, the swath's."""


class Border(NamedTuple):
    """Straight border of a chart or of land: how far it is along an azimuth."""

    azimuth_deg: float
    position: float


@dataclass(frozen=True, slots=True, eq=False)
class Swath:
    """The whole swath, coarsely."""

    nodes: Nodes

    coast: Float32 | None
    """Above 0 on land; none if the nearest land is outside the swath."""

    shore: Border | None
    """Where the nearest land begins if it is outside the swath."""

    border: Border | None
    """Where the footprint of the chart ends, if it does."""

    ground: Ground

    seeds: Seeds

    labels: Labels
    """Regions by the position of their seeds."""

    polygons: tuple[Polygon, ...]
    """The regions by label."""

    @property
    def ice(self) -> Float32:
        """Ice that the polygons have, as a share; 0 on land."""
        shares = np.array([p.tenths / 10 for p in self.polygons], dtype=np.float32)
        return np.where(self.ground.land_km > 0, shares[self.labels], np.float32(0))


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """What is under the satellite, at nodes."""

    nodes: Nodes

    swath: Swath
    """What is around it."""

    land_km: Float32
    """About the distance to land, below 0 on land; `coastline` knows it better."""

    around: Nodes
    """The nodes of the scene, and those around it up to where its coast is the swath's."""

    around_km: Float32
    """About the distance to land there, below 0 on land; infinite if it is far."""

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
    swath = _make_swath(plan)
    polygons = swath.polygons
    rng = plan.rng(30)
    ids = np.sort(rng.permutation(np.arange(1, 251))[: len(polygons)]).astype(np.uint8)
    rows = [
        egg_code(rng, int(number), polygon)
        for number, polygon in zip(ids, polygons, strict=True)
    ]
    classes = PolygonTable.parse([";".join(HEADER), *rows]).classes()[swath.labels]
    is_charted = swath.ground.extent[..., None] > 0
    start = _choose_section(swath.nodes, np.where(is_charted, classes, CHART_FILL))

    nodes = scene_nodes(plan, start)
    present = np.unique(swath.labels[_around(swath.nodes, nodes)])
    reach = round(_REACH_KM / nodes.km)
    around = scene_nodes(plan, start, margin=reach)
    around_km = _around_km(around, swath, reach)
    land_km = _land_km(nodes, swath, around_km[reach:-reach, reach:-reach])
    ground, seeds = _ground(nodes, swath, land_km), swath.seeds.only(present)
    return Surface(
        nodes=nodes,
        swath=swath,
        land_km=land_km,
        around=around,
        around_km=around_km,
        extent=ground.extent,
        chart=grow(nodes, seeds, ground, is_ragged=False),
        truth=grow(nodes, seeds, ground, is_ragged=True),
        polygons=tuple(polygons[label] for label in present),
        ids=ids[present],
        rows=(";".join(HEADER), *(rows[label] for label in present)),
    )


def _make_swath(plan: ScenePlan) -> Swath:
    """Make the surface under the whole swath."""
    nodes = swath_nodes(plan)
    coast, shore, land_km = _coast(nodes)
    border = _border(nodes)
    extent = _extent(nodes, land_km, border)
    edge, water_share = ice_edge(nodes, extent > 0)
    bend = [0.05 * nodes.fractal(stream, 0.3, 5.5) for stream in (18, 19)]
    ground = Ground(land_km, extent, edge, bend)
    seeds = choose_seeds(nodes, land_km, edge, extent > 0, water_share)
    labels = grow(nodes, seeds, ground, is_ragged=False).labels
    polygons = make_polygons(nodes, seeds, labels, edge, extent > 0)
    return Swath(nodes, coast, shore, border, ground, seeds, labels, polygons)


def _ground(nodes: Nodes, swath: Swath, land_km: Float32) -> Ground:
    """Return what regions grow on in a scene, with detail that the swath lacks."""
    # Analysts chart another coast than that of the distance map.
    coast = land_km - np.float32(0.5) * nodes.fractal(14, 0.04, 4.0)
    return Ground(
        land_km,
        _extent(nodes, coast, swath.border),
        swath.nodes.take(swath.ground.edge, nodes),
        [swath.nodes.take(field, nodes) for field in swath.ground.bend],
    )


def _coast(nodes: Nodes) -> tuple[Float32 | None, Border | None, Float32]:
    """Return a field above 0 on land, or where land begins outside, and its distance."""
    plan, region = nodes.plan, REGIONS[nodes.plan.region]
    rng = plan.rng(10)
    slope = nodes.slope(region.land_azimuth)
    if rng.uniform() < 0.25:
        # The nearest land is outside the swath.
        km: Float32 = (slope.max() - slope) * np.float32(SWATH_KM)
        beyond = rng.uniform(15, 250)
        shore = Border(region.land_azimuth, float(slope.max()) + beyond / SWATH_KM)
        return None, shore, km + np.float32(beyond)
    share = 0.55 * rng.beta(1.6, 1.6)
    potential = 4.5 * slope + nodes.fractal(11, 0.6, 3.9)
    potential -= np.quantile(potential, 1 - share)
    reach = max(nodes.shape)
    distance = signed_distance(potential, reach).clip(-reach, reach)
    return potential, None, distance * np.float32(nodes.km)


def _around_km(around: Nodes, swath: Swath, reach: int) -> Float32:
    """Return the distance to the coast that a scene has in and around it."""
    if swath.coast is None:
        return np.full(around.shape, np.inf, dtype=np.float32)
    potential = swath.nodes.take(swath.coast, around)
    potential += np.float32(0.06) * around.fractal(12, 0.1, 2.8)
    return signed_distance(potential, reach) * np.float32(around.km)


def _land_km(nodes: Nodes, swath: Swath, near: Float32) -> Float32:
    """Return the distance to land in a scene, which may lie outside the scene."""
    wide = swath.nodes.take(swath.ground.land_km, nodes)
    if swath.coast is None:
        return wide
    far = np.maximum(np.abs(wide), np.float32(_REACH_KM))
    return np.where(np.abs(near) <= _REACH_KM, near, np.copysign(far, near))


def _border(swath: Nodes) -> Border | None:
    """Return where the footprint of the chart ends, if it does."""
    rng = swath.plan.rng(13)
    if rng.uniform() < 0.4:
        return None
    azimuth = rng.uniform(0, 360)
    position = np.quantile(swath.slope(azimuth), rng.uniform(0.04, 0.5))
    return Border(azimuth, float(position))


def _extent(nodes: Nodes, coast_km: Float32, border: Border | None) -> Float32:
    """Return a field above 0 on the sea side of the chart's coast, inside its footprint."""
    extent = coast_km
    if border is not None:
        inside = nodes.slope(border.azimuth_deg) - np.float32(border.position)
        extent = np.minimum(extent, np.float32(SWATH_KM) * inside)
    return extent


def _choose_section(swath: Nodes, classes: ChartArray) -> tuple[int, int]:
    """Return the raw line and sample of the swath at which the scene begins.

    The scene is where its classes, and fill, are most like those of the whole swath. One
    scene in three lies at a border of the swath, where there are pixels without SAR.
    """
    plan, spacing = swath.plan, swath.spacing
    sizes = [max(1, round(n / spacing)) for n in plan.raw_shape]
    last = np.subtract(plan.swath_shape, plan.raw_shape)
    n_starts = -(-last // spacing) + 1
    sic = classes[..., 0]
    is_charted = sic != CHART_FILL
    places = [is_charted, is_charted & (sic > 0)]
    places += [
        chart == value
        for chart in np.moveaxis(classes, -1, 0)
        for value in np.unique(chart)
    ]
    difference = np.zeros(n_starts)
    for place in places:
        share = _window_means(place, sizes)[: n_starts[0], : n_starts[1]]
        difference += np.abs(share - place.mean())
        if place is is_charted:
            # Every scene has a chart.
            difference[share < 0.25] += 20
    side = int(plan.rng(31).integers(0, 12))
    if side < 4:
        border = (slice(0, 1), slice(-1, None))[side % 2]
        is_inner = np.ones(n_starts, dtype=bool)
        is_inner[(border, slice(None)) if side < 2 else (slice(None), border)] = False
        difference[is_inner] += 10
    best = np.unravel_index(difference.argmin(), difference.shape)
    y, x = np.minimum(np.multiply(best, spacing), last).tolist()
    return y, x


def _around(swath: Nodes, nodes: Nodes) -> tuple[slice, slice]:
    """Return the nodes of the swath in a scene, and the next ones around it."""
    y, x = (
        slice(max(start // swath.spacing - 1, 0), (start + n) // swath.spacing + 3)
        for start, n in zip(nodes.start, nodes.plan.raw_shape, strict=True)
    )
    return y, x


def _window_means(plane: FloatArray, sizes: list[int]) -> FloatArray:
    """Return the mean of each window of a plane, by its first row and column."""
    height, width = sizes
    sums = np.pad(plane, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    rows = sums[height:] - sums[:-height]
    means: FloatArray = (rows[:, width:] - rows[:, :-width]) / (height * width)
    return means

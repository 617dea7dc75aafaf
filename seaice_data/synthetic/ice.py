"""Land, ice and the chart of a synthetic scene.

From climate to polygons, in the order of the file:

1. ``CLIMATES`` says how much ice of which kind each service meets in each month;
2. the land lies where the region has it, the ice edge where the climate puts it;
3. seeds along the ice edge grow to regions, on the chart and, more ragged, in truth;
4. each region gets an egg code such that a year of scenes follows the climate.

Everything lies on nodes, a few pixels apart. Lengths are shares of the scene's width, so
that a small scene is a miniature and not a cutting.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, Mask
from seaice_data.egg_codes import COLUMNS, FLOE_CLASSES, NOT_GIVEN, SOD_CLASSES
from seaice_data.synthetic.fields import (
    Float32,
    Labels,
    fractal,
    signed_distance,
    standard,
)
from seaice_data.synthetic.plan import REGIONS, ScenePlan

FAST_ICE = 7
"""Form of ice behind the floe sizes 1 to 6: fast to the coast, without a class."""

HEADER = ("poly_id", *COLUMNS, "CN", "CD", "CF", "POLY_TYPE")
"""Columns of the egg codes, as the files have them."""

# How much stronger the ice edge draws a border than the distance to the seeds does.
_EDGE_PULL = 2.0


class Climate(NamedTuple):
    """What an ice service meets, month by month, in percent of the training set."""

    water: tuple[int, ...]
    """Water in the charted pixels."""

    full: tuple[int, ...]
    """SIC 10 in the ice."""

    mixed: tuple[int, ...]
    """Ice without a dominant stage of development."""

    stages: tuple[tuple[int, ...], ...]
    """Stages 1 to 5 in the ice that has one."""

    partial: tuple[int, ...]
    """SIC 1 to 9, relative to each other, all year."""

    floes: tuple[float, ...]
    """Floe sizes 1 to 5, relative to each other, all year."""


CLIMATES: Mapping[str, Climate] = {
    "cis": Climate(
        water=(35, 42, 45, 64, 61, 61, 66, 72, 69, 61, 75, 40),
        full=(56, 58, 58, 28, 50, 31, 11, 9, 38, 50, 37, 73),
        mixed=(21, 40, 45, 12, 3, 3, 4, 14, 35, 36, 20, 20),
        stages=(
            (1, 62, 35, 2, 0),
            (4, 35, 43, 18, 0),
            (2, 5, 12, 80, 1),
            (3, 3, 1, 92, 1),
            (0, 0, 0, 98, 2),
            (0, 0, 0, 97, 3),
            (0, 0, 0, 87, 13),
            (0, 0, 0, 34, 66),
            (15, 4, 0, 11, 70),
            (46, 23, 0, 0, 31),
            (46, 50, 0, 0, 4),
            (14, 80, 3, 0, 3),
        ),
        partial=(1, 10, 4, 3, 9, 2, 8, 6, 18),
        floes=(0.0, 6.4, 23.6, 35.8, 34.2),
    ),
    "dmi": Climate(
        water=(33, 50, 33, 34, 41, 42, 68, 77, 80, 74, 52, 36),
        full=(82, 81, 82, 53, 44, 26, 30, 26, 21, 49, 73, 73),
        mixed=(52, 40, 31, 24, 18, 25, 30, 35, 41, 50, 41, 56),
        stages=(
            (2, 4, 16, 28, 50),
            (0, 1, 8, 52, 39),
            (1, 0, 7, 56, 36),
            (0, 0, 3, 65, 32),
            (1, 0, 0, 69, 30),
            (0, 0, 0, 70, 30),
            (0, 0, 0, 49, 51),
            (0, 0, 0, 21, 79),
            (14, 0, 0, 13, 73),
            (14, 7, 1, 0, 78),
            (20, 15, 5, 0, 60),
            (8, 14, 27, 2, 49),
        ),
        partial=(1, 3, 4, 3, 2, 3, 4, 8, 14),
        floes=(1.6, 7.5, 6.5, 9.5, 74.3),
    ),
}
"""Climate of the two ice services."""


@dataclass(frozen=True, slots=True, eq=False)
class Polygon:
    """One region of a chart; ice types are sorted from the oldest to the youngest."""

    tenths: int
    """Class of the total concentration, 0 to 10."""

    parts: tuple[int, ...] = ()
    """Tenths of each ice type, together the total."""

    stages: tuple[int, ...] = ()
    """Stage of development of each type, 1 to 5."""

    floes: tuple[int, ...] = ()
    """Floe size of each type, 1 to 6, or ``FAST_ICE``."""


@dataclass(frozen=True, slots=True, eq=False)
class RegionMap:
    """Regions at nodes: the label of the highest score."""

    scores: Float32
    """Shape ``(label, y, x)``."""

    labels: Labels
    """Shape ``(y, x)``."""


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """What lies under the satellite, at nodes."""

    spacing: int
    """Raw pixels of 40 m from node to node: 2, 4, 8 or 16."""

    land_km: Float32
    """Distance to land, below 0 on land."""

    extent: Float32
    """Above 0 where the chart has polygons."""

    chart: RegionMap
    """Regions as the analyst drew them."""

    truth: RegionMap
    """Regions as they are: the same, more ragged."""

    polygons: tuple[Polygon, ...]
    """The regions by label."""

    ids: Labels
    """Polygon ids by label; with gaps, 0 is none."""

    rows: tuple[str, ...]
    """Egg codes, header first, as in ``polygon_codes``."""


def make_surface(plan: ScenePlan) -> Surface:
    """Draw land, ice and chart of a scene."""
    spacing = _node_spacing(plan)
    shape = tuple(-(-(n + 1) // spacing) + 2 for n in plan.raw_shape)
    nodes = _Nodes(plan, spacing, (shape[0], shape[1]))
    land_km = _land_km(nodes)
    extent = _extent(nodes, land_km)
    edge, water_share = _ice_edge(nodes, extent > 0)
    seeds = _seeds(nodes, land_km, edge, extent > 0, water_share)
    chart = _grow(nodes, seeds, edge, land_km, ragged=0.0)
    truth = _grow(nodes, seeds, edge, land_km, ragged=1.0)
    polygons = _polygons(nodes, seeds, chart.labels, edge, extent > 0)
    rng = plan.rng(30)
    ids = np.sort(rng.permutation(np.arange(1, 251))[: len(polygons)]).astype(np.uint8)
    rows = [";".join(HEADER)]
    rows += [
        _row(rng, int(number), polygon)
        for number, polygon in zip(ids, polygons, strict=True)
    ]
    return Surface(spacing, land_km, extent, chart, truth, polygons, ids, tuple(rows))


class _Nodes(NamedTuple):
    """The nodes of a scene."""

    plan: ScenePlan
    spacing: int
    shape: tuple[int, int]

    @property
    def across(self) -> float:
        """Nodes along the width."""
        return self.plan.raw_shape[1] / self.spacing

    @property
    def km(self) -> float:
        """Kilometres from node to node."""
        return 0.04 * self.spacing

    def positions(self) -> tuple[FloatArray, FloatArray]:
        """Return lines and samples from the middle, in widths; shapes (y, 1) and (x,)."""
        height, width = (n / self.spacing for n in self.plan.raw_shape)
        y = (np.arange(self.shape[0]) - height / 2) / width
        return y[:, None], np.arange(self.shape[1]) / width - 0.5

    def slope(self, azimuth_deg: float) -> Float32:
        """Return the position along an azimuth, in widths."""
        along, across = self.plan.image_direction(azimuth_deg)
        y, x = self.positions()
        return np.asarray(along * y + across * x, dtype=np.float32)

    def fractal(self, stream: int, wavelength: float, slope: float) -> Float32:
        """Draw a fractal whose longest wavelength is in widths."""
        return fractal(self.plan.rng(stream), self.shape, wavelength * self.across, slope)


def _node_spacing(plan: ScenePlan) -> int:
    """Return 2, 4, 8 or 16; small scenes get the denser nodes, large ones 640 m."""
    spacing = 2
    while spacing < 16 and plan.raw_shape[1] >= 600 * spacing:
        spacing *= 2
    return spacing


def _land_km(nodes: _Nodes) -> Float32:
    """Return the distance to land; some scenes have none."""
    plan, region = nodes.plan, REGIONS[nodes.plan.region]
    rng = plan.rng(10)
    slope = nodes.slope(region.land_azimuth)
    if rng.uniform() < 0.25:
        # The nearest land lies beyond the border of the scene.
        km: Float32 = (slope.max() - slope) * np.float32(plan.width * 0.08)
        return km + np.float32(rng.uniform(15, 250))
    share = 0.55 * rng.beta(1.6, 1.6)
    potential = (
        4.5 * slope + nodes.fractal(11, 0.6, 3.9) + 0.05 * nodes.fractal(12, 0.1, 2.8)
    )
    potential -= np.quantile(potential, 1 - share)
    return signed_distance(potential) * np.float32(nodes.km)


def _extent(nodes: _Nodes, land_km: Float32) -> Float32:
    """Return a field above 0 on the sea side of the chart's coast, inside its footprint."""
    rng = nodes.plan.rng(13)
    # Analysts draw another coast than the map of distances has.
    coast = land_km - np.float32(nodes.km * 0.8) * nodes.fractal(14, 0.04, 4.0)
    if rng.uniform() < 0.4:
        return coast
    border = nodes.slope(rng.uniform(0, 360))
    border -= np.quantile(border, rng.uniform(0.04, 0.5))
    extent: Float32 = np.minimum(coast, border * np.float32(nodes.across * nodes.km))
    return extent


def _ice_edge(nodes: _Nodes, is_charted: Mask) -> tuple[Float32, float]:
    """Return a field that is 0 at the ice edge and grows into the ice; share of water."""
    plan, region = nodes.plan, REGIONS[nodes.plan.region]
    climate = CLIMATES[plan.service]
    rng = plan.rng(15)
    usual = climate.water[plan.acquired.month - 1] / 100
    usual = 1 / (1 + (1 / usual - 1) * np.exp(-region.water))
    share = rng.beta(1.8 * usual, 1.8 * (1 - usual))
    share = 0.0 if share < 0.02 else 1.0 if share > 0.99 else share
    edge = standard(
        3.5 * nodes.slope(region.ice_azimuth + rng.uniform(-40, 40))
        + nodes.fractal(16, 0.6, 5.5)
    )
    level = np.quantile(edge[is_charted], share) if is_charted.any() else 0.0
    margin = {0.0: -0.3, 1.0: 0.3}.get(share, 0.0)
    return edge - np.float32(level + margin), share


class _Seeds(NamedTuple):
    """Where regions start to grow."""

    y: FloatArray
    x: FloatArray
    depth: FloatArray
    is_ice: Mask
    is_fast: Mask
    is_berg: Mask


def _seeds(
    nodes: _Nodes, land_km: Float32, edge: Float32, is_charted: Mask, water_share: float
) -> _Seeds:
    """Choose seeds: some in the water, many in the ice, a few along the coast."""
    plan = nodes.plan
    rng = plan.rng(17)
    month, width_km = plan.acquired.month, nodes.across * nodes.km
    shore = is_charted & (land_km < 0.05 * width_km)
    has_fast = rng.uniform() < (0.8 if month in (12, 1, 2, 3, 4, 5, 6) else 0.15)
    has_berg = rng.uniform() < (0.5 if month in (7, 8, 9, 10) else 0.08)
    places = (
        (is_charted & (edge <= 0), 2 + round(4 * water_share)),
        (is_charted & (edge > 0), 6 + round((1 - water_share) * rng.uniform(16, 32))),
        (shore & (edge > 0), int(rng.integers(1, 4)) if has_fast else 0),
        (shore, 1 if has_berg and plan.service == "dmi" else 0),
    )
    found = [_draw_nodes(rng, place, n) for place, n in places]
    if not any(map(len, found)):
        found[0] = np.zeros((1, 2), dtype=np.intp)
    kind = np.repeat(np.arange(4), [len(chosen) for chosen in found])
    y, x = np.concatenate(found).T
    rows, columns = nodes.positions()
    depth = np.maximum(edge[y, x], 0)
    return _Seeds(rows[y, 0], columns[x], depth, kind != 0, kind == 2, kind == 3)


def _draw_nodes(rng: np.random.Generator, place: Mask, n: int) -> NDArray[np.intp]:
    """Draw up to `n` nodes of a place; none if the place is but a few nodes."""
    candidates = np.flatnonzero(place)
    if len(candidates) < 20:
        n = 0
    chosen = rng.choice(candidates, size=n, replace=False) if n else candidates[:0]
    return np.stack(np.unravel_index(chosen, place.shape), axis=-1)


def _grow(
    nodes: _Nodes, seeds: _Seeds, edge: Float32, land_km: Float32, ragged: float
) -> RegionMap:
    """Let regions grow from their seeds, along the ice edge, until they meet."""
    rows, columns = nodes.positions()
    bend = [0.05 * nodes.fractal(stream, 0.3, 5.5) for stream in (18, 19)]
    if ragged:
        for field, stream in zip(bend, (20, 21), strict=True):
            field += np.float32(0.008 * ragged) * nodes.fractal(stream, 0.06, 2.8)
        edge = edge + np.float32(0.1 * ragged) * nodes.fractal(22, 0.08, 2.8)
    y, x = (rows + bend[0]).astype(np.float32), (columns + bend[1]).astype(np.float32)
    depth = 0.22 * np.maximum(edge, 0)
    pull = np.float32(_EDGE_PULL) * edge
    shore = 6 * (0.035 - land_km / np.float32(nodes.across * nodes.km))
    scores = np.empty((len(seeds.y), *nodes.shape), dtype=np.float32)
    for label, score in enumerate(scores):
        np.square(y - np.float32(seeds.y[label]), out=score)
        score += np.square(x - np.float32(seeds.x[label]))
        score += np.square(depth - np.float32(0.22 * seeds.depth[label]))
        np.negative(score, out=score)
        if seeds.is_berg[label]:
            score *= 30
            score += np.abs(pull) + np.float32(0.03)
            continue
        score += pull if seeds.is_ice[label] else -pull
        if seeds.is_fast[label]:
            score += shore
    return RegionMap(scores, scores.argmax(axis=0).astype(np.uint8))


def _polygons(
    nodes: _Nodes, seeds: _Seeds, labels: Labels, edge: Float32, is_charted: Mask
) -> tuple[Polygon, ...]:
    """Give the regions concentrations, stages and floe sizes that the climate asks for."""
    plan = nodes.plan
    climate, rng = CLIMATES[plan.service], plan.rng(23)
    month = plan.acquired.month - 1
    n = len(seeds.y)
    area = np.bincount(labels[is_charted], minlength=n).astype(np.float64)
    inner = _region_means(labels[is_charted], edge[is_charted], n)
    north = _region_means(labels.ravel(), nodes.slope(0.0).ravel(), n)
    is_pack = seeds.is_ice & ~seeds.is_fast & ~seeds.is_berg
    stages = _stage_shares(plan)
    tenths = _by_rank(rng, inner, 0.25, area, is_pack, _sic_shares(climate, month))
    age = inner / max(float(inner[is_pack].std()), 0.1) if is_pack.any() else inner
    stage = _by_rank(rng, age + 4 * north, 0.5, area, seeds.is_ice, stages)
    floe = _by_rank(rng, inner, 0.3, area, is_pack, _floe_shares(climate, month))
    polygons = []
    for label in range(n):
        if not seeds.is_ice[label]:
            polygons.append(Polygon(0))
        elif seeds.is_berg[label]:
            total = int(rng.integers(1, 4))
            polygons.append(Polygon(total, (total,), (5,), (6,)))
        elif seeds.is_fast[label]:
            polygons.append(_fast_ice(rng, int(stage[label]) + 1, stages))
        else:
            kind = (int(tenths[label]) + 1, int(stage[label]) + 1, int(floe[label]) + 1)
            polygons.append(_pack_ice(rng, kind, climate, month, stages))
    return tuple(polygons)


def _region_means(labels: Labels, values: Float32, n: int) -> FloatArray:
    """Return the mean of each region, 0 for an empty one."""
    sums = np.bincount(labels, values, minlength=n)
    means: FloatArray = sums / np.bincount(labels, minlength=n).clip(1)
    return means


def _sic_shares(climate: Climate, month: int) -> FloatArray:
    """Return the shares of SIC 1 to 10 in the ice."""
    partial = np.array(climate.partial) / sum(climate.partial)
    full = climate.full[month] / 100
    return np.append(partial * (1 - full), full)


def _stage_shares(plan: ScenePlan) -> FloatArray:
    """Return the shares of stages 1 to 5: the climate, with more old ice in the north."""
    shares = np.array(
        CLIMATES[plan.service].stages[plan.acquired.month - 1], dtype=np.float64
    )
    shares[4] *= REGIONS[plan.region].old
    return _normalised(shares)


def _floe_shares(climate: Climate, month: int) -> FloatArray:
    """Return the shares of floe sizes 1 to 5; floes break up in summer."""
    shares = np.array(climate.floes)
    if month + 1 in (7, 8, 9, 10):
        shares[4] *= 0.6
    return _normalised(shares)


def _normalised(shares: FloatArray) -> FloatArray:
    whole: FloatArray = shares / shares.sum()
    return whole


def _by_rank(
    rng: np.random.Generator,
    potential: FloatArray,
    disorder: float,
    area: FloatArray,
    chosen: Mask,
    shares: FloatArray,
) -> NDArray[np.intp]:
    """Deal out classes so that each gets its share of the area, lowest potential first."""
    order = np.flatnonzero(chosen)
    noise = disorder * potential[order].std() if len(order) else 0.0
    order = order[np.argsort(potential[order] + noise * rng.standard_normal(len(order)))]
    behind = np.cumsum(area[order])
    # A random point of each region, not its middle: small shares find a region sometimes.
    point = behind - area[order] * rng.uniform(size=len(order))
    total = behind[-1] if len(order) and behind[-1] > 0 else 1.0
    dealt = np.zeros(len(potential), dtype=np.intp)
    dealt[order] = np.searchsorted(np.cumsum(shares), point / total).clip(
        0, len(shares) - 1
    )
    # Rounding may lead into a class whose share is nothing.
    return np.where(shares[dealt] > 0, dealt, int(shares.argmax()))


def _fast_ice(rng: np.random.Generator, stage: int, shares: FloatArray) -> Polygon:
    """Return ice that is fast to the coast, now and then with old floes frozen in."""
    if shares[4] > 0.05 and stage != 5 and rng.uniform() < 0.4:
        return Polygon(10, (3, 7), (5, stage), (4, FAST_ICE))
    return Polygon(10, (10,), (stage,), (FAST_ICE,))


def _pack_ice(
    rng: np.random.Generator,
    kind: tuple[int, int, int],
    climate: Climate,
    month: int,
    shares: FloatArray,
) -> Polygon:
    """Return drifting ice of one to three types."""
    tenths, stage, floe = kind
    parts = _parts(rng, tenths, is_mixed=rng.uniform() < climate.mixed[month] / 80)
    stages = [stage, *_others(rng, stage, shares, len(parts) - 1)]
    floe_shares = _floe_shares(climate, month)
    floes = [floe]
    for _ in parts[1:]:
        is_other = rng.uniform() < 0.6
        floes += _others(rng, floe, floe_shares, 1) if is_other else [floe]
    # Analysts write the oldest ice first.
    types = sorted(zip(stages, parts, floes, strict=True), key=lambda t: -t[0])
    return Polygon(
        tenths,
        tuple(part for _, part, _ in types),
        tuple(stage for stage, _, _ in types),
        tuple(floe for _, _, floe in types),
    )


def _parts(rng: np.random.Generator, tenths: int, *, is_mixed: bool) -> tuple[int, ...]:
    """Split a concentration into types; the first dominates unless the ice is mixed."""
    if is_mixed and tenths > 1:
        first = (tenths + 1) // 2
        if first / tenths >= 0.65 or rng.uniform() < 0.3:
            first = max(1, tenths // 3)
        rest = tenths - first
        if rest / tenths >= 0.65 or (rest > 1 and rng.uniform() < 0.3):
            return (first, rest - rest // 2, rest // 2)
        return (first, rest)
    if tenths >= 4 and rng.uniform() < 0.4:
        second = max(1, round(tenths * rng.uniform(0.1, 0.3)))
        return (tenths - second, second)
    return (tenths,)


def _others(rng: np.random.Generator, first: int, shares: FloatArray, n: int) -> list[int]:
    """Draw `n` classes beside the first, different while the climate has different ones."""
    weights = shares.copy()
    drawn: list[int] = []
    for _ in range(n):
        weights[first - 1] = 0
        if drawn:
            weights[drawn[-1] - 1] = 0
        if weights.sum() <= 0.005:
            drawn.append(first)
            continue
        # Neighbours drift together more often than new and old ice do.
        near = weights * 0.5 ** np.abs(np.arange(len(weights)) - (first - 1))
        drawn.append(int(rng.choice(len(near), p=near / near.sum())) + 1)
    return drawn


def _row(rng: np.random.Generator, number: int, polygon: Polygon) -> str:
    """Write the egg code of a polygon."""
    if polygon.tenths == 0:
        total = int(rng.choice([0, 1, 2, 55]))
        codes = [total] + [NOT_GIVEN] * 11
        if total == 2:
            codes[2:4] = [98, 10]
        return ";".join([_code(number), *map(_code, codes), "-9-9", "W"])
    is_fast = FAST_ICE in polygon.floes
    total = int(rng.choice([91, 92])) if polygon.tenths == 10 else 10 * polygon.tenths
    codes = [92 if is_fast else total]
    for part, stage, floe in zip(polygon.parts, polygon.stages, polygon.floes, strict=True):
        is_alone = len(polygon.parts) == 1
        codes += [NOT_GIVEN if is_alone else 10 * part, *_type_codes(rng, stage, floe)]
    codes += [NOT_GIVEN] * (12 - len(codes))
    form = _code(codes[3]) + _code(codes[6])
    return ";".join([_code(number), *map(_code, codes), form, "I"])


def _type_codes(rng: np.random.Generator, stage: int, floe: int) -> tuple[int, int]:
    """Return codes for the stage of development and the form of an ice type."""
    if floe == 6:
        return 98, 10  # ice of land origin has no stage
    stages = [code for code, value in SOD_CLASSES.items() if value == stage]
    floes = [code for code, value in FLOE_CLASSES.items() if value == floe]
    return int(rng.choice(stages)), 8 if floe == FAST_ICE else int(rng.choice(floes))


def _code(value: int) -> str:
    return f"{value:02d}"

"""The polygons of a synthetic chart: concentrations, stages and floe sizes of the regions.

A year of scenes follows the climate. Each polygon has an egg code, as analysts write it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, Mask
from seaice_data.egg_codes import COLUMNS, FLOE_CLASSES, NOT_GIVEN, SOD_CLASSES
from seaice_data.synthetic.fields import Float32, Labels
from seaice_data.synthetic.ice import Seeds
from seaice_data.synthetic.ice_climate import (
    CLIMATES,
    Climate,
    floe_shares,
    sic_shares,
    stage_shares,
)
from seaice_data.synthetic.nodes import Nodes

BERGS = 6
"""Largest class of floe size: ice of land origin, without a stage of development."""

FAST_ICE = 7
"""Form of ice after the floe sizes 1 to 6: fast to the coast, without a class."""

LEVEL_ICE = 8
"""Form of ice without floes, and without a class."""

_FORMS = {FAST_ICE: [8], LEVEL_ICE: [1, 21, 22]}  # codes of ice without a class

HEADER = ("poly_id", *COLUMNS, "CN", "CD", "CF", "POLY_TYPE")
"""Columns of the egg codes, as the files have them."""


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
    """Floe size of each type, 1 to 6, or ``FAST_ICE`` or ``LEVEL_ICE``."""

    @property
    def main_types(self) -> tuple[int, int]:
        """Numbers of the two types with the most ice, the same twice if there is one."""
        order = sorted(range(len(self.parts)), key=lambda i: -self.parts[i])
        return order[0], order[min(1, len(order) - 1)]


def make_polygons(
    nodes: Nodes, seeds: Seeds, labels: Labels, edge: Float32, is_charted: Mask
) -> tuple[Polygon, ...]:
    """Return regions with concentrations, stages and floe sizes that fit the climate."""
    plan = nodes.plan
    climate, rng = CLIMATES[plan.service], plan.rng(23)
    month = plan.acquired.month - 1
    n = len(seeds.y)
    area = np.bincount(labels[is_charted], minlength=n).astype(np.float64)
    inner = _region_means(labels[is_charted], edge[is_charted], n)
    north = _region_means(labels.ravel(), nodes.slope(0.0).ravel(), n)
    is_pack = seeds.is_ice & ~seeds.is_fast & ~seeds.is_berg
    stages = stage_shares(plan.region, plan.acquired.month)
    tenths = _by_rank(rng, inner, 0.25, area, is_pack, sic_shares(climate, month))
    age = inner / max(float(inner[is_pack].std()), 0.1) if is_pack.any() else inner
    stage = _by_rank(rng, age + 4 * north, 0.5, area, seeds.is_ice, stages)
    floe = _by_rank(rng, inner, 0.3, area, is_pack, floe_shares(climate, month))
    polygons = []
    for label in range(n):
        if not seeds.is_ice[label]:
            polygons.append(Polygon(0))
        elif seeds.is_berg[label]:
            total = int(rng.integers(1, 4))
            polygons.append(Polygon(total, (total,), (5,), (BERGS,)))
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


def _by_rank(
    rng: np.random.Generator,
    potential: FloatArray,
    disorder: float,
    area: FloatArray,
    chosen: Mask,
    shares: FloatArray,
) -> NDArray[np.intp]:
    """Assign classes so that each gets its share of the area, lowest potential first."""
    order = np.flatnonzero(chosen)
    noise = disorder * potential[order].std() if len(order) else 0.0
    order = order[np.argsort(potential[order] + noise * rng.standard_normal(len(order)))]
    upper = np.cumsum(area[order])
    # A random point of each region, not its middle: small shares sometimes get a region.
    point = upper - area[order] * rng.uniform(size=len(order))
    total = upper[-1] if len(order) and upper[-1] > 0 else 1.0
    dealt = np.zeros(len(potential), dtype=np.intp)
    dealt[order] = np.searchsorted(np.cumsum(shares), point / total).clip(
        0, len(shares) - 1
    )
    # Rounding may lead to a class whose share is zero.
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
    if rng.uniform() < climate.formless[month] / 100 * (0.45 if stage <= 2 else 0.2):
        floe = LEVEL_ICE
    parts = _parts(rng, tenths, is_mixed=rng.uniform() < climate.mixed[month] / 80)
    stages = [stage, *_others(rng, stage, shares, len(parts) - 1)]
    sizes = floe_shares(climate, month)
    floes = [floe]
    for _ in parts[1:]:
        is_other = rng.uniform() < 0.6
        is_level = floe == LEVEL_ICE
        floes += _others(rng, floe, sizes, 1) if is_other and not is_level else [floe]
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
    """Sample `n` classes after the first; all differ as long as the climate has others."""
    weights = shares.copy()
    chosen: list[int] = []
    for _ in range(n):
        weights[first - 1] = 0
        if chosen:
            weights[chosen[-1] - 1] = 0
        if weights.sum() <= 0.005:
            chosen.append(first)
            continue
        # Neighbours drift together more often than new and old ice do.
        near = weights * 0.5 ** np.abs(np.arange(len(weights)) - (first - 1))
        chosen.append(int(rng.choice(len(near), p=near / near.sum())) + 1)
    return chosen


def egg_code(rng: np.random.Generator, number: int, polygon: Polygon) -> str:
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
    if floe == BERGS:
        return 98, 10  # ice of land origin has no stage
    stages = [code for code, value in SOD_CLASSES.items() if value == stage]
    floes = _FORMS.get(floe) or [c for c, value in FLOE_CLASSES.items() if value == floe]
    return int(rng.choice(stages)), int(rng.choice(floes))


def _code(value: int) -> str:
    return f"{value:02d}"

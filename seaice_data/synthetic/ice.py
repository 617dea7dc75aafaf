"""Where the ice is in a synthetic scene, and how it is divided into regions.

- ``ice_edge`` puts the ice edge of the whole swath where the climate has it;
- ``choose_seeds`` chooses where regions start to grow;
- ``grow`` lets them grow until they meet.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, Mask
from seaice_data.synthetic.fields import Float32, Labels, standard
from seaice_data.synthetic.ice_climate import water_share
from seaice_data.synthetic.nodes import SWATH_KM, Nodes
from seaice_data.synthetic.regions import REGIONS


@dataclass(frozen=True, slots=True, eq=False)
class RegionMap:
    """Regions at nodes: the label of the highest score."""

    scores: Float32
    """Shape ``(label, y, x)``."""

    labels: Labels
    """Shape ``(y, x)``."""


class Ground(NamedTuple):
    """The ground on which regions grow, at nodes."""

    land_km: Float32
    """Distance to land, below 0 on land."""

    extent: Float32
    """Above 0 where the chart has polygons."""

    edge: Float32
    """0 at the ice edge, above 0 in the ice."""

    bend: list[Float32]
    """How far lines and samples are bent, so that borders are not straight."""


def ice_edge(nodes: Nodes, is_charted: Mask) -> tuple[Float32, float]:
    """Return a field, 0 at the ice edge and above 0 in the ice, and the share of water."""
    plan, region = nodes.plan, REGIONS[nodes.plan.region]
    rng = plan.rng(15)
    usual = water_share(plan.region, plan.acquired.month)
    share = rng.beta(1.4 * usual, 1.4 * (1 - usual))
    share = 0.0 if share < 0.01 else 1.0 if share > 0.995 else share
    edge = standard(
        3.5 * nodes.slope(region.ice_azimuth + rng.uniform(-40, 40))
        + nodes.fractal(16, 0.6, 5.5)
    )
    level = np.quantile(edge[is_charted], share) if is_charted.any() else 0.0
    margin = {0.0: -0.3, 1.0: 0.3}.get(share, 0.0)
    return edge - np.float32(level + margin), share


class Seeds(NamedTuple):
    """Where regions start to grow."""

    y: FloatArray
    x: FloatArray
    depth: FloatArray
    is_ice: Mask
    is_fast: Mask
    is_berg: Mask

    def only(self, labels: Labels) -> "Seeds":
        """Return the seeds with these labels."""
        y, x, depth = (field[labels] for field in self[:3])
        is_ice, is_fast, is_berg = (field[labels] for field in self[3:])
        return Seeds(y, x, depth, is_ice, is_fast, is_berg)


def choose_seeds(
    nodes: Nodes, land_km: Float32, edge: Float32, is_charted: Mask, water_share: float
) -> Seeds:
    """Choose seeds: some in the water, many in the ice, a few along the coast."""
    plan = nodes.plan
    rng = plan.rng(17)
    month = plan.acquired.month
    shore = is_charted & (land_km < 20)
    has_fast = rng.uniform() < (0.8 if month in (12, 1, 2, 3, 4, 5, 6) else 0.15)
    has_berg = rng.uniform() < (0.5 if month in (7, 8, 9, 10) else 0.08)
    places = (
        (is_charted & (edge <= 0), 2 + round(4 * water_share)),
        (is_charted & (edge > 0), 8 + round((1 - water_share) * rng.uniform(16, 36))),
        (shore & (edge > 0), int(rng.integers(1, 4)) if has_fast else 0),
        (shore, 1 if has_berg and plan.service == "dmi" else 0),
    )
    # Polygons are smaller at the ice edge, where the ice changes within a few kilometres.
    weight = np.exp(-np.abs(edge) / 0.3) + 0.2
    found = [_sample_nodes(rng, place, weight, n) for place, n in places]
    if not any(map(len, found)):
        found[0] = np.zeros((1, 2), dtype=np.intp)
    kind = np.repeat(np.arange(4), [len(chosen) for chosen in found])
    y, x = np.concatenate(found).T
    rows, columns = nodes.positions()
    depth = np.maximum(edge[y, x], 0)
    return Seeds(rows[y, 0], columns[x], depth, kind != 0, kind == 2, kind == 3)


def _sample_nodes(
    rng: np.random.Generator, place: Mask, weight: FloatArray, n: int
) -> NDArray[np.intp]:
    """Sample `n` nodes of a place by weight; none if the place has fewer than 60."""
    candidates = np.flatnonzero(place)
    if len(candidates) < 60 or not n:
        chosen = candidates[:0]
    else:
        shares = weight.ravel()[candidates].astype(np.float64)
        chosen = rng.choice(candidates, size=n, replace=False, p=shares / shares.sum())
    return np.stack(np.unravel_index(chosen, place.shape), axis=-1)


# How much more the ice edge counts for a border than the distance to the seeds does.
_EDGE_PULL = 2.0


def grow(
    nodes: Nodes,
    seeds: Seeds,
    ground: Ground,
    *,
    is_ragged: bool,
) -> RegionMap:
    """Let regions grow from their seeds, along the ice edge, until they meet.

    Parameters
    ----------
    nodes, ground
        Where they grow.
    seeds
        Where they start; a region has the position of its seed as its label.
    is_ragged
        Whether borders are as ragged as they are in reality, or as analysts chart them.
    """
    rows, columns = nodes.positions()
    edge, bend = ground.edge, ground.bend
    if is_ragged:
        bend = [
            field + np.float32(0.008) * nodes.fractal(stream, 0.06, 2.8)
            for field, stream in zip(bend, (20, 21), strict=True)
        ]
        edge = edge + np.float32(0.1) * nodes.fractal(22, 0.08, 2.8)
    y, x = (rows + bend[0]).astype(np.float32), (columns + bend[1]).astype(np.float32)
    depth = 0.22 * np.maximum(edge, 0)
    pull = np.float32(_EDGE_PULL) * edge
    shore = 6 * (0.035 - ground.land_km / np.float32(SWATH_KM))
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

"""Where the ice is in a synthetic scene, and how it is divided into regions.

- ``ice_edge`` puts the ice edge where the climate has it;
- ``choose_seeds`` chooses where regions start to grow;
- ``grow`` lets them grow until they meet.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, Mask
from seaice_data.synthetic.fields import Float32, Labels, standard
from seaice_data.synthetic.ice_climate import CLIMATES
from seaice_data.synthetic.nodes import Nodes
from seaice_data.synthetic.regions import REGIONS


@dataclass(frozen=True, slots=True, eq=False)
class RegionMap:
    """Regions at nodes: the label of the highest score."""

    scores: Float32
    """Shape ``(label, y, x)``."""

    labels: Labels
    """Shape ``(y, x)``."""


def ice_edge(nodes: Nodes, is_charted: Mask) -> tuple[Float32, float]:
    """Return a field, 0 at the ice edge and above 0 in the ice, and the share of water."""
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


class Seeds(NamedTuple):
    """Where regions start to grow."""

    y: FloatArray
    x: FloatArray
    depth: FloatArray
    is_ice: Mask
    is_fast: Mask
    is_berg: Mask


def choose_seeds(
    nodes: Nodes, land_km: Float32, edge: Float32, is_charted: Mask, water_share: float
) -> Seeds:
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
    found = [_sample_nodes(rng, place, n) for place, n in places]
    if not any(map(len, found)):
        found[0] = np.zeros((1, 2), dtype=np.intp)
    kind = np.repeat(np.arange(4), [len(chosen) for chosen in found])
    y, x = np.concatenate(found).T
    rows, columns = nodes.positions()
    depth = np.maximum(edge[y, x], 0)
    return Seeds(rows[y, 0], columns[x], depth, kind != 0, kind == 2, kind == 3)


def _sample_nodes(rng: np.random.Generator, place: Mask, n: int) -> NDArray[np.intp]:
    """Sample up to `n` nodes of a place; none if it has fewer than 20."""
    candidates = np.flatnonzero(place)
    if len(candidates) < 20:
        n = 0
    chosen = rng.choice(candidates, size=n, replace=False) if n else candidates[:0]
    return np.stack(np.unravel_index(chosen, place.shape), axis=-1)


# How much more the ice edge counts for a border than the distance to the seeds does.
_EDGE_PULL = 2.0


def grow(
    nodes: Nodes, seeds: Seeds, edge: Float32, land_km: Float32, ragged: float
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

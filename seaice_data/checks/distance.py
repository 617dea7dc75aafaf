"""Distance zones: the kilometres to land that each zone stands for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

from seaice_data.checks.finding import Finding, outcome_of
from seaice_data.checks.survey import BLOCK_KM, Survey
from seaice_data.zones import distance_zones

_TOLERANCE_KM = 0.6  # blocks of 400 m, and zones of pixels beside the middle one
_FEWEST_BLOCKS = 1000
_MOST_WRONG = 0.05
_LAST_ZONE = 41


@dataclass(frozen=True, slots=True)
class Distances:
    """Distance zones of a scene, compared with the distances to its land."""

    n_blocks: int
    """Blocks of 400 m whose nearest land is certainly in the scene."""

    n_right: int
    """Those whose zone is that of their distance."""

    highest: float
    """Highest zone of the scene."""

    share_of_fractions: float
    """Share of the pixels whose zone is not a whole number."""


def measure_distances(planes: Survey, n_pixels: int) -> Distances:
    """Compare zones with the distances to the blocks of zone 0."""
    n_y, n_x = planes.zone.shape
    y, x = np.arange(n_y)[:, None], np.arange(n_x)
    border = np.minimum(np.minimum(y, n_y - 1 - y), np.minimum(x, n_x - 1 - x)) * BLOCK_KM
    sea = ~planes.is_land & ~np.isnan(planes.zone)
    n_right = n_blocks = 0
    if planes.is_land.any():
        km = distance_transform_edt(~planes.is_land) * BLOCK_KM
        inside = sea & (km < border)
        far, zone = km[inside].astype(np.float32), planes.zone[inside].round()
        lowest = distance_zones(np.maximum(far - np.float32(_TOLERANCE_KM), 0.01))
        highest = distance_zones(far + np.float32(_TOLERANCE_KM))
        n_blocks = int(inside.sum())
        n_right = int(((zone >= lowest) & (zone <= highest)).sum())
    share_of_fractions = planes.n_fractions / n_pixels
    return Distances(n_blocks, n_right, planes.highest_zone, share_of_fractions)


def check_zones(scenes: Sequence[Distances]) -> Finding:
    """Check that each zone is at its distance from land."""
    name = "distance zones"
    inferred = (
        "zone 0 is land, and zones 1 to 40 end at 0.5, 1, 2, ... 20, 25, ... 50, 60, ... "
        "100, 125, ... 300 km"
    )
    beyond = max(scene.highest for scene in scenes)
    if beyond > _LAST_ZONE + 0.5:
        evidence = f"a scene has zone {beyond:.0f}"
        return Finding(name, inferred, "does not hold", evidence)
    n_blocks = sum(scene.n_blocks for scene in scenes)
    if n_blocks < _FEWEST_BLOCKS:
        evidence = (
            f"only {n_blocks} blocks of 400 m are nearer to land than to the border of "
            "their scene"
        )
        return Finding(name, inferred, "cannot tell", evidence)
    right = sum(scene.n_right for scene in scenes) / n_blocks
    evidence = (
        f"{right:.1%} of {n_blocks} blocks of 400 m have the zone of their distance to "
        f"zone 0, within {_TOLERANCE_KM} km"
    )
    return Finding(name, inferred, outcome_of(right >= 1 - _MOST_WRONG), evidence)


def check_fractions(ready: Sequence[Distances]) -> Finding:
    """Check that zones of ready-to-train files are means of four pixels."""
    name = "means of zones"
    inferred = (
        "zones of ready-to-train files are means of 2 x 2 pixels, so some are fractions"
    )
    if not any(scene.n_blocks for scene in ready):
        return Finding(name, inferred, "cannot tell", "no ready-to-train scene has a coast")
    share = sum(scene.share_of_fractions for scene in ready) / len(ready)
    evidence = f"{share:.3%} of the pixels have a zone that is not a whole number"
    return Finding(name, inferred, outcome_of(share > 0), evidence)

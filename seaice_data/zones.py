"""Zones of the distance to land, as the distance maps of AI4Arctic have them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_KM = 300
"""Distance in kilometres beyond which there is only one zone, 41."""

# Upper bounds of the zones in kilometres, inclusive; zone 0 is land.
_BOUNDS_KM = np.concatenate(
    [
        [0, 0.5],
        np.arange(1, 20),
        np.arange(20, 50, 5),
        np.arange(50, 100, 10),
        np.arange(100, LARGEST_KM + 1, 25),
    ]
)


def distance_zones(km: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return the zones of distances to land, 0 to 41.

    Parameters
    ----------
    km
        Distances in kilometres; 0 or below is land.

    Examples
    --------
    >>> distance_zones(np.array([-2, 0.3, 0.5, 0.6, 1.5, 20, 21, 300, 301], np.float32))
    array([ 0.,  1.,  1.,  2.,  3., 21., 22., 40., 41.], dtype=float32)
    """
    # All bounds are whole halves of a kilometre, so a look-up replaces the search.
    halves = np.arange(2 * LARGEST_KM + 2)
    zone = np.searchsorted(_BOUNDS_KM, halves / 2).astype(np.float32)
    return np.asarray(zone.take(np.ceil(2 * km).clip(0, halves[-1]).astype(np.intp)))


def zone_description() -> str:
    """Return the bounds of the zones as text."""
    bounds = [f"{bound:g}" for bound in _BOUNDS_KM]
    zones = [f"{i}: {bounds[i - 1]}-{bounds[i]} km" for i in range(1, len(bounds))]
    return "; ".join(["0: land", *zones, f"{len(bounds)}: beyond {bounds[-1]} km"])

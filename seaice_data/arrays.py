"""Names of the array types that cross the borders between modules."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
"""Input planes in any float type; NaN is fill."""

ChartArray = NDArray[np.uint8]
"""Classes of charts; 255 is fill."""

IntArray = NDArray[np.integer[Any]]
"""Positions and counts."""

Mask = NDArray[np.bool_]
"""True where a value may be used."""

Values = NDArray[Any]
"""Numbers of any type, as they are in a file."""


def order_hint(found: Sequence[int], expected: Sequence[int]) -> str | None:
    """Return what to do about a shape if only the order of its axes is wrong.

    Patches and stored scenes have their channels or charts last, maps and networks first.

    Examples
    --------
    >>> order_hint((40, 45, 3), (3, 40, 45))
    'the last axis must be the first one: pass np.moveaxis(planes, -1, 0)'
    >>> order_hint((40, 45, 3), (3, 40, 46)) is None
    True
    """
    if tuple(found) == (*expected[1:], expected[0]):
        return "the last axis must be the first one: pass np.moveaxis(planes, -1, 0)"
    return None

"""Names of the array types that cross the borders between modules."""

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

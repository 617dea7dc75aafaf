"""Patches: what a sampler returns, one or several stacked."""

from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import ChartArray, FloatArray, IntArray


class Patch(TypedDict):
    """A square of a scene, or several stacked along a first axis."""

    inputs: FloatArray
    """Shape ``(size, size, channel)`` in the store's type; NaN is fill."""

    charts: ChartArray
    """Shape ``(size, size, chart)``; 255 is fill."""

    scene: IntArray
    """Position of the scene in `PatchSampler.scenes`."""

    probability: FloatArray
    """How often the window is sampled, relative to sampling over scenes; with cutmix, both
    windows. Sums over patches divided by it are, on average, those of patches sampled over
    scenes."""

    region: NotRequired[NDArray[np.uint8]]
    """Number of the region of each pixel, shape ``(size, size)``; 0 is none. A region is
    what a patch shows of a polygon of the chart (`seaice_data.sampling.regions`)."""

    shares: NotRequired[NDArray[np.float32]]
    """Share of each SOD class, then of each FLOE class in the area of each region, shape
    ``(MOST_REGIONS, N_SHARES)``; region ``n`` is row ``n - 1``. Class 0 is water. NaN where
    the chart does not determine them, and in rows without a region."""

    visible: NotRequired[NDArray[np.float32]]
    """Share of the pixels of its polygon that a region has, shape ``(MOST_REGIONS,)``; 0 in
    rows without a region."""

"""Patches: what a sampler returns, one or several stacked."""

from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import ChartArray, FloatArray, IntArray


class Patch(TypedDict):
    """A square of a scene, or several stacked along a first axis.

    Channels and charts are the last axis, as in the store; `channels_first` moves them.
    """

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


def channels_first(patch: Patch) -> Patch:
    """Return a patch with its channels and charts as the first axis, as PyTorch has them.

    As ``PatchSampler(..., transform=channels_first)``, ``inputs`` are ``(channel, y, x)``
    and ``charts`` ``(chart, y, x)``; in the batches of a ``DataLoader`` the batch is before
    them. The arrays are views: nothing is copied. For several stacked patches, as
    `PatchSampler.batch` returns them, the batch stays first.

    Examples
    --------
    >>> patch = Patch(
    ...     inputs=np.zeros((4, 5, 2), np.float32),
    ...     charts=np.zeros((4, 5, 3), np.uint8),
    ...     scene=np.array(0),
    ...     probability=np.array(1.0),
    ... )
    >>> moved = channels_first(patch)
    >>> moved["inputs"].shape, moved["charts"].shape
    ((2, 4, 5), (3, 4, 5))
    """
    moved = patch.copy()
    moved["inputs"] = np.moveaxis(patch["inputs"], -1, -3)
    moved["charts"] = np.moveaxis(patch["charts"], -1, -3)
    return moved

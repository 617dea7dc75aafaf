"""Burn polygons into an array, by the centres of its pixels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, IntArray, Mask

_VERTICES = 100_000  # burnt at a time: GDAL gets them as objects of 100 bytes and more


def burn_in(
    out: NDArray[Any], polygons: NDArray[Any], values: IntArray, *, top: int = 0
) -> None:
    """Set the pixels of an array that have their centre in polygons.

    Parameters
    ----------
    out
        Pixels, shape ``(y, x)``; changed in place.
    polygons
        Polygons (shapely, not several in one), x and y in pixels: the first pixel is
        between 0 and 1.
    values
        Value of the pixels of each polygon. Where polygons overlap it is that of the last.
    top
        The y at which the array begins.
    """
    import shapely  # late: extras
    from rasterio import Affine
    from rasterio.features import rasterize

    has_centre = _contains_centre(shapely.bounds(polygons))
    polygons, values = polygons[has_centre], values[has_centre]
    n_before = np.cumsum(shapely.get_num_coordinates(polygons))
    ends = np.flatnonzero(np.diff(n_before // _VERTICES)) + 1
    for some in np.split(np.arange(len(polygons)), ends):
        if len(some):
            rasterize(
                zip(polygons[some], values[some].tolist(), strict=True),
                out=out,
                transform=Affine.translation(0, top),
                dtype=out.dtype,
            )


def _contains_centre(boxes: FloatArray) -> Mask:
    """Return which boxes contain the centre of a pixel; those of small islands may not."""
    low, high = np.ceil(boxes[:, :2] - 0.5), np.floor(boxes[:, 2:] - 0.5)
    return np.asarray((low <= high).all(axis=1))

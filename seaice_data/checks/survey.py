"""One pass over a scene: planes in blocks of 400 m, and counts of its pixels."""

from dataclasses import dataclass

import numpy as np

from seaice_data.arrays import FloatArray, IntArray, Mask
from seaice_data.channels import find_channel
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.flags import FLAG_LAND, FLAG_NO_SAR
from seaice_data.grid import CELL_PIXELS, row_bands
from seaice_data.preparation.blocks import average_blocks
from seaice_data.scenes.scene import SAR_GRID, Scene

BLOCK = 5
"""Pixels of 80 m along a side of a block."""

BLOCK_KM = 0.08 * BLOCK
"""Kilometres along a side of a block."""

_BAND_ROWS = 2 * CELL_PIXELS
_LAND_BELOW = 0.49  # zones are means of four pixels


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """A scene in blocks of 400 m, and counts of its pixels of 80 m."""

    hh: FloatArray
    """Mean HH, standardised; NaN where there is no SAR. Shape ``(y, x)``, as below."""

    hv: FloatArray
    """Mean HV."""

    sic: FloatArray
    """Class of SIC of the middle pixel; NaN is fill."""

    zone: FloatArray
    """Distance zone of the middle pixel."""

    is_land: Mask
    """Whether a pixel of the block is land."""

    counts: IntArray
    """Pixels by value of each chart, shape ``(chart, 256)``."""

    highest_zone: float
    """Highest zone of all pixels."""

    n_unseen: int
    """Pixels with a class of SIC but no SAR."""

    n_unlabelled: int
    """Pixels with SAR but no class of SIC."""

    n_water_differs: int
    """Pixels that are water in one chart and a class of ice in another."""

    n_fractions: int
    """Pixels whose distance zone is not a whole number."""


def survey(scene: Scene) -> Survey:
    """Read a scene once, band by band.

    Raises
    ------
    SceneError
        If the file turns out to be broken.
    """
    height, width = scene.grid.shape
    shape = (height // BLOCK, width // BLOCK)
    means = np.full((len(SAR_GRID), *shape), np.nan, np.float32)
    sic = np.full(shape, np.nan, np.float32)
    zone, is_land = np.full(shape, np.nan, np.float32), np.zeros(shape, bool)
    counts = np.zeros((len(CHARTS), 256), np.int64)
    totals = np.zeros(4, np.int64)
    distance = find_channel("distance_map")
    land_below = np.float32((_LAND_BELOW - distance.mean) / distance.std)
    fills = np.array(scene.fills, np.float32)
    sums = np.empty((2 * len(SAR_GRID), width), np.float32)
    highest_zone = -np.inf
    for rows in row_bands(height, _BAND_ROWS):
        n_rows = rows.stop - rows.start
        charts = np.empty((len(CHARTS), n_rows, width), np.uint8)
        flags = np.empty((n_rows, width), np.uint8)
        band = scene.read_band(rows, charts)
        blocks = slice(rows.start // BLOCK, rows.start // BLOCK + n_rows // BLOCK)
        if not average_blocks(
            band.planes, fills, BLOCK, land_below, means[:, blocks], flags, sums
        ):
            scene.check_planes(band)
        scene.read_charts(rows, charts)
        zones = band.planes[3] * np.float32(distance.std) + np.float32(distance.mean)
        sic[blocks] = np.where(
            _middles(charts[0]) == CHART_FILL, np.nan, _middles(charts[0])
        )
        zone[blocks] = _middles(zones)
        highest_zone = np.fmax(highest_zone, np.fmax.reduce(zones, axis=None))
        is_land[blocks] = _any_in_blocks((flags & FLAG_LAND) > 0)
        for plane, pixels in zip(charts, counts, strict=True):
            pixels += np.bincount(plane.ravel(), minlength=256)
        has_sar, has_class = (flags & FLAG_NO_SAR) == 0, charts[0] != CHART_FILL
        known = charts != CHART_FILL
        is_water = (charts == 0).any(axis=0)
        is_ice = ((charts > 0) & known).any(axis=0)
        totals += [
            np.count_nonzero(has_class & ~has_sar),
            np.count_nonzero(has_sar & ~has_class),
            np.count_nonzero(is_water & is_ice),
            np.count_nonzero(np.abs(zones - zones.round()) > 0.1),
        ]
    return Survey(
        means[0],
        means[1],
        sic,
        zone,
        is_land,
        counts,
        float(highest_zone),
        *map(int, totals),
    )


def _middles(plane: FloatArray) -> FloatArray:
    """Return the middle pixel of each whole block."""
    height, width = (n // BLOCK * BLOCK for n in plane.shape)
    return plane[BLOCK // 2 : height : BLOCK, BLOCK // 2 : width : BLOCK]


def _any_in_blocks(mask: Mask) -> Mask:
    height, width = (n // BLOCK for n in mask.shape)
    whole = mask[: height * BLOCK, : width * BLOCK]
    return np.asarray(whole.reshape(height, BLOCK, width, BLOCK).any(axis=(1, 3)))

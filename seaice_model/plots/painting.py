"""Planes become colours: classes, radar and uncertainty, with land and what is missing.

Land, missing SAR and missing classes have tones of their own, the same in all panels.
Everything here takes arrays of the size of a panel and returns arrays.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import ChartArray, FloatArray, IntArray, Mask
from seaice_data.charts import CHART_FILL
from seaice_data.colours import (
    COAST_COLOUR,
    HATCH_COLOUR,
    HATCH_PX,
    LAND_COLOUR,
    NO_SAR_COLOUR,
    UNKNOWN_COLOUR,
    rgb,
)
from seaice_data.flags import FLAG_LAND, FLAG_NO_SAR

Pixels = NDArray[np.uint8]
"""Red, green, blue and opacity (255), shape ``(y, x, 4)``: as a figure holds them, so that
nothing is converted, and four bytes are looked up at once."""

LAND, NO_SAR, OUTSIDE = 254, 253, 252
"""Tones beside classes; `CHART_FILL` is sea with SAR that has no class."""

_COAST, _HATCH = 251, 250
_TONES = {
    CHART_FILL: UNKNOWN_COLOUR,
    LAND: LAND_COLOUR,
    NO_SAR: NO_SAR_COLOUR,
    OUTSIDE: "#ffffff",
    _COAST: COAST_COLOUR,
    _HATCH: HATCH_COLOUR,
}

RAMP = ("#f7fcfd", "#bfd3e6", "#8c96c6", "#88419d", "#4d004b")
"""Of uncertainty, from sure to undecided (ColorBrewer, BuPu)."""

_SHARES = (1.0, 99.5)  # percentiles that are black and white
_LEAST_SPAN_DB = 8.0
_MOST_SAMPLED = 200_000
_GRAY_OF = (30, 245)  # darkest and lightest: neither black as ink nor white as paper


def stretch_db(plane: FloatArray) -> tuple[float, float]:
    """Return the backscatter in dB that is black and white in a panel.

    Between are all but the extreme pixels, and at least 8 dB, so that the noise of calm
    water does not look like ice.

    Parameters
    ----------
    plane
        Backscatter of the sea; NaN does not count.

    Examples
    --------
    >>> stretch_db(np.linspace(-30.0, -10.0, 2001))
    (-29.8, -10.1)
    >>> stretch_db(np.array([-24.0, np.nan, -23.0]))
    (-27.5, -19.5)
    """
    known = plane[np.isfinite(plane)]
    if not known.size:
        return -30.0, -5.0
    known = known[:: -(-known.size // _MOST_SAMPLED)]
    low, high = (float(share) for share in np.percentile(known, _SHARES))
    missing = max(_LEAST_SPAN_DB - (high - low), 0.0)
    return round(low - missing / 2, 2), round(high + missing / 2, 2)


def toned(classes: ChartArray, flags: ChartArray | None) -> ChartArray:
    """Return classes, and `LAND` or `NO_SAR` where there is none for that reason.

    Parameters
    ----------
    classes
        Shape ``(y, x)``; 255 is fill.
    flags
        Flags of the same pixels; if not given, nothing is known of fill.

    Examples
    --------
    >>> toned(np.array([3, 255, 255, 255], np.uint8), np.array([2, 0, 1, 3], np.uint8))
    array([  3, 255, 253, 254], dtype=uint8)
    """
    if flags is None:
        return classes
    is_blank = classes == CHART_FILL
    tones = classes.copy()
    tones[is_blank & (flags & FLAG_NO_SAR != 0)] = NO_SAR
    tones[is_blank & (flags & FLAG_LAND != 0)] = LAND
    return tones


def inked(tones: ChartArray, scale: float = 1.0) -> ChartArray:
    """Return tones with the coast of land, and with the hatch of missing SAR.

    Parameters
    ----------
    tones
        Classes and tones.
    scale
        Of the hatch; at 1, its lines are 9 pixels apart.
    """
    is_land, is_missing = tones == LAND, tones == NO_SAR
    if not (is_land.any() or is_missing.any()):
        return tones
    drawn = tones.copy()
    drawn[is_missing & _hatch((len(tones), tones.shape[1]), scale)] = _HATCH
    drawn[_border(is_land)] = _COAST
    return drawn


def palette(colours: Sequence[str]) -> Pixels:
    """Return the colour of each byte: classes in their colours, and tones.

    Returns
    -------
    Pixels
        Shape ``(256, 4)``; what is neither is white.
    """
    table = np.full((256, 4), 255, np.uint8)
    for value, colour in (*enumerate(colours), *_TONES.items()):
        table[value, :3] = rgb(colour)
    return table


def paint_classes(tones: ChartArray, colours: Sequence[str], scale: float = 1.0) -> Pixels:
    """Return the colours of classes and tones; `scale` is that of the hatch."""
    return _looked_up(palette(colours), inked(tones, scale))


def paint_values(
    values: FloatArray,
    tones: ChartArray,
    span: tuple[float, float],
    ramp: Sequence[str] | None = None,
    scale: float = 1.0,
) -> Pixels:
    """Return values from dark to light grey, or along a ramp of colours.

    Parameters
    ----------
    values
        Shape ``(y, x)``; NaN is not known.
    tones
        Of the same pixels; those that are not `LAND`, `NO_SAR` or `OUTSIDE` show values.
    span
        Values of the first and the last colour.
    ramp
        Colours in equal steps; greys if not given.
    scale
        Of the hatch.
    """
    low, high = span
    with np.errstate(invalid="ignore"):
        share = np.clip((values - low) * (255 / (high - low)), 0, 255)
    levels = np.nan_to_num(share).astype(np.uint16)
    levels[np.isnan(values)] = 256 + CHART_FILL
    drawn = inked(tones, scale)
    is_tone = (drawn >= _HATCH) & (drawn != CHART_FILL)
    table = np.concatenate([_levels(ramp), palette(())])
    return _looked_up(table, np.where(is_tone, 256 + drawn.astype(np.uint16), levels))


def paint_ramp(height: int, width: int, ramp: Sequence[str] | None = None) -> Pixels:
    """Return the key of `paint_values`: all its colours from left to right."""
    levels = np.linspace(0, 255, width).astype(np.uint8)
    return _looked_up(_levels(ramp), np.broadcast_to(levels, (height, width)))


def hatched(height: int, width: int, scale: float = 1.0) -> Pixels:
    """Return the pattern of missing SAR."""
    return paint_classes(np.full((height, width), NO_SAR, np.uint8), (), scale)


def _looked_up(table: Pixels, numbers: IntArray | ChartArray) -> Pixels:
    """Return the colours that a table gives to numbers."""
    whole = table.view(np.uint32)[:, 0].take(numbers)
    return np.asarray(whole[..., np.newaxis].view(np.uint8))


def _levels(ramp: Sequence[str] | None) -> Pixels:
    """Return 256 colours from first to last, shape ``(256, 4)``."""
    steps = np.linspace(0, 255, 2 if ramp is None else len(ramp))
    parts = [_GRAY_OF] * 3 if ramp is None else np.array([rgb(c) for c in ramp]).T
    table = np.full((256, 4), 255, np.uint8)
    for k, part in enumerate(parts):
        table[:, k] = np.interp(np.arange(256), steps, part)
    return table


def _hatch(shape: tuple[int, int], scale: float) -> Mask:
    """Return diagonal lines; all rows are views of one."""
    period = max(round(HATCH_PX * scale), 3)
    height, width = shape
    row = np.arange(height + width - 1) % period < max(round(1.5 * scale), 1)
    return np.lib.stride_tricks.sliding_window_view(row, width)


def _border(area: Mask) -> Mask:
    """Return the pixels of an area that have a neighbour outside it.

    Examples
    --------
    >>> _border(np.array([[1, 1, 1], [1, 1, 1], [1, 1, 0]], bool)).astype(int)
    array([[0, 0, 0],
           [0, 0, 1],
           [0, 1, 0]])
    """
    inner = area.copy()
    inner[1:] &= area[:-1]
    inner[:-1] &= area[1:]
    inner[:, 1:] &= area[:, :-1]
    inner[:, :-1] &= area[:, 1:]
    return area & ~inner

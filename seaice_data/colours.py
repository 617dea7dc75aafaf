"""Colours in which ice services publish their charts.

They are those of the World Meteorological Organization (WMO/TD-No. 1215, JCOMM Technical
Report No. 24, Ice Chart Colour Code Standard, 2014): one code for total concentration, one
for stage of development. There is none for floe size.

`seaice_model.style` has others, which can be told apart without telling red from green.
"""

import numpy as np
from numpy.typing import NDArray

from seaice_data.charts import FLOE, SIC, SOD

_STRETCH = (2, 98)  # percentiles

_OPEN_WATER = "#96c8ff"  # less than one tenth
_TENTHS_1_3, _TENTHS_4_6, _TENTHS_7_8, _TENTHS_9_10 = (
    "#8cffa0",
    "#ffff00",
    "#ff7d07",
    "#ff0000",
)

FLOE_COLOURS = ("#fff6bf", "#f9cf57", "#ee8f3f", "#c9446a", "#74227a", "#1f0733")
"""Colours of the classes of FLOE from cake ice; WMO has none."""

WMO_COLOURS = {
    SIC.name: (
        _OPEN_WATER,
        *[_TENTHS_1_3] * 3,
        *[_TENTHS_4_6] * 3,
        *[_TENTHS_7_8] * 2,
        *[_TENTHS_9_10] * 2,
    ),
    SOD.name: (_OPEN_WATER, "#f0d2fa", "#aa28f0", "#9bd200", "#007800", "#b46432"),
    FLOE.name: (_OPEN_WATER, *FLOE_COLOURS),
}
"""Colour of each class, by chart. Thick first-year ice, which includes medium ice, has the
colour of thick ice; those of FLOE are ours."""

LAND_COLOUR = "#d9cfb8"
"""Land."""

COAST_COLOUR = "#7d6c4a"
"""Border of land."""

UNKNOWN_COLOUR = "#e6e6e6"
"""Sea without a class: mixed ice without a dominant type, or outside the chart."""

NO_SAR_COLOUR = "#ffffff"
"""Sea without SAR, hatched in `HATCH_COLOUR`."""

HATCH_COLOUR = "#a8a8a8"
"""Lines across sea without SAR."""

HATCH_PX = 9
"""Pixels from one of these lines to the next."""


def stretch(plane: NDArray[np.floating]) -> tuple[float, float]:
    """Return the values that are black and white when a plane is shown: its percentiles.

    Those below the 2nd and above the 98th do not count, nor does NaN.

    Examples
    --------
    >>> stretch(np.array([0.0, 50.0, 100.0, np.nan]))
    (2.0, 98.0)
    >>> stretch(np.array([np.nan]))
    (0.0, 1.0)
    """
    known = plane[np.isfinite(plane)]
    low, high = np.percentile(known, _STRETCH) if known.size else (0.0, 1.0)
    return float(low), float(high)


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of a colour.

    Examples
    --------
    >>> rgb("#96c8ff")
    (150, 200, 255)
    """
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue

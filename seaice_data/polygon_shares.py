"""Shares of ice types in the polygons of a chart, from their egg codes.

Charts of classes have none where ice types are mixed (`seaice_data.egg_codes`). The codes
still say how much there is of each type.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, IntArray, Mask
from seaice_data.charts import CHART_FILL, FLOE, SOD
from seaice_data.egg_codes import (
    CONCENTRATIONS,
    FLOE_CLASSES,
    NOT_GIVEN,
    SIC_CLASSES,
    SOD_CLASSES,
    PolygonTable,
)

_TYPES = "ABC"
_ROUNDING = 1  # tenths by which parts may miss their total


def polygon_shares(table: PolygonTable) -> NDArray[np.float32]:
    """Return which share of each polygon has which class.

    Class 0, water, has what the total concentration leaves: the same share in SOD and in
    FLOE. Ice has the other classes.

    Parameters
    ----------
    table
        The polygons of a chart.

    Returns
    -------
    NDArray[np.float32]
        Shape ``(polygon, class)``: the classes of SOD, then those of FLOE. Each block sums
        to 1, or is NaN where the codes do not determine it.

    Notes
    -----
    Total concentrations are those of the chart of SIC, so 91, "more than nine tenths", is
    all ice and 01, "less than one tenth", is water. A code for an interval stands for its
    mid-point, and so do 91 and 01 as concentrations of a type.

    A type without a concentration is all of the ice if it is the only one. Partial
    concentrations are scaled to the total, which they may miss by one tenth. If they miss
    it by more, there is a type without a column of its own (a fourth one, code CD), and
    nothing is known of the polygon. Codes CN and CD are not in the table.

    One type of ice without a class, such as an undetermined stage (99) or fast ice (08)
    among floe sizes, leaves the block undetermined. So does a type in class 0, which is
    water: pancake ice (00) has no floe size of its own.

    Examples
    --------
    >>> header = "poly_id;CT;CA;SA;FA;CB;SB;FB;CC;SC;FC;CN;CD;CF;POLY_TYPE"
    >>> row = "7;80;60;87;04;20;81;99;-9;-9;-9;-9;-9;-9;I"
    >>> (shares,) = polygon_shares(PolygonTable.parse([header, row]))
    >>> shares[:6]
    array([0.2, 0.2, 0. , 0.6, 0. , 0. ], dtype=float32)
    >>> shares[6:]
    array([nan, nan, nan, nan, nan, nan, nan], dtype=float32)
    """
    bounds = _totals(table)
    total: NDArray[np.float64] = bounds.mean(axis=1)
    parts = _parts(table, bounds)
    blocks = [
        _block(_classes(table, "S", SOD_CLASSES), parts, total, SOD.n_classes),
        _block(_classes(table, "F", FLOE_CLASSES), parts, total, FLOE.n_classes),
    ]
    return np.concatenate(blocks, axis=1).astype(np.float32)


def _totals(table: PolygonTable) -> FloatArray:
    """Return the lowest and highest total in tenths, shape ``(polygon, 2)``."""
    bounds = table.bounds("CT")
    for code, tenths in SIC_CLASSES.items():
        bounds[table.column("CT") == code] = tenths
    bounds[table.is_water] = 0
    return bounds


def _parts(table: PolygonTable, total: FloatArray) -> NDArray[np.float64]:
    """Return how many tenths are ice of each type, in sum the total.

    Shape ``(polygon, type)``; NaN in all types where one is unknown.
    """
    bounds = np.stack([table.bounds(name) for name in CONCENTRATIONS[1:]], axis=1)
    is_given = _are_given(table)
    bounds[~is_given] = 0
    is_alone = (table.column("CA") == NOT_GIVEN) & ~is_given[:, 1:].any(axis=1)
    bounds[is_alone, 0] = total[is_alone]
    lowest, highest = bounds.sum(axis=1).T
    is_whole = (lowest <= total[:, 1] + _ROUNDING) & (highest >= total[:, 0] - _ROUNDING)
    parts: NDArray[np.float64] = bounds.mean(axis=2)
    sums = parts.sum(axis=1)
    is_known = is_whole & (sums > 0)  # neither if NaN
    scale = np.divide(
        total.mean(axis=1), sums, where=is_known, out=np.full_like(sums, np.nan)
    )
    parts *= scale[:, np.newaxis]
    parts[total[:, 1] == 0] = 0
    return parts


def _are_given(table: PolygonTable) -> Mask:
    """Return which types a polygon has, shape ``(polygon, type)``: those with any code."""
    codes = [
        np.stack([table.column(kind + letter) for kind in "CSF"], axis=-1)
        for letter in _TYPES
    ]
    given: Mask = (np.stack(codes, axis=1) != NOT_GIVEN).any(axis=2)
    return given


def _classes(table: PolygonTable, kind: str, listed: Mapping[int, int]) -> IntArray:
    """Return the class of each type, shape ``(polygon, type)``; 255 is none."""
    codes = np.stack([table.column(kind + letter) for letter in _TYPES], axis=-1)
    classes = np.full(codes.shape, CHART_FILL, dtype=np.int64)
    for code, value in listed.items():
        classes[codes == code] = value
    return classes


def _block(
    classes: IntArray,
    parts: NDArray[np.float64],
    total: NDArray[np.float64],
    n_classes: int,
) -> NDArray[np.float64]:
    """Return the shares of the classes of one chart, shape ``(polygon, class)``."""
    shares = np.zeros((len(total), n_classes))
    shares[:, 0] = 1 - total / 10
    is_ice = (classes > 0) & (classes < n_classes)
    is_known = (np.isfinite(parts) & (is_ice | (parts == 0))).all(axis=1)
    for k in range(parts.shape[1]):
        rows = np.flatnonzero(is_ice[:, k] & is_known)
        shares[rows, classes[rows, k]] += parts[rows, k] / 10
    shares[~is_known] = np.nan
    return shares

"""Polygons in longitude and latitude, cut where maps in degrees end.

They come from `PLANE`, a polar stereographic projection, in which neither the date line
nor the pole is a border. A polygon that crosses the date line becomes several, each with
longitudes from -180 to 180; one around the pole gets an edge along it (latitude 90). That
is what GeoJSON requires (RFC 7946, section 3.1.9).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, IntArray

PLANE = "EPSG:3413"
"""Polar stereographic, 45 degrees west at the bottom."""

_STEP_M = 5000.0  # edges are straight in degrees: at 87 degrees north 10 m off the plane's
_SLIT_M = 0.001  # half the width of what is cut out along the date line
_FAR_M = 3e7
_N_DIGITS = 7  # of degrees: a centimetre
_NO_GAP = 1e-6  # degrees between neighbours that touch each other
# Direction from the pole, anticlockwise from the negative y axis.
_DATE_LINE = np.radians(225)


def in_degrees(polygons: NDArray[Any]) -> NDArray[Any]:
    """Return polygons in degrees, longitude first, in the order of their rings by RFC 7946.

    Parameters
    ----------
    polygons
        Polygons (shapely) in metres of `PLANE`, none of them empty. Neighbours that share
        their vertices share them afterwards.

    Returns
    -------
    NDArray
        Polygons and multipolygons; coordinates are multiples of 1e-7 degrees.
    """
    import shapely  # late: an extra

    dense = _densified(polygons)
    slit = _slit()
    shapely.prepare(slit)
    is_cut = shapely.intersects(slit, dense)
    dense[is_cut] = shapely.difference(dense[is_cut], slit)
    return np.asarray(shapely.orient_polygons(shapely.transform(dense, _placed)))


def bounds_in_degrees(polygons: NDArray[Any]) -> tuple[float, float, float, float]:
    """Return the westernmost and southernmost, easternmost and northernmost degree.

    Parameters
    ----------
    polygons
        What `in_degrees` returns, at least one polygon.

    Returns
    -------
    tuple
        West, south, east and north, of the narrowest range of longitudes with all polygons:
        west is above east if the range contains the date line, and -180 to 180 is a band
        around the whole earth (FGDC-STD-001-1998, section 1.5.1).

    Examples
    --------
    >>> from shapely import box
    >>> bounds_in_degrees(np.array([box(170, 70, 180, 75), box(-180, 70, -175, 76)]))
    (170.0, 70.0, -175.0, 76.0)
    """
    import shapely  # late: an extra

    west, south, east, north = shapely.bounds(shapely.get_parts(polygons)).T
    order = np.argsort(west)
    west, east = west[order], np.maximum.accumulate(east[order])
    # Ranges that follow each other, and the gap after each, that after the last one too.
    gaps = np.append(west[1:], west[0] + 360) - east
    widest = int(gaps.argmax())
    ends = (-180.0, 180.0)
    if gaps[widest] > _NO_GAP:
        ends = float(np.roll(west, -1)[widest]), float(east[widest])
    return ends[0], float(south.min()), ends[1], float(north.max())


def _along(points: FloatArray) -> FloatArray:
    """Return the distance along the date line from the pole, and across it to the east.

    Shape ``(2, point)``; to the east longitudes begin at -180.
    """
    x, y = points.T
    east, north = np.sin(_DATE_LINE), np.cos(_DATE_LINE)
    return np.stack([x * east - y * north, x * north + y * east])


def _slit() -> Any:
    """Return a rectangle around the date line that ends at the pole."""
    import shapely  # late: an extra

    east, north = np.sin(_DATE_LINE), np.cos(_DATE_LINE)
    ends = [(0, -_SLIT_M), (_FAR_M, -_SLIT_M), (_FAR_M, _SLIT_M), (0, _SLIT_M)]
    return shapely.Polygon([(u * east + v * north, -u * north + v * east) for u, v in ends])


def _placed(points: FloatArray) -> FloatArray:
    """Return longitudes and latitudes; sides of the slit are the date line itself."""
    from pyproj import Transformer  # late: an extra

    to_degrees = Transformer.from_crs(PLANE, "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(*points.T)
    along, across = _along(points)
    is_side = (np.abs(across) < 2 * _SLIT_M) & (along > -_SLIT_M)
    longitude = np.where(is_side, np.where(across > 0, -180.0, 180.0), longitude)
    latitude = np.where(is_side & (along < 2 * _SLIT_M), 90.0, latitude)
    return np.round(np.stack([longitude, latitude], axis=-1), _N_DIGITS)


def _densified(polygons: NDArray[Any]) -> NDArray[Any]:
    """Add points to long edges, the same ones in both directions of an edge."""
    import shapely  # late: an extra

    kind, starts, (rings, parts) = shapely.to_ragged_array(polygons)
    ends = np.concatenate([starts[1:], starts[-1:]])
    ends[rings[1:] - 1] = starts[rings[1:] - 1]  # the last point of a ring is its first
    is_turned = (starts[:, 0] > ends[:, 0]) | (
        (starts[:, 0] == ends[:, 0]) & (starts[:, 1] > ends[:, 1])
    )
    low, high = (
        np.where(is_turned[:, None], *two) for two in ((ends, starts), (starts, ends))
    )
    n_steps = np.ceil(np.hypot(*(high - low).T) / _STEP_M).clip(1).astype(np.int64)
    at = np.append(0, np.cumsum(n_steps))
    edge: IntArray = np.repeat(np.arange(len(starts)), n_steps)
    step = np.arange(at[-1]) - at[edge]
    step = np.where(is_turned[edge], n_steps[edge] - step, step)
    dense = low[edge] + (step / n_steps[edge])[:, None] * (high - low)[edge]
    dense[at[:-1]] = starts  # not rounded otherwise
    return np.asarray(shapely.from_ragged_array(kind, dense, (at[rings], parts)))

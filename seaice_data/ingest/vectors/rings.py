"""Rings of polygons: closed, and with edges the shorter way around the Earth."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, IntArray

_WHOLE_TURN = 1 - 3e-7  # a longer edge follows a parallel around the Earth


def turn_of(system: Any) -> float | None:
    """Return how far a turn around the Earth is along x in a reference system (pyproj).

    None unless longitude is proportional to x: in degrees, and in cylindrical projections
    such as Mercator.

    Examples
    --------
    >>> from pyproj import CRS
    >>> [turn_of(CRS(code)) for code in ("EPSG:4326", "EPSG:3413")], turn_of(CRS(3857)) // 1
    ([360.0, None], 40075016.0)
    """
    import pyproj  # late: an extra

    if system.is_geographic:
        return round(2 * np.pi / float(system.axis_info[0].unit_conversion_factor), 6)
    to_map = pyproj.Transformer.from_crs("EPSG:4326", system, always_xy=True)
    longitude, latitude = np.meshgrid(np.arange(-175.0, 180.0, 10.0), [-50.0, 5.0, 60.0])
    x, _ = to_map.transform(longitude, latitude)
    steps = np.diff(x)
    step = float(np.median(steps))
    # In one interval there may be the border of the map.
    if (np.abs(steps - step) > 1e-6 * abs(step)).any(axis=0).sum() > 1:
        return None
    return abs(step) * 36


def turns_of_edges(steps: FloatArray, turn: float) -> FloatArray:
    """Return the turns to take from differences along x.

    An edge that spans more than half a turn crosses the date line, but for one of a whole
    turn, which is at a pole or the border of the map.

    Examples
    --------
    >>> turns_of_edges(np.array([3.0, -358.0, 359.0, 360.0]), 360)
    array([ 0., -1.,  1.,  0.])
    """
    share = steps / turn
    return np.where(np.abs(share) < _WHOLE_TURN, np.rint(share), 0.0)


def unrolled(polygons: NDArray[np.object_], turn: float) -> NDArray[np.object_]:
    """Return polygons (of one part) whose edges are as long as they seem.

    They go beyond the date line where a ring crosses it; holes stay within their polygon.
    A ring around a pole does not change.

    Examples
    --------
    >>> import shapely
    >>> across = shapely.Polygon([(179, 70), (-179, 70), (-179, 71), (179, 71)])
    >>> unrolled(np.array([across, shapely.box(0, 0, 1, 1)]), 360)[0].bounds
    (179.0, 70.0, 181.0, 71.0)
    """
    import shapely  # late: an extra

    places, number = shapely.get_coordinates(polygons, return_index=True)
    # Between the rings of a polygon, too, which does no harm: it is looked at below.
    is_across = turns_of_edges(np.diff(places[:, 0]), turn) != 0
    is_across &= number[1:] == number[:-1]
    result = polygons.copy()
    for k in np.unique(number[1:][is_across]):
        result[k] = _unrolled(polygons[k], turn)
    return result


def close_rings(points: FloatArray, rings: IntArray) -> None:
    """Make the last point of each ring its first one, in place.

    The same place may be rounded otherwise in the middle of an array than at its end.

    Parameters
    ----------
    points
        Shape ``(point, 2)``.
    rings
        Where each ring begins, and the end of the last one.
    """
    points[rings[1:] - 1] = points[rings[:-1]]


def _unrolled(polygon: object, turn: float) -> object:
    import shapely

    shell, *holes = (
        _unrolled_ring(shapely.get_coordinates(ring), turn)
        for ring in shapely.get_rings(polygon)
    )
    west, east = shell[:, 0].min(), shell[:, 0].max()
    for hole in holes:
        hole[:, 0] += turn * (float(hole[:, 0].min() < west) - (hole[:, 0].max() > east))
    return shapely.Polygon(shell, holes)


def _unrolled_ring(places: FloatArray, turn: float) -> FloatArray:
    turns = np.cumsum(turns_of_edges(np.diff(places[:, 0], prepend=places[0, 0]), turn))
    ring = places.copy()
    if turns[-1] == 0:  # else it goes around a pole
        ring[:, 0] -= turn * turns
    return ring

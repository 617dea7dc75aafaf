"""Rings of polygons: closed, and in degrees the shorter way around the Earth."""

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, IntArray

_WHOLE_TURN = 359.9999  # degrees: a longer edge follows a parallel around the Earth


def turns_of_edges(degrees: FloatArray) -> FloatArray:
    """Return the whole turns to take from differences of longitudes.

    An edge that spans more than 180 degrees crosses the date line, but for one of 360
    degrees, which is at a pole or the border of the map.

    Examples
    --------
    >>> turns_of_edges(np.array([3.0, -358.0, 359.0, 360.0]))
    array([ 0., -1.,  1.,  0.])
    """
    return np.where(np.abs(degrees) < _WHOLE_TURN, np.rint(degrees / 360), 0.0)


def unrolled(polygons: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return polygons (of one part) in degrees whose edges are as long as they seem.

    Longitudes go beyond 180 or -180 where a ring crosses the date line; holes stay within
    the polygon. A ring around a pole does not change.

    Examples
    --------
    >>> import shapely
    >>> across = shapely.Polygon([(179, 70), (-179, 70), (-179, 71), (179, 71)])
    >>> unrolled(np.array([across, shapely.box(0, 0, 1, 1)]))[0].bounds
    (179.0, 70.0, 181.0, 71.0)
    """
    import shapely  # late: an extra

    places, number = shapely.get_coordinates(polygons, return_index=True)
    # Between the rings of a polygon, too, which does no harm: it is looked at below.
    is_across = turns_of_edges(np.diff(places[:, 0])) != 0
    is_across &= number[1:] == number[:-1]
    result = polygons.copy()
    for k in np.unique(number[1:][is_across]):
        result[k] = _unrolled(polygons[k])
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


def _unrolled(polygon: object) -> object:
    import shapely

    shell, *holes = (
        _unrolled_ring(shapely.get_coordinates(ring)) for ring in shapely.get_rings(polygon)
    )
    west, east = shell[:, 0].min(), shell[:, 0].max()
    for hole in holes:
        hole[:, 0] += 360 * (float(hole[:, 0].min() < west) - (hole[:, 0].max() > east))
    return shapely.Polygon(shell, holes)


def _unrolled_ring(places: FloatArray) -> FloatArray:
    turns = np.cumsum(turns_of_edges(np.diff(places[:, 0], prepend=places[0, 0])))
    ring = places.copy()
    if turns[-1] == 0:  # else it goes around a pole
        ring[:, 0] -= 360 * turns
    return ring

"""Distances and areas on the ellipsoid of WGS84.

Vectors are those of geodetic degrees (`seaice_data.geolocation.unit_vectors`): they are
perpendicular to the ellipsoid.
"""

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

_A_KM, _B_KM = 6378.137, 6356.752314245
"""Semi-axes of WGS84."""

_RADIUS_KM = 6371.0


def on_ellipsoid(vectors: Float64) -> Float64:
    """Return the places in kilometres whose normals are given, of any length.

    Examples
    --------
    >>> on_ellipsoid(np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 1.0]])).round(3)
    array([[6378.137,    0.   ,    0.   ],
           [   0.   ,    0.   , 6356.752]])
    """
    squares = np.array([_A_KM**2, _A_KM**2, _B_KM**2])
    length = np.sqrt((vectors**2 * squares).sum(axis=-1, keepdims=True))
    return np.asarray(vectors * squares / length)


def arc_km(chord_km: Float64) -> Float64:
    """Return distances along the surface from straight ones.

    Up to 500 km the result is within 3 m of the geodesic.

    Examples
    --------
    >>> arc_km(np.array([20.0, 300.0])).round(4)
    array([ 20.    , 300.0277])
    """
    share = np.minimum(chord_km / (2 * _RADIUS_KM), 1)
    return np.asarray(2 * _RADIUS_KM * np.arcsin(share))

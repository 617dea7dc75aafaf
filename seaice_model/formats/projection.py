"""Positions of the pixels of a map in a polar stereographic projection."""

from importlib.util import find_spec

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.geolocation import TiePoints
from seaice_data.system.extras import extra
from seaice_data.system.geo_libraries import geo_libraries
from seaice_model.errors import MapError

PROJECTIONS = ("EPSG:3413", "EPSG:3995")
"""Polar stereographic: that of NSIDC (true scale at 70 degrees north, 45 degrees west at
the bottom), and that for the whole Arctic (true scale at 71 degrees north, Greenwich at the
bottom)."""

_PACKAGES = ("rasterio", "pyogrio", "pyproj", "shapely", "geopandas")


def check_projection(crs: str) -> str:
    """Return the name of a projection if it can be used.

    Raises
    ------
    MapError
        If it is not one of `PROJECTIONS`, or the extra ``geo`` cannot be used.
    """
    if crs not in PROJECTIONS:
        raise MapError(
            f"unknown projection {crs!r}", hint=f"known are {', '.join(PROJECTIONS)}"
        )
    with extra("geo", MapError):
        for name in _PACKAGES:
            if find_spec(name) is None:  # quicker than to import them
                raise ImportError(f"no package {name!r}")
    with geo_libraries(MapError, "geo"):  # imports most of them
        return crs


def project(longitude: FloatArray, latitude: FloatArray, crs: str) -> FloatArray:
    """Return easting and northing in metres, shape ``(2, ...)``."""
    from pyproj import Transformer  # late: an extra

    transformer = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    return np.stack(transformer.transform(longitude, latitude))


def locate(
    tie_points: TiePoints, rows: FloatArray, columns: FloatArray, crs: str
) -> FloatArray:
    """Return where pixel positions are, in metres, shape ``(2, rows, columns)``.

    Raises
    ------
    MapError
        If a tie point is south of the equator, or the points do not span a surface.
    """
    if (south := tie_points.latitude.min()) < 0:
        raise MapError(f"{crs} is for the Arctic, but a tie point is at latitude {south:g}")
    _check_surface(project(tie_points.longitude, tie_points.latitude, crs))
    latitude, longitude = tie_points.places(rows, columns)
    return project(longitude, latitude, crs)


def _check_surface(at: FloatArray) -> None:
    """Reject tie points that coincide or are on the wrong side of others."""
    across, down = np.diff(at, axis=2), np.diff(at, axis=1)
    first, last = slice(None, -1), slice(1, None)
    # The sense of rotation from x to y at each corner of the cells between points.
    turns = np.stack(
        [
            across[0, y] * down[1, :, x] - across[1, y] * down[0, :, x]
            for y in (first, last)
            for x in (first, last)
        ]
    )
    if not ((turns > 0).all() or (turns < 0).all()):
        raise MapError("tie points coincide or cross: they do not say where pixels are")

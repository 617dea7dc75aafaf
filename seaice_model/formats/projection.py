"""Positions of the pixels of a map in a map projection, polar stereographic if possible."""

from importlib.util import find_spec

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.geolocation import TiePoints
from seaice_data.system.extras import extra
from seaice_data.system.geo_libraries import geo_libraries
from seaice_data.texts import printable, shortened
from seaice_model.errors import MapError

PROJECTIONS = ("EPSG:3413", "EPSG:3995")
"""Polar stereographic: that of NSIDC (true scale at 70 degrees north, 45 degrees west at
the bottom), and that for the whole Arctic (true scale at 71 degrees north, Greenwich at the
bottom)."""

_PACKAGES = ("rasterio", "pyogrio", "pyproj", "shapely", "geopandas")


DEGREES = "EPSG:4326"
"""Longitude and latitude, WGS 84."""


def check_projection(crs: str, *, in_degrees: bool = False) -> str:
    """Return the name of a projection if it can be used.

    Parameters
    ----------
    crs
        Anything that PROJ knows: a code as ``EPSG:3413``, or a definition.
    in_degrees
        Whether `DEGREES` can be used as well.

    Raises
    ------
    MapError
        If PROJ does not know it, its axes are not in metres, or the extra ``geo`` cannot be
        used.
    """
    with extra("geo", MapError):
        for name in _PACKAGES:
            if find_spec(name) is None:  # quicker than to import them
                raise ImportError(f"no package {name!r}")
    known = f"known are {', '.join(PROJECTIONS)}, and all projections of PROJ in metres"
    with geo_libraries(MapError, "geo"):  # imports most of them
        from pyproj import CRS
        from pyproj.exceptions import CRSError

        try:
            system = CRS.from_user_input(crs)
        except CRSError as error:
            name = shortened(printable(crs))
            raise MapError(f"unknown projection {name!r}", hint=known) from error
    if is_in_degrees(crs) and in_degrees:
        return crs
    units = {axis.unit_name for axis in system.axis_info}
    if not system.is_projected or units != {"metre"}:
        raise MapError(
            f"{crs!r} is not a projection in metres",
            hint=f"{known}; {DEGREES} is for polygons only: convert "
            "to these separately, without tif, uncertainty and grid",
        )
    return crs


def is_in_degrees(crs: str) -> bool:
    """Return whether a name is that of longitude and latitude, WGS 84."""
    return crs.upper() == DEGREES


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
        raise MapError(f"maps are of the Arctic, but a tie point is at latitude {south:g}")
    _check_surface(project(tie_points.longitude, tie_points.latitude, crs), crs)
    latitude, longitude = tie_points.places(rows, columns)
    return project(longitude, latitude, crs)


def _check_surface(at: FloatArray, crs: str) -> None:
    """Reject tie points that coincide or are on the wrong side of others."""
    with np.errstate(invalid="ignore"):  # infinite beyond the border of a projection
        across, down = np.diff(at, axis=2), np.diff(at, axis=1)
    first, last = slice(None, -1), slice(1, None)
    # The sense of rotation from x to y at each corner of the cells between points.
    with np.errstate(invalid="ignore"):
        turns = np.stack(
            [
                across[0, y] * down[1, :, x] - across[1, y] * down[0, :, x]
                for y in (first, last)
                for x in (first, last)
            ]
        )
    if not ((turns > 0).all() or (turns < 0).all()):
        raise MapError(
            "tie points coincide or cross: they do not say where pixels are",
            hint=f"the border of {crs} may be in the scene: try {PROJECTIONS[0]}"
            if crs not in PROJECTIONS
            else None,
        )

"""Burn the polygons of a map into the pixels of a scene."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, IntArray, Mask
from seaice_data.errors import SceneError
from seaice_data.geolocation import unit_vectors
from seaice_data.grid import row_bands
from seaice_data.ingest.frame import Frame
from seaice_data.ingest.places.placing import Placing
from seaice_data.ingest.rasters import burn_in
from seaice_data.ingest.vectors.rings import close_rings, turn_of, turns_of_edges

NO_POLYGON = -1
"""Pixel without a polygon."""

_EARTH_M = 6.371e6
_STEP_M = 2000.0  # the edges of a map are straight in its projection: half a metre off
_BAND = 512  # rows burnt at a time: GDAL takes 8 bytes a pixel
_MOST_VERTICES = 20_000_000


def burn(polygons: NDArray[Any], crs: Any, is_shown: Mask, frame: Frame) -> IntArray:
    """Return the polygon that each pixel of a scene has its centre in.

    Parameters
    ----------
    polygons
        Polygons and multipolygons (shapely), also invalid or empty ones.
    crs
        Their coordinate reference system (pyproj). In degrees, and in cylindrical
        projections, an edge that spans more than 180 degrees of longitude crosses the
        date line.
    is_shown
        Which of them are burnt. The others, such as land, take their pixels from those
        that they overlap.
    frame
        The scene.

    Returns
    -------
    IntArray
        Positions in `polygons`, shape ``(y, x)``, int32; -1 where there is none. Where
        polygons overlap it is the last one.

    Raises
    ------
    SceneError
        If the coordinates of a polygon are not on the Earth.
    """
    import shapely  # late: an extra

    placing = Placing(frame)
    parts, numbers = shapely.get_parts(shapely.force_2d(polygons), return_index=True)
    has_area = ~shapely.is_empty(parts)
    parts, numbers = _in_plane(parts[has_area], crs, placing), numbers[has_area]
    parts, inside = placing.pixels(parts)
    numbers = numbers[inside]
    if not len(parts):
        return np.full(frame.grid.shape, NO_POLYGON, np.int32)
    order = np.lexsort((numbers, ~is_shown[numbers]))
    values = np.where(is_shown, np.arange(len(polygons)), NO_POLYGON)[numbers]
    return _rasterised(parts[order], values[order], frame.grid.shape)


def _in_plane(polygons: NDArray[Any], crs: Any, placing: Placing) -> NDArray[Any]:
    """Project polygons (of one part) to the plane of a scene."""
    import pyproj  # late: an extra
    import shapely

    step = _STEP_M / crs.axis_info[0].unit_conversion_factor
    if crs.is_geographic:
        step /= _EARTH_M
    # A damaged file may have coordinates that are far apart; steps between them would not
    # fit into memory.
    if not np.nansum(shapely.length(polygons)) / step < _MOST_VERTICES:
        raise SceneError("the polygons are larger than the Earth")
    kind, points, (rings, parts) = shapely.to_ragged_array(polygons)
    points, rings = _densified(points, rings, step, turn_of(crs))
    to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(*points.T)
    is_wrong = ~np.isfinite(longitude) | ~(np.abs(latitude) <= 90)
    if is_wrong.any():
        x, y = points[is_wrong.argmax()]
        raise SceneError(
            f"coordinates {x:g}, {y:g} of a polygon are not on the Earth in {crs.name!r}"
        )
    plane = placing.plane(unit_vectors(latitude, longitude))
    close_rings(plane, rings)
    return np.asarray(shapely.from_ragged_array(kind, plane, (rings, parts)))


def _densified(
    points: FloatArray, rings: IntArray, step: float, turn: float | None
) -> tuple[FloatArray, IntArray]:
    """Add points to the edges of rings, the shorter way around the Earth.

    GEOS would repair polygons meanwhile, and lose parts of them.

    Parameters
    ----------
    points
        Shape ``(point, 2)``.
    rings
        Where each ring begins, and the end of the last one.
    step
        Longest distance between points.
    turn
        How far it is around the Earth along x, if longitude is proportional to x.

    Returns
    -------
    tuple
        Points and rings, perhaps beyond the date line.
    """
    edges = np.diff(points, axis=0, append=points[-1:])
    edges[rings[1:] - 1] = 0  # the last point of a ring is its first one
    if turn is not None:
        edges[:, 0] -= turn * turns_of_edges(edges[:, 0], turn)
    n_steps = np.ceil(np.hypot(*edges.T) / step).clip(1).astype(np.int64)
    starts = np.append(0, np.cumsum(n_steps))
    share = np.arange(starts[-1]) - np.repeat(starts[:-1], n_steps)
    share = share / np.repeat(n_steps, n_steps)
    dense = np.repeat(points, n_steps, axis=0)
    dense += share[:, np.newaxis] * np.repeat(edges, n_steps, axis=0)
    return dense, starts[rings]


def _rasterised(parts: NDArray[Any], values: IntArray, shape: tuple[int, int]) -> IntArray:
    """Burn polygons in pixel coordinates by the centres of pixels, in their order."""
    import shapely  # late: an extra

    ids = np.full(shape, NO_POLYGON, np.int32)
    _, top, _, bottom = shapely.bounds(parts).T
    for rows in row_bands(shape[0], _BAND):
        inside = (bottom > rows.start) & (top < rows.stop)
        burn_in(ids[rows], parts[inside], values[inside], top=rows.start)
    return ids

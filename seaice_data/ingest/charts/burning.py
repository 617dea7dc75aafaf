"""Burn the polygons of a map into the pixels of a scene."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, IntArray, Mask
from seaice_data.errors import SceneError
from seaice_data.grid import row_bands
from seaice_data.ingest.charts.placing import Placing, unit_vectors
from seaice_data.ingest.frame import Frame
from seaice_data.ingest.rasters import burn_in

NO_POLYGON = -1
"""Pixel without a polygon."""

_EARTH_M = 6.371e6
_STEP_M = 2000.0  # the edges of a map are straight in its projection: half a metre off
_WHOLE_TURN = 359.9999  # degrees: a longer edge follows a parallel around the Earth
_BAND = 512  # rows burnt at a time: GDAL takes 8 bytes a pixel
_MOST_VERTICES = 20_000_000


def burn(polygons: NDArray[Any], crs: Any, is_shown: Mask, frame: Frame) -> IntArray:
    """Return the polygon that each pixel of a scene has its centre in.

    Parameters
    ----------
    polygons
        Polygons and multipolygons (shapely), also invalid or empty ones.
    crs
        Their coordinate reference system (pyproj). In degrees, an edge that spans more
        than 180 degrees of longitude crosses the date line.
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
    outline = shapely.Polygon(placing.outline())
    if not shapely.is_valid(outline):
        raise SceneError("the tie points of the scene are not in order: it crosses itself")
    parts, inside = _clipped(parts, outline)
    numbers = numbers[inside]
    if not len(parts):
        return np.full(frame.grid.shape, NO_POLYGON, np.int32)
    kind, points, (rings, wholes) = shapely.to_ragged_array(parts)
    # Rasters have their first corner at 0, scenes the centre of their first pixel.
    points = placing.positions(points) + 0.5
    _close(points, rings)
    parts = shapely.from_ragged_array(kind, points, (rings, wholes))
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
    points, rings = _densified(points, rings, step, is_degrees=crs.is_geographic)
    to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(*points.T)
    is_wrong = ~np.isfinite(longitude) | ~(np.abs(latitude) <= 90)
    if is_wrong.any():
        x, y = points[is_wrong.argmax()]
        raise SceneError(
            f"coordinates {x:g}, {y:g} of a polygon are not on the Earth in {crs.name!r}"
        )
    plane = placing.plane(unit_vectors(latitude, longitude))
    _close(plane, rings)
    return np.asarray(shapely.from_ragged_array(kind, plane, (rings, parts)))


def _densified(
    points: FloatArray, rings: IntArray, step: float, *, is_degrees: bool
) -> tuple[FloatArray, IntArray]:
    """Add points to the edges of rings; in degrees, the shorter way around the Earth.

    GEOS would repair polygons meanwhile, and lose parts of them.

    Parameters
    ----------
    points
        Shape ``(point, 2)``.
    rings
        Where each ring begins, and the end of the last one.
    step
        Longest distance between points.
    is_degrees
        Whether they are longitudes and latitudes.

    Returns
    -------
    tuple
        Points and rings, longitudes perhaps beyond 180 degrees.
    """
    edges = np.diff(points, axis=0, append=points[-1:])
    edges[rings[1:] - 1] = 0  # the last point of a ring is its first one
    if is_degrees:
        turns = np.where(np.abs(edges[:, 0]) < _WHOLE_TURN, np.rint(edges[:, 0] / 360), 0)
        edges[:, 0] -= 360 * turns
    n_steps = np.ceil(np.hypot(*edges.T) / step).clip(1).astype(np.int64)
    starts = np.append(0, np.cumsum(n_steps))
    share = np.arange(starts[-1]) - np.repeat(starts[:-1], n_steps)
    share = share / np.repeat(n_steps, n_steps)
    dense = np.repeat(points, n_steps, axis=0)
    dense += share[:, np.newaxis] * np.repeat(edges, n_steps, axis=0)
    return dense, starts[rings]


def _close(points: FloatArray, rings: IntArray) -> None:
    """Make the last point of each ring its first one, in place.

    The same place may be rounded otherwise in the middle of an array than at its end.
    """
    points[rings[1:] - 1] = points[rings[:-1]]


def _made_valid(polygons: NDArray[Any]) -> NDArray[Any]:
    """Return polygons without crossings and spikes, those that overlap merged."""
    import shapely  # late: an extra

    valid = polygons.copy()
    is_broken = ~shapely.is_valid(polygons)
    valid[is_broken] = shapely.make_valid(
        polygons[is_broken], method="structure", keep_collapsed=False
    )
    return valid


def _clipped(polygons: NDArray[Any], outline: Any) -> tuple[NDArray[Any], IntArray]:
    """Return the parts of polygons within an outline, and the number of their polygon."""
    import shapely  # late: an extra

    shapely.prepare(outline)
    numbers = np.flatnonzero(
        shapely.intersects(shapely.box(*shapely.bounds(polygons).T), outline)
    )
    near = _made_valid(polygons[numbers])
    is_cut = ~shapely.contains_properly(outline, near)
    near[is_cut] = shapely.intersection(near[is_cut], outline)
    # Polygons that touch the outline leave lines and points, within collections too.
    parts, whole = shapely.get_parts(near, return_index=True)
    is_polygon = shapely.get_dimensions(parts) == 2
    is_polygon &= ~shapely.is_empty(parts)
    return parts[is_polygon], numbers[whole[is_polygon]]


def _rasterised(parts: NDArray[Any], values: IntArray, shape: tuple[int, int]) -> IntArray:
    """Burn polygons in pixel coordinates by the centres of pixels, in their order."""
    import shapely  # late: an extra

    ids = np.full(shape, NO_POLYGON, np.int32)
    _, top, _, bottom = shapely.bounds(parts).T
    for rows in row_bands(shape[0], _BAND):
        inside = (bottom > rows.start) & (top < rows.stop)
        burn_in(ids[rows], parts[inside], values[inside], top=rows.start)
    return ids

"""Burn the polygons of a map into the pixels of a scene."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, IntArray, Mask
from seaice_data.errors import SceneError
from seaice_data.grid import row_bands
from seaice_data.ingest.frame import Frame
from seaice_data.ingest.placing import Placing, unit_vectors

NO_POLYGON = -1
"""Pixel without a polygon."""

_EARTH_M = 6.371e6
_STEP_M = 2000.0  # the edges of a map are straight in its projection: half a metre off
_WHOLE_TURN = 359.9999  # degrees: a longer edge follows a parallel around the Earth
_BAND = 512  # rows burnt at a time: GDAL takes 8 bytes a pixel
_VERTICES = 30_000  # burnt at a time: GDAL gets them as objects of 100 bytes and more
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
    flat = _in_plane(polygons, crs, placing)
    outline = shapely.Polygon(placing.outline())
    if not shapely.is_valid(outline):
        raise SceneError("the tie points of the scene are not in order: it crosses itself")
    parts, numbers = _clipped(flat, outline)
    coordinates = shapely.get_coordinates(parts)
    # Rasters have their first corner at 0, scenes the centre of their first pixel.
    parts = _moved(parts, placing.positions(coordinates) + 0.5)
    order = np.lexsort((numbers, ~is_shown[numbers]))
    values = np.where(is_shown, np.arange(len(polygons)), NO_POLYGON)[numbers]
    return _rasterised(parts[order], values[order], frame.grid.shape)


def _in_plane(polygons: NDArray[Any], crs: Any, placing: Placing) -> NDArray[Any]:
    """Project polygons to the plane of a scene."""
    import pyproj  # late: an extra
    import shapely

    polygons = shapely.force_2d(polygons)
    step = _STEP_M / crs.axis_info[0].unit_conversion_factor
    if crs.is_geographic:
        step /= _EARTH_M
    # A damaged file may have coordinates that are far apart; steps between them would not
    # fit into memory.
    if not np.nansum(shapely.length(polygons)) / step < _MOST_VERTICES:
        raise SceneError("the polygons are larger than the Earth")
    crosses = _crosses_the_date_line(polygons) & bool(crs.is_geographic)
    # GEOS would lose parts of an invalid polygon while it adds points to it.
    polygons[~crosses] = shapely.segmentize(_made_valid(polygons[~crosses]), step)
    for number in np.flatnonzero(crosses):
        polygons[number] = _segmentized(polygons[number], step)
    to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(*shapely.get_coordinates(polygons).T)
    is_wrong = ~np.isfinite(longitude) | ~(np.abs(latitude) <= 90)
    if is_wrong.any():
        x, y = shapely.get_coordinates(polygons)[is_wrong.argmax()]
        raise SceneError(
            f"coordinates {x:g}, {y:g} of a polygon are not on the Earth in {crs.name!r}"
        )
    plane = placing.plane(unit_vectors(latitude, longitude))
    return _moved(polygons, plane)


def _made_valid(polygons: NDArray[Any]) -> NDArray[Any]:
    """Return polygons without crossings and spikes, those that overlap merged."""
    import shapely  # late: an extra

    valid = polygons.copy()
    is_broken = ~shapely.is_valid(polygons)
    valid[is_broken] = shapely.make_valid(
        polygons[is_broken], method="structure", keep_collapsed=False
    )
    return valid


def _moved(polygons: NDArray[Any], coordinates: FloatArray) -> NDArray[Any]:
    """Return polygons with other coordinates, their rings closed."""
    import shapely  # late: an extra

    # The same place may be rounded otherwise in the middle of an array than at its end.
    _, ring = shapely.get_coordinates(shapely.get_rings(polygons), return_index=True)
    first = np.flatnonzero(np.diff(ring, prepend=-1))
    last = np.flatnonzero(np.diff(ring, append=-1))
    coordinates[last] = coordinates[first]
    return np.asarray(shapely.set_coordinates(polygons, coordinates))


def _crosses_the_date_line(polygons: NDArray[Any]) -> Mask:
    """Return which polygons have an edge that is shorter across the date line."""
    import shapely  # late: an extra

    rings, polygon = shapely.get_rings(polygons, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    step = np.abs(np.diff(points[:, 0]))
    is_jump = (step > 180) & (step < _WHOLE_TURN) & (ring[1:] == ring[:-1])
    crosses = np.zeros(len(polygons), bool)
    crosses[polygon[ring[1:][is_jump]]] = True
    return crosses


def _segmentized(polygon: Any, step: float) -> Any:
    """Add points to the edges of a polygon in degrees, the shorter way around the Earth."""
    import shapely  # late: an extra

    parts = []
    for part in shapely.get_parts(polygon):
        rings = []
        for ring in shapely.get_rings(part):
            points = shapely.get_coordinates(ring)
            edges = np.diff(points, axis=0)
            turns = np.where(
                np.abs(edges[:, 0]) < _WHOLE_TURN, np.rint(edges[:, 0] / 360), 0
            )
            edges[:, 0] -= 360 * turns
            n_steps = np.ceil(np.hypot(*edges.T) / step).clip(1).astype(int)
            first = np.repeat(np.cumsum(n_steps) - n_steps, n_steps)
            share = (np.arange(n_steps.sum()) - first) / np.repeat(n_steps, n_steps)
            dense = np.repeat(points[:-1], n_steps, axis=0)
            dense += share[:, np.newaxis] * np.repeat(edges, n_steps, axis=0)
            rings.append(np.concatenate([dense, dense[:1]]))
        parts.append(shapely.Polygon(rings[0], rings[1:]))
    return shapely.MultiPolygon(parts)


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
    from rasterio import Affine
    from rasterio.features import rasterize

    ids = np.full(shape, NO_POLYGON, np.int32)
    _, top, _, bottom = shapely.bounds(parts).T
    for rows in row_bands(shape[0], _BAND):
        inside = np.flatnonzero((bottom > rows.start) & (top < rows.stop))
        n_before = np.cumsum(shapely.get_num_coordinates(parts[inside]))
        for some in np.split(inside, np.flatnonzero(np.diff(n_before // _VERTICES)) + 1):
            if len(some):
                rasterize(
                    zip(parts[some], values[some].tolist(), strict=True),
                    out=ids[rows],
                    transform=Affine.translation(0, rows.start),
                    dtype=np.int32,
                )
    return ids

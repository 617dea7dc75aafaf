"""How far the pixels of a scene are from land."""

from pathlib import Path

import numpy as np

from seaice_data.arrays import Mask
from seaice_data.geolocation import unit_vectors
from seaice_data.ingest.coasts.coastlines import (
    Area,
    Polygons,
    clipped,
    coast_of_file,
    installed_coast,
)
from seaice_data.ingest.coasts.distances import zones_of_pixels
from seaice_data.ingest.frame import Frame
from seaice_data.ingest.parts import DistanceZones
from seaice_data.ingest.places.ellipsoid import Float64, on_ellipsoid
from seaice_data.ingest.places.placing import Placing
from seaice_data.ingest.places.positions import TieVectors, pixel_vectors
from seaice_data.ingest.rasters import burn_in
from seaice_data.system.memory import give_back
from seaice_data.zones import LARGEST_KM

_LAST_ZONE = 41

_NEAR_KM = 30.0
"""Distance around the circle about a scene in which points along the coast are dense."""

_DENSE_KM, _SPARSE_KM = 0.08, 0.5
"""Largest distance between points along the coast, near a scene and elsewhere."""

_MARGIN = 1.02


def read_land(frame: Frame, coast: Path | None = None) -> DistanceZones:
    """Return the zone of distance to land of each pixel of a scene.

    Land is what the polygons of a coast contain, their edges included; a hole in a polygon
    is water, a lake without a hole is land. A pixel is on land if its centre is. Distances
    are geodesic, to the nearest point of the coast up to 300 km beyond the scene; an island
    that contains no centre of a pixel still has zone 1 around it.

    Parameters
    ----------
    frame
        The pixels of the scene.
    coast
        File of polygons of land, instead of the coast that is installed: any vector file
        that GDAL reads, in any coordinate reference system, also in a zip.

    Returns
    -------
    DistanceZones
        Zones 0 (land) to 41 (beyond 300 km), see `seaice_data.zones`, and the coast in
        words. Without ``coast`` it is OpenStreetMap's, as in AI4Arctic.

    Raises
    ------
    SceneError
        If `coast` is missing, damaged, does not say where it is, has something else than
        polygons, or ends more than 2000 km from the scene. Also if the extra ``ingest`` is
        not installed. A coast that is nearer, but has no land within 300 km, is accepted:
        all zones are 41, and the words say so.
    """
    ties = TieVectors.of(frame.tie_points)
    area = _area(ties, frame.grid.shape)
    if coast is None:
        land, name = installed_coast(area)
    else:
        land, name = coast_of_file(coast, area), coast.name
    points = _points(land, area)
    is_land = _is_land(land, frame)  # changes the polygons
    del land
    give_back()  # 0.1 GB of polygons, 0.3 GB along coasts with many islands
    zones = zones_of_pixels(ties, points, is_land)
    del points
    give_back()
    if zones.min() == _LAST_ZONE:
        name += f", which has no land within {LARGEST_KM} km"
    return DistanceZones(zones, name)


def _area(ties: TieVectors, shape: tuple[int, int]) -> Area:
    """Return the area in which the coast of a scene is sought."""
    middle = ties.middle
    cosine = (_outline(ties, shape) @ middle).min()
    radius = 6400 * float(np.arccos(min(cosine, 1.0)))
    return Area(
        latitude=float(np.degrees(np.arcsin(middle[2]))),
        longitude=float(np.degrees(np.arctan2(middle[1], middle[0]))),
        radius_km=_MARGIN * (radius + LARGEST_KM),
    )


def _outline(ties: TieVectors, shape: tuple[int, int]) -> Float64:
    """Return unit vectors of pixels all over a scene, its border included."""
    rows, columns = (np.linspace(-0.5, n - 0.5, 41) for n in shape)
    y, x = (grid.ravel() for grid in np.meshgrid(rows, columns))
    pixels = pixel_vectors(ties, y, x)
    return np.asarray(pixels / np.linalg.norm(pixels, axis=1, keepdims=True))


def _points(land: Polygons, area: Area) -> Float64:
    """Return points along the coast, in kilometres, shape ``(n, 3)``."""
    import shapely

    rings = shapely.get_rings(land)
    degrees, ring = shapely.get_coordinates(rings, return_index=True)
    places = on_ellipsoid(unit_vectors(degrees[:, 1], degrees[:, 0]))
    edges = np.nonzero(ring[1:] == ring[:-1])[0]
    start, along = places[edges], places[edges + 1] - places[edges]
    middle = on_ellipsoid(unit_vectors(np.array(area.latitude), np.array(area.longitude)))
    scene_km = area.radius_km / _MARGIN - LARGEST_KM
    is_near = np.linalg.norm(start - middle, axis=1) < scene_km + _NEAR_KM
    longest = np.where(is_near, _DENSE_KM, _SPARSE_KM)
    n = np.maximum(np.ceil(np.linalg.norm(along, axis=1) / longest), 1).astype(np.intp)
    edge = np.repeat(np.arange(len(n)), n)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(n) - n, n)
    return np.asarray(start[edge] + along[edge] * (step / n[edge])[:, None])


def _is_land(land: Polygons, frame: Frame) -> Mask:
    """Return which pixels have their centre on land."""
    import shapely  # late: an extra

    # Whatever was clipped for the scene is in one piece in the plane.
    placing, degrees = Placing(frame), shapely.get_coordinates(land)
    plane = placing.plane(unit_vectors(degrees[:, 1], degrees[:, 0]))
    land = shapely.set_coordinates(land, plane)
    outline = placing.outline()
    near = clipped(land, np.concatenate([outline.min(axis=0), outline.max(axis=0)])[None])
    parts, _ = placing.pixels(near)
    burnt = np.zeros(frame.grid.shape, dtype=np.uint8)
    burn_in(burnt, parts, np.ones(len(parts), dtype=np.intp))
    return burnt.view(np.bool_)

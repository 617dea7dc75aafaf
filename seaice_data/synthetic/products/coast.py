"""The coast of a synthetic scene as a file of polygons."""

from pathlib import Path
from typing import Any

import numpy as np

from seaice_data.synthetic.coastline import Float64, coast_field, positions_km
from seaice_data.synthetic.fields import Float32
from seaice_data.synthetic.nodes import SWATH_KM, Nodes
from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.plan import ScenePlan, heading_deg, swath_middle
from seaice_data.synthetic.surface import Border, Surface

_CRS = "EPSG:3413"
"""Polar stereographic, as charts of the Arctic are: coasts may cross the date line."""

_EDGE_KM = 0.5
"""Largest length of an edge, which is straight in the scene, not in the file."""

_LENGTH_KM, _DEPTH_KM = 2000.0, 400.0
"""A straight coast outside the swath, and how deep its land is."""


def write_coast(folder: Path, scene: Observation) -> Path:
    """Write the land in and around a scene, ``coast.gpkg``, for `seaice ingest --coast`.

    It is the land from which the distance zones of the scene are made: that of the scene
    and up to 30 km around it in detail, that of the whole swath beyond, or a straight coast
    outside the swath. Layer ``land``, polygons in polar stereographic coordinates.

    Parameters
    ----------
    folder
        Where to write; it must exist.
    scene
        The scene.

    Returns
    -------
    Path
        The file.
    """
    import pyogrio  # late: an extra
    import shapely

    plan, surface = scene.plan, scene.surface
    land = shapely.segmentize(_land(surface), _EDGE_KM)
    places = _on_map(plan, shapely.get_coordinates(land))
    path = folder / "coast.gpkg"
    pyogrio.raw.write(
        path,
        geometry=shapely.to_wkb(shapely.set_coordinates(land, places)),
        field_data=[],
        fields=np.empty(0, dtype=np.object_),
        layer="land",
        crs=_CRS,
        geometry_type="Polygon",
    )
    return path


def _land(surface: Surface) -> Any:
    """Return the land as polygons of shapely: kilometres along samples and lines."""
    import shapely

    swath = surface.swath
    if swath.shore is not None:
        return np.array([_straight_coast(surface.nodes.plan, swath.shore)])
    if swath.coast is None:
        return np.empty(0, dtype=np.object_)
    near = _polygons(surface.around, coast_field(surface))
    far = _polygons(swath.nodes, -swath.coast)
    y, x = positions_km(surface.around)
    around = shapely.box(x[0], y[0, 0], x[-1], y[-1, 0])
    rest = shapely.get_parts(shapely.difference(shapely.make_valid(far), around))
    parts = np.concatenate([near, shapely.get_parts(rest)])
    return parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]


def _polygons(nodes: Nodes, field: Float32) -> Any:
    """Return where a field is below 0."""
    import shapely
    from contourpy import FillType, contour_generator

    y, x = positions_km(nodes)
    generator = contour_generator(x=x, y=y[:, 0], z=field, fill_type=FillType.OuterOffset)
    found = zip(*generator.filled(-np.inf, 0), strict=True)
    return np.array(
        [
            shapely.Polygon(rings[0], rings[1:])
            for rings in (np.split(points, ends[1:-1]) for points, ends in found)
        ],
        dtype=np.object_,
    )


def _straight_coast(plan: ScenePlan, shore: Border) -> Any:
    """Return the land beyond a straight coast outside the swath."""
    import shapely

    along, across = plan.image_direction(shore.azimuth_deg)
    inland, sideways = np.array([across, along]), np.array([along, -across])
    start = inland * shore.position * SWATH_KM
    corners = [
        start + side * _LENGTH_KM / 2 * sideways + depth * _DEPTH_KM * inland
        for side, depth in ((-1, 0), (1, 0), (1, 1), (-1, 1))
    ]
    return shapely.Polygon(corners)


def _on_map(plan: ScenePlan, places_km: Float64) -> Float64:
    """Return places on the map of positions ``(across, along)`` in a swath."""
    import pyproj

    latitude, longitude = swath_middle(plan)
    heading = np.deg2rad(heading_deg(plan))
    across, along = 1000 * places_km.T
    east = along * np.sin(heading) + across * np.cos(heading)
    north = along * np.cos(heading) - across * np.sin(heading)
    sphere = pyproj.Proj(proj="aeqd", R=6371000, lat_0=latitude, lon_0=longitude)
    degrees = sphere(east, north, inverse=True)
    onto = pyproj.Transformer.from_crs("EPSG:4326", _CRS, always_xy=True)
    return np.stack(onto.transform(*degrees), axis=-1)

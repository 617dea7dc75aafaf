"""Frames anywhere on the Earth, and files of polygons, for tests of own scenes."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pyproj
import shapely

from seaice_data.geolocation import TiePoints
from seaice_data.grid import SPACING_M, Grid
from seaice_data.ingest.frame import Frame

_TIME = datetime(2022, 11, 30, 1, 43, 42, tzinfo=UTC)


def frame_at(
    latitude: float, longitude: float, shape: tuple[int, int], azimuth: float = 0.0
) -> Frame:
    """Return a scene of 80 m pixels around a place, whose lines go towards an azimuth.

    21 x 21 tie points on the ellipsoid; distances from the place are true.
    """
    lines, samples = (np.linspace(0, n - 1, 21) for n in shape)
    along = (lines - (shape[0] - 1) / 2)[:, None] * SPACING_M
    across = (samples - (shape[1] - 1) / 2) * SPACING_M
    direction = azimuth + np.degrees(np.arctan2(across, along))
    distance = np.hypot(along, across)
    start = np.full(distance.shape, longitude), np.full(distance.shape, latitude)
    east, north, _ = pyproj.Geod(ellps="WGS84").fwd(*start, direction, distance)
    grid = Grid(*shape, SPACING_M)
    return Frame(grid, TiePoints(north, east, lines, samples), _TIME, _TIME)


def local_crs(latitude: float, longitude: float) -> str:
    """Return a projection with true distances from a place, in metres."""
    return f"+proj=aeqd +lat_0={latitude} +lon_0={longitude} +ellps=WGS84"


def write_polygons(
    path: Path, polygons: Sequence[Any], crs: str | None, kind: str = "Polygon"
) -> Path:
    """Write geometries of shapely to a vector file of any format."""
    pyogrio.raw.write(
        path,
        geometry=shapely.to_wkb(np.array(polygons, dtype=object)),
        field_data=[],
        fields=np.empty(0, dtype=object),
        crs=crs,
        geometry_type=kind,
    )
    return path


def moved(polygons: Sequence[Any], crs: str, target: str) -> list[Any]:
    """Return polygons in another projection, with edges of at most 50 m."""
    transform = pyproj.Transformer.from_crs(crs, target, always_xy=True)
    fine = shapely.segmentize(np.array(polygons, dtype=object), 50)
    places = transform.transform(*shapely.get_coordinates(fine).T)
    return list(shapely.set_coordinates(fine, np.stack(places, axis=-1)))

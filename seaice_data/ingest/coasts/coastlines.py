"""Polygons of land around a scene: of a data set that is installed, or of a file.

Land is clipped where it is stored, in the coordinates in which its edges are straight:
near a pole or the date line, polygons in degrees are not what they seem.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from seaice_data.errors import SceneError
from seaice_data.ingest.coasts.ellipsoid import Float64
from seaice_data.system.compiled import compiled
from seaice_data.texts import printable

Polygons = NDArray[np.object_]
"""Polygons of shapely: longitude and latitude of WGS84. An edge is at most about 1 km long,
so its shape does not matter; it may cross the date line."""

_EDGE_M = 1000.0
_EDGE_DEG = 0.01

_POLYGON, _SEVERAL = 3, 4  # types of shapely; the latter and higher ones have parts

_RADIUS_KM = 6357.0  # the smallest: angles are never too small

_FAR_KM = 2000
"""Distance of a coast that does not belong to the scene, but to another one."""

_HINT = "install it with `pip install 'seaice[ingest]'`"

_ENDINGS = (".shp", ".gpkg", ".geojson", ".json", ".fgb", ".gml", ".kml")
"""Names of vector files in a zip."""


@dataclass(frozen=True, slots=True)
class Area:
    """All places up to a distance from a place."""

    latitude: float
    longitude: float
    radius_km: float

    @property
    def boxes(self) -> Float64:
        """Boxes of degrees that cover it, shape ``(n, 4)``: west, south, east, north.

        Longitudes are those of any convention, from -360 to 540.
        """
        arc = np.degrees(self.radius_km / _RADIUS_KM)
        south, north = self.latitude - arc, self.latitude + arc
        if south <= -90 or north >= 90:
            return np.array([[-360.0, max(south, -90.0), 540.0, min(north, 90.0)]])
        wide = np.sin(np.radians(arc)) / np.cos(np.radians(self.latitude))
        width = np.degrees(np.arcsin(min(wide, 1.0)))
        return np.array(
            [
                [self.longitude + turn - width, south, self.longitude + turn + width, north]
                for turn in (-360, 0, 360)
            ]
        )

    def sampled(self) -> tuple[Float64, Float64]:
        """Return longitudes and latitudes of places in it, 50 of which make its width."""
        from pyproj import Geod  # late: an extra

        distance, azimuth = np.meshgrid(
            np.linspace(0, 1000 * self.radius_km, 26), np.arange(0, 360, 3.0)
        )
        start = (
            np.full(distance.shape, self.longitude),
            np.full_like(distance, self.latitude),
        )
        longitude, latitude, _ = Geod(ellps="WGS84").fwd(*start, azimuth, distance)
        return np.ravel(longitude), np.ravel(latitude)


def installed_coast(area: Area) -> tuple[Polygons, str]:
    """Return the land in an area and the name of its data set.

    OpenStreetMap's coast, as AI4Arctic has it, from the package ``roaring-landmask``, which
    contains all polygons of the Earth. Of its own answers, 1 in 2000 off Severnaya Zemlya
    is water for land next to the coast, so only its polygons are used.

    Raises
    ------
    SceneError
        If the extra ``ingest`` is not installed.
    """
    with _libraries("the coast"):
        import roaring_landmask  # late: an extra
        import shapely

        # Decompressing takes 3.5 s, nearly all of the time, and 0.4 GB for a moment.
        data = roaring_landmask.Shapes.wkb(roaring_landmask.LandmaskProvider.Osm)
        boxes = area.boxes
        place = np.empty((np.frombuffer(data, "<u4", 1, 5)[0], 2), dtype=np.int64)
        n = _choose(np.frombuffer(data, np.uint8), boxes, place)
        found = shapely.from_wkb([data[start:stop] for start, stop in place[:n]])
        del data
        name = f"OpenStreetMap, in roaring-landmask {version('roaring-landmask')}"
        return np.asarray(shapely.segmentize(clipped(found, boxes), _EDGE_DEG)), name


def coast_of_file(path: Path, area: Area) -> Polygons:
    """Return the land in an area, from a file of polygons.

    Any vector file that GDAL reads, in any coordinate reference system, also in a zip.
    Holes of a polygon are water.

    Raises
    ------
    SceneError
        If the file is missing, damaged, does not say where it is, has something else than
        polygons, or ends farther than 2000 km from the area. Also if the extra ``ingest``
        is not installed.
    """
    if not path.exists():
        raise SceneError(f"there is no coast {str(path)!r}")
    if not (path.is_dir() or path.is_file()):  # a pipe would block
        raise SceneError(f"coast {str(path)!r} is not a regular file")
    with _libraries(f"coast {str(path)!r}"):
        import pyogrio  # late: an extra
        import shapely

        place = _place(path)
        layer = _layer(path, pyogrio.list_layers(place))
        about = pyogrio.read_info(place, layer=layer, force_total_bounds=True)
        if not about["crs"]:
            raise SceneError(
                f"coast {str(path)!r} does not say its coordinate reference system",
                hint="a shapefile needs its .prj file",
            )
        if not about["features"]:
            raise SceneError(f"coast {str(path)!r} has no polygons")
        extent = np.array(about["total_bounds"])
        far = replace(area, radius_km=area.radius_km + _FAR_KM)
        if not _meet(_boxes(about["crs"], far)[0], extent).any():
            raise SceneError(
                f"coast {str(path)!r} ends more than {_FAR_KM} km from the scene",
                hint="take a coast of the area of the scene, or leave out --coast",
            )
        boxes, edge = _boxes(about["crs"], area)
        boxes = boxes[_meet(boxes, extent)]
        parts = [np.empty(0, dtype=np.object_)]
        for box in boxes:
            _, _, found, _ = pyogrio.raw.read(
                place, layer=layer, columns=[], bbox=tuple(box), force_2d=True
            )
            polygons = _only_polygons(path, shapely.from_wkb(found))
            parts.append(shapely.segmentize(clipped(polygons, box[None]), edge))
        land = _in_degrees(np.concatenate(parts), about["crs"])
        if not np.isfinite(shapely.get_coordinates(land)).all():
            raise SceneError(f"coast {str(path)!r} has places that are not on the Earth")
        return land


@contextmanager
def _libraries(subject: str) -> Iterator[None]:
    """Use GDAL, PROJ and GEOS; what they raise becomes an error of ours."""
    try:
        import pyogrio.errors
        import pyproj.exceptions
        import rasterio.errors
        import shapely.errors
    except ImportError as error:
        raise _missing(subject, error) from error
    try:
        yield
    except ImportError as error:
        raise _missing(subject, error) from error
    except (
        pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError,
        pyogrio.errors.FeatureError, pyogrio.errors.GeometryError,
        pyproj.exceptions.ProjError, rasterio.errors.RasterioError,
        shapely.errors.ShapelyError, OSError, BadZipFile,
    ) as error:  # fmt: skip
        words = printable(" ".join(str(error).split()))
        raise SceneError(f"{subject} cannot be read: {words}") from error


def _missing(subject: str, error: ImportError) -> SceneError:
    name = (error.name or "").split(".")[0]
    return SceneError(f"{subject} needs the package {name!r}", hint=_HINT)


def _place(path: Path) -> str:
    """Return what GDAL opens: the file, or the one in a zip."""
    if path.suffix.lower() != ".zip":
        return str(path)
    with ZipFile(path) as archive:
        names = [n for n in archive.namelist() if n.lower().endswith(_ENDINGS)]
    if len(names) != 1:
        raise SceneError(
            f"coast {str(path)!r} contains {len(names)} vector files",
            hint=f"it needs one that ends in {', '.join(_ENDINGS)}",
        )
    return f"/vsizip/{{{path}}}/{names[0]}"


def _layer(path: Path, layers: NDArray[np.object_]) -> str:
    """Return the layer that has polygons, or may have."""
    names = [name for name, kind in layers if "Polygon" in str(kind)]
    names += [name for name, kind in layers if kind in ("Unknown", "GeometryCollection")]
    if not names:
        kinds = sorted({str(kind) for _, kind in layers}) or ["no layers"]
        raise SceneError(
            f"coast {str(path)!r} has no polygons, but {', '.join(kinds)}",
            hint="lines do not say on which side the land is: take polygons of land",
        )
    if len(names) > 1:
        raise SceneError(
            f"coast {str(path)!r} has {len(names)} layers of polygons: "
            f"{printable(', '.join(map(repr, names[:3])))}",
            hint="save the land alone to a file",
        )
    return str(names[0])


def _only_polygons(path: Path, found: Polygons) -> Polygons:
    """Return polygons, not several in one; refuse all else."""
    import shapely

    parts = _parts(found)
    others = shapely.get_type_id(parts) != _POLYGON
    if others.any():
        raise SceneError(
            f"coast {str(path)!r} has {int(others.sum())} geometries that are not "
            f"polygons, the first a {parts[others][0].geom_type}",
            hint="lines do not say on which side the land is: take polygons of land",
        )
    # A polygon that crosses itself cannot be clipped.
    is_crossed = ~shapely.is_valid(parts)
    crossed = _parts(shapely.make_valid(parts[is_crossed]))
    areas = crossed[shapely.get_type_id(crossed) == _POLYGON]
    return np.concatenate([parts[~is_crossed], areas])


def _boxes(crs: str, area: Area) -> tuple[Float64, float]:
    """Return boxes that cover an area, and about 1 km, in the units of a CRS."""
    import pyproj

    system = pyproj.CRS.from_user_input(crs)
    if system.is_geographic:
        return area.boxes, _EDGE_DEG
    transform = pyproj.Transformer.from_crs("EPSG:4326", system, always_xy=True)
    places = np.stack(transform.transform(*area.sampled()))
    places = places[:, np.isfinite(places).all(axis=0)]
    edge = _EDGE_M / system.axis_info[0].unit_conversion_factor
    if not places.size:
        return np.empty((0, 4)), edge
    low, high = places.min(axis=1), places.max(axis=1)
    margin = 0.05 * (high - low)
    return np.concatenate([low - margin, high + margin])[None], edge


def _meet(boxes: Float64, extent: Float64) -> NDArray[np.bool_]:
    """Return which boxes have something in common with another one."""
    low, high = boxes[:, :2] <= extent[2:], boxes[:, 2:] >= extent[:2]
    return np.asarray((low & high).all(axis=1))


def clipped(polygons: Polygons, boxes: Float64) -> Polygons:
    """Return what of polygons is in any of the boxes (west, south, east, north)."""
    import shapely

    parts = [_parts(shapely.clip_by_rect(polygons, *box)) for box in boxes]
    found = np.concatenate(parts)
    return np.asarray(found[shapely.get_type_id(found) == _POLYGON])


def _parts(found: Polygons) -> Polygons:
    """Return geometries without several in one, and without empty ones."""
    import shapely

    parts = shapely.get_parts(found[~shapely.is_missing(found)])
    while (shapely.get_type_id(parts) >= _SEVERAL).any():
        parts = shapely.get_parts(parts)
    return np.asarray(parts[~shapely.is_empty(parts)])


def _in_degrees(polygons: Polygons, crs: str) -> Polygons:
    """Return polygons of a CRS in longitudes and latitudes of WGS84."""
    import pyproj
    import shapely

    transform = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    places = np.stack(transform.transform(*shapely.get_coordinates(polygons).T), axis=-1)
    return np.asarray(shapely.set_coordinates(polygons, places))


@compiled
def _choose(data: NDArray[np.uint8], boxes: Float64, place: NDArray[np.int64]) -> int:
    """Find the polygons of a multipolygon (WKB) that meet a box; return their number.

    Sets the first and the last byte of each. To make all polygons of the Earth takes
    4.5 s and 0.6 GB, this 0.1 s.
    """
    at, n = 9, 0
    for _ in range(len(place)):
        begin = at
        n_rings = int(data[at + 5 : at + 9].copy().view(np.uint32)[0])
        at += 9
        west = south = np.inf
        east = north = -np.inf
        for ring in range(n_rings):
            size = 16 * int(data[at : at + 4].copy().view(np.uint32)[0])
            at += 4
            if ring == 0:
                numbers = data[at : at + size].copy().view(np.float64)
                for i in range(0, len(numbers), 2):
                    west, east = min(west, numbers[i]), max(east, numbers[i])
                    south, north = min(south, numbers[i + 1]), max(north, numbers[i + 1])
            at += size
        for i in range(len(boxes)):
            if (
                west <= boxes[i, 2] and east >= boxes[i, 0]
                and south <= boxes[i, 3] and north >= boxes[i, 1]
            ):  # fmt: skip
                place[n, 0], place[n, 1] = begin, at
                n += 1
                break
    return n

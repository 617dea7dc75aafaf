"""Maps as polygons with egg codes (SIGRID-3), small enough to be sent to a ship.

Neighbouring pixels of the store with equal classes become a polygon. Borders are simplified
together, so that neighbours still share them: no gaps, no overlaps. A polygon whose area
would change keeps its border: a lone pixel would become a triangle, half as large. Small
polygons are merged into their surroundings only if a file size or a smallest area is
requested; the codes of a polygon then come from all pixels inside (`formats.sigrid`).

Beside the fields of SIGRID-3 each polygon has a number, ``POLY_ID``; and, but for those of
a shapefile or a limited size, the scene, its time, what made it, and that it is not an
official chart. In shapefiles that is in the metadata beside them (``.xml``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.charts import CHART_FILL
from seaice_data.egg_codes import FLOE_CODES, SIC_CODES, SOD_CODES, PolygonTable
from seaice_data.flags import FLAG_LAND, FLAG_NO_SAR
from seaice_data.system.files import replacing
from seaice_data.system.geo_libraries import geo_libraries
from seaice_model.errors import MapError
from seaice_model.formats.degrees import PLANE, in_degrees
from seaice_model.formats.outlines import (
    AREA_CHANGE,
    NOTHING,
    Regions,
    merged,
    outlines_of,
    regions_of,
    simplified,
)
from seaice_model.formats.projection import is_in_degrees, locate
from seaice_model.formats.sigrid import (
    Record,
    consistent,
    records_of_classes,
    records_of_table,
)
from seaice_model.formats.vector_files import SUFFIXES, PolygonFormat, encoded
from seaice_model.maps.attributes import text_attributes
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.decision import Decision
from seaice_model.maps.netcdf_writer import write_errors
from seaice_model.maps.placement import count_pixels

_BYTES = 1000
_N_LEVELS = 10
_STEP = 0.75  # in pixels: just above the square root of 1/2, the size of a step
_STRAIGHT = 0.1  # in pixels: far below a step; removes vertices of nearly straight borders
_N_CLASSES = (len(SIC_CODES), len(SOD_CODES) + 1, len(FLOE_CODES) + 1)  # one is fill
_WATER, _ICE = 1, 2  # keys of pixels; from `_ICE` on, classes of ice


@dataclass(frozen=True, slots=True, eq=False)
class EggCodes:
    """The polygons of the chart of an ice service, on the grid of the store."""

    ids: IntArray
    """Id of the polygon of each pixel, shape ``(y, x)``; -1 is none."""

    table: PolygonTable
    """The egg codes of each id."""


@dataclass(frozen=True, slots=True)
class PolygonReport:
    """What `write_polygons` wrote."""

    paths: tuple[Path, ...]
    """The file, and those that belong to it."""

    n_polygons: int
    """Polygons in it."""

    n_bytes: int
    """Size of all files together, but for that of their style."""

    smallest_km2: float
    """Polygons below this area were merged into their surroundings."""

    tolerance_m: float
    """How far borders were simplified."""


def polygon_names(stem: str, kind: PolygonFormat) -> tuple[str, ...]:
    """Return the names of the files of a map that are always written, the main one last."""
    return tuple(f"{stem}.{suffix}" for suffix in SUFFIXES[kind])


def n_bytes_of(files: Sequence[tuple[str, int]]) -> int:
    """Return the size of files to send, from their names and sizes: without styles."""
    return sum(size for name, size in files if not name.endswith(".qml"))


@geo_libraries(MapError, "geo")
def write_polygons(
    chart_map: ChartMap,
    folder: Path,
    *,
    kind: PolygonFormat,
    crs: str,
    max_kb: float | None = None,
    min_area_km2: float | None = None,
    egg_codes: EggCodes | None = None,
) -> PolygonReport:
    """Write a map as ``<scene>.gpkg``, ``<scene>.shp`` and so on.

    Parameters
    ----------
    chart_map
        What to write; with its decision, since polygons follow the pixels of the store.
    folder
        Where the file goes.
    kind
        GeoPackage, shapefile (six files), GeoJSON, FlatGeobuf or GeoParquet.
    crs
        A projection in metres, or ``EPSG:4326``, longitude and latitude: then polygons are
        cut at the date line, and reach latitude 90 around the pole.
    max_kb
        Largest size of the files together, in kilobytes. Areas are merged and borders
        simplified until they fit, even if polygons change their areas: a lone pixel that
        loses half of its area is still visible, one that is merged is not. An empty
        GeoPackage has about 100 kB, an empty shapefile 4 kB. If not given, borders lose
        only the steps of pixels, and only where no polygon changes its area by more than
        2 percent.
    min_area_km2
        Polygons below about this area are merged into their largest neighbour; those
        without one stay.
    egg_codes
        Polygons of the chart that the map shows, whose codes are written as they are.

    Raises
    ------
    MapError
        If the map has no decision or shows nothing, its tie points do not say where it
        is, a file cannot be written, or the files cannot be made small enough.
    """
    decision = chart_map.decision
    if decision is None:
        raise MapError(
            f"the map of {chart_map.scene} does not contain its classes on the grid of the "
            "store, which polygons follow",
            hint="predict it again with `seaice predict --overwrite`",
        )
    keys = _keys(chart_map, decision, egg_codes)
    if not keys.any():
        raise MapError(f"the map of {chart_map.scene} shows nothing: all is land or no SAR")
    plane = PLANE if is_in_degrees(crs) else crs
    corners = _corners(chart_map, decision, plane)
    pixel_m = float(np.hypot(*(corners[:, 1, 1] - corners[:, 0, 0])) / np.sqrt(2))
    n_smallest = int(np.ceil((min_area_km2 or 0) / (pixel_m / 1000) ** 2))
    # First without keeping areas: what is too large then would be even larger with them.
    area_changes = (AREA_CHANGE,) if max_kb is None else (np.inf, AREA_CHANGE)
    most = np.inf if max_kb is None else max_kb * _BYTES
    about = text_attributes(chart_map)
    constants = {} if kind == "shp" or max_kb is not None else _constants(chart_map, about)
    smallest = np.inf
    files: dict[str, bytes] = {}
    for level in range(_N_LEVELS):
        n_pixels, tolerance_m = max(4**level // 2, n_smallest), _STEP * pixel_m * 2**level
        regions = regions_of(merged(keys, n_pixels))
        records = _records(regions, decision.classes, egg_codes)
        outlines, labels = outlines_of(regions.labels, corners)
        for area_change in area_changes:
            simple = simplified(
                outlines, labels != NOTHING, tolerance_m, _STRAIGHT * pixel_m, area_change
            )
            table = _table(simple, labels, records, plane, crs, constants)
            with write_errors(f"polygons to {str(folder)!r}"):
                tried = encoded(table, chart_map.stem, kind, folder, about)
            n_bytes = n_bytes_of([(name, len(said)) for name, said in tried.items()])
            smallest = min(smallest, n_bytes)
            if n_bytes > most:
                break
            files, n_polygons, n_written = tried, len(table), n_bytes
        if files:
            return PolygonReport(
                paths=_written(files, folder),
                n_polygons=n_polygons,
                n_bytes=n_written,
                smallest_km2=float(n_pixels * (pixel_m / 1000) ** 2),
                tolerance_m=tolerance_m,
            )
    raise MapError(
        f"polygons of {chart_map.scene} need at least {smallest / _BYTES:.0f} kB as "
        f"{kind}, more than {max_kb:g}",
        hint="allow more with --max-kb" + (", or use shp" if kind == "gpkg" else ""),
    )


def _keys(chart_map: ChartMap, decision: Decision, egg_codes: EggCodes | None) -> IntArray:
    """Return a number for each pixel of the store; equal numbers mean equal fields."""
    shape = decision.classes.shape[1:]
    is_masked = (chart_map.flags & (FLAG_LAND | FLAG_NO_SAR)) != 0
    n_masked = count_pixels(is_masked, decision.rows, decision.columns, shape)
    n_pixels = count_pixels(np.ones_like(is_masked), decision.rows, decision.columns, shape)
    sic, sod, floe = consistent(decision.classes).astype(np.int32)
    is_shown = 2 * n_masked < n_pixels
    if egg_codes is None:
        classes = [
            np.minimum(p, n - 1) for p, n in zip((sic, sod, floe), _N_CLASSES, strict=True)
        ]
        keys = np.where(sic == 0, _WATER, np.ravel_multi_index(classes, _N_CLASSES) + _ICE)
        is_shown &= sic != CHART_FILL
    else:
        keys = egg_codes.ids + 1
    return np.where(is_shown, keys, NOTHING).astype(np.int32)


def _records(
    regions: Regions, classes: ChartArray, egg_codes: EggCodes | None
) -> list[Record]:
    if egg_codes is None:
        return records_of_classes(regions.labels, classes)
    return records_of_table(regions.keys - 1, egg_codes.table)


def _corners(chart_map: ChartMap, decision: Decision, crs: str) -> FloatArray:
    """Return where the corners of the store's pixels are, ``(2, y + 1, x + 1)``."""

    def edges(stand_ins: IntArray) -> FloatArray:
        starts = np.flatnonzero(np.diff(stand_ins, prepend=-1))
        return np.append(starts, len(stand_ins)) - 0.5

    rows, columns = edges(decision.rows), edges(decision.columns)
    return locate(chart_map.tie_points, rows, columns, crs)


def _constants(chart_map: ChartMap, about: dict[str, str]) -> dict[str, str]:
    """Return fields that are the same for all polygons."""
    made_by = [about["software"], *(f"{n} {about[n]}" for n in ("weights",) if n in about)]
    return {
        "SCENE": str(chart_map.scene),
        "ACQUIRED": about["acquired"],
        "SOURCE": f"{about['source']}; {', '.join(made_by)}",
        "REMARK": about["comment"],
    }


def _table(
    polygons: Any,
    labels: IntArray,
    records: Sequence[Record],
    plane: str,
    crs: str,
    constants: dict[str, str],
) -> Any:
    """Return a table of the polygons that show something, with their fields."""
    import geopandas  # late: an extra
    import shapely

    kept = (labels != NOTHING) & ~shapely.is_empty(polygons)
    shown = polygons[kept]
    area_m2, perimeter_m = _measured(shown, plane)
    fields: dict[str, Any] = {"AREA": area_m2, "PERIMETER": perimeter_m}
    codes = [records[label - 1] for label in labels[kept].tolist()]
    fields |= {name: [record[name] for record in codes] for name in codes[0]}
    fields |= {"POLY_ID": np.arange(1, len(codes) + 1, dtype=np.int32)}
    fields |= {name: [said] * len(codes) for name, said in constants.items()}
    shapes = in_degrees(shown) if crs != plane else shown
    return geopandas.GeoDataFrame(fields, geometry=shapes, crs=crs)


def _measured(polygons: Any, crs: str) -> tuple[IntArray, IntArray]:
    """Return areas and perimeters on the ellipsoid, in whole square metres and metres."""
    import shapely  # late: an extra
    from pyproj import Geod, Transformer

    earth = Geod(ellps="WGS84")
    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    rings, number = shapely.get_rings(polygons, return_index=True)
    at, ring_of = shapely.get_coordinates(rings, return_index=True)
    places = np.stack(to_degrees.transform(*at.T))
    starts = np.searchsorted(ring_of, np.arange(len(rings) + 1))
    area, length = np.zeros((2, len(polygons)))
    previous = -1
    for ring, polygon in enumerate(number.tolist()):
        around = places[:, starts[ring] : starts[ring + 1] - 1]
        turned_m2, ring_m = earth.polygon_area_perimeter(*around)
        # The first ring of a polygon is its outer one, the others are holes.
        area[polygon] += abs(turned_m2) if polygon != previous else -abs(turned_m2)
        length[polygon] += ring_m
        previous = polygon
    return np.rint(area).astype(np.int64), np.rint(length).astype(np.int64)


def _written(files: dict[str, bytes], folder: Path) -> tuple[Path, ...]:
    """Write files; the last of several is missing until all others exist.

    A set of old and new files therefore never looks complete.
    """
    paths = tuple(folder / name for name in files)
    if len(paths) > 1:
        with write_errors(f"polygons to {str(paths[-1])!r}"):
            paths[-1].unlink(missing_ok=True)
    for path in paths:
        with write_errors(f"polygons to {str(path)!r}"), replacing(path) as new:
            new.write_bytes(files[path.name])
    return paths

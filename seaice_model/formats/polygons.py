"""Maps as polygons with egg codes (SIGRID-3), small enough to be sent to a ship.

Neighbouring pixels of the store with equal classes become a polygon. Borders are simplified
together, so that neighbours still share them: no gaps, no overlaps. A polygon whose area
would change keeps its border: a lone pixel would become a triangle, half as large. Small
polygons are merged into their surroundings only if a file size is requested.

Fields are those of SIGRID-3: ``CT`` total concentration, ``SA`` stage of development,
``FA`` form of ice, ``POLY_TYPE`` I ice or W water. "-9" means not given: for stage and form
of water, and where the chart of stage or form shows water and that of concentration ice.
"""

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seaice_data.arrays import FloatArray, IntArray, Mask
from seaice_data.egg_codes import FLOE_CODES, SIC_CODES, SOD_CODES
from seaice_data.flags import FLAG_LAND, FLAG_NO_SAR
from seaice_data.system.files import replacing, staged
from seaice_data.system.geo_libraries import geo_libraries
from seaice_model.errors import MapError
from seaice_model.formats.projection import locate
from seaice_model.maps.attributes import text_attributes
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.decision import Decision
from seaice_model.maps.netcdf_writer import write_errors
from seaice_model.maps.placement import count_pixels

PolygonFormat = Literal["gpkg", "shp"]

_DRIVERS = {"gpkg": "GPKG", "shp": "ESRI Shapefile"}
_SUFFIXES = {"gpkg": ("gpkg",), "shp": ("cpg", "dbf", "prj", "shx", "shp")}
_BYTES = 1000
_N_LEVELS = 10
_STEP = 0.75  # in pixels: just above the square root of 1/2, the size of a step
_STRAIGHT = 0.1  # in pixels: far below a step; removes vertices of nearly straight borders
_AREA_CHANGE = 0.02  # share of its area by which simplification may change a polygon
_N_CLASSES = (len(SIC_CODES), len(SOD_CODES), len(FLOE_CODES))
_NOTHING, _WATER, _ICE = 0, 1, 2  # keys of pixels; from `_ICE` on, classes of ice


@dataclass(frozen=True, slots=True)
class PolygonReport:
    """What `write_polygons` wrote."""

    paths: tuple[Path, ...]
    """The file, and those that belong to it."""

    n_polygons: int
    """Polygons in it."""

    n_bytes: int
    """Size of all files together."""

    smallest_km2: float
    """Polygons below this area were merged into their surroundings."""

    tolerance_m: float
    """How far borders were simplified."""


def polygon_names(scene: str, kind: PolygonFormat) -> tuple[str, ...]:
    """Return the names of the files of a map that are always written, the main one last."""
    return tuple(f"{scene}.{suffix}" for suffix in _SUFFIXES[kind])


@geo_libraries(MapError, "geo")
def write_polygons(
    chart_map: ChartMap,
    folder: Path,
    *,
    kind: PolygonFormat,
    crs: str,
    max_kb: float | None = None,
) -> PolygonReport:
    """Write a map as ``<scene>.gpkg`` or ``<scene>.shp``.

    Parameters
    ----------
    chart_map
        What to write; with its decision, since polygons follow the pixels of the store.
    folder
        Where the file goes.
    kind
        GeoPackage, or shapefile: four or five files.
    crs
        One of `seaice_model.formats.projection.PROJECTIONS`.
    max_kb
        Largest size of the files together, in kilobytes. Areas are merged and borders
        simplified until they fit, even if polygons change their areas: a lone pixel that
        loses half of its area is still visible, one that is merged is not. An empty
        GeoPackage has about 100 kB, an empty shapefile 1 kB. If not given, borders lose
        only the steps of pixels, and only where no polygon changes its area by more than
        2 percent.

    Raises
    ------
    MapError
        If the map has no decision or shows nothing, its tie points do not say where it
        is, a file cannot be written, or the files cannot be made small enough.
    """
    if chart_map.decision is None:
        raise MapError(
            f"the map of {chart_map.scene} does not contain its classes on the grid of the "
            "store, which polygons follow",
            hint="predict it again with `seaice predict --overwrite`",
        )
    keys = _keys(chart_map, chart_map.decision)
    if not keys.any():
        raise MapError(f"the map of {chart_map.scene} shows nothing: all is land or no SAR")
    corners = _corners(chart_map, chart_map.decision, crs)
    pixel_m = float(np.hypot(*(corners[:, 1, 1] - corners[:, 0, 0])) / np.sqrt(2))
    # First without keeping areas: what is too large then would be even larger with them.
    area_changes = (_AREA_CHANGE,) if max_kb is None else (np.inf, _AREA_CHANGE)
    most = np.inf if max_kb is None else max_kb * _BYTES
    smallest = np.inf
    files: dict[str, bytes] = {}
    for level in range(_N_LEVELS):
        n_pixels, tolerance_m = 4**level // 2, _STEP * pixel_m * 2**level
        outlines, shown = _outlines(_merged(keys, n_pixels), corners)
        for area_change in area_changes:
            simple = _simplified(
                outlines, shown != _NOTHING, tolerance_m, _STRAIGHT * pixel_m, area_change
            )
            table = _table(simple, shown, crs)
            tried = _encoded(table, chart_map, kind, folder)
            n_bytes = sum(map(len, tried.values()))
            smallest = min(smallest, n_bytes)
            if n_bytes > most:
                break
            files, n_polygons = tried, len(table)
        if files:
            return PolygonReport(
                paths=_written(files, folder),
                n_polygons=n_polygons,
                n_bytes=sum(map(len, files.values())),
                smallest_km2=float(n_pixels * (pixel_m / 1000) ** 2),
                tolerance_m=tolerance_m,
            )
    raise MapError(
        f"polygons of {chart_map.scene} need at least {smallest / _BYTES:.0f} kB as "
        f"{kind}, more than {max_kb:g}",
        hint="allow more with --max-kb" + (", or use shp" if kind == "gpkg" else ""),
    )


def _keys(chart_map: ChartMap, decision: Decision) -> IntArray:
    """Return a number for each pixel of the store; equal numbers mean equal fields."""
    shape = decision.classes.shape[1:]
    is_masked = (chart_map.flags & (FLAG_LAND | FLAG_NO_SAR)) != 0
    n_masked = count_pixels(is_masked, decision.rows, decision.columns, shape)
    n_pixels = count_pixels(np.ones_like(is_masked), decision.rows, decision.columns, shape)
    sic, sod, floe = decision.classes.astype(np.int32)
    ice = np.ravel_multi_index((sic, sod, floe), _N_CLASSES) + _ICE
    keys = np.where(sic == 0, _WATER, ice)
    return np.where(2 * n_masked >= n_pixels, _NOTHING, keys).astype(np.int32)


def _fields(key: int) -> dict[str, str]:
    """Return the SIGRID-3 fields of a key."""
    if key == _WATER:
        return {"CT": SIC_CODES[0], "SA": "-9", "FA": "-9", "POLY_TYPE": "W"}
    sic, sod, floe = (int(n) for n in np.unravel_index(key - _ICE, _N_CLASSES))
    return {
        "CT": SIC_CODES[sic],
        "SA": SOD_CODES[sod],
        "FA": FLOE_CODES[floe],
        "POLY_TYPE": "I",
    }


def _corners(chart_map: ChartMap, decision: Decision, crs: str) -> FloatArray:
    """Return where the corners of the store's pixels are, ``(2, y + 1, x + 1)``."""

    def edges(stand_ins: IntArray) -> FloatArray:
        starts = np.flatnonzero(np.diff(stand_ins, prepend=-1))
        return np.append(starts, len(stand_ins)) - 0.5

    rows, columns = edges(decision.rows), edges(decision.columns)
    return locate(chart_map.tie_points, rows, columns, crs)


def _merged(keys: IntArray, n_pixels: int) -> IntArray:
    """Merge areas of fewer than `n_pixels` into their largest neighbour."""
    from rasterio.features import sieve  # late: an extra

    n_pixels = min(n_pixels, keys.size - 1)
    return sieve(keys, n_pixels, mask=keys != _NOTHING) if n_pixels > 1 else keys


def _outlines(keys: IntArray, corners: FloatArray) -> tuple[Any, IntArray]:
    """Return areas of equal keys as polygons, empty areas included, and their keys."""
    import shapely  # late: an extra
    from rasterio.features import shapes

    found = [(shapely.geometry.shape(outline), key) for outline, key in shapes(keys)]

    def placed(points: FloatArray) -> FloatArray:
        column, row = np.rint(points).astype(int).T
        return corners[:, row, column].T

    # A vertex at every corner of a pixel: neighbours must have theirs in the same places.
    polygons = shapely.segmentize(np.array([polygon for polygon, _ in found]), 1.0)
    return shapely.transform(polygons, placed), np.array([int(key) for _, key in found])


def _simplified(
    outlines: Any,
    is_shown: Mask,
    tolerance_m: float,
    straight_m: float,
    area_change: float,
) -> Any:
    """Simplify borders together, but not those of polygons whose area would change.

    Areas that are not shown take part, so that coasts are simplified like other borders.
    """
    import shapely  # late: an extra

    area = shapely.area(outlines)
    is_simplified = np.ones(len(outlines), bool)
    while True:
        simple = outlines.copy()
        # Polygons that are left out share the outer boundary of the others, so keep it.
        simple[is_simplified] = shapely.coverage_simplify(
            outlines[is_simplified], tolerance_m, simplify_boundary=False
        )
        simple = shapely.coverage_simplify(simple, straight_m)
        changes = np.abs(shapely.area(simple) - area) > area_change * area
        if not (changes := changes & is_shown & is_simplified).any():
            return simple
        is_simplified &= ~changes


def _table(polygons: Any, keys: IntArray, crs: str) -> Any:
    """Return a table of the polygons that show something, with their fields."""
    import geopandas  # late: an extra
    import shapely

    kept = (keys != _NOTHING) & ~shapely.is_empty(polygons)
    fields = [_fields(int(key)) for key in keys[kept]]
    return geopandas.GeoDataFrame(fields, geometry=polygons[kept], crs=crs)


def _encoded(
    table: Any, chart_map: ChartMap, kind: PolygonFormat, folder: Path
) -> dict[str, bytes]:
    """Return the contents of the files of a table by name, the main one last."""
    main = f"{chart_map.scene}.{kind}"
    options: dict[str, Any]
    if kind == "gpkg":
        said = text_attributes(chart_map)
        options = {"SPATIAL_INDEX": "NO", "layer_metadata": said}
    else:  # which has no place for texts
        # Fields of a shapefile are 80 bytes wide unless they may shrink.
        options = {"RESIZE": "YES"}
    with write_errors(f"polygons to {str(folder)!r}"), staged(_for_gdal(folder)) as place:
        path = place / main
        table.to_file(path, driver=_DRIVERS[kind], engine="pyogrio", **options)
        _check_whole(path, table)
        # The table comes first: it marks even a partial set as ours, see `convert_maps`.
        paths = sorted(place.iterdir(), key=lambda p: (p.name == main, p.suffix != ".dbf"))
        return {path.name: path.read_bytes() for path in paths}


def _for_gdal(folder: Path) -> Path:
    """Return a folder, or the one for temporary files if GDAL cannot handle its name."""
    try:
        str(folder).encode()
    except UnicodeEncodeError:  # bytes that are not UTF-8
        return Path(tempfile.gettempdir())
    return folder


def _check_whole(path: Path, table: Any) -> None:
    """Read a file back: GDAL does not report a full disk when it closes a file."""
    import geopandas  # late: an extra
    import shapely

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about incomplete files; they are refused below
        again = geopandas.read_file(path, engine="pyogrio")
    fields = [name for name in table.columns if name != "geometry"]
    is_whole = (
        len(again) == len(table)
        and again.crs == table.crs
        and again[fields].equals(table[fields])
        and np.allclose(shapely.area(again.geometry), shapely.area(table.geometry))
    )
    if not is_whole:
        raise OSError("what was written cannot be read back")


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

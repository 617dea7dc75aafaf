"""Maps as polygons with egg codes (SIGRID-3), small enough to be sent to a ship.

Neighbouring pixels of the store with equal classes become a polygon. Small patches are
merged into what surrounds them, and borders are simplified together, so that neighbours
still share them: no gaps, no overlaps.

Fields are those of SIGRID-3: ``CT`` total concentration, ``SA`` stage of development,
``FA`` form of ice, ``POLY_TYPE`` I ice or W water. "-9" is not given: water has neither
stage nor form, and a chart that shows water where another shows ice does not tell.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seaice_data.arrays import FloatArray, IntArray
from seaice_data.icecodes import FLOE_CODES, SIC_CODES, SOD_CODES
from seaice_data.prepared import FLAG_LAND, FLAG_NO_SAR
from seaice_model.decision import Decision
from seaice_model.errors import MapError
from seaice_model.maps import ChartMap
from seaice_model.placement import counted
from seaice_model.projection import places

PolygonFormat = Literal["gpkg", "shp"]

_DRIVERS = {"gpkg": "GPKG", "shp": "ESRI Shapefile"}
_BYTES = 1000
_N_LEVELS = 10
_STEP = 0.75  # of a pixel: just above the root of half a pixel, the size of a step
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
    """Patches below this area were merged into their surroundings."""

    tolerance_m: float
    """How far borders were simplified."""


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
        One of `seaice_model.projection.PROJECTIONS`.
    max_kb
        Largest size of the files together, in kilobytes: patches are merged and borders
        simplified until they fit. An empty GeoPackage has about 100 kB, an empty shapefile
        1 kB. Without, borders lose the steps of pixels only.

    Raises
    ------
    MapError
        If the map has no decision or shows nothing, a file cannot be written, or none is
        small enough.
    """
    if chart_map.decision is None:
        raise MapError(
            f"the map of {chart_map.scene} does not hold its classes on the grid of the "
            "store, which polygons follow",
            hint="draw it again with `seaice predict --overwrite`",
        )
    keys = _keys(chart_map, chart_map.decision)
    if not keys.any():
        raise MapError(f"the map of {chart_map.scene} shows nothing: all is land or no SAR")
    corners = _corners(chart_map, chart_map.decision, crs)
    pixel_m = float(np.hypot(*(corners[:, 1, 1] - corners[:, 0, 0])) / np.sqrt(2))
    smallest = np.inf
    for level in range(_N_LEVELS):
        n_pixels, tolerance_m = 4**level // 2, _STEP * pixel_m * 2**level
        table = _table(_merged(keys, n_pixels), corners, tolerance_m, crs)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            files = _write(table, Path(place) / f"{chart_map.scene}.{kind}", kind)
            n_bytes = sum(path.stat().st_size for path in files)
            smallest = min(smallest, n_bytes)
            if max_kb is None or n_bytes <= max_kb * _BYTES:
                return PolygonReport(
                    paths=_kept(files, folder),
                    n_polygons=len(table),
                    n_bytes=n_bytes,
                    smallest_km2=float(n_pixels * (pixel_m / 1000) ** 2),
                    tolerance_m=tolerance_m,
                )
    raise MapError(
        f"polygons of {chart_map.scene} need at least {smallest / _BYTES:.0f} kB as "
        f"{kind}, more than {max_kb:g}",
        hint="allow more with --max-kb" + (", or take shp" if kind == "gpkg" else ""),
    )


def _keys(chart_map: ChartMap, decision: Decision) -> IntArray:
    """Return a number for each pixel of the store: equal numbers, equal fields."""
    shape = decision.classes.shape[1:]
    is_masked = (chart_map.flags & (FLAG_LAND | FLAG_NO_SAR)) != 0
    n_masked = counted(is_masked, decision.rows, decision.columns, shape)
    n_pixels = counted(np.ones_like(is_masked), decision.rows, decision.columns, shape)
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
    """Return where the corners of the store's pixels lie, ``(2, y + 1, x + 1)``."""

    def edges(stand_ins: IntArray) -> FloatArray:
        starts = np.flatnonzero(np.diff(stand_ins, prepend=-1))
        return np.append(starts, len(stand_ins)) - 0.5

    rows, columns = edges(decision.rows), edges(decision.columns)
    return places(chart_map.tie_points, rows, columns, crs)


def _merged(keys: IntArray, n_pixels: int) -> IntArray:
    """Give patches of fewer than `n_pixels` the key of their largest neighbour."""
    from rasterio.features import sieve  # late: an extra

    n_pixels = min(n_pixels, keys.size - 1)
    return sieve(keys, n_pixels, mask=keys != _NOTHING) if n_pixels > 1 else keys


def _table(keys: IntArray, corners: FloatArray, tolerance_m: float, crs: str) -> Any:
    """Return a table of polygons whose borders are simplified together."""
    import geopandas  # late: an extra
    import shapely
    from rasterio.features import shapes

    found = [
        (shapely.geometry.shape(outline), int(key))
        for outline, key in shapes(keys, mask=keys != _NOTHING)
    ]
    polygons = np.array([polygon for polygon, _ in found])

    def placed(points: FloatArray) -> FloatArray:
        column, row = np.rint(points).astype(int).T
        return corners[:, row, column].T

    # A vertex at every corner of a pixel: neighbours must have theirs in the same places.
    polygons = shapely.segmentize(polygons, 1.0)
    simple = shapely.coverage_simplify(shapely.transform(polygons, placed), tolerance_m)
    kept = ~shapely.is_empty(simple)
    fields = [
        _fields(key) for (_, key), is_kept in zip(found, kept, strict=True) if is_kept
    ]
    return geopandas.GeoDataFrame(fields, geometry=simple[kept], crs=crs)


def _write(table: Any, path: Path, kind: PolygonFormat) -> list[Path]:
    """Write a table; return all files that belong to it."""
    from pyogrio.errors import DataSourceError  # late: an extra

    # Fields of a shapefile are 80 bytes wide unless they may shrink.
    options = {"SPATIAL_INDEX": "NO"} if kind == "gpkg" else {"RESIZE": "YES"}
    try:
        table.to_file(path, driver=_DRIVERS[kind], engine="pyogrio", **options)
    except (DataSourceError, OSError) as error:
        raise MapError(f"cannot write polygons to {str(path.parent)!r}: {error}") from error
    return sorted(path.parent.iterdir())


def _kept(files: list[Path], folder: Path) -> tuple[Path, ...]:
    """Move files out of the temporary folder."""
    return tuple(path.replace(folder / path.name) for path in files)

"""The ice chart of a synthetic scene as its service would publish it (SIGRID-3)."""

import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray
from seaice_data.errors import SceneError
from seaice_data.grid import row_bands
from seaice_data.synthetic.fields import interpolate, label_rows
from seaice_data.synthetic.nodes import SPACING
from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.plan import RawTiePoints
from seaice_data.synthetic.products.gdal_dates import dated
from seaice_data.system.files import replacing
from seaice_data.system.geo_libraries import geo_libraries

_CRS = {
    "cis": "+proj=lcc +lat_1=49 +lat_2=77 +lat_0=40 +lon_0=-100 +datum=WGS84 +units=m",
    "dmi": "EPSG:3413",
}
"""Projections of the charts of each service."""

_NOTHING, _LAND = 0, 255  # polygons have ids 1 to 250
_MARGIN = 25  # pixels by which the chart is larger than the scene
_COAST_KM = 2.0  # the chart's coast is nearer than that to the coast
_STEP = 0.75  # pixels: just above the square root of 1/2, the size of a step
_DENSE = 25.0  # pixels: borders are straight in the scene, not in the projection
_BAND = 50 * SPACING  # lines of 40 m made at a time


def write_chart(folder: Path, scene: Observation) -> tuple[Path, Path]:
    """Write the chart of a scene as GeoPackage and as zipped shapefile.

    Both have the same polygons: the regions of the scene as analysts chart them, a little
    beyond its borders, with the codes of its raw version; land (``POLY_TYPE`` L, codes
    null) where there is any; nothing where the footprint of the chart ends. Their 16
    fields are those of SIGRID-3, and ``POLY_ID`` has the ids of the raw version.

    Parameters
    ----------
    folder
        Where to write; it must exist.
    scene
        The scene.

    Returns
    -------
    tuple of Path
        ``<chart name>.gpkg`` and ``<chart name>.zip``, each complete.

    Raises
    ------
    SceneError
        If they cannot be written, or the extra ``ingest`` is not installed.

    Notes
    -----
    Pixels whose centres are in a polygon have its id in the raw version, but for pixels
    next to a border, which loses its steps.
    """
    name, crs = scene.plan.chart_name, _CRS[scene.plan.service]
    gpkg, zipped = (folder / f"{name}.{ending}" for ending in ("gpkg", "zip"))
    with geo_libraries(SceneError, "ingest", f"cannot write a chart to {str(folder)!r}"):
        table = _table(scene, crs)
        with dated(scene.plan), replacing(gpkg) as new:
            _write(table, new, name, crs, "GPKG")
        with tempfile.TemporaryDirectory() as place, dated(scene.plan):
            shapefile = Path(place, f"{name}.shp")
            date = f"{scene.plan.acquired:%Y-%m-%d}"
            _write(table, shapefile, name, crs, "ESRI Shapefile", DBF_DATE_LAST_UPDATE=date)
            with replacing(zipped) as new:
                _zip(sorted(Path(place).iterdir()), new)
    return gpkg, zipped


def _table(scene: Observation, crs: str) -> dict[str, NDArray[Any]]:
    """Return the columns of the chart, shapes included."""
    import shapely  # late: an extra

    shapes, ids = _regions(_ids(scene))
    shapes = _projected(shapes, scene.ties, crs)
    header, *rows = (row.split(";") for row in scene.surface.rows)
    codes = {int(row[0]): dict(zip(header, row, strict=True)) for row in rows}
    land = dict.fromkeys(header, None) | {"POLY_TYPE": "L"}
    records = [codes.get(number, land) for number in ids]
    return {
        "AREA": shapely.area(shapes),
        "PERIMETER": shapely.length(shapes),
        **{
            field: np.array([record[field] for record in records], object)
            for field in header[1:]
        },
        # Land needs a number of its own, too.
        "POLY_ID": np.array(ids, np.int32),
        "geometry": shapes,
    }


def _ids(scene: Observation) -> NDArray[np.uint8]:
    """Return the polygon of each 80 m pixel: that of the first of its 40 m pixels."""
    surface, plan = scene.surface, scene.plan
    ids = np.empty((plan.height, plan.width), np.uint8)
    columns = np.arange(0, 2 * plan.width, 2) / SPACING
    for rows in row_bands(2 * plan.height, _BAND):
        chart, lines = surface.chart, np.arange(rows.start, rows.stop, 2) / SPACING
        labels = label_rows(chart.scores, chart.labels, rows, 2 * plan.width, SPACING)
        found = surface.ids[labels[::2, ::2]]
        is_charted = interpolate(surface.extent, lines, columns) > 0
        is_coast = interpolate(surface.land_km, lines, columns) < _COAST_KM
        beyond = np.where(is_coast, _LAND, _NOTHING).astype(np.uint8)
        ids[rows.start // 2 : rows.stop // 2] = np.where(is_charted, found, beyond)
    return np.pad(ids, _MARGIN, mode="edge")


def _regions(ids: NDArray[np.uint8]) -> tuple[NDArray[Any], list[int]]:
    """Return a shape for each id but `_NOTHING`, in pixels, and the ids."""
    import shapely  # late: an extra
    from rasterio.features import shapes

    found = [
        (shapely.geometry.shape(outline), int(value)) for outline, value in shapes(ids)
    ]
    numbers = np.array([number for _, number in found])
    # Neighbours are simplified together, so that no gaps or overlaps arise; the outermost
    # border stays.
    parts = shapely.coverage_simplify(
        np.array([shape for shape, _ in found]), _STEP, simplify_boundary=False
    )
    parts = np.array([_densified(part) for part in parts], object)
    kept = [int(number) for number in np.unique(numbers) if number != _NOTHING]
    joined = [
        shapely.multipolygons(shapely.get_parts(parts[numbers == number]))
        for number in kept
    ]
    return np.array(joined, object), kept


def _densified(polygon: Any) -> Any:
    """Add points to long edges, ring by ring: GEOS would repair polygons meanwhile."""
    import shapely  # late: an extra

    shell, *holes = shapely.segmentize(shapely.get_rings(polygon), _DENSE)
    return shapely.Polygon(shell, holes)


def _projected(shapes: NDArray[Any], ties: RawTiePoints, crs: str) -> NDArray[Any]:
    """Bring shapes from pixels of the padded scene to the projection of the chart."""
    import pyproj  # late: an extra
    import shapely
    from scipy.interpolate import RegularGridInterpolator

    up, east = np.radians(ties.latitude), np.radians(ties.longitude)
    vectors = np.stack(
        [np.cos(up) * np.cos(east), np.cos(up) * np.sin(east), np.sin(up)], -1
    )
    place_at = RegularGridInterpolator(
        (ties.lines, ties.samples), vectors, bounds_error=False, fill_value=None
    )
    to_map = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)

    def placed(points: FloatArray) -> FloatArray:
        # The first pixel begins at the margin; an 80 m pixel is two of 40 m.
        raw = 2 * (points[:, ::-1] - _MARGIN) - 0.5
        x, y, z = place_at(raw).T
        latitude, longitude = np.arctan2(z, np.hypot(x, y)), np.arctan2(y, x)
        return np.stack(to_map.transform(np.degrees(longitude), np.degrees(latitude)), -1)

    return np.asarray(shapely.transform(shapes, placed))


def _write(
    table: dict[str, NDArray[Any]],
    path: Path,
    layer: str,
    crs: str,
    driver: str,
    **options: str,
) -> None:
    """Write a table of polygons."""
    import pyogrio  # late: an extra
    import shapely

    fields = [name for name in table if name != "geometry"]
    pyogrio.raw.write(
        path,
        shapely.to_wkb(table["geometry"]),
        [table[name] for name in fields],
        fields,
        layer=layer,
        driver=driver,
        geometry_type="MultiPolygon" if driver == "GPKG" else "Polygon",
        crs=crs,
        **options,
    )


def _zip(parts: list[Path], path: Path) -> None:
    """Put files into a zip that does not depend on when it is made."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in parts:
            member = zipfile.ZipInfo(part.name)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, part.read_bytes())

"""Maps on a raster in a map projection, each pixel from its nearest.

All scenes share one raster: their files overlay each other without resampling.

Tie points are ground control points, through which GDAL fits a thin-plate spline. It is
evaluated at every 16th pixel and interpolated in between, which is exact enough: GDAL's own
warper takes three times as long. The distance of pixels from where the tie points place
them can be measured (`geolocation_error_m`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.charts import CHART_FILL
from seaice_data.system.compiled import compiled
from seaice_data.system.geo_libraries import control_points, geo_libraries
from seaice_model.errors import MapError
from seaice_model.formats.projection import locate
from seaice_model.maps.chart_map import ChartMap

_N_BORDER = 200  # points along a side of a scene, to find its extent
_STEP = 16  # pixels from one position computed by GDAL to the next
_N_CHECKED = 101  # points along an axis at which the geolocation is checked
_MOST_PIXELS = 10**9  # of a raster: a scene of 400 km at 20 m, turned, has nearly as many


@dataclass(frozen=True, slots=True)
class Raster:
    """Pixels in a projection."""

    left_m: float
    """Western edge."""

    top_m: float
    """Northern edge."""

    shape: tuple[int, int]
    """Height and width in pixels."""

    spacing_m: float
    """Side of a pixel."""

    crs: str
    """Name of the projection, as ``EPSG:3413``."""

    @property
    def transform(self) -> Any:
        """The same as an affine transformation."""
        from rasterio import Affine  # late: an extra

        return Affine(self.spacing_m, 0, self.left_m, 0, -self.spacing_m, self.top_m)


def check_spacing(spacing_m: float) -> float:
    """Return the side of a pixel if it is valid.

    Raises
    ------
    MapError
        If it is not finite and above 0.
    """
    if not 0 < spacing_m < np.inf:
        raise MapError(f"spacing must be finite and above 0 m, got {spacing_m:g}")
    return spacing_m


def raster_of(chart_map: ChartMap, crs: str, spacing_m: float) -> Raster:
    """Return the smallest raster around a map whose edges are multiples of the spacing.

    Raises
    ------
    MapError
        If the spacing is not finite and above 0, a pixel is larger than the map, the raster
        has more than a billion pixels, or the tie points do not say where the map is.
    """
    check_spacing(spacing_m)
    height, width = chart_map.grid.shape
    down, across = (np.linspace(-0.5, n - 0.5, _N_BORDER) for n in (height, width))
    border = [
        locate(chart_map.tie_points, down, across[[0, -1]], crs).reshape(2, -1),
        locate(chart_map.tie_points, down[[0, -1]], across, crs).reshape(2, -1),
    ]
    at = np.concatenate(border, axis=1)
    extent_m = float(np.ptp(at, axis=1).max())
    if spacing_m > extent_m:
        raise MapError(
            f"a pixel of {spacing_m:g} m is larger than the map, {extent_m:.0f} m"
        )
    left, bottom = np.floor(at.min(axis=1) / spacing_m) * spacing_m
    right, top = np.ceil(at.max(axis=1) / spacing_m) * spacing_m
    shape = (round((top - bottom) / spacing_m), round((right - left) / spacing_m))
    if shape[0] * shape[1] > _MOST_PIXELS:
        raise MapError(
            f"at {spacing_m:g} m the map becomes {shape[0]} x {shape[1]} pixels, more than "
            f"{_MOST_PIXELS:.0e}",
            hint="use larger pixels with --spacing",
        )
    return Raster(float(left), float(top), shape, spacing_m, crs)


@geo_libraries(MapError, "geo")
def warp(
    planes: ChartArray,
    chart_map: ChartMap,
    raster: Raster,
    rows: IntArray | None = None,
    columns: IntArray | None = None,
) -> ChartArray:
    """Bring planes on the grid of a map to a raster, each pixel from its nearest.

    Parameters
    ----------
    planes
        Shape ``(plane, y, x)``; 255 is fill.
    chart_map
        The map, whose tie points place the planes.
    raster
        The raster.
    rows, columns
        Row and column of the planes that each row and column of the map shows, if they are
        on another grid, such as that of the store.

    Returns
    -------
    ChartArray
        Shape ``(plane, *raster.shape)``; 255 outside the scene.
    """
    warped = np.full((len(planes), *raster.shape), CHART_FILL, np.uint8)
    height, width = chart_map.grid.shape
    rows = np.arange(height) if rows is None else rows
    columns = np.arange(width) if columns is None else columns
    _pick(planes, rows, columns, *_sources(chart_map, raster), _STEP, warped)
    return warped


@geo_libraries(MapError, "geo")
def geolocation_error_m(chart_map: ChartMap, crs: str) -> float:
    """Return the largest distance of a warped pixel from its true position, in metres.

    Measured at the tie points and, against the great circles between them, at a
    hundred positions along each axis. Nearest neighbours add up to half a pixel.
    """
    from rasterio.transform import GCPTransformer  # late: an extra

    tie_points, (height, width) = chart_map.tie_points, chart_map.grid.shape
    furthest = 0.0
    with GCPTransformer(_control_points(chart_map, crs), tps=True) as transformer:
        for rows, columns in (
            (tie_points.lines, tie_points.samples),
            tuple(np.linspace(0, n - 1, _N_CHECKED) for n in (height, width)),
        ):
            x, y = locate(tie_points, rows, columns, crs).reshape(2, -1)
            found_y, found_x = transformer.rowcol(x, y, op=np.asarray)
            off_y = np.reshape(found_y, (len(rows), -1)) - 0.5 - rows[:, np.newaxis]
            off_x = np.reshape(found_x, (len(rows), -1)) - 0.5 - columns
            furthest = max(furthest, float(np.hypot(off_y, off_x).max()))
    return furthest * chart_map.grid.pixel_spacing_m


def _sources(chart_map: ChartMap, raster: Raster) -> tuple[FloatArray, FloatArray]:
    """Return row and column of the map under every `_STEP`-th pixel of a raster.

    Shape ``(y, x)``; the last positions are beyond the last pixel of each axis.
    """
    from rasterio.transform import GCPTransformer  # late: an extra

    down, across = (np.arange(0, n + _STEP, _STEP) + 0.5 for n in raster.shape)
    x = raster.left_m + across * raster.spacing_m
    y = raster.top_m - down * raster.spacing_m
    at_x, at_y = np.meshgrid(x, y)
    with GCPTransformer(_control_points(chart_map, raster.crs), tps=True) as transformer:
        rows, columns = transformer.rowcol(at_x.ravel(), at_y.ravel(), op=np.asarray)
    return np.reshape(rows, at_x.shape) - 0.5, np.reshape(columns, at_x.shape) - 0.5


@compiled
def _pick(
    planes: ChartArray,
    shown_rows: IntArray,
    shown_columns: IntArray,
    rows: FloatArray,
    columns: FloatArray,
    step: int,
    warped: ChartArray,
) -> None:
    """Assign the nearest pixel; leave those outside as they are.

    The position of a pixel is interpolated bilinearly between `rows` and `columns`, which
    are `step` pixels apart. The map shows `shown_rows` and `shown_columns` of the planes.
    """
    height, width = len(shown_rows), len(shown_columns)
    for i in range(warped.shape[1]):
        a, f = i // step, (i % step) / step
        for j in range(warped.shape[2]):
            b, g = j // step, (j % step) / step
            above = rows[a, b] * (1 - g) + rows[a, b + 1] * g
            below = rows[a + 1, b] * (1 - g) + rows[a + 1, b + 1] * g
            row = int(np.floor(above * (1 - f) + below * f + 0.5))
            above = columns[a, b] * (1 - g) + columns[a, b + 1] * g
            below = columns[a + 1, b] * (1 - g) + columns[a + 1, b + 1] * g
            column = int(np.floor(above * (1 - f) + below * f + 0.5))
            if 0 <= row < height and 0 <= column < width:
                for k in range(planes.shape[0]):
                    warped[k, i, j] = planes[k, shown_rows[row], shown_columns[column]]


def _control_points(chart_map: ChartMap, crs: str) -> list[Any]:
    tie_points = chart_map.tie_points
    lines, samples = tie_points.lines, tie_points.samples
    return control_points(lines, samples, *locate(tie_points, lines, samples, crs))

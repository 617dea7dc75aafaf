"""Maps as GeoTIFF, warped to a polar stereographic projection.

One cloud-optimised file per chart, with the colours and the names of the classes, so that
it looks right wherever it is opened. All scenes share one raster: their files overlay each
other without resampling.

Tie points are ground control points, through which GDAL fits a thin-plate spline. It is
evaluated at every 16th pixel and interpolated in between, which is exact enough: GDAL's own
warper takes three times as long. The distance of pixels from where the tie points place
them is measured, and written into each file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.charts import CHART_FILL, CHARTS, SIC, SIC_STEP_PERCENT, Chart
from seaice_data.system.compiled import compiled
from seaice_data.system.files import replacing
from seaice_data.system.geo_libraries import geo_libraries
from seaice_model.errors import MapError
from seaice_model.formats.projection import locate
from seaice_model.maps.attributes import text_attributes
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.netcdf_writer import write_errors
from seaice_model.style import COLOURS

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
def warp(planes: ChartArray, chart_map: ChartMap, raster: Raster) -> ChartArray:
    """Bring planes on the grid of a map to a raster, each pixel from its nearest.

    Parameters
    ----------
    planes
        Shape ``(plane, y, x)``; 255 is fill.
    chart_map
        The map, whose tie points place the planes.
    raster
        The raster.

    Returns
    -------
    ChartArray
        Shape ``(plane, *raster.shape)``; 255 outside the scene.
    """
    warped = np.full((len(planes), *raster.shape), CHART_FILL, np.uint8)
    rows, columns = _sources(chart_map, raster)
    _pick(planes, rows, columns, _STEP, warped)
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


def geotiff_names(scene: str) -> tuple[str, ...]:
    """Return the names of the files of a map."""
    return tuple(f"{scene}_{chart.name}.tif" for chart in CHARTS)


@geo_libraries(MapError, "geo")
def write_geotiff(
    chart_map: ChartMap, folder: Path, *, crs: str, spacing_m: float | None = None
) -> tuple[Path, ...]:
    """Write a map as ``<scene>_SIC.tif``, ``<scene>_SOD.tif`` and ``<scene>_FLOE.tif``.

    SIC is in percent, SOD and FLOE are classes; 255 means no data: on land, without SAR,
    and outside the scene.

    Parameters
    ----------
    chart_map
        What to write.
    folder
        Where the files go.
    crs
        One of `seaice_model.formats.projection.PROJECTIONS`.
    spacing_m
        Side of a pixel in metres; that of the map if not given.

    Returns
    -------
    tuple
        The files.

    Raises
    ------
    MapError
        If the spacing does not suit the map, its tie points do not say where it is, or a
        file cannot be written.
    """
    if spacing_m is None:
        spacing_m = chart_map.grid.pixel_spacing_m
    raster = raster_of(chart_map, crs, spacing_m)
    tags = _tags(chart_map, geolocation_error_m(chart_map, crs))
    planes = warp(chart_map.charts, chart_map, raster)
    paths = tuple(folder / name for name in geotiff_names(chart_map.scene))
    for path, chart, plane in zip(paths, CHARTS, planes, strict=True):
        with write_errors(repr(str(path))):
            content = _encoded(plane, raster, chart, tags)
            # The last file is removed first and written last: a mixture of old and new
            # files never looks complete.
            paths[-1].unlink(missing_ok=True)
            with replacing(path) as new:
                new.write_bytes(content)
    return paths


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
    rows: FloatArray,
    columns: FloatArray,
    step: int,
    warped: ChartArray,
) -> None:
    """Assign the nearest pixel; leave those outside as they are.

    The position of a pixel is interpolated bilinearly between `rows` and `columns`, which
    are `step` pixels apart.
    """
    height, width = planes.shape[1:]
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
                    warped[k, i, j] = planes[k, row, column]


def _control_points(chart_map: ChartMap, crs: str) -> Sequence[Any]:
    from rasterio.control import GroundControlPoint  # late: an extra

    tie_points = chart_map.tie_points
    at: FloatArray = locate(tie_points, tie_points.lines, tie_points.samples, crs)
    return [
        # GDAL counts from the corner of the first pixel, we from its centre.
        GroundControlPoint(
            row=float(line) + 0.5,
            col=float(sample) + 0.5,
            x=float(at[0, y, x]),
            y=float(at[1, y, x]),
        )
        for y, line in enumerate(tie_points.lines)
        for x, sample in enumerate(tie_points.samples)
    ]


def _tags(chart_map: ChartMap, error_m: float) -> dict[str, str]:
    said = {name.upper(): text for name, text in text_attributes(chart_map).items()}
    return {**said, "GEOLOCATION_ERROR_M": f"{error_m:.1f}"}


def _encoded(
    plane: ChartArray, raster: Raster, chart: Chart, tags: dict[str, str]
) -> bytes:
    """Return the bytes of a file."""
    from rasterio.io import MemoryFile  # late: an extra

    step = SIC_STEP_PERCENT if chart is SIC else 1
    values = np.where(plane == CHART_FILL, CHART_FILL, plane * step).astype(np.uint8)
    names = zip(range(0, 256, step), chart.class_names, strict=False)
    height, width = raster.shape
    with MemoryFile() as memory:
        with memory.open(
            driver="COG", dtype="uint8", count=1, height=height, width=width,
            crs=raster.crs, transform=raster.transform, nodata=CHART_FILL,
            compress="deflate", overview_resampling="mode",
        ) as file:  # fmt: skip
            file.write(values, 1)
            file.write_colormap(1, _colours(chart, step))
            file.set_band_description(1, chart.long_name)
            file.update_tags(
                **tags,
                UNITS="%" if chart is SIC else "class",
                CLASSES="; ".join(f"{value} {name}" for value, name in names),
            )
        content: bytes = memory.read()
    return content


def _colours(chart: Chart, step: int) -> dict[int, tuple[int, int, int, int]]:
    """Return colours by value, as in the figures; no data is transparent."""
    colours = {CHART_FILL: (255, 255, 255, 0)}
    for number, text in enumerate(COLOURS[chart.name]):
        red, green, blue = bytes.fromhex(text[1:])
        colours[number * step] = (red, green, blue, 255)
    return colours

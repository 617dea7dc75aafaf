"""Maps as CF netCDF on the pixels of a map projection, as other ice products are.

Unlike the files of maps, which are on the grid of their scene, these can be opened side by
side: all scenes share one grid (`formats.raster`).
"""

from pathlib import Path
from typing import Any

import numpy as np

from seaice_data.arrays import ChartArray
from seaice_data.charts import CHART_FILL, CHARTS, SIC
from seaice_data.system.geo_libraries import geo_libraries
from seaice_model.errors import MapError
from seaice_model.formats.raster import Raster, geolocation_error_m, raster_of, warp
from seaice_model.maps.attributes import (
    class_attributes,
    global_attributes,
    sic_attributes,
    status_attributes,
    uncertainties,
)
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.netcdf import CHART_VARIABLES, to_percent, write_time
from seaice_model.maps.netcdf_writer import (
    NewFile,
    add_dimensions,
    add_plane,
    add_variable,
    set_attributes,
    written_whole,
)

_LINKS = {"grid_mapping": "crs", "coordinates": "time"}


@geo_libraries(MapError, "geo")
def write_grid(
    chart_map: ChartMap, path: Path, *, crs: str, spacing_m: float | None = None
) -> None:
    """Write a map as CF netCDF on the grid of a projection.

    The variables are those of a map: SIC in percent, stages and floe sizes as flags, the
    status flag, and the planes of uncertainty that the map has, without probabilities of
    classes. Outside the scene all are 255, fill.

    Parameters
    ----------
    chart_map
        What to write.
    path
        The file; one at `path` stays until the new one is complete.
    crs
        A projection in metres that CF knows.
    spacing_m
        Side of a pixel in metres; that of the map if not given.

    Raises
    ------
    MapError
        If CF does not know the projection, the spacing does not suit the map, its tie
        points do not say where it is, or the file cannot be written.
    """
    if spacing_m is None:
        spacing_m = chart_map.grid.pixel_spacing_m
    mapping = _grid_mapping(crs)
    raster = raster_of(chart_map, crs, spacing_m)
    error_m = geolocation_error_m(chart_map, crs)
    with written_whole(path, "map") as file:
        about = {**global_attributes(chart_map), "geolocation_error_m": round(error_m, 1)}
        set_attributes(file, {**about, "pixel_spacing_m": spacing_m})
        add_dimensions(file, dict(zip(("y", "x"), raster.shape, strict=True)))
        add_variable(file, "crs", (), np.array(0, np.int32), mapping)
        _write_axes(file, raster)
        write_time(file, chart_map.acquired)
        _write_charts(file, chart_map, raster)
        decision = chart_map.decision
        if decision is None or chart_map.charted_by:
            return
        for found in uncertainties(decision):
            if found.chart is None:
                codes = found.codes[np.newaxis]
                (plane,) = warp(codes, chart_map, raster, decision.rows, decision.columns)
                scale = {"scale_factor": np.float32(found.steps.step)}
                _write_plane(file, found.name, plane, {**found.attributes, **scale})


def _grid_mapping(crs: str) -> dict[str, Any]:
    """Return the attributes of a projection by CF, and its WKT for GDAL."""
    from pyproj import CRS  # late: an extra

    found: dict[str, Any] = CRS.from_user_input(crs).to_cf()
    if found.get("grid_mapping_name", "unknown") == "unknown":
        raise MapError(
            f"the CF conventions have no name for the projection {crs!r}",
            hint="use EPSG:3413 or EPSG:3995, or write GeoTIFF with --to tif",
        )
    if found["grid_mapping_name"] == "polar_stereographic":  # which pyproj leaves out
        is_south = found.get("standard_parallel", 90.0) < 0
        found.setdefault("latitude_of_projection_origin", -90.0 if is_south else 90.0)
    return found


def _write_axes(file: NewFile, raster: Raster) -> None:
    """Write the positions of the centres of pixels, in metres."""
    height, width = raster.shape
    down, across = (np.arange(n) * raster.spacing_m + raster.spacing_m / 2
                    for n in (height, width))  # fmt: skip
    for axis, at in (("y", raster.top_m - down), ("x", raster.left_m + across)):
        add_variable(
            file, axis, (axis,), at,
            {
                "standard_name": f"projection_{axis}_coordinate",
                "units": "m",
                "axis": axis.upper(),
            },
        )  # fmt: skip


def _write_charts(file: NewFile, chart_map: ChartMap, raster: Raster) -> None:
    """Write charts and flags."""
    planes = warp(chart_map.charts, chart_map, raster)
    for chart, plane in zip(CHARTS, planes, strict=True):
        name, attributes = CHART_VARIABLES[chart.name], class_attributes(chart)
        if chart is SIC:
            plane = to_percent(plane)
            attributes = sic_attributes()
        _write_plane(file, name, plane, attributes)
    (flags,) = warp(chart_map.flags[np.newaxis], chart_map, raster)
    _write_plane(file, "status_flag", flags, status_attributes())


def _write_plane(
    file: NewFile, name: str, plane: ChartArray, attributes: dict[str, Any]
) -> None:
    add_plane(file, name, plane, {**attributes, **_LINKS}, fill=CHART_FILL)

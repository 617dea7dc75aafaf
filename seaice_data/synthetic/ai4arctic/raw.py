"""The raw version of a synthetic scene: 40 m pixels with polygons and egg codes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from seaice_data.synthetic.ai4arctic.netcdf import (
    CELL_DIMS,
    SAR_DIMS,
    cell_sizes,
    sar_attributes,
    swaths,
    write_cells,
    write_range,
)
from seaice_data.synthetic.observation import Band, Observation
from seaice_data.system.netcdf_files import create, define_dimensions

if TYPE_CHECKING:
    import netCDF4


def write_raw(file: "netCDF4.Dataset", scene: Observation, bands: Iterator[Band]) -> None:
    """Write the raw version."""
    plan, surface, ties = scene.plan, scene.surface, scene.ties
    sizes = {
        **dict(zip(SAR_DIMS, plan.raw_shape, strict=True)),
        "sar_grid_points": ties.incidence.size,
        "polygon_codes": len(surface.rows),
        **cell_sizes(scene),
    }
    define_dimensions(file, sizes)
    file.setncatts(
        {
            "title": "Synthetic scene in the format of the AI4Arctic Sea Ice Dataset, raw",
            "geometric_info": "Sentinel-1 EW swath, 40 m pixels, not projected",
            "sar_denoise_by_nersc_documentation": "none: noise is part of the synthesis",
        }
    )
    sar = sar_attributes(scene)
    for name in ("nersc_sar_primary", "nersc_sar_secondary"):
        create(file, name, SAR_DIMS, np.float32, sar[name])
    chart_id = {"icechart_id": plan.chart_name}
    about = {"description": "id of the polygon in the ice chart, see polygon_codes"}
    create(file, "polygon_icechart", SAR_DIMS, np.float32, about | chart_id)
    create(file, "distance_map", SAR_DIMS, np.float32, sar["distance_map"])
    line, sample = np.meshgrid(ties.lines, ties.samples, indexing="ij")
    points = {
        "line": line,
        "sample": sample,
        "latitude": ties.latitude,
        "longitude": ties.longitude,
        "incidenceangle": ties.incidence,
        "height": np.zeros_like(line),
    }
    for name, values in points.items():
        grid = create(file, f"sar_grid_{name}", ("sar_grid_points",), np.float64, {})
        grid[:] = values.ravel()
    codes = create(file, "polygon_codes", ("polygon_codes",), str, chart_id)
    codes[:] = np.array(surface.rows, dtype=object)

    for band in bands:
        for name, plane in (
            ("nersc_sar_primary", band.hh),
            ("nersc_sar_secondary", band.hv),
            ("polygon_icechart", band.polygon_id),
            ("distance_map", band.zone),
        ):
            file[name][band.rows] = plane
    write_range(file, scene)
    write_cells(file, scene, np.float64)
    _write_swaths(file, scene)


def _write_swaths(file: "netCDF4.Dataset", scene: Observation) -> None:
    """Write which radiometer swath each cell comes from."""
    n_swaths = len(swaths(scene.plan)[1])
    column = np.arange(scene.n_cells[1]) * n_swaths // scene.n_cells[1]
    swath = np.broadcast_to(column.astype(np.uint8), scene.n_cells)
    for name in ("amsr2_swath_map", "swath_segmentation"):
        create(file, name, CELL_DIMS, np.uint8, {})[:] = swath

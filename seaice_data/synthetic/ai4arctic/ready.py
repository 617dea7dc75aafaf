"""The ready-to-train version of a synthetic scene, and the hidden truth on the same grid.

The scene is made from the raw rows by the steps of the dataset's authors: charts from
polygons, blocks of 2 x 2 pixels, aligned masks, standardised values, fill. The hidden truth
is the ice that the charts generalise.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import ChartArray
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.egg_codes import PolygonTable, paint_charts
from seaice_data.synthetic.ai4arctic.netcdf import (
    SAR_DIMS,
    STANDARD,
    TIE_DIMS,
    cell_sizes,
    sar_attributes,
    write_cells,
    write_range,
)
from seaice_data.synthetic.fields import Float32
from seaice_data.synthetic.observation import Band, Observation
from seaice_data.synthetic.plan import ScenePlan
from seaice_data.synthetic.polygons import BERGS
from seaice_data.synthetic.radar import Hidden
from seaice_data.system.netcdf_files import create, define_dimensions

if TYPE_CHECKING:
    import netCDF4


def write_ready(
    files: "list[netCDF4.Dataset]", scene: Observation, bands: Iterator[Band]
) -> None:
    """Write the ready-to-train version; the charts go to the last of the files."""
    plan = scene.plan
    main, reference = files[0], files[-1]
    for file in files:
        file.setncatts(_description(plan))
    sizes = dict(zip(SAR_DIMS, (plan.height, plan.width), strict=True))
    grids = dict.fromkeys(TIE_DIMS, len(scene.ties.lines)) | cell_sizes(scene)
    define_dimensions(main, sizes | grids)
    if reference is not main:
        define_dimensions(reference, sizes)
    for chart in CHARTS:
        attributes = {"polygon": f"{chart.long_name} by polygon", "chart_fill_value": 255}
        create(reference, chart.name, SAR_DIMS, np.uint8, attributes)
    for name in ("latitude", "longitude"):
        grid = create(main, f"sar_grid2d_{name}", TIE_DIMS, np.float64, {})
        grid[:] = getattr(scene.ties, name)
    for name, attributes in sar_attributes(scene).items():
        fill = {} if name == "distance_map" else {"variable_fill_value": 0}
        create(main, name, SAR_DIMS, np.float32, attributes | fill)

    for band in bands:
        rows, planes = _ready_planes(scene, band)
        for name, plane in planes.items():
            (reference if plane.dtype == np.uint8 else main)[name][rows] = plane
    write_range(main, scene)
    write_cells(main, scene, np.float32)


def write_truth(
    file: "netCDF4.Dataset", scene: Observation, bands: Iterator[Band]
) -> Iterator[Band]:
    """Yield the bands of a scene, and write the hidden truth of each."""
    plan = scene.plan
    file.setncatts({"title": "What the chart of a synthetic scene generalises"})
    file.setncatts(_description(plan))
    define_dimensions(file, dict(zip(SAR_DIMS, (plan.height, plan.width), strict=True)))
    long_names = {chart.name: f"{chart.long_name} of the pixel" for chart in CHARTS}
    long_names["ice_share"] = "ice in the pixel, percent"
    long_names["polygon_id"] = "polygon of the chart whose ice or water the pixel has"
    for name, long_name in long_names.items():
        attributes = {"long_name": long_name, "chart_fill_value": CHART_FILL}
        file.createVariable(name, np.uint8, SAR_DIMS, zlib=True, complevel=1)
        file[name].setncatts(attributes)
    types = _true_types(scene)
    for band in bands:
        first = band.rows.start // 2
        rows = slice(first, min(first + len(band.hidden.ice), plan.height))
        for name, plane in _true_planes(scene, band.hidden, types).items():
            file[name][rows] = plane[: rows.stop - first, : plan.width]
        yield band


def _true_types(scene: Observation) -> ChartArray:
    """Return stage and floe size, ``(label, type, chart)``: second type, then main."""
    types = np.zeros((len(scene.surface.polygons), 2, 2), np.uint8)
    for label, polygon in enumerate(scene.surface.polygons):
        if not polygon.tenths:
            continue
        for i, number in enumerate(reversed(polygon.main_types)):
            stage, floe = polygon.stages[number], polygon.floes[number]
            # Ice of land origin has no stage; fast and level ice have no floe size.
            types[label, i] = (
                CHART_FILL if floe == BERGS else stage,
                floe if floe <= BERGS else CHART_FILL,
            )
    return types


def _true_planes(
    scene: Observation, hidden: Hidden, types: ChartArray
) -> dict[str, NDArray[np.uint8]]:
    """Return the planes of some rows; SIC 0 is water in all of them."""
    sic = np.rint(10 * hidden.ice)
    kind = types[hidden.label, hidden.is_first.astype(np.intp)]
    planes = {
        "SIC": sic,
        "SOD": np.where(sic == 0, 0, kind[..., 0]),
        "FLOE": np.where(sic == 0, 0, kind[..., 1]),
        "ice_share": np.rint(100 * hidden.ice),
        "polygon_id": scene.surface.ids[hidden.label],
    }
    return {
        name: np.where(hidden.is_land, CHART_FILL, plane).astype(np.uint8)
        for name, plane in planes.items()
    }


def _description(plan: ScenePlan) -> dict[str, str | int]:
    """Return the global attributes."""
    return {
        "scene_id": f"{plan.id}_prep.nc",
        "original_id": plan.raw_name,
        "ice_service": plan.service,
        "flip": 0,
        "pixel_spacing": 80,
    }


def _ready_planes(
    scene: Observation, band: Band
) -> tuple[slice, dict[str, NDArray[np.uint8] | Float32]]:
    """Turn raw rows into ready-to-train ones by the authors' steps."""
    plan, table = scene.plan, PolygonTable.parse(scene.surface.rows)
    rows = slice(band.rows.start // 2, band.rows.stop // 2)
    charts = _block_maxima(paint_charts(band.polygon_id, table))[:, : plan.width]
    planes = {
        name: _block_means(plane)[:, : plan.width]
        for name, plane in (
            ("nersc_sar_primary", band.hh),
            ("nersc_sar_secondary", band.hv),
            ("sar_incidenceangle", _incidence(scene, band.rows)),
            ("distance_map", band.zone),
        )
    }
    is_valid = (charts[..., 0] != CHART_FILL) & ~np.isnan(planes["nersc_sar_primary"])
    for name, plane in planes.items():
        mean, std = STANDARD[name]
        plane -= np.float32(mean)
        plane /= np.float32(std)
        if name != "distance_map":
            plane[~is_valid] = 0
    charts[~is_valid] = CHART_FILL
    return rows, {c.name: charts[..., i] for i, c in enumerate(CHARTS)} | planes


def _incidence(scene: Observation, rows: slice) -> Float32:
    """Interpolate the angles of the tie points to raw rows, along each axis separately."""
    ties = scene.ties
    across = np.interp(np.arange(scene.plan.raw_shape[1]), ties.samples, ties.incidence[0])
    lines = np.arange(rows.start, rows.stop)
    along = np.interp(lines, ties.lines, ties.incidence[:, 0] - ties.incidence[0, 0])
    angle: Float32 = (along[:, None] + across).astype(np.float32)
    return angle


def _block_means(plane: Float32) -> Float32:
    """Return the means of 2 x 2 pixels; NaN if any of them is."""
    height, width = (n // 2 * 2 for n in plane.shape)
    pairs = plane[0:height:2, :width] + plane[1:height:2, :width]
    means: Float32 = pairs[:, 0::2] + pairs[:, 1::2]
    means *= np.float32(0.25)
    return means


def _block_maxima(charts: ChartArray) -> ChartArray:
    """Return the maxima of 2 x 2 pixels: the highest class wins, and 255 wins over all."""
    height, width = (n // 2 * 2 for n in charts.shape[:2])
    pairs = np.maximum(charts[0:height:2, :width], charts[1:height:2, :width])
    return np.maximum(pairs[:, 0::2], pairs[:, 1::2])

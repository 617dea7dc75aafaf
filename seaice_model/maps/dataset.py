"""A map as an xarray dataset: everything at every pixel, with the attributes of CF.

Planes that take long to compute (positions, uncertainty) are dask arrays: they are computed
on all cores when they are used.
"""

from collections.abc import Callable
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.delayed import delayed

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.charts import CHART_FILL, CHARTS, SIC, SIC_STEP_PERCENT, Chart
from seaice_data.conventions import TIME
from seaice_model.maps.attributes import (
    Uncertainty,
    class_attributes,
    global_attributes,
    sic_attributes,
    status_attributes,
    uncertainties,
)
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.decision import Decision
from seaice_model.maps.geolocation_netcdf import (
    axis_attributes,
    distances_m,
    place_attributes,
)
from seaice_model.maps.netcdf import read_netcdf

_PIXELS = ("y", "x")
_BAND_ROWS = 256
_AS_FLOATS = {"zlib": True, "shuffle": True, "_FillValue": None}
_AS_BYTES = {"zlib": True, "dtype": "uint8", "_FillValue": np.uint8(CHART_FILL)}
"""How `Dataset.to_netcdf` writes planes: as compactly as maps are."""


def open_map(path: str | Path) -> xr.Dataset:
    """Read a map as an xarray dataset; see `ChartMap.to_xarray`.

    Raises
    ------
    MapError
        If there is no map at `path`, or it is damaged or not one of ours.

    Examples
    --------
    >>> ice = open_map("maps/20180607T184326_dmi.nc")  # doctest: +SKIP
    >>> float(ice.SIC.where(ice.latitude > 75).mean())  # doctest: +SKIP
    """
    return read_netcdf(path).to_xarray()


def map_dataset(chart_map: ChartMap) -> xr.Dataset:
    """Return a map as a dataset; see `ChartMap.to_xarray`."""
    grid = chart_map.grid
    variables: dict[str, Any] = {
        chart.name: (_PIXELS, *_chart(chart, plane), _AS_BYTES)
        for chart, plane in zip(CHARTS, chart_map.charts, strict=True)
    }
    variables["status_flag"] = (_PIXELS, chart_map.flags, status_attributes())
    coordinates: dict[str, Any] = {
        axis: (axis, distances_m(axis, n, grid.pixel_spacing_m), axis_attributes(axis))
        for axis, n in zip(_PIXELS, grid.shape, strict=True)
    }
    acquired = np.datetime64(chart_map.acquired.astimezone(UTC).replace(tzinfo=None), "ns")
    coordinates["time"] = ((), acquired, dict(TIME))
    places = _by_bands(partial(_places, chart_map), (2, *grid.shape))
    for name, plane in zip(("latitude", "longitude"), places, strict=True):
        coordinates[name] = (_PIXELS, plane, place_attributes(name), _AS_FLOATS)
    if (decision := chart_map.decision) is not None:
        for found in uncertainties(decision):
            leading = (found.class_axis,) if found.class_axis else ()
            shape = (*found.codes.shape[:-2], *grid.shape)
            planes = _by_bands(partial(_numbers, decision, found), shape)
            packing = {**_AS_BYTES, "scale_factor": np.float32(found.steps.step)}
            about = found.attributes
            variables[found.name] = ((*leading, *_PIXELS), planes, about, packing)
            if found.chart is not None:
                numbers = np.arange(found.chart.n_classes)
                about = found.chart.cf_attributes()
                coordinates[str(found.class_axis)] = (leading, numbers, about)
    return xr.Dataset(variables, coordinates, global_attributes(chart_map))


def _chart(chart: Chart, plane: ChartArray) -> tuple[FloatArray, dict[str, Any]]:
    """Return a chart as numbers, NaN where there is no class, with its attributes."""
    numbers = np.arange(256, dtype=np.float32)
    numbers[CHART_FILL] = np.nan
    if chart is SIC:
        return numbers[plane] * SIC_STEP_PERCENT, sic_attributes()
    return numbers[plane], class_attributes(chart)


def _by_bands(read: Callable[[slice], FloatArray], shape: tuple[int, ...]) -> Any:
    """Return planes, shape ``(..., y, x)``, that are read in bands of rows when needed."""
    *leading, height, width = shape
    parts = []
    for top in range(0, height, _BAND_ROWS):
        band = slice(top, min(top + _BAND_ROWS, height))
        size = (*leading, band.stop - top, width)
        read_later = delayed(read)(band)
        parts.append(da.from_delayed(read_later, size, np.float32))  # type: ignore[no-untyped-call]
    return da.concatenate(parts, axis=-2)  # type: ignore[no-untyped-call]


def _places(chart_map: ChartMap, band: slice) -> FloatArray:
    """Return latitude and longitude of rows."""
    rows = np.arange(band.start, band.stop, dtype=np.float64)
    columns = np.arange(chart_map.grid.width, dtype=np.float64)
    return np.stack(chart_map.tie_points.places(rows, columns)).astype(np.float32)


def _numbers(decision: Decision, found: Uncertainty, band: slice) -> FloatArray:
    """Return the values of bytes on the grid of the store, for rows of the map."""
    codes = found.codes[..., decision.rows[band], :][..., decision.columns]
    return found.steps.decode(codes)

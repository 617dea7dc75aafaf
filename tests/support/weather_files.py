"""Small files of weather in the forms that users bring, and a frame of nine cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import eccodes
import netCDF4
import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_data.ingest.frame import Frame

NOON = datetime(2020, 3, 1, 12, tzinfo=UTC)

UNITS = {
    "u10": "m s**-1",
    "v10": "m s**-1",
    "t2m": "K",
    "skt": "K",
    "tcwv": "kg m**-2",
    "tclw": "kg m**-2",
}
PARAMETERS = {"u10": 165, "v10": 166, "t2m": 167, "skt": 235, "tcwv": 137, "tclw": 78}

CORNERS = ((70.0, 10.0), (70.0, 11.0), (71.0, 10.0), (71.0, 11.0))


def frame_of(
    corners: Sequence[tuple[float, float]] = CORNERS, middle: datetime = NOON
) -> Frame:
    """Return a frame of 3 x 3 cells.

    The centres of the corner cells have these latitudes and longitudes: first sample of the
    first line, its last sample, then those of the last line. The default is ascending.
    """
    latitude, longitude = np.array(corners).T.reshape(2, 2, 2)
    ends = np.array([12.0, 62.0])
    ties = TiePoints(latitude, longitude, ends, ends)
    half = timedelta(seconds=30)
    return Frame(Grid(75, 75, 80.0), ties, middle - half, middle + half)


@dataclass
class Analysis:
    """Fields on a grid: by eye, rows from north to south unless latitudes say otherwise."""

    latitude: Sequence[float] = (72.0, 69.0)
    longitude: Sequence[float] = (9.0, 12.0)
    times: Sequence[datetime] = (NOON,)
    fields: Mapping[str, Any] = field(default_factory=lambda: dict.fromkeys(UNITS, 1.0))
    """By name; anything that fits ``(time, latitude, longitude)``."""

    def values(self, name: str) -> FloatArray:
        """Return the values of a field at all times and points."""
        shape = (len(self.times), len(self.latitude), len(self.longitude))
        return np.array(np.broadcast_to(np.asarray(self.fields[name], float), shape))


Style = Literal["time", "valid_time"]


def write_netcdf(
    path: Path,
    analysis: Analysis,
    *,
    style: Style = "valid_time",
    format: Any = "NETCDF4",  # noqa: A002 - as netCDF4 calls it
    axes: tuple[str, str] = ("latitude", "longitude"),
    names: Mapping[str, str] | None = None,
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
    dtype: str = "f4",
) -> Path:
    """Write a netCDF file: since 2024 with ``valid_time``, before with ``time``."""
    with netCDF4.Dataset(path, "w", format=format) as file:
        sizes = (len(analysis.times), len(analysis.latitude), len(analysis.longitude))
        dimensions = (style, *axes)
        for name, size in zip(dimensions, sizes, strict=True):
            file.createDimension(name, size)
        write_time(file, style, analysis.times)
        for name, values, unit in (
            (axes[0], analysis.latitude, "degrees_north"),
            (axes[1], analysis.longitude, "degrees_east"),
        ):
            axis = file.createVariable(name, "f8", (name,))
            axis.units = unit
            axis[:] = np.array(values)
        for name in analysis.fields:
            written = (names or {}).get(name, name)
            about = {"units": UNITS[name]} | dict((attributes or {}).get(name, {}))
            fill = about.pop("_FillValue", None)
            variable = file.createVariable(written, dtype, dimensions, fill_value=fill)
            variable.setncatts(about)
            values = analysis.values(name)
            variable[:] = np.ma.array(np.nan_to_num(values), mask=np.isnan(values))
    return path


def write_time(file: netCDF4.Dataset, style: Style, times: Sequence[datetime]) -> None:
    """Write the axis of times of either style."""
    if style == "time":
        axis = file.createVariable("time", "i4", ("time",))
        axis.units = "hours since 1900-01-01 00:00:00.0"
        start, unit = datetime(1900, 1, 1, tzinfo=UTC), timedelta(hours=1)
    else:
        axis = file.createVariable("valid_time", "f8", ("valid_time",))
        axis.units = "seconds since 1970-01-01"
        start, unit = datetime(1970, 1, 1, tzinfo=UTC), timedelta(seconds=1)
    axis[:] = np.array([(time - start) // unit for time in times])


def write_grib(
    path: Path,
    analysis: Analysis,
    *,
    edition: int = 1,
    keys: Mapping[str, Any] | None = None,
) -> Path:
    """Write a GRIB file; `keys` replace those of all messages."""
    path.write_bytes(b"".join(grib_messages(analysis, edition=edition, keys=keys)))
    return path


def grib_messages(
    analysis: Analysis, *, edition: int = 1, keys: Mapping[str, Any] | None = None
) -> list[bytes]:
    """Return a message for each time and field."""
    messages = []
    for k, time in enumerate(analysis.times):
        for name in analysis.fields:
            handle = eccodes.codes_grib_new_from_samples(f"regular_ll_sfc_grib{edition}")
            latitude, longitude = analysis.latitude, analysis.longitude
            chosen = {
                "dataDate": int(f"{time:%Y%m%d}"),
                "dataTime": int(f"{time:%H%M}"),
                "Ni": len(longitude),
                "Nj": len(latitude),
                "jScansPositively": int(latitude[-1] > latitude[0]),
                "latitudeOfFirstGridPointInDegrees": float(latitude[0]),
                "latitudeOfLastGridPointInDegrees": float(latitude[-1]),
                "longitudeOfFirstGridPointInDegrees": float(longitude[0]),
                "longitudeOfLastGridPointInDegrees": float(longitude[-1]),
                "iDirectionIncrementInDegrees": float(longitude[1] - longitude[0]),
                "jDirectionIncrementInDegrees": float(abs(latitude[1] - latitude[0])),
                "paramId": PARAMETERS[name],
                "bitsPerValue": 24,
                "missingValue": 9999.0,
            } | dict(keys or {})
            values = analysis.values(name)[k]
            if np.isnan(values).any():
                chosen["bitmapPresent"] = 1
            for key, value in chosen.items():
                eccodes.codes_set(handle, key, value)
            eccodes.codes_set_values(handle, np.nan_to_num(values, nan=9999.0).ravel())
            messages.append(eccodes.codes_get_message(handle))
            eccodes.codes_release(handle)
    return messages

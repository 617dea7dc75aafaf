"""The weather of a synthetic scene as files of ERA5: netCDF and GRIB.

Both have the hours around the acquisition on the grid of `analyse`, and the wind towards
east and north. In between, the weather changes at a constant rate, and it is that of the
scene in the middle of the acquisition.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.errors import SceneError
from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.plan import ScenePlan, swath_position
from seaice_data.synthetic.weather import GRID_DEG, analyse
from seaice_data.system.extras import extra
from seaice_data.system.files import file_errors, replacing
from seaice_data.system.netcdf_files import define_dimensions, whole_file

if TYPE_CHECKING:
    import netCDF4


class _Kind(NamedTuple):
    """How ERA5 names a field, and how fast that of a synthetic scene grows."""

    parameter: int
    """Number in ECMWF's table 128."""

    units: str
    long_name: str
    growth: float
    """Share an hour."""


_KINDS: Mapping[str, _Kind] = MappingProxyType(
    {
        "u10": _Kind(165, "m s**-1", "10 metre U wind component", 0.06),
        "v10": _Kind(166, "m s**-1", "10 metre V wind component", -0.04),
        "t2m": _Kind(167, "K", "2 metre temperature", 0.002),
        "skt": _Kind(235, "K", "Skin temperature", -0.001),
        "tcwv": _Kind(137, "kg m**-2", "Total column water vapour", 0.03),
        "tclw": _Kind(78, "kg m**-2", "Total column cloud liquid water", -0.1),
    }
)

_HOURS = (-1, 0, 1, 2)
"""Hours of the files, from the last whole one before the middle of the acquisition."""

_MARGIN = 4  # points beyond the scene: one degree

_STEP_DEG = 0.01  # over which directions of lines and samples are measured

_GRIB_BITS = 16


class _Hours(NamedTuple):
    """What both files contain."""

    latitude: FloatArray
    """Falling, as in ERA5."""

    longitude: FloatArray

    times: list[datetime]

    fields: dict[str, FloatArray]
    """Shape ``(time, latitude, longitude)``, by the names of ERA5."""


def write_weather(folder: Path, scene: Observation) -> tuple[Path, ...]:
    """Write the weather of a scene as a user gets it from the data store of ECMWF.

    The fields are those of the scene in the middle of its acquisition, up to what the files
    round: half of a 65 535th of the range of a field in GRIB.

    Parameters
    ----------
    folder
        Where to write; it must exist.
    scene
        The scene.

    Returns
    -------
    tuple of Path
        ``era5.nc``: netCDF-4 with ``valid_time`` and ``expver``, as written since 2024;
        ``era5.grib``: GRIB 1. Four hours each, complete files.

    Raises
    ------
    SceneError
        If one of them cannot be written to the disk, or the package ``eccodes`` is missing.
    """
    hours = _make_hours(scene)
    netcdf, grib = folder / "era5.nc", folder / "era5.grib"
    with whole_file(netcdf) as file:
        _write_netcdf(file, hours)
        with file_errors(grib), replacing(grib) as new, new.open("wb") as stream:
            stream.writelines(_grib_messages(hours))
    return netcdf, grib


def _make_hours(scene: Observation) -> _Hours:
    """Return the fields of the hours around the acquisition."""
    analysis = analyse(scene.plan, scene.surface, _MARGIN)
    weather = asdict(analysis.weather)
    east, north = _to_earth(
        scene.plan,
        analysis.latitude[:, None],
        analysis.longitude,
        weather.pop("u10m_rotated"),
        weather.pop("v10m_rotated"),
    )
    middle = _middle(scene.plan)
    first = middle.replace(minute=0, second=0, microsecond=0)
    times = [first + timedelta(hours=hour) for hour in _HOURS]
    fields = {}
    for name, field in ({"u10": east, "v10": north} | weather).items():
        growth = [
            1 + _KINDS[name].growth * (time - middle) / timedelta(hours=1) for time in times
        ]
        fields[name] = np.array(growth)[:, None, None] * field[::-1]
    return _Hours(analysis.latitude[::-1], analysis.longitude, times, fields)


def _middle(plan: ScenePlan) -> datetime:
    """Return the time halfway through the acquisition, as the name of the product says."""
    start = plan.acquired.astimezone(UTC).replace(microsecond=0)
    return start + timedelta(seconds=max(1, round(plan.height / 85))) / 2


def _to_earth(
    plan: ScenePlan,
    latitude: FloatArray,
    longitude: FloatArray,
    along_samples: FloatArray,
    along_lines: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Turn winds from the axes of the scene towards east and north."""
    # Along a line of the image, the line number does not change.
    line_east, line_north = (
        swath_position(plan, latitude + d_north, longitude + d_east)[0]
        - swath_position(plan, latitude - d_north, longitude - d_east)[0]
        for d_east, d_north in (
            (_STEP_DEG / np.cos(np.deg2rad(latitude)), 0.0),
            (0.0, _STEP_DEG),
        )
    )
    # The radar looks to the right of the flight.
    length = np.hypot(line_east, line_north)
    east, north = line_north / length, -line_east / length
    return (
        along_samples * east - along_lines * north,
        along_samples * north + along_lines * east,
    )


def _write_netcdf(file: "netCDF4.Dataset", hours: _Hours) -> None:
    from seaice_data.system.netcdf_library import set_attributes  # late: takes 0.1 s

    axes = {
        "valid_time": np.array([int(time.timestamp()) for time in hours.times]),
        "latitude": hours.latitude,
        "longitude": hours.longitude,
    }
    about = {
        "valid_time": {
            "standard_name": "time",
            "units": "seconds since 1970-01-01",
            "calendar": "proleptic_gregorian",
        },
        "latitude": {"standard_name": "latitude", "units": "degrees_north"},
        "longitude": {"standard_name": "longitude", "units": "degrees_east"},
    }
    file.setncatts({"Conventions": "CF-1.7", "title": "Synthetic weather in form of ERA5"})
    define_dimensions(file, {name: len(values) for name, values in axes.items()})
    for name, values in axes.items():
        axis = file.createVariable(name, values.dtype, (name,))
        set_attributes(axis, about[name])
        axis[:] = values
    file.createVariable("number", np.int64)[...] = 0
    version = file.createVariable("expver", str, ("valid_time",))
    version[:] = np.array(["0001"] * len(hours.times), dtype=object)
    for name, field in hours.fields.items():
        kind = _KINDS[name]
        variable = file.createVariable(
            name, np.float32, (*axes,), zlib=True, chunksizes=(1, *field.shape[1:]),
            fill_value=np.nan,
        )  # fmt: skip
        about_field = {
            "long_name": kind.long_name,
            "units": kind.units,
            "coordinates": "number expver",
        }
        set_attributes(variable, about_field)
        variable.setncattr("GRIB_paramId", np.int64(kind.parameter))
        variable[:] = field


def _grib_messages(hours: _Hours) -> Iterator[bytes]:
    """Yield a message for each hour and field, in GRIB 1 as ERA5 is kept."""
    with extra("ingest", SceneError):
        import eccodes  # late: an extra
    south, north = (float(end) for end in hours.latitude[[-1, 0]])
    west, east = (float(end) for end in hours.longitude[[0, -1]])
    for k, time in enumerate(hours.times):
        for name, field in hours.fields.items():
            message = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib1")
            keys = {
                "dataDate": int(f"{time:%Y%m%d}"),
                "dataTime": int(f"{time:%H%M}"),
                "Ni": len(hours.longitude),
                "Nj": len(hours.latitude),
                "latitudeOfFirstGridPointInDegrees": north,
                "latitudeOfLastGridPointInDegrees": south,
                "longitudeOfFirstGridPointInDegrees": west,
                "longitudeOfLastGridPointInDegrees": east,
                "iDirectionIncrementInDegrees": GRID_DEG,
                "jDirectionIncrementInDegrees": GRID_DEG,
                "paramId": _KINDS[name].parameter,
                "bitsPerValue": _GRIB_BITS,
            }
            for key, value in keys.items():
                eccodes.codes_set(message, key, value)
            eccodes.codes_set_values(message, field[k].ravel())
            yield eccodes.codes_get_message(message)
            eccodes.codes_release(message)

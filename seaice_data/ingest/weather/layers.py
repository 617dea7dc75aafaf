"""The six fields of a weather analysis: how files call them, and one field at one time.

Names are those of ERA5. Files of other analyses have the same fields under the names of the
CF conventions.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from seaice_data.ingest.weather.grid import EarthGrid, Reading

_WIND_UNITS = frozenset({"ms-1", "m/s", "metres/second", "meters/second"})
_KELVIN = frozenset({"k", "kelvin", "degk", "degreesk"})
_CELSIUS = frozenset({"c", "degc", "°c", "celsius", "degreescelsius", "degreecelsius"})
_WATER_UNITS = frozenset({"kgm-2", "kg/m2", "mm"})
_ZERO_CELSIUS_K = 273.15


@dataclass(frozen=True, slots=True)
class WeatherField:
    """A field, and what identifies it in files."""

    parameter: int
    """ECMWF's number, the same in both editions of GRIB (``paramId`` of ecCodes)."""

    names: frozenset[str]
    """Names of variables, in small letters."""

    long_name: re.Pattern[str]
    """Words of ``long_name``, in small letters."""

    standard_names: frozenset[str]
    """CF names; those of wind and air need a height as well."""

    height: re.Pattern[str] | None
    """What ``long_name`` or the variable's own name must contain for these."""

    units: frozenset[str]
    """Units that need no conversion, without spaces and signs of powers."""

    unit: str
    """Unit in words, for messages."""


_AT_10_M = re.compile(r"(?<!\d)10 ?m|^[uv]?10[uvm]?$")
_AT_2_M = re.compile(r"(?<!\d)2 ?m|^t?2[tm]?$")

FIELDS: Mapping[str, WeatherField] = MappingProxyType(
    {
        "u10": WeatherField(
            165,
            frozenset({"u10", "10u", "u10m", "var165"}),
            re.compile(r"10 met(re|er) u.?wind.*"),
            frozenset({"eastward_wind"}),
            _AT_10_M,
            _WIND_UNITS,
            "m/s",
        ),
        "v10": WeatherField(
            166,
            frozenset({"v10", "10v", "v10m", "var166"}),
            re.compile(r"10 met(re|er) v.?wind.*"),
            frozenset({"northward_wind"}),
            _AT_10_M,
            _WIND_UNITS,
            "m/s",
        ),
        "t2m": WeatherField(
            167,
            frozenset({"t2m", "2t", "t2", "var167"}),
            re.compile(r"2 met(re|er) (air )?temperature"),
            frozenset({"air_temperature"}),
            _AT_2_M,
            _KELVIN,
            "kelvin",
        ),
        "skt": WeatherField(
            235,
            frozenset({"skt", "var235"}),
            re.compile(r"skin temperature"),
            frozenset({"surface_temperature"}),
            None,
            _KELVIN,
            "kelvin",
        ),
        "tcwv": WeatherField(
            137,
            frozenset({"tcwv", "var137"}),
            re.compile(r"total column (vertically.integrated )?water vapou?r"),
            frozenset({"atmosphere_mass_content_of_water_vapor"}),
            None,
            _WATER_UNITS,
            "kg/m2",
        ),
        "tclw": WeatherField(
            78,
            frozenset({"tclw", "var78"}),
            re.compile(r"total column (vertically.integrated )?(cloud )?liquid water"),
            frozenset({"atmosphere_mass_content_of_cloud_liquid_water"}),
            None,
            _WATER_UNITS,
            "kg/m2",
        ),
    }
)
"""The six fields by the names of ERA5."""

PARAMETERS: Mapping[int, str] = MappingProxyType(
    {field.parameter: name for name, field in FIELDS.items()}
)
"""Fields by their numbers."""


@dataclass(frozen=True, eq=False, slots=True)
class Layer:
    """One field at one time, in a file that is open; nothing has been read yet."""

    field: str
    """Key of `FIELDS`."""

    time_s: float
    """Time for which it is valid, in seconds since 1970-01-01 UTC."""

    version: int | None
    """``expver`` of ECMWF: 1 is ERA5, 5 its preliminary version; None if not given."""

    file: str
    """Path of the file, as the user gave it; for one in a zip, its name there follows."""

    grid: EarthGrid

    read: Reading
    """Returns a part of the field, NaN where a value is missing."""


def find_field(name: str, long_name: str, standard_name: str) -> str | None:
    """Return which field a variable is, by its names; None if it is none of the six.

    Examples
    --------
    >>> find_field("u10", "", ""), find_field("u100", "100 metre U wind component", "")
    ('u10', None)
    >>> find_field("wind_x", "10m wind towards east", "eastward_wind")
    'u10'
    """
    name, long_name = name.lower(), " ".join(long_name.lower().split())
    for key, field in FIELDS.items():
        if name in field.names or field.long_name.fullmatch(long_name):
            return key
    for key, field in FIELDS.items():
        if standard_name in field.standard_names and (
            field.height is None
            or field.height.search(name)
            or field.height.search(long_name)
        ):
            return key
    return None


def offset_of(field: str, units: str) -> float | None:
    """Return what is to be added to values in `units`; None if these do not fit the field.

    Examples
    --------
    >>> offset_of("t2m", "K"), offset_of("u10", "m s**-1"), offset_of("tclw", "kg m^-2")
    (0.0, 0.0, 0.0)
    >>> offset_of("t2m", "degC"), offset_of("t2m", "degF")
    (273.15, None)
    """
    plain = re.sub(r"[\s*^_.]", "", units.lower())
    known = FIELDS[field].units
    if not plain or plain in known:
        return 0.0
    if known is _KELVIN and plain in _CELSIUS:
        return _ZERO_CELSIUS_K
    return None

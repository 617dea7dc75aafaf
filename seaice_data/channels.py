"""Catalogue of the input planes: names, netCDF variables, units and standardisation.

``CHANNELS`` lists them in the order of the channel axis of a store: first the 16 that the
winning configuration of the AutoICE challenge uses, in its order, so that the default
channels of a patch are side by side in memory; then all others.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from seaice_data.errors import RecipeError
from seaice_data.settings import nearest


class Group(enum.StrEnum):
    """Where a channel comes from, which decides how it reaches the grid of the store."""

    SAR = "sar"
    """Sentinel-1 backscatter: downscaled from the SAR grid, NaN outside the swath."""

    GEOMETRY = "geometry"
    """Incidence angle and distance to land: downscaled from the SAR grid."""

    AMSR2 = "amsr2"
    """Radiometer: interpolated from 2 km cells."""

    ERA5 = "era5"
    """Weather: interpolated from 2 km cells."""

    ENCODING = "encoding"
    """Place and time: computed from tie points and acquisition time."""


DISPENSABLE = (Group.AMSR2, Group.ERA5)
"""Groups that networks can learn to do without; others come with every scene."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One input plane.

    A store contains ``(value - mean) / std``; ``stored * std + mean`` is the value in
    `unit`.
    """

    name: str
    """Name on the channel axis."""

    group: Group
    """Where it comes from."""

    variable: str | None
    """Name of the netCDF variable; None for encodings."""

    unit: str
    """Unit of the value, as CF writes it."""

    long_name: str
    """Name for people, as CF ``long_name``."""

    standard_name: str | None
    """Name in the CF standard name table, where it has one."""

    mean: float
    """Subtracted before storing, in `unit`."""

    std: float
    """Divided by before storing, in `unit`."""


# Means and deviations: the dataset authors' `global_meanstd` (December 2022 release) for
# netCDF variables; the official configuration for latitude and longitude; for the month,
# (m - 6.5) / 5.5 equals its 2 (m - 1) / 11 - 1.
CHANNELS = (
    Channel(
        "hh",
        Group.SAR,
        "nersc_sar_primary",
        "dB",
        "Sentinel-1 sigma nought, HH",
        "surface_backwards_scattering_coefficient_of_radar_wave",
        -14.5082551552228,
        5.6597459193818676,
    ),
    Channel(
        "hv",
        Group.SAR,
        "nersc_sar_secondary",
        "dB",
        "Sentinel-1 sigma nought, HV",
        "surface_backwards_scattering_coefficient_of_radar_wave",
        -24.701205147144236,
        4.746759305258515,
    ),
    Channel(
        "incidence_angle",
        Group.GEOMETRY,
        "sar_incidenceangle",
        "degree",
        "radar incidence angle",
        "angle_of_incidence",
        33.99801788456536,
        8.322267212079046,
    ),
    Channel(
        "distance_map",
        Group.GEOMETRY,
        "distance_map",
        "1",
        "distance to land in zones 0-41",
        None,
        23.627669500714102,
        14.99018630794473,
    ),
    Channel(
        "btemp_18_7h",
        Group.AMSR2,
        "btemp_18_7h",
        "K",
        "AMSR2 brightness temperature, 18.7 GHz H",
        "brightness_temperature",
        165.6802621430742,
        52.617873035841676,
    ),
    Channel(
        "btemp_18_7v",
        Group.AMSR2,
        "btemp_18_7v",
        "K",
        "AMSR2 brightness temperature, 18.7 GHz V",
        "brightness_temperature",
        218.5868342822609,
        28.060389755926906,
    ),
    Channel(
        "btemp_36_5h",
        Group.AMSR2,
        "btemp_36_5h",
        "K",
        "AMSR2 brightness temperature, 36.5 GHz H",
        "brightness_temperature",
        185.19472368457747,
        38.6444384529263,
    ),
    Channel(
        "btemp_36_5v",
        Group.AMSR2,
        "btemp_36_5v",
        "K",
        "AMSR2 brightness temperature, 36.5 GHz V",
        "brightness_temperature",
        228.20590185866286,
        17.652645265307164,
    ),
    Channel(
        "u10m",
        Group.ERA5,
        "u10m_rotated",
        "m s-1",
        "first component of the wind at 10 m, turned to the flight direction (ERA5)",
        None,
        0.6747986162545088,
        4.749646758314658,
    ),
    Channel(
        "v10m",
        Group.ERA5,
        "v10m_rotated",
        "m s-1",
        "second component of the wind at 10 m, turned to the flight direction (ERA5)",
        None,
        0.6075565949388854,
        5.196104947581429,
    ),
    Channel(
        "t2m",
        Group.ERA5,
        "t2m",
        "K",
        "air temperature at 2 m (ERA5)",
        "air_temperature",
        268.6265490976146,
        9.469170769562306,
    ),
    Channel(
        "tcwv",
        Group.ERA5,
        "tcwv",
        "kg m-2",
        "total column water vapour (ERA5)",
        "atmosphere_mass_content_of_water_vapor",
        7.747741728107202,
        5.268575011079001,
    ),
    Channel(
        "tclw",
        Group.ERA5,
        "tclw",
        "kg m-2",
        "total column cloud liquid water (ERA5)",
        "atmosphere_mass_content_of_cloud_liquid_water",
        0.041245511364735726,
        0.07112806794202754,
    ),
    Channel(
        "month", Group.ENCODING, None, "1", "month of acquisition, 1-12", None, 6.5, 5.5
    ),
    Channel(
        "latitude",
        Group.ENCODING,
        None,
        "degrees_north",
        "latitude",
        "latitude",
        69.12526250065734,
        7.03179625261593,
    ),
    Channel(
        "longitude",
        Group.ENCODING,
        None,
        "degrees_east",
        "longitude",
        "longitude",
        -56.38966259295485,
        31.32935694114249,
    ),
    Channel(
        "btemp_6_9h",
        Group.AMSR2,
        "btemp_6_9h",
        "K",
        "AMSR2 brightness temperature, 6.9 GHz H",
        "brightness_temperature",
        148.8469796145295,
        61.64846862537627,
    ),
    Channel(
        "btemp_6_9v",
        Group.AMSR2,
        "btemp_6_9v",
        "K",
        "AMSR2 brightness temperature, 6.9 GHz V",
        "brightness_temperature",
        203.51944545494723,
        38.66643206594044,
    ),
    Channel(
        "btemp_7_3h",
        Group.AMSR2,
        "btemp_7_3h",
        "K",
        "AMSR2 brightness temperature, 7.3 GHz H",
        "brightness_temperature",
        149.89896504342093,
        61.67544463178433,
    ),
    Channel(
        "btemp_7_3v",
        Group.AMSR2,
        "btemp_7_3v",
        "K",
        "AMSR2 brightness temperature, 7.3 GHz V",
        "brightness_temperature",
        204.20534015176978,
        38.66622047733582,
    ),
    Channel(
        "btemp_10_7h",
        Group.AMSR2,
        "btemp_10_7h",
        "K",
        "AMSR2 brightness temperature, 10.7 GHz H",
        "brightness_temperature",
        153.89169240998876,
        60.875249835766844,
    ),
    Channel(
        "btemp_10_7v",
        Group.AMSR2,
        "btemp_10_7v",
        "K",
        "AMSR2 brightness temperature, 10.7 GHz V",
        "brightness_temperature",
        208.90408657387925,
        36.24495931413019,
    ),
    Channel(
        "btemp_23_8h",
        Group.AMSR2,
        "btemp_23_8h",
        "K",
        "AMSR2 brightness temperature, 23.8 GHz H",
        "brightness_temperature",
        182.20893715257156,
        42.88716195392868,
    ),
    Channel(
        "btemp_23_8v",
        Group.AMSR2,
        "btemp_23_8v",
        "K",
        "AMSR2 brightness temperature, 23.8 GHz V",
        "brightness_temperature",
        226.39646658494573,
        22.117582324875166,
    ),
    Channel(
        "btemp_89_0h",
        Group.AMSR2,
        "btemp_89_0h",
        "K",
        "AMSR2 brightness temperature, 89.0 GHz H",
        "brightness_temperature",
        212.53745842027274,
        22.584971395547413,
    ),
    Channel(
        "btemp_89_0v",
        Group.AMSR2,
        "btemp_89_0v",
        "K",
        "AMSR2 brightness temperature, 89.0 GHz V",
        "brightness_temperature",
        241.25747874607808,
        16.31096214404262,
    ),
    Channel(
        "skt",
        Group.ERA5,
        "skt",
        "K",
        "skin temperature (ERA5)",
        "surface_temperature",
        268.91015184833424,
        10.305256438427369,
    ),
    Channel(
        "month_sin",
        Group.ENCODING,
        None,
        "1",
        "sine of the month as an angle, January 0",
        None,
        0.0,
        1.0,
    ),
    Channel(
        "month_cos",
        Group.ENCODING,
        None,
        "1",
        "cosine of the month as an angle, January 0",
        None,
        0.0,
        1.0,
    ),
    Channel(
        "day_sin",
        Group.ENCODING,
        None,
        "1",
        "sine of the day of the year as an angle",
        None,
        0.0,
        1.0,
    ),
    Channel(
        "day_cos",
        Group.ENCODING,
        None,
        "1",
        "cosine of the day of the year as an angle",
        None,
        0.0,
        1.0,
    ),
)
"""Every channel, in the order of the channel axis."""

CHANNEL_NAMES = tuple(channel.name for channel in CHANNELS)
"""Names of `CHANNELS`."""

OFFICIAL_CHANNELS = CHANNEL_NAMES[:16]
"""The 16 channels of the configuration that won the challenge, in its order."""

PAPER_CHANNELS = tuple(
    name for name in OFFICIAL_CHANNELS if name not in ("incidence_angle", "distance_map")
)
"""The 14 channels of Chen et al. (2024), Table 2."""


def find_channel(name: str) -> Channel:
    """Return the channel called `name`.

    Raises
    ------
    RecipeError
        If there is none; the hint suggests the nearest name.
    """
    for channel in CHANNELS:
        if channel.name == name:
            return channel
    if members := [channel.name for channel in CHANNELS if channel.group == name]:
        raise RecipeError(
            f"{name!r} is a group of channels",
            hint=f"name its channels: {', '.join(members)}",
        )
    raise RecipeError(f"unknown channel {name!r}", hint=nearest(name, CHANNEL_NAMES))


def find_channels(names: Iterable[str]) -> tuple[Channel, ...]:
    """Return the channels of these names; see `find_channel`."""
    return tuple(map(find_channel, names))


def select_channels(names: Iterable[str]) -> tuple[str, ...]:
    """Expand names of channels and groups into names of channels, in catalogue order.

    Blanks around a name are ignored.

    Raises
    ------
    RecipeError
        If a name is empty or unknown, or if nothing is selected.

    Examples
    --------
    >>> select_channels(["t2m", "sar"])
    ('hh', 'hv', 't2m')
    """
    chosen: set[str] = set()
    for name in (name.strip() for name in names):
        if not name:
            raise RecipeError(
                "the name of a channel is empty",
                hint="separate names with commas: hh,hv,t2m",
            )
        if name in tuple(Group):
            chosen.update(c.name for c in CHANNELS if c.group == name)
        elif name in CHANNEL_NAMES:
            chosen.add(name)
        else:
            hint = nearest(name, [*CHANNEL_NAMES, *Group])
            raise RecipeError(f"unknown channel or group {name!r}", hint=hint)
    if not chosen:
        raise RecipeError("no channel selected", hint="name at least one channel or group")
    return tuple(name for name in CHANNEL_NAMES if name in chosen)

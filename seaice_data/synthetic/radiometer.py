"""What the radiometer sees of a synthetic scene: brightness of 2 km cells.

It distinguishes ice from windy water, which the radar does not, but it blurs. The constants
are typical values, rounded. Fields are as smooth as those that were brought to 2 km from
the samples of the instrument, 5 or 10 km apart: details between samples are lost.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.synthetic.fields import blur
from seaice_data.synthetic.plan import ScenePlan
from seaice_data.synthetic.surface import Cover
from seaice_data.synthetic.weather import Weather


class _Frequency(NamedTuple):
    """How one AMSR2 frequency sees: H and V in kelvin, footprint in kilometres."""

    footprint_km: float
    water: tuple[float, float]
    first_year: tuple[float, float]
    old: tuple[float, float]
    thin: tuple[float, float]
    wind: tuple[float, float]
    vapour: tuple[float, float]
    liquid: tuple[float, float]
    noise: float


# Water: a calm sea under a dry sky; wind in K per m/s, vapour and liquid in K per kg/m2.
_FREQUENCIES: Mapping[str, _Frequency] = {
    "6_9": _Frequency(
        46,
        (80, 158),
        (232, 257),
        (222, 247),
        (192, 246),
        (0.6, 0.1),
        (0.1, 0.1),
        (4, 2),
        0.35,
    ),
    "7_3": _Frequency(
        46,
        (81, 159),
        (232, 257),
        (221, 246),
        (193, 246),
        (0.6, 0.1),
        (0.1, 0.1),
        (5, 3),
        0.4,
    ),
    "10_7": _Frequency(
        32,
        (86, 165),
        (234, 257),
        (217, 242),
        (198, 247),
        (0.8, 0.2),
        (0.3, 0.2),
        (12, 6),
        0.5,
    ),
    "18_7": _Frequency(
        18,
        (100, 178),
        (237, 256),
        (206, 227),
        (206, 248),
        (1.0, 0.3),
        (1.2, 0.7),
        (40, 20),
        0.6,
    ),
    "23_8": _Frequency(
        15,
        (116, 190),
        (238, 255),
        (200, 219),
        (212, 248),
        (0.9, 0.3),
        (2.6, 1.5),
        (55, 28),
        0.6,
    ),
    "36_5": _Frequency(
        9,
        (132, 200),
        (238, 252),
        (180, 198),
        (218, 246),
        (1.1, 0.4),
        (1.3, 0.7),
        (95, 45),
        0.7,
    ),
    "89_0": _Frequency(
        4,
        (168, 226),
        (226, 236),
        (178, 190),
        (220, 238),
        (1.0, 0.4),
        (3.0, 1.4),
        (140, 50),
        1.0,
    ),
}

_AIR_K = 274.0

_CELL_KM = 2.0

_SAMPLE_KM = {"89_0": 5.0}
"""Kilometres between samples of the instrument, where it is not 10."""

_SMOOTHING = 1.5
"""What bringing samples to cells adds to the footprint, in distances between samples."""

RADIOMETER_VARIABLES = tuple(
    f"btemp_{frequency}{polarisation}"
    for frequency in _FREQUENCIES
    for polarisation in "hv"
)
"""Brightness temperatures in the order of the files."""


def brightness(plan: ScenePlan, cover: Cover, weather: Weather) -> dict[str, FloatArray]:
    """Return brightness temperatures of 2 km cells in kelvin, float64, by variable.

    Parameters
    ----------
    plan
        The scene.
    cover
        Mean of each cell.
    weather
        Wind roughens the sea, vapour and cloud water shine over it, melt hides old ice.
    """
    melt = np.clip((weather.t2m - 269) / 4, 0, 1)
    wet = Cover(
        cover.ice * (1 - 0.15 * melt),
        cover.old * (1 - 0.8 * melt),
        cover.thin,
        cover.land,
    )
    temperatures: dict[str, FloatArray] = {}
    for number, name in enumerate(RADIOMETER_VARIABLES):
        frequency = _FREQUENCIES[name.removeprefix("btemp_")[:-1]]
        surface = _emission(frequency, "hv".index(name[-1]), wet, weather)
        sample_km = _SAMPLE_KM.get(name.removeprefix("btemp_")[:-1], 10.0)
        seen_km = np.hypot(frequency.footprint_km, _SMOOTHING * sample_km)
        seen = blur(surface, seen_km / 2.355 / _CELL_KM)
        rng = plan.rng(60, number)
        seen += frequency.noise * _noise(rng, seen.shape, sample_km / 2 / _CELL_KM)
        # The instrument counts in steps of 1/128 K.
        temperatures[name] = np.round(seen * 128) / 128
    return temperatures


def _noise(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> FloatArray:
    """Return Gaussian noise of deviation 1, blurred over `sigma` cells."""
    margin = int(4 * sigma) + 1
    white = rng.standard_normal(tuple(n + 2 * margin for n in shape))
    # What is left of the deviation of white noise along one axis, squared.
    bell = np.exp(-0.5 * (np.arange(-margin, margin + 1) / sigma) ** 2)
    left = np.sum((bell / bell.sum()) ** 2)
    noise: FloatArray = blur(white, sigma)[margin:-margin, margin:-margin] / left
    return noise


def _emission(
    frequency: _Frequency, polarisation: int, cover: Cover, weather: Weather
) -> FloatArray:
    """Return what the surface and the air above it emit, before the antenna blurs it."""
    i = polarisation
    first_year = cover.ice - cover.old - cover.thin
    open_water = 1 - cover.ice - cover.land
    from_ice = (
        first_year * frequency.first_year[i]
        + cover.old * frequency.old[i]
        + cover.thin * frequency.thin[i]
        + cover.ice * 0.7 * (np.minimum(weather.skt, 272) - 255)
    )
    from_land = cover.land * weather.skt.clip(235, 280) * (0.92, 0.95)[i]
    wind = np.hypot(weather.u10m_rotated, weather.v10m_rotated)
    air = frequency.vapour[i] * weather.tcwv + frequency.liquid[i] * weather.tclw
    sea = frequency.water[i] + frequency.wind[i] * wind
    # Thick air hides the sea: no more comes out than the air's own temperature.
    contrast = _AIR_K - sea
    sea = _AIR_K - contrast * np.exp(-air / contrast)
    emission: FloatArray = from_ice + from_land + open_water * sea + 0.1 * cover.ice * air
    return emission

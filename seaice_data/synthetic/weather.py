"""The weather of a synthetic scene, smooth over land, water and ice.

It is made for the whole swath: a small scene has the weather of a small area. As in real
scenes, a weather model knows it on a grid of 0.25 degrees only (``analyse``), and cells are
interpolated from there (``make_weather``).
"""

from dataclasses import astuple, dataclass
from typing import NamedTuple

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.grid import CELL_PIXELS
from seaice_data.synthetic.fields import blur
from seaice_data.synthetic.plan import ScenePlan, earth_position, swath_position
from seaice_data.synthetic.regions import REGIONS
from seaice_data.synthetic.surface import Surface


@dataclass(frozen=True, slots=True, eq=False)
class Weather:
    """Weather on a grid, float64, in the units of ERA5; winds are along samples, lines."""

    u10m_rotated: FloatArray
    v10m_rotated: FloatArray
    t2m: FloatArray
    skt: FloatArray
    tcwv: FloatArray
    tclw: FloatArray


class Analysis(NamedTuple):
    """The weather as a model knows it: on a regular grid of the Earth."""

    latitude: FloatArray
    """Degrees north of the rows, rising."""

    longitude: FloatArray
    """Degrees east of the columns, rising."""

    weather: Weather
    """Shape ``(latitude, longitude)``; winds are along the samples and lines there."""


RAW_CELL = 2 * CELL_PIXELS

GRID_DEG = 0.25
"""Degrees from point to point of the weather model, as in ERA5."""


def make_weather(plan: ScenePlan, surface: Surface) -> Weather:
    """Return the weather of a scene in 2 km cells, interpolated from `analyse`."""
    from scipy.ndimage import map_coordinates  # late: takes 0.1 s

    analysis = analyse(plan, surface)
    latitude, longitude = _cell_places(plan, surface)
    at = (
        (latitude - analysis.latitude[0]) / GRID_DEG,
        (longitude - analysis.longitude[0]) / GRID_DEG,
    )
    fields = astuple(analysis.weather)
    return Weather(*(map_coordinates(field, at, order=1) for field in fields))


def analyse(plan: ScenePlan, surface: Surface, margin: int = 0) -> Analysis:
    """Return the weather at the points of the model that the cells of a scene need.

    Beyond the swath, it is as at its border.

    Parameters
    ----------
    plan, surface
        The scene.
    margin
        Points more on all sides.
    """
    from scipy.ndimage import map_coordinates  # late: takes 0.1 s

    latitude, longitude = (
        _grid_points(places, margin) for places in _cell_places(plan, surface)
    )
    positions = swath_position(plan, latitude[:, None], longitude)
    at = [position / surface.swath.nodes.spacing for position in positions]
    fields = astuple(_swath_weather(plan, surface))
    sampled = (map_coordinates(field, at, order=1, mode="nearest") for field in fields)
    return Analysis(latitude, longitude, Weather(*sampled))


def _swath_weather(plan: ScenePlan, surface: Surface) -> Weather:
    """Make the weather of a swath; the air is cold over ice and mild over water."""
    rng, nodes = plan.rng(40), surface.swath.nodes

    def smooth(stream: int, wavelength: float, slope: float = 5.0) -> FloatArray:
        return nodes.fractal(stream, wavelength, slope).astype(np.float64)

    land, ice = surface.swath.ground.land_km <= 0, surface.swath.ice
    speed = min(6.0 * rng.weibull(2.0) + 0.8, 14.0)
    angle = rng.uniform(0, 2 * np.pi)
    u = speed * np.cos(angle) + 1.6 * smooth(41, 0.9)
    v = speed * np.sin(angle) + 1.6 * smooth(42, 0.9)

    month, latitude = plan.acquired.month, REGIONS[plan.region].latitude
    summer = np.cos(2 * np.pi * (month - 7.5) / 12)
    over_water = 274.5 + 5.0 * summer - 0.2 * (latitude - 70)
    over_ice = min(258.5 + 12.5 * summer - 0.5 * (latitude - 70), 273.0)
    frozen = blur(np.maximum(ice, 0.7 * land), 16 / nodes.km)
    t2m = over_water + (over_ice - over_water) * frozen
    t2m += rng.normal(0, 4.0) * frozen + (1.0 + 0.7 * frozen) * smooth(43, 0.8)

    sea = max(271.4, 274.0 + 4.0 * np.cos(2 * np.pi * (month - 8.5) / 12))
    on_ice = np.minimum(t2m - 1.0, 273.15)
    skt = np.where(land, t2m + 2.5 * summer, ice * on_ice + (1 - ice) * sea)
    skt = blur(skt, 12 / nodes.km)
    tcwv = 4.0 * np.exp(0.06 * (t2m - 260) + rng.normal(0, 0.3) + 0.18 * smooth(44, 0.7))
    clouds = np.maximum(smooth(45, 0.4, 4.0) + rng.normal(-0.5, 0.5), 0)
    tclw = np.minimum(0.12 * clouds**1.4 * np.sqrt(tcwv / 8), 1.1)
    u, v = (wind.clip(-18, 18) for wind in (u, v))
    return Weather(u, v, t2m.clip(232, 291), skt.clip(224, 297), tcwv.clip(0.4, 38), tclw)


def _cell_places(plan: ScenePlan, surface: Surface) -> tuple[FloatArray, FloatArray]:
    """Return latitudes and longitudes of the centres of the 2 km cells."""
    lines, samples = (
        start + np.arange(n // RAW_CELL) * RAW_CELL + (RAW_CELL - 1) / 2
        for start, n in zip(surface.nodes.start, plan.raw_shape, strict=True)
    )
    return earth_position(plan, lines, samples)


def _grid_points(places: FloatArray, margin: int) -> FloatArray:
    """Return the points of the model, in degrees, that places are between."""
    first = int(np.floor(places.min() / GRID_DEG)) - margin
    last = int(np.floor(places.max() / GRID_DEG)) + 1 + margin
    return np.arange(first, last + 1) * GRID_DEG

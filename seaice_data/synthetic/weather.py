"""The weather of a synthetic scene, smooth over land, water and ice."""

from dataclasses import dataclass

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.grid import CELL_PIXELS
from seaice_data.synthetic.fields import blur, fractal, interpolate
from seaice_data.synthetic.plan import ScenePlan
from seaice_data.synthetic.regions import REGIONS
from seaice_data.synthetic.surface import Surface


@dataclass(frozen=True, slots=True, eq=False)
class Weather:
    """Weather in 2 km cells, float64, in the units of ERA5."""

    u10m_rotated: FloatArray
    v10m_rotated: FloatArray
    t2m: FloatArray
    skt: FloatArray
    tcwv: FloatArray
    tclw: FloatArray


RAW_CELL = 2 * CELL_PIXELS


def make_weather(plan: ScenePlan, surface: Surface) -> Weather:
    """Make the weather of a scene; the air is cold over ice and mild over water."""
    shape = (plan.raw_shape[0] // RAW_CELL, plan.raw_shape[1] // RAW_CELL)
    rng = plan.rng(40)

    def smooth(stream: int, wavelength: float, slope: float = 5.0) -> FloatArray:
        field = fractal(plan.rng(stream), shape, wavelength * shape[1], slope)
        return field.astype(np.float64)

    land, ice = _cell_cover(surface, shape)
    speed = min(6.0 * rng.weibull(2.0) + 0.8, 14.0)
    angle = rng.uniform(0, 2 * np.pi)
    u = speed * np.cos(angle) + 1.6 * smooth(41, 0.9)
    v = speed * np.sin(angle) + 1.6 * smooth(42, 0.9)

    month, latitude = plan.acquired.month, REGIONS[plan.region].latitude
    summer = np.cos(2 * np.pi * (month - 7.5) / 12)
    over_water = 274.5 + 5.0 * summer - 0.2 * (latitude - 70)
    over_ice = min(258.5 + 15.0 * summer - 0.5 * (latitude - 70), 273.0)
    frozen = blur(np.maximum(ice, 0.7 * land), 0.04 * shape[1])
    t2m = over_water + (over_ice - over_water) * frozen
    t2m += rng.normal(0, 2.5) * frozen + (1.0 + 0.7 * frozen) * smooth(43, 0.8)

    sea = max(271.4, 274.0 + 4.0 * np.cos(2 * np.pi * (month - 8.5) / 12))
    on_ice = np.minimum(t2m - 1.0, 273.15)
    skt = np.where(land > 0.5, t2m + 2.5 * summer, ice * on_ice + (1 - ice) * sea)
    skt = blur(skt, 0.03 * shape[1])
    tcwv = 3.6 * np.exp(0.055 * (t2m - 260) + rng.normal(0, 0.15) + 0.18 * smooth(44, 0.7))
    clouds = np.maximum(smooth(45, 0.4, 4.0) + rng.normal(-0.5, 0.5), 0)
    tclw = np.minimum(0.12 * clouds**1.4 * np.sqrt(tcwv / 8), 1.1)
    u, v = (wind.clip(-18, 18) for wind in (u, v))
    return Weather(u, v, t2m.clip(232, 291), skt.clip(224, 297), tcwv.clip(0.4, 38), tclw)


def _cell_cover(surface: Surface, shape: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    """Return the shares of land and ice in each cell, from the nodes."""
    is_land = surface.land_km <= 0
    ice = np.array([polygon.tenths / 10 for polygon in surface.polygons], dtype=np.float32)
    at_nodes = (is_land, np.where(is_land, 0, ice[surface.truth.labels]))
    rows, columns = (
        (np.arange(n) * RAW_CELL + (RAW_CELL - 1) / 2) / surface.spacing for n in shape
    )
    land, cover = (
        interpolate(field.astype(np.float32), rows, columns).astype(np.float64)
        for field in at_nodes
    )
    return land, cover

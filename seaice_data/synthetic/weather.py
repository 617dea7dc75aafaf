"""The weather of a synthetic scene, smooth over land, water and ice.

It is made for the whole swath: a small scene has the weather of a small area.
"""

from dataclasses import dataclass

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.grid import CELL_PIXELS
from seaice_data.synthetic.fields import blur, interpolate
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
    fields = (u, v, t2m.clip(232, 291), skt.clip(224, 297), tcwv.clip(0.4, 38), tclw)
    return Weather(*(_to_cells(field, surface) for field in fields))


def _to_cells(field: FloatArray, surface: Surface) -> FloatArray:
    """Interpolate a field of the swath to the centres of 2 km cells."""
    nodes, scene = surface.swath.nodes, surface.nodes
    rows, columns = (
        (start + np.arange(n // RAW_CELL) * RAW_CELL + (RAW_CELL - 1) / 2) / nodes.spacing
        for start, n in zip(scene.start, scene.plan.raw_shape, strict=True)
    )
    return interpolate(field.astype(np.float32), rows, columns).astype(np.float64)

"""How much ice, and of which kind, each ice service charts in each month and region.

The shares of a service in a month are those of the AI4Arctic training set. Its regions
differ in water and in the age of the ice, and their mean is that of the service. So place
and time limit which stages can occur.
"""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.synthetic.regions import REGIONS, Region


class Climate(NamedTuple):
    """What an ice service meets, month by month, in percent of the training set."""

    water: tuple[int, ...]
    """Water in the charted pixels."""

    full: tuple[int, ...]
    """SIC 10 in the ice."""

    mixed: tuple[int, ...]
    """Ice without a dominant stage of development."""

    formless: tuple[int, ...]
    """Ice without a floe size: fast, of several sizes, or not described."""

    stages: tuple[tuple[int, ...], ...]
    """Stages 1 to 5 in the ice that has one."""

    partial: tuple[int, ...]
    """SIC 1 to 9, relative to each other, all year."""

    floes: tuple[float, ...]
    """Floe sizes 1 to 5, relative to each other, all year."""


CLIMATES: Mapping[str, Climate] = {
    "cis": Climate(
        water=(35, 42, 45, 64, 61, 61, 66, 72, 69, 61, 75, 40),
        full=(56, 58, 58, 28, 50, 31, 11, 9, 38, 50, 37, 73),
        mixed=(21, 40, 45, 12, 3, 3, 4, 14, 35, 36, 20, 20),
        formless=(26, 37, 30, 29, 16, 17, 9, 6, 36, 71, 66, 38),
        stages=(
            (1, 62, 35, 2, 0),
            (4, 35, 43, 18, 0),
            (2, 5, 12, 80, 1),
            (3, 3, 1, 92, 1),
            (0, 0, 0, 98, 2),
            (0, 0, 0, 97, 3),
            (0, 0, 0, 87, 13),
            (0, 0, 0, 34, 66),
            (15, 4, 0, 11, 70),
            (46, 23, 0, 0, 31),
            (46, 50, 0, 0, 4),
            (14, 80, 3, 0, 3),
        ),
        partial=(1, 10, 4, 3, 9, 2, 8, 6, 18),
        floes=(0.0, 6.4, 23.6, 35.8, 34.2),
    ),
    "dmi": Climate(
        water=(33, 50, 33, 34, 41, 42, 68, 77, 80, 74, 52, 36),
        full=(82, 81, 82, 53, 44, 26, 30, 26, 21, 49, 73, 73),
        mixed=(52, 40, 31, 24, 18, 25, 30, 35, 41, 50, 41, 56),
        formless=(39, 35, 30, 33, 32, 34, 42, 29, 40, 46, 35, 41),
        stages=(
            (2, 4, 16, 28, 50),
            (0, 1, 8, 52, 39),
            (1, 0, 7, 56, 36),
            (0, 0, 3, 65, 32),
            (1, 0, 0, 69, 30),
            (0, 0, 0, 70, 30),
            (0, 0, 0, 49, 51),
            (0, 0, 0, 21, 79),
            (14, 0, 0, 13, 73),
            (14, 7, 1, 0, 78),
            (20, 15, 5, 0, 60),
            (8, 14, 27, 2, 49),
        ),
        partial=(1, 3, 4, 3, 2, 3, 4, 8, 14),
        floes=(1.6, 7.5, 6.5, 9.5, 74.3),
    ),
}
"""Climate of the two ice services."""

# How much the regions of a service differ in the age of their ice.
_CONTRAST = 2.5


def sic_shares(climate: Climate, month: int) -> FloatArray:
    """Return the shares of SIC 1 to 10 in the ice."""
    partial = np.array(climate.partial) / sum(climate.partial)
    full = climate.full[month] / 100
    return np.append(partial * (1 - full), full)


@cache
def water_share(region: str, month: int) -> float:
    """Return the usual share of water in a region; January is month 1."""
    service = REGIONS[region].service
    usual = CLIMATES[service].water[month - 1] / 100
    shares = {name: (r.weight, r.water) for name, r in _regions(service).items()}
    weight, shift = np.array([*shares.values()]).T
    level = np.log(usual / (1 - usual))
    for _ in range(20):
        # The mean of the regions becomes that of the service.
        water = 1 / (1 + np.exp(-level - shift))
        level += 4 * (usual - np.average(water, weights=weight))
    return float(water[[*shares].index(region)])


@cache
def stage_shares(region: str, month: int) -> FloatArray:
    """Return the shares of stages 1 to 5 in the ice of a region; January is month 1.

    The ice of a region is older or younger than that of the service. The table of regions
    and stages is scaled until its sums are those of the service.
    """
    service = REGIONS[region].service
    names = [*_regions(service)]
    whole = _normalised(np.array(CLIMATES[service].stages[month - 1], dtype=np.float64))
    ice = _normalised(
        np.array([REGIONS[n].weight * (1 - water_share(n, month)) for n in names])
    )
    age = np.log([REGIONS[name].old for name in names])
    table = whole * np.exp(_CONTRAST * age[:, None] * np.arange(5))
    for _ in range(50):
        table *= (ice / table.sum(axis=1))[:, None]
        table *= whole / table.sum(axis=0).clip(1e-9)
    return _normalised(table[names.index(region)])


def _regions(service: str) -> dict[str, Region]:
    return {name: r for name, r in REGIONS.items() if r.service == service}


def floe_shares(climate: Climate, month: int) -> FloatArray:
    """Return the shares of floe sizes 1 to 5; floes break up in summer."""
    shares = np.array(climate.floes)
    if month + 1 in (7, 8, 9, 10):
        shares[4] *= 0.6
    return _normalised(shares)


def _normalised(shares: FloatArray) -> FloatArray:
    whole: FloatArray = shares / shares.sum()
    return whole

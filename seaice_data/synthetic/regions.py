"""Regions that ice charts cover, and how they differ.

Positions are those of the charts in the AI4Arctic dataset; azimuths, water and old ice are
rough means.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """A region that ice charts cover, and how it differs from the others."""

    service: Literal["cis", "dmi"]
    """Ice service that makes the charts: Canada or Denmark (Greenland)."""

    latitude: float
    """Degrees north of the middle."""

    longitude: float
    """Degrees east of the middle."""

    land_azimuth: float
    """Direction of the land, degrees clockwise from north."""

    ice_azimuth: float
    """Direction in which the ice gets thicker, degrees clockwise from north."""

    water: float
    """Open water relative to the rest of the service, in logits."""

    old: float
    """Old ice relative to the rest of the service."""

    weight: int
    """Scenes in the training set."""


REGIONS = {
    "SGRDIEA": Region(
        service="cis",
        latitude=73.0,
        longitude=-82.0,
        land_azimuth=190,
        ice_azimuth=310,
        water=0.0,
        old=0.9,
        weight=42,
    ),
    "SGRDIFOXE": Region(
        service="cis",
        latitude=67.0,
        longitude=-79.0,
        land_azimuth=80,
        ice_azimuth=320,
        water=-0.1,
        old=0.2,
        weight=39,
    ),
    "SGRDINFLD": Region(
        service="cis",
        latitude=56.5,
        longitude=-58.0,
        land_azimuth=245,
        ice_azimuth=290,
        water=0.8,
        old=0.1,
        weight=39,
    ),
    "SGRDIWA": Region(
        service="cis",
        latitude=71.5,
        longitude=-128.0,
        land_azimuth=160,
        ice_azimuth=340,
        water=-0.4,
        old=1.8,
        weight=32,
    ),
    "SGRDIMID": Region(
        service="cis",
        latitude=61.0,
        longitude=-64.0,
        land_azimuth=230,
        ice_azimuth=300,
        water=0.4,
        old=0.1,
        weight=25,
    ),
    "SGRDIHA": Region(
        service="cis",
        latitude=77.5,
        longitude=-98.0,
        land_azimuth=120,
        ice_azimuth=330,
        water=-1.2,
        old=4.0,
        weight=20,
    ),
    "Qaanaaq": Region(
        service="dmi",
        latitude=77.0,
        longitude=-72.0,
        land_azimuth=90,
        ice_azimuth=320,
        water=-0.5,
        old=0.8,
        weight=39,
    ),
    "CapeFarewell": Region(
        service="dmi",
        latitude=60.0,
        longitude=-45.0,
        land_azimuth=350,
        ice_azimuth=20,
        water=1.1,
        old=0.7,
        weight=39,
    ),
    "CentralEast": Region(
        service="dmi",
        latitude=70.5,
        longitude=-20.0,
        land_azimuth=290,
        ice_azimuth=320,
        water=-0.1,
        old=1.2,
        weight=39,
    ),
    "NorthEast": Region(
        service="dmi",
        latitude=76.5,
        longitude=-12.0,
        land_azimuth=275,
        ice_azimuth=310,
        water=-0.6,
        old=2.2,
        weight=38,
    ),
    "NorthWest": Region(
        service="dmi",
        latitude=74.0,
        longitude=-61.0,
        land_azimuth=75,
        ice_azimuth=310,
        water=0.0,
        old=0.3,
        weight=37,
    ),
    "CentralWest": Region(
        service="dmi",
        latitude=69.5,
        longitude=-57.0,
        land_azimuth=90,
        ice_azimuth=290,
        water=0.3,
        old=0.2,
        weight=36,
    ),
    "North": Region(
        service="dmi",
        latitude=80.5,
        longitude=-35.0,
        land_azimuth=190,
        ice_azimuth=350,
        water=-1.4,
        old=4.0,
        weight=31,
    ),
    "SouthWest": Region(
        service="dmi",
        latitude=63.5,
        longitude=-54.0,
        land_azimuth=75,
        ice_azimuth=285,
        water=0.9,
        old=0.2,
        weight=27,
    ),
    "SouthEast": Region(
        service="dmi",
        latitude=64.5,
        longitude=-38.0,
        land_azimuth=300,
        ice_azimuth=330,
        water=0.4,
        old=1.0,
        weight=26,
    ),
    "NorthAndCentralEast": Region(
        service="dmi",
        latitude=73.5,
        longitude=-16.0,
        land_azimuth=280,
        ice_azimuth=315,
        water=-0.3,
        old=1.6,
        weight=3,
    ),
}
"""Regions by the name that charts carry; weights are those of the training set."""

"""The three charts: their classes, names and fill.

Class numbers are those of the AI4Arctic dataset (Chen et al. 2024, section 2); the names
are those of the World Meteorological Organization's sea-ice nomenclature.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

CHART_FILL = 255
"""Marks a pixel without a class, on disk and in memory."""

SIC_STEP_PERCENT = 10
"""Percent of ice concentration from one class of SIC to the next."""


@dataclass(frozen=True)
class Chart:
    """One label plane of a scene."""

    name: str
    """Name of the netCDF variable: ``SIC``, ``SOD`` or ``FLOE``."""

    long_name: str
    """Name for people, as CF ``long_name``."""

    standard_name: str | None
    """Name in the CF standard name table, where it has one."""

    class_names: tuple[str, ...]
    """Meaning of class 0, 1, 2 and so on."""

    weight: int
    """Weight in the combined score (Chen et al. 2024, Table 1)."""

    @cached_property
    def n_classes(self) -> int:
        """Number of classes, fill not counted."""
        return len(self.class_names)

    @property
    def fill_name(self) -> str:
        """Meaning of fill on sea with SAR, for legends."""
        return "not charted" if self.name == "SIC" else "no dominant class"

    @property
    def flag_values(self) -> tuple[int, ...]:
        """Classes, then fill, as a CF ``flag_values`` attribute."""
        return (*range(self.n_classes), CHART_FILL)

    @property
    def flag_meanings(self) -> str:
        """Class names as a CF ``flag_meanings`` attribute."""
        return " ".join(
            name.replace(" %", "_percent").replace(" ", "_").replace("-", "_")
            for name in self.class_names
        )

    def cf_attributes(self, fill: str | None = None) -> dict[str, Any]:
        """Return the CF attributes of a plane of classes, apart from ``standard_name``.

        Parameters
        ----------
        fill
            Meaning of `CHART_FILL` in the plane; leave it out if the plane has no fill.

        Examples
        --------
        >>> FLOE.cf_attributes("no_data")["flag_meanings"].split()[-2:]
        ['bergs', 'no_data']
        """
        values = self.flag_values if fill else self.flag_values[:-1]
        return {
            "long_name": self.long_name,
            "flag_values": np.array(values, np.uint8),
            "flag_meanings": " ".join(filter(None, [self.flag_meanings, fill])),
        }


SIC = Chart(
    name="SIC",
    long_name="sea ice concentration",
    standard_name="sea_ice_area_fraction",
    class_names=tuple(f"{percent} %" for percent in range(0, 101, SIC_STEP_PERCENT)),
    weight=2,
)
"""Sea ice concentration, in steps of 10 %."""

SOD = Chart(
    name="SOD",
    long_name="stage of development",
    standard_name="sea_ice_classification",
    class_names=(
        "open water",
        "new ice",
        "young ice",
        "thin first-year ice",
        "thick first-year ice",
        "old ice",
    ),
    weight=2,
)
"""Stage of development: the type of most of the ice."""

FLOE = Chart(
    name="FLOE",
    long_name="floe size",
    standard_name=None,
    class_names=(
        "open water",
        "cake ice",
        "small floe",
        "medium floe",
        "big floe",
        "vast floe",
        "bergs",
    ),
    weight=1,
)
"""Floe size: that of most of the floes."""

CHARTS = (SIC, SOD, FLOE)
"""All charts in the order of the chart axis."""

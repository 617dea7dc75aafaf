"""What the sources of a scene deliver, each brought to its frame.

Every source is a module with one function that returns one of these; `scene_file` writes
them to a file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.ingest.frame import Frame


@dataclass(frozen=True, slots=True)
class Backscatter:
    """A Sentinel-1 product, calibrated and averaged to 80 m."""

    frame: Frame

    sigma0: Mapping[str, FloatArray]
    """Sigma nought by polarisation (``hh``, and ``hv`` if the product has it): linear
    power, not decibels, shape ``(y, x)``, float32. NaN where there is no SAR, the same
    pixels in both. Where more noise was subtracted than there was signal it is 0 or
    below."""

    incidence_angle: FloatArray
    """Degrees at the tie points, shape ``(line, sample)``."""

    height_m: FloatArray
    """Height of the tie points above the ellipsoid."""

    product: str
    """Name of the product, without ``.SAFE``."""

    satellite: str
    """``S1A`` to ``S1D``."""

    ipf: str
    """Version of ESA's processor, as ``003.52``."""

    orbit: int
    """Absolute orbit number."""

    is_ascending: bool

    denoising: Mapping[str, str]
    """How noise was removed, by polarisation: ``esa``, ``nersc`` or ``none``."""

    denoising_note: str
    """What to know about it, in words; empty if there is nothing."""

    @property
    def not_positive(self) -> dict[str, float]:
        """Share of the pixels with SAR whose sigma nought is 0 or below."""
        shares = {}
        for name, plane in self.sigma0.items():
            n_valid = int(np.count_nonzero(~np.isnan(plane)))
            shares[name] = int(np.count_nonzero(plane <= 0)) / max(n_valid, 1)
        return shares


@dataclass(frozen=True, slots=True)
class CellFields:
    """Fields of one group on the 2 km cells of a scene, and where they come from."""

    fields: Mapping[str, FloatArray]
    """Shape `Frame.cell_shape`, float32, by the netCDF variable of the channel
    (`btemp_18_7h`, `u10m_rotated`); physical units; NaN where nothing was measured."""

    attributes: Mapping[str, Any]
    """Attributes of all variables of the group: names of files, delays, what was chosen."""


@dataclass(frozen=True, slots=True)
class DistanceZones:
    """How far the pixels of a scene are from land."""

    zones: ChartArray
    """Zones 0 to 41, see `seaice_data.zones`, shape ``(y, x)``, uint8."""

    coast: str
    """The coast in words: its data set and version, or the name of the file."""


@dataclass(frozen=True, slots=True)
class BurntChart:
    """An ice chart on the pixels of a scene."""

    polygon_ids: IntArray
    """Shape ``(y, x)``, int32; -1 where there is no polygon with ice or water."""

    rows: tuple[str, ...]
    """Egg codes of the polygons in the scene, header first, as ``polygon_codes`` of a raw
    file has them."""

    service: str
    """Ice service, in small letters: ``cis``; ``other`` if unknown."""

    name: str
    """Name of the chart: that of its file without ending."""

    valid: datetime | None
    """Time for which it was drawn, UTC, if the chart or its name says so."""

    without_class_km2: Mapping[str, Mapping[str, float]]
    """Area in the scene of each code that has no class, in square kilometres, by chart
    (``SIC``, ``SOD``, ``FLOE``)."""

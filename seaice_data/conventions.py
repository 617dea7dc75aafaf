"""CF attributes that all our netCDF files and datasets have in common."""

from collections.abc import Mapping
from types import MappingProxyType

CONVENTIONS = "CF-1.12"
"""Version that they follow, the first with ``leap_seconds`` in ``units_metadata``."""

TIME: Mapping[str, str] = MappingProxyType(
    {
        "standard_name": "time",
        "long_name": "start of the acquisition",
        "units_metadata": "leap_seconds: none",
    }
)
"""Attributes of the time of a scene."""

"""Attributes that files, stores and datasets have in common: those of CF, and our own."""

from collections.abc import Mapping
from types import MappingProxyType

CONVENTIONS = "CF-1.12"
"""Version that they follow, the first with ``leap_seconds`` in ``units_metadata``."""

DENOISINGS = ("nersc", "esa", "none")
"""Ways to remove noise from SAR: that of NERSC, as in the files of AI4Arctic; the lookup
tables of ESA; or nothing at all."""

TIME: Mapping[str, str] = MappingProxyType(
    {
        "standard_name": "time",
        "long_name": "start of the acquisition",
        "units_metadata": "leap_seconds: none",
    }
)
"""Attributes of the time of a scene."""

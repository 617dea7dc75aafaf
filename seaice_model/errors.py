"""Errors of training, prediction, scoring and studies.

Those of the data are in `seaice_data.errors`.
"""

from seaice_data.errors import PlotError as PlotError
from seaice_data.errors import SeaIceError, SettingsError


class ConfigError(SettingsError):
    """A configuration of which no network can be built or trained."""


class RunError(SeaIceError):
    """A run is missing, damaged or in the way, or cannot be used as requested."""


class MapError(SeaIceError):
    """A map is missing, not written by seaice, or cannot be used as requested."""


class StudyError(SeaIceError):
    """A study cannot be planned, or the content of its folder does not fit."""


class MemoryNeededError(RunError):
    """A device has too little free memory; raised before the work begins."""

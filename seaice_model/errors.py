"""Errors of training, prediction, scoring and studies.

Those of the data are in `seaice_data.errors`.
"""

from seaice_data.errors import SeaIceError, SettingsError


class ConfigError(SettingsError):
    """A configuration that no network or training can follow."""


class RunError(SeaIceError):
    """A run is missing, in the way or damaged, or does not fit what is asked of it."""


class MapError(SeaIceError):
    """A map is missing or not ours, or does not fit what is asked of it."""


class StudyError(SeaIceError):
    """A study cannot be planned, or what it finds in its folder does not fit."""


class MemoryNeededError(RunError):
    """A device has too little free memory, which was found before the work began."""

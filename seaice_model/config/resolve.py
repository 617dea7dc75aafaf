"""The configuration of a run, from names, a file and single changes.

Later ones override earlier ones: profile, preset, TOML file, ``key=value``.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from seaice_data.settings import (
    assign,
    from_mapping,
    naming_file,
    read_assignments,
    read_table,
    to_mapping,
    with_new_names,
)
from seaice_model.config.network_names import find_network
from seaice_model.config.presets import find_preset, find_profile
from seaice_model.config.run_config import RunConfig


def resolve(
    profile: str = "default",
    preset: str = "default",
    file: Path | None = None,
    changes: Iterable[str] = (),
) -> RunConfig:
    """Return a profile with the changes of a preset, a file and single settings.

    Parameters
    ----------
    profile
        Name of a profile: "default", "paper" or "official".
    preset
        Name of a preset, which changes the profile.
    file
        TOML file with tables of `RunConfig`, which changes the preset.
    changes
        Settings as ``key=value``, which change all of these; see
        `seaice_data.settings.read_assignments`.

    Raises
    ------
    SettingsError
        If a name or a key is unknown (the hint names the nearest one), a value does not
        fit, the file cannot be read, or no installed package has the network.

    Examples
    --------
    >>> config = resolve(preset="tiny", changes=["channels=[hh, hv]", "train.n_epochs=2"])
    >>> config.model.channels, config.train.n_epochs, config.train.batch_size
    (('hh', 'hv'), 2, 8)
    """
    config = find_preset(preset).applied(find_profile(profile).config)
    if file is not None:
        with naming_file(file):
            tables = with_new_names(RunConfig, read_table(file))
            config = from_mapping(RunConfig, _merged(to_mapping(config), tables))
    config = changed(config, changes)
    find_network(config.model.network)
    return config


def changed(config: RunConfig, changes: Iterable[str]) -> RunConfig:
    """Return a configuration with settings changed, each written as ``key=value``.

    Raises
    ------
    SettingsError
        If a change cannot be read, a key is not known, or a value does not fit.
    """
    assignments: dict[str, Any] = {}
    for change in changes:
        assignments |= read_assignments(change)
    return assign(config, assignments)


def _merged(mapping: dict[str, Any], tables: Mapping[str, Any]) -> dict[str, Any]:
    """Override the settings of `mapping` with those of `tables`, table by table."""
    for name, values in tables.items():
        if isinstance(values, Mapping) and name in mapping:
            mapping[name] |= values
        else:
            mapping[name] = values  # an unknown name is refused later
    return mapping

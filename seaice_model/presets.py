"""Named configurations, as data: the default, one for small machines, and Models 1-9.

A preset says which store it needs (its ratio) beside the configuration of the run. A new
one is a new entry of ``PRESETS``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from seaice_data.channels import CHANNELS, OFFICIAL_CHANNELS, Group
from seaice_data.settings import nearest
from seaice_model.config import ModelConfig, RunConfig, TrainConfig
from seaice_model.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """A configuration with a name."""

    name: str
    """What people write after ``--preset``."""

    summary: str
    """One line for people."""

    config: RunConfig
    """Network and training."""

    ratio: int = 10
    """Ratio of the store that the configuration is meant for."""


def _without(*groups: Group) -> tuple[str, ...]:
    """Return the official channels but those of `groups`."""
    left_out = {channel.name for channel in CHANNELS if channel.group in groups}
    return tuple(name for name in OFFICIAL_CHANNELS if name not in left_out)


def _all_available() -> tuple[str, ...]:
    """Return every channel that a file holds, with the encodings of Model 1."""
    return tuple(
        channel.name
        for channel in CHANNELS
        if channel.variable is not None or channel.name in OFFICIAL_CHANNELS
    )


def _model(number: int, summary: str, model: ModelConfig, ratio: int = 10) -> Preset:
    return Preset(
        name=f"model{number}",
        summary=f"{summary} (Chen et al. 2024, Table 4, Model {number})",
        config=RunConfig(model=model),
        ratio=ratio,
    )


# The 16 channels stand for Model 1: Table 2 lists 14, section 3.2 adds distance maps, and
# the configuration that the authors published has both those and the incidence angle (D5).
_PRESETS = (
    Preset(
        name="default",
        summary="16 channels, ratio 10, 300 epochs: meant for a GPU",
        config=RunConfig(),
    ),
    # Measured on 16 synthetic scenes of 150 x 155 stored pixels: 50 s on two quiet cores,
    # and a combined score of 73 % on three others, where the best constant map has 18 %.
    Preset(
        name="tiny",
        summary="a small network for a minute or two on a CPU",
        config=RunConfig(
            model=ModelConfig(filters=(16, 16, 32, 32)),
            train=TrainConfig(
                patch_size=96,
                batch_size=8,
                n_iterations=40,
                n_epochs=12,
                learning_rate=0.005,
                n_restart_epochs=12,
            ),
        ),
    ),
    _model(1, "the full model", ModelConfig()),
    _model(2, "no downscaling: needs a store of ratio 1", ModelConfig(), ratio=1),
    _model(3, "HH and HV only", ModelConfig(channels=("hh", "hv"))),
    _model(4, "no AMSR2", ModelConfig(channels=_without(Group.AMSR2))),
    _model(5, "no ERA5", ModelConfig(channels=_without(Group.ERA5))),
    _model(6, "no place and time", ModelConfig(channels=_without(Group.ENCODING))),
    _model(7, "all available channels", ModelConfig(channels=_all_available())),
    _model(8, "SIC as classes", ModelConfig(sic="classes")),
    _model(9, "one decoder a chart", ModelConfig(decoders="separate")),
)

PRESETS: Mapping[str, Preset] = MappingProxyType({item.name: item for item in _PRESETS})
"""Every preset by its name, in the order to list them."""


def find_preset(name: str) -> Preset:
    """Return the preset called `name`.

    Raises
    ------
    ConfigError
        If there is none; the hint names the nearest.

    Examples
    --------
    >>> find_preset("model3").config.model.channels
    ('hh', 'hv')
    """
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}", hint=nearest(name, PRESETS))
    return PRESETS[name]

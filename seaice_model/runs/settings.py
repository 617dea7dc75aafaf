"""Settings of a run: everything that decides its weights, as JSON.

They are in a file of their own, for people and programs, and in each checkpoint
(`seaice_model.runs.checkpoint`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seaice_data.conventions import DENOISINGS
from seaice_data.scene_id import SceneId
from seaice_data.settings import ADDED, from_mapping, to_mapping
from seaice_data.store.recipe import Recipe
from seaice_data.system.documents import naming_version, parse_json, read_text, typed
from seaice_data.system.files import replacing
from seaice_data.texts import shortened
from seaice_model.config.network_names import UNET
from seaice_model.config.run_config import RunConfig
from seaice_model.errors import ConfigError, RunError
from seaice_model.runs.folder import RunFolder, run_errors


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreRecord:
    """The store that a run was trained on."""

    path: str
    """Absolute path or URL, without secrets; as it was given in version 0.1."""

    fingerprint: str
    """Fingerprint of its recipe."""

    recipe: Recipe
    """Recipe of the store."""

    means: tuple[float, ...]
    """Mean of each channel of the run, subtracted before storing; in its unit."""

    stds: tuple[float, ...]
    """Standard deviation of each channel, divided by before storing; in its unit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSettings:
    """Everything that decides the weights of a run."""

    config: RunConfig
    """Network and training."""

    store: StoreRecord
    """Where the patches come from."""

    train_scenes: tuple[SceneId, ...]
    """Ids of the scenes that patches are sampled from."""

    validation_scenes: tuple[SceneId, ...]
    """Ids of the scenes that epochs are scored on."""

    software: str
    """Version of this package."""

    denoising: Mapping[str, int] = field(default_factory=dict, metadata=ADDED)
    """Scenes that patches are sampled from, by how noise was removed from their SAR. Empty
    in runs of versions that read only scenes of AI4Arctic: see `denoisings`."""

    network_package: str = field(default="", metadata=ADDED)
    """Name and version of the package that the network is from, such as "monai 1.6.1";
    empty for the U-Net."""

    @property
    def denoisings(self) -> tuple[str, ...]:
        """Ways in which noise was removed from the SAR of the training scenes, sorted."""
        return tuple(sorted(self.denoising)) or DENOISINGS[:1]

    def __post_init__(self) -> None:
        """Refuse a standardisation or a package that does not fit the network."""
        network = self.config.model.network
        if (network == UNET) == bool(self.network_package):
            raise ConfigError(
                f"network_package must be empty for {UNET!r} only, network is {network!r} "
                f"and network_package {shortened(repr(self.network_package))}"
            )
        n_channels = len(self.config.model.channels)
        for name in ("means", "stds"):
            values = getattr(self.store, name)
            if len(values) != n_channels:
                raise ConfigError(
                    f"{name} must be one number per channel ({n_channels}), "
                    f"got {len(values)}"
                )


def save_settings(settings: RunSettings, path: Path) -> None:
    """Write the settings of a run as JSON for people and programs.

    Raises
    ------
    RunError
        If they cannot be written.
    """
    with run_errors(path, "write"), replacing(path) as new:
        new.write_text(json.dumps(to_mapping(settings), indent=2) + "\n", encoding="utf-8")


def load_settings(path: Path) -> RunSettings:
    """Read the settings of a run.

    Raises
    ------
    RunError
        If there are none at `path`, they are damaged, or this version cannot read them.
    """
    with run_errors(path):
        mapping = typed(parse_json(read_text(path)), dict[str, Any])
        with naming_version(RunError, str(path), mapping.get("software")):
            return from_mapping(RunSettings, mapping)


def settings_to_resume(run_path: Path) -> RunSettings:
    """Read the settings of a run that is to be resumed.

    Raises
    ------
    RunError
        If there is no run, or its settings are damaged.
    """
    folder = RunFolder(run_path)
    if not folder.settings.exists():
        raise RunError(
            f"no run at {str(run_path)!r} to resume",
            hint="leave out --resume to start one",
        )
    return load_settings(folder.settings)

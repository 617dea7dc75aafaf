"""A network that is hardly trained, for measurements that need one."""

from pathlib import Path
from typing import Any


def train_briefly(store: Path, run: Path, preset: str, **settings: Any) -> None:
    """Train the network of a preset for one epoch.

    Parameters
    ----------
    store
        Store to train on.
    run
        Folder of the run.
    preset
        Name of the preset.
    settings
        Settings of the training that differ from it.
    """
    from dataclasses import replace  # late, as all imports: `seaice --help` is quick

    from seaice_model.config.presets import find_preset
    from seaice_model.training.train import train

    config = find_preset(preset).config
    brief = replace(config.train, n_epochs=1, **settings)
    train(store, run, replace(config, train=brief))

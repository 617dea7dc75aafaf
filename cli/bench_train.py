"""`seaice bench train`: steps of the optimiser."""

import tempfile
from pathlib import Path

from .console import say
from .timing import line


def measure(path: Path, rounds: int) -> None:
    """Print how many patches are learned from in a second."""
    from dataclasses import replace

    from seaice_data.store import Store
    from seaice_model.presets import find_preset
    from seaice_model.train import train

    config = find_preset("default").config
    config = replace(config, train=replace(config.train, n_iterations=2, n_epochs=1))
    store = Store.open(str(path))
    speeds = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            speeds.append(train(store, Path(folder, str(number)), config).patches_per_s)
    what = "default network, batch 16, 16 x 256 x 256, auto device"
    say(line("train, warm", speeds[1:], "patches/s", what))
    say(line("train, warm", [16 / s for s in speeds[1:]], "s/step", what))

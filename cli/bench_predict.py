"""`seaice bench predict`: whole scenes to maps on the SAR grid."""

import tempfile
from pathlib import Path

from .console import say
from .timing import line, timed


def measure(path: Path, rounds: int) -> None:
    """Print how fast maps are made."""
    from dataclasses import replace

    from seaice_data.store import Store
    from seaice_model.predict import PredictSettings, predict_store
    from seaice_model.presets import find_preset
    from seaice_model.train import train

    config = find_preset("default").config
    config = replace(config, train=replace(config.train, n_iterations=1, n_epochs=1))
    store = Store.open(str(path))
    n = len(store.scenes)
    size = max(store.scene(scene_id).source_grid.shape for scene_id in store.scenes)
    with tempfile.TemporaryDirectory() as folder:
        run, maps = Path(folder, "run"), Path(folder, "maps")
        train(store, run, config)
        for pictures in (False, True):
            times = timed(
                lambda pictures=pictures: predict_store(  # type: ignore[misc]
                    store,
                    run,
                    maps,
                    PredictSettings(overwrite=True, pictures=pictures),
                    scenes=store.scenes,
                ),
                rounds,
            )
            what = f"netCDF{' and PNG' if pictures else ''}, up to {size[0]} x {size[1]}"
            say(line("predict, warm", [t / n for t in times], "s/scene", what))

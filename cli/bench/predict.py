"""`seaice bench predict`: maps of whole scenes on their original grid.

Given a store, maps are predicted from it. Given a folder of netCDF files, maps are
predicted from the files and from a store made of them. The network is as large as that of
the paper, and hardly trained.
"""

import tempfile
import time
from functools import partial
from pathlib import Path

from seaice_data.system.process import n_cores

from ..console import say
from .brief_training import train_briefly
from .timing import apart, line, taking_turns_apart, timed


def measure(path: Path, rounds: int) -> None:
    """Print the time and the memory that maps take."""
    from seaice_data.preparation.prepare import prepare
    from seaice_data.store.group import is_store

    with tempfile.TemporaryDirectory() as folder:
        store, run = path, Path(folder, "run")
        sources = [path]
        if not is_store(str(path)):
            store = Path(folder, "store.zarr")
            prepare(path, str(store), jobs=n_cores())
            sources = [store, path]
        apart(partial(train_briefly, store, run, "default", n_iterations=1, batch_size=2))
        _measure(store, sources, run, Path(folder, "maps"), rounds)


def _measure(
    store_path: Path, sources: list[Path], run: Path, maps: Path, rounds: int
) -> None:
    from seaice_data.store.store import Store

    store = Store.open(str(store_path))
    size = max(store.scene(scene_id).source_grid.shape for scene_id in store.scenes)
    tasks = [(source, plots) for source in sources for plots in (False, True)]
    times, peaks = taking_turns_apart(
        {task: partial(_predict_once, *task, run, maps) for task in tasks}, rounds
    )
    for (source, plots), values in times.items():
        per_scene = [elapsed_s / len(store.scenes) for elapsed_s in values]
        written = "netCDF and PNG" if plots else "netCDF"
        origin = "a store" if source == store_path else "netCDF files"
        say(
            line(
                f"predict from {origin} to {written}, warm", per_scene, "s/scene",
                f"up to {size[0]} x {size[1]}, peak {peaks[source, plots]:.0f} MB",
            )
        )  # fmt: skip
    alone = [
        s / len(store.scenes) for s in apart(partial(_decide, store_path, run, rounds))
    ]
    say(line("limit, the network alone", alone, "s/scene", "from memory, no map"))


def _predict_once(source: Path, plots: bool, run: Path, maps: Path) -> float:
    """Predict the maps of all scenes; return the seconds."""
    from seaice_data.store.group import is_store
    from seaice_data.store.store import Store
    from seaice_model.prediction.predict import (
        PredictSettings,
        predict_files,
        predict_store,
    )

    settings = PredictSettings(overwrite=True, plots=plots)
    start = time.perf_counter()
    if is_store(str(source)):
        store = Store.open(str(source))
        predict_store(store, run, maps, settings, scenes=store.scenes)
    else:
        predict_files(source, run, maps, settings)
    return time.perf_counter() - start


def _decide(store_path: Path, run: Path, rounds: int) -> list[float]:
    """Let the network decide on all scenes, again and again; return the seconds of each."""
    import numpy as np

    from seaice_data.store.store import Store
    from seaice_data.system.memory import kept_pages
    from seaice_model.networks.device import find_device
    from seaice_model.prediction.predictor import Predictor

    store = Store.open(str(store_path))
    planes = [np.array(store.scene(scene_id).inputs) for scene_id in store.scenes]
    predictor = Predictor.load([run], find_device("auto"))

    def decide() -> None:
        for scene in planes:
            predictor.decide(scene, store.channels)

    with kept_pages():
        return timed(decide, rounds)

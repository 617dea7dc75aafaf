"""`seaice bench score`: maps against charts on the 80 m grid."""

import tempfile
from pathlib import Path

from .console import say
from .timing import line, peak_mb, timed

_N_SCENES = 20  # as many as the challenge has


def measure(path: Path, rounds: int) -> None:
    """Print how fast maps are scored, and how much memory that takes."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    from seaice_data.store import Store

    store = Store.open(str(path))
    scenes = [s for s in store.scenes if store.scene(s).has_charts][:_N_SCENES]
    size = max(store.scene(scene_id).source_grid.shape for scene_id in scenes)
    # Each in a process of its own: the peak of a process counts for those that it starts.
    spawn = get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        maps = Path(folder, "maps")
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            pool.submit(_draw_maps, path, scenes, Path(folder, "run"), maps).result()
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            times, peak = pool.submit(_score, maps, str(path), rounds).result()
    what = f"{len(scenes)} scenes up to {size[0]} x {size[1]}, peak {peak:.0f} MB"
    say(line("score, warm", times, "s", what))


def _draw_maps(path: Path, scenes: list[str], run: Path, maps: Path) -> None:
    """Draw maps by a network that has hardly learned."""
    from dataclasses import replace

    from seaice_data.store import Store
    from seaice_model.predict import PredictSettings, predict_store
    from seaice_model.presets import find_preset
    from seaice_model.train import train

    config = find_preset("tiny").config
    config = replace(config, train=replace(config.train, n_iterations=20, n_epochs=1))
    store = Store.open(str(path))
    train(store, run, config)
    predict_store(store, run, maps, PredictSettings(pictures=False), scenes=scenes)


def _score(maps: Path, store: str, rounds: int) -> tuple[list[float], float]:
    """Score all maps; return the seconds of each round and the most memory in MB."""
    from seaice_data.charted import find_charts
    from seaice_model.score import score_maps

    reference = find_charts(store)
    times = timed(lambda: score_maps(maps, reference), rounds)
    return times, peak_mb()

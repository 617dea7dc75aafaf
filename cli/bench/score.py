"""`seaice bench score`: maps against charts on the 80 m grid."""

import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ..console import say
from .brief_training import train_briefly
from .timing import apart, line, taking_turns_apart

_N_SCENES = 20  # as many as the challenge has


def measure(path: Path, rounds: int) -> None:
    """Print the time and the memory that scoring takes."""
    from seaice_data.store.store import Store

    store = Store.open(str(path))
    scenes = [s for s in store.scenes if store.scene(s).has_charts][:_N_SCENES]
    size = max(store.scene(scene_id).source_grid.shape for scene_id in scenes)
    with tempfile.TemporaryDirectory() as folder:
        maps = Path(folder, "maps")
        apart(partial(_predict_maps, path, scenes, Path(folder, "run"), maps))
        work = {
            "score": partial(_score_once, maps, str(path)),
            "limit, reading maps and charts": partial(_read_once, maps, str(path)),
        }
        times, peaks = taking_turns_apart(work, rounds)
    what = f"{len(scenes)} scenes up to {size[0]} x {size[1]}"
    for title, values in times.items():
        per_scene = [elapsed_s / len(scenes) for elapsed_s in values]
        about = f"{what}, peak {peaks[title]:.0f} MB"
        say(line(f"{title}, warm", per_scene, "s/scene", about))


def _predict_maps(path: Path, scenes: Sequence[str], run: Path, maps: Path) -> None:
    """Predict maps with a network that is hardly trained."""
    from seaice_model.prediction.predict import PredictSettings, predict_store

    train_briefly(path, run, "tiny", n_iterations=20)
    predict_store(path, run, maps, PredictSettings(plots=False), scenes=scenes)


def _score_once(maps: Path, store: str) -> float:
    """Score all maps; return the seconds."""
    from seaice_data.sources.charts import find_charts
    from seaice_model.scores.score import score_maps

    truth = find_charts(store)
    start = time.perf_counter()
    score_maps(maps, truth)
    return time.perf_counter() - start


def _read_once(maps: Path, store: str) -> float:
    """Read all maps and their charts, one after the other; return the seconds."""
    from seaice_data.sources.charts import find_charts
    from seaice_model.maps.netcdf import read_netcdf

    scenes = find_charts(store).scenes
    start = time.perf_counter()
    for path in maps.glob("*.nc"):
        scenes[read_netcdf(path).scene].read()
    return time.perf_counter() - start

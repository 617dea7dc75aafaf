"""`seaice bench growth`: whether time a scene and memory stay flat with more scenes.

The scenes are copies of a few small ones with ids of their own, so that only their number
differs. Every measurement is made in a process of its own, whose peak memory is shown.
"""

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ..console import say
from .brief_training import train_briefly
from .many_scenes import time_of
from .timing import apart, line, peak_mb

_NUMBERS = (12, 120, 1200)
_N_BATCHES = 20
_BATCH = 16
_SIZE = 32
_TIME = re.compile("[0-9]{8}T[0-9]{6}")


def measure(path: Path, rounds: int, numbers: Sequence[int] = _NUMBERS) -> None:
    """Print time and memory of each step for growing numbers of scenes."""
    with tempfile.TemporaryDirectory() as folder:  # see `prepare.measure`
        for n_scenes in numbers:
            where = Path(folder, str(n_scenes))
            _copy_scenes(path, n_scenes, where / "raw")
            for title, (work, by_scene, is_repeated) in _steps(where).items():
                n_times = rounds if is_repeated else 1
                found = [apart(partial(_timed, work)) for _ in range(n_times)]
                times = [
                    elapsed_s / (n_scenes if by_scene else 1) for elapsed_s, _ in found
                ]
                what = f"{n_scenes} scenes, peak {max(mb for _, mb in found):.0f} MB"
                say(line(title, times, "s/scene" if by_scene else "s", what))


def _copy_scenes(path: Path, n_scenes: int, folder: Path) -> None:
    """Copy raw files again and again, each copy with another time in its name."""
    from seaice_data.scenes.files import find_scenes

    folder.mkdir(parents=True)
    originals = find_scenes(path)
    for k in range(n_scenes):
        original = originals[k % len(originals)]
        name = _TIME.sub(time_of(k), original.name, count=1)
        shutil.copyfile(original, folder / name)


def _steps(folder: Path) -> dict[str, tuple[Callable[[], object], bool, bool]]:
    """Return what is measured, whether it counts by the scene, and can be repeated."""
    store, run, maps = folder / "store.zarr", folder / "run", folder / "maps"
    return {
        "prepare": (partial(_prepare, folder / "raw", store), True, False),
        "open a store": (partial(_open, store), False, True),
        "info": (partial(_info, store), False, True),
        "index": (partial(_index, store), False, True),
        "xarray's open_datatree": (partial(_datatree, store), False, True),
        "sampler and first batch": (partial(_sample, store, 1), False, True),
        f"{_N_BATCHES} batches": (partial(_sample, store, _N_BATCHES), False, True),
        "train 1 batch, validation": (
            partial(train_briefly, store, run, "tiny", n_iterations=1),
            False,
            False,
        ),
        "predict": (partial(_predict, store, run, maps), True, False),
        "score": (partial(_score, store, maps), True, True),
    }


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that work takes, imports included, and peak memory in MB."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start, peak_mb()


def _prepare(raw: Path, store: Path) -> None:
    from seaice_data.preparation.prepare import prepare

    prepare(raw, store)


def _open(store: Path) -> None:
    from seaice_data.store.store import Store

    len(Store(store))


def _info(store: Path) -> None:
    from seaice_data.store.description import describe_store
    from seaice_data.store.store import Store

    describe_store(Store(store)).to_rows()


def _index(store: Path) -> None:
    from seaice_data.store.store import Store

    Store(store).index()


def _datatree(store: Path) -> None:
    import xarray as xr

    # The address of the group: xarray looks for consolidated metadata there alone.
    xr.open_datatree(f"{store}/scenes", engine="zarr").close()


def _sample(store: Path, n_batches: int) -> None:
    from seaice_data.sampling.sampler import PatchSampler

    patches = PatchSampler(store, size=_SIZE)
    for first in range(0, n_batches * _BATCH, _BATCH):
        patches.batch(range(first, first + _BATCH))


def _predict(store: Path, run: Path, maps: Path) -> None:
    from seaice_data.store.store import Store
    from seaice_model.prediction.predict import PredictSettings, predict_store

    scenes = Store(store).scenes
    predict_store(store, run, maps, PredictSettings(plots=False), scenes=scenes)


def _score(store: Path, maps: Path) -> None:
    from seaice_data.sources.charts import find_charts
    from seaice_model.scores.score import score_maps

    score_maps(maps, find_charts(store))

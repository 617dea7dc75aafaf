"""Score maps against the ice charts of their scenes, on the 80 m grid.

As the challenge scores: the original charts, pixels of all scenes pooled. (The reference
scores against charts that were downscaled and enlarged again.)
Beside it stand the scores of maps that show one class everywhere, the best one for the
training scenes: what a network must beat.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seaice_data.charts import CHARTS
from seaice_data.stats import add_counts
from seaice_data.store import Store
from seaice_model.errors import MapError
from seaice_model.maps import find_maps, read_netcdf
from seaice_model.metrics import (
    ChartScorer,
    Scores,
    best_constants,
    majority_classes,
    score_constants,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ScoreProgress:
    """Told after each map."""

    n_done: int
    """Maps done."""

    n_maps: int
    """Maps in all."""

    scene: str
    """Id of the scene just done."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Maps that show one class everywhere."""

    constants: Mapping[str, int]
    """The class by chart, chosen by looking at the training scenes alone."""

    scores: Scores
    """Scores of such maps on the same pixels."""


@dataclass(frozen=True, slots=True)
class ScoreReport:
    """Scores of a folder of maps."""

    pooled: Scores
    """Pixels of all scenes together: the score of the challenge."""

    scenes: Mapping[str, Scores]
    """Scores of each scene by its id."""

    baselines: Mapping[str, Baseline]
    """What to beat: the ``majority class`` of each chart everywhere, and the ``best
    constant``, which differs for SIC. None if the store has no training scenes."""

    confusion: Mapping[str, tuple[tuple[int, ...], ...]]
    """Pixels by class of the chart (row) and of the map (column), by chart; the last column
    is for pixels without a class in the map."""

    without_charts: tuple[str, ...]
    """Scenes that have a map but no ice chart to score it against."""

    elapsed_s: float
    """Seconds in all."""


def score_maps(
    maps_path: Path,
    store: Store,
    *,
    progress: Callable[[ScoreProgress], None] | None = None,
) -> ScoreReport:
    """Score every map in a folder against the charts in a store.

    Parameters
    ----------
    maps_path
        Folder with the files that `predict_store` wrote.
    store
        A store that holds the scenes of the maps.
    progress
        Told after each map.

    Raises
    ------
    MapError
        If the folder has no maps, a map is damaged or does not fit its scene, a scene has
        two maps, or no scene has charts.
    StoreError
        If a scene is not in the store.
    """
    start = time.perf_counter()
    paths = find_maps(maps_path)
    pooled = ChartScorer()
    scenes: dict[str, Scores] = {}
    without: list[str] = []
    seen: dict[str, Path] = {}
    for n_done, path in enumerate(paths, start=1):
        scene_id, scorer = _score_map(path, store)
        if scene_id in seen:
            raise MapError(
                f"scene {scene_id!r} has two maps: {seen[scene_id].name!r} "
                f"and {path.name!r}",
                hint="move one of them away, so that no pixel counts twice",
            )
        seen[scene_id] = path
        if scorer is None:
            without.append(scene_id)
        else:
            scenes[scene_id] = scorer.scores()
            pooled.merge(scorer)
            log.info("%s: combined %s", scene_id, scenes[scene_id].combined)
        if progress is not None:
            progress(ScoreProgress(n_done, len(paths), scene_id))
    if not scenes:
        raise MapError(
            f"none of the {len(paths)} maps in {str(maps_path)!r} has charts to be "
            "scored against",
            hint="a store of scenes with charts is needed",
        )
    return ScoreReport(
        pooled=pooled.scores(),
        scenes=scenes,
        baselines=_baselines(store, pooled),
        confusion={
            name: tuple(tuple(row) for row in matrix.tolist())
            for name, matrix in pooled.confusion.items()
        },
        without_charts=tuple(without),
        elapsed_s=time.perf_counter() - start,
    )


def _score_map(path: Path, store: Store) -> tuple[str, ChartScorer | None]:
    """Return the scene of a map, and its scorer if it has charts."""
    chart_map = read_netcdf(path)
    scene = store.scene(chart_map.scene)
    if not scene.has_charts:
        return scene.id, None
    charts = scene.full_charts()
    if charts.shape != chart_map.charts.shape:
        raise MapError(
            f"map {str(path)!r} has {_size(chart_map.charts.shape)} pixels, "
            f"its scene has {_size(charts.shape)}"
        )
    scorer = ChartScorer()
    scorer.add(charts, chart_map.charts)
    return scene.id, scorer


def _baselines(store: Store, pooled: ChartScorer) -> dict[str, Baseline]:
    """Score maps of one class on the pixels that the maps were scored on."""
    training = [store.scene(scene).full_class_counts for scene in store.splits["train"]]
    if not training:
        return {}
    seen = add_counts(training)
    counts = {
        chart.name: np.sum(pooled.confusion[chart.name], axis=1).tolist()
        for chart in CHARTS
    }
    chosen = {
        "majority class": majority_classes(seen),
        "best constant": best_constants(seen),
    }
    return {
        name: Baseline(constants, score_constants(counts, constants))
        for name, constants in chosen.items()
    }


def _size(shape: Sequence[int]) -> str:
    return f"{shape[-2]} x {shape[-1]}"

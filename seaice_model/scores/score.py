"""Score maps against the ice charts of their scenes.

Scores are counted on three grids, because the challenge and the official code count
differently (`GRIDS`). Trivial baselines are scored alongside; a report also contains the
displacement of the ice edge, and the calibration of the uncertainty in the maps.

Two scenes are read at a time and counts are added up, so memory does not grow with the
number of scenes.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from seaice_data.arrays import ChartArray, IntArray
from seaice_data.charts import CHARTS, SIC
from seaice_data.deprecation import former_arguments, former_attribute
from seaice_data.display import Displayed
from seaice_data.errors import Failure, SceneError, StoreError
from seaice_data.grid import picks_of_pixels
from seaice_data.scene_id import NO_SERVICE
from seaice_data.sources.charts import AnyCharts, ChartedScene, ChartedScenes
from seaice_data.system.memory import out_of_memory_errors
from seaice_data.system.workers import Progress
from seaice_data.texts import counted, printable, without_secrets
from seaice_model.errors import MapError
from seaice_model.maps.alignment import Aligned
from seaice_model.maps.decision import Decision
from seaice_model.metrics import ChartScorer, Scores
from seaice_model.scores.baselines import Baseline, score_baselines
from seaice_model.scores.calibration import Calibration, CalibrationScorer
from seaice_model.scores.edge import EdgeScore, EdgeScorer
from seaice_model.scores.report_numbers import GRIDS, frame_of_scenes
from seaice_model.scores.report_text import as_html, as_text, decimal
from seaice_model.scores.scored_maps import FoundMaps, find_maps, find_truth

if TYPE_CHECKING:
    from pandas import DataFrame

_THREADS = 2
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, repr=False)
class GridScores(Displayed):
    """Scores counted on one grid."""

    pooled: Scores
    """Pixels of all scenes together."""

    scenes: Mapping[str, Scores]
    """Scores of each scene by its id."""

    months: Mapping[str, Scores]
    """By month of the acquisition, as ``03``."""

    services: Mapping[str, Scores]
    """By ice service, as ``cis``; ``none`` for charts of none."""

    regions: Mapping[str, Scores]
    """By chart region of the ice service; ``unknown`` where a scene does not say."""

    without: Mapping[str, Scores]
    """By what maps were predicted without, as ``amsr2`` or ``amsr2, era5``; ``nothing`` for
    the others. Empty if no map lacks anything."""

    confusion: Mapping[str, tuple[tuple[int, ...], ...]]
    """Pixels by class of the chart (row) and of the map (column), by chart; the last
    column is for pixels without a class in the map."""

    def _displayed(self) -> Iterator[tuple[str, object]]:
        yield "n_scenes", len(self.scenes)
        yield from self.pooled.by_name.items()

    @property
    def groups(self) -> dict[str, Mapping[str, Scores]]:
        """The groups of scenes, by what they are grouped by."""
        return {
            "all": {"all": self.pooled},
            "month": self.months,
            "service": self.services,
            "region": self.regions,
            **({"without": self.without} if self.without else {}),
            "scene": self.scenes,
        }


@dataclass(frozen=True, slots=True, repr=False)
class ScoreReport:
    """Scores of maps; printed as tables in a terminal, displayed as such in a notebook."""

    maps: str
    """Folder of maps or submission file, as it was given."""

    run: str
    """The run that made the maps, as far as they say; empty for a submission."""

    truth: str
    """Store or folder with the charts, as it was given."""

    ratio: int
    """Ratio of the grids ``enlarged`` and ``downscaled``: that of the store with the
    charts; for charts in files that of the maps, or 10 if they do not say."""

    grids: Mapping[str, GridScores]
    """Scores by grid, see `GRIDS`."""

    baselines: Mapping[str, Baseline]
    """Trivial maps to beat, on the original grid; empty without training scenes."""

    edge: EdgeScore
    """Displacement of the ice edge over all scenes."""

    scene_edges: Mapping[str, EdgeScore]
    """The same for each scene, by its id."""

    calibration: Calibration | None
    """Calibration of probabilities and spread; None if the maps contain neither."""

    without_charts: tuple[str, ...]
    """Scenes that have a map but no ice chart to score it against."""

    seen: tuple[str, ...]
    """Scored scenes that a network was trained or validated on, as far as the maps say;
    scores on other scenes are lower."""

    failed: tuple[Failure, ...]
    """Maps that could not be scored and are not in any number."""

    elapsed_s: float
    """Seconds that scoring took."""

    weights: str = ""
    """Fingerprint of the weights that made the maps; empty for a submission."""

    is_of_hidden_truth: bool = False
    """Whether `truth` is the hidden truth of synthetic scenes, not charts."""

    denoised_otherwise: Mapping[str, str] = field(default_factory=dict)
    """How noise was removed, and how in training, by scored scene for which these
    differ."""

    reference = former_attribute("reference", "truth")

    @property
    def pooled(self) -> Scores:
        """Pixels of all scenes together on the original grid: the challenge."""
        return self.grids["original"].pooled

    @property
    def scenes(self) -> Mapping[str, Scores]:
        """Scores of each scene on the original grid."""
        return self.grids["original"].scenes

    def to_frame(self) -> "DataFrame":
        """Return the scores of each scene on the original grid.

        Returns
        -------
        pandas.DataFrame
            Scenes by id; columns ``combined``, ``SIC``, ``SOD``, ``FLOE`` in percent, and
            ``edge_km``, the mean displacement of the ice edge. NaN where there is none.
        """
        return frame_of_scenes(self)

    def __repr__(self) -> str:
        """Return the scores of all scenes together, on one line."""
        scores = (f"{n} {decimal(score)} %" for n, score in self.pooled.by_name.items())
        about = ", ".join((counted(len(self.scenes), "scene"), *scores))
        return printable(f"<ScoreReport of {self.maps!r} and {self.truth!r}: {about}>")

    def __str__(self) -> str:
        """Return the tables as text."""
        return as_text(self)

    def _repr_html_(self) -> str:
        """Return the tables as HTML, for a notebook."""
        return as_html(self)


@former_arguments(reference="truth")
def score_maps(
    maps_path: str | Path,
    truth: AnyCharts | None = None,
    *,
    progress: Progress | None = None,
) -> ScoreReport:
    """Score maps against charts.

    Parameters
    ----------
    maps_path
        Folder with the files that `predict_store` wrote, or a submission file of the
        challenge.
    truth
        Where the charts are: a store, its path or URL, a folder of netCDF files, or what
        `seaice_data.sources.charts.find_charts` has found. If not given, the store that the
        maps name.
    progress
        Called after each map.

    Raises
    ------
    MapError
        If there are no maps, none can be scored, a scene has two maps, the maps come from
        several runs, a scene is not in `truth`, no scene has charts, or `truth` is not
        given and the maps name no store that can be opened.
    StoreError, SceneError
        If there are no charts at `truth`.
    """
    start = time.perf_counter()
    maps_path = Path(maps_path)
    truth = find_truth(maps_path, truth)
    maps = find_maps(maps_path, truth)
    pooled, scored = _Counts(), _Scored()
    without: list[str] = []
    failed = [*maps.failed]
    # Files with charts do not say at which ratio networks see them, but maps do.
    ratio = (maps.ratio if truth.store is None else None) or truth.ratio
    jobs = (partial(_count_scene, maps, truth, ratio, id_) for id_ in maps.readers)
    for n_done, (scene_id, counts) in enumerate(_in_turn(jobs), start=1):
        if isinstance(counts, Failure):
            failed.append(counts)
        elif counts is None or counts.is_empty:
            without.append(scene_id)
        else:
            pooled.merge(counts)
            scored.add(truth.scenes[scene_id], counts, maps.without.get(scene_id, ""))
        if progress is not None:
            progress(n_done, len(maps.readers), scene_id)
    if not scored.scenes and failed:
        raise MapError(
            f"none of the maps in {str(maps_path)!r} can be scored: {failed[0].reason}",
            hint=failed[0].hint,
        )
    if not scored.scenes:
        raise MapError(
            f"none of {counted(len(maps.readers), 'map')} in {str(maps_path)!r} has "
            "charts to be scored against",
            hint="pass a store or folder of scenes with charts as --truth",
        )
    failed += truth.failed
    store = truth.store
    return ScoreReport(
        maps=str(maps_path),
        run=maps.run,
        truth=without_secrets(truth.path),
        ratio=ratio,
        grids={name: scored.on(name, pooled.grids[name]) for name in GRIDS},
        baselines={} if store is None else score_baselines(store, scored.class_counts()),
        edge=pooled.edge.score(),
        scene_edges=scored.edges,
        calibration=pooled.calibration.calibration(),
        without_charts=tuple(without),
        seen=tuple(scene.id for scene in scored.scenes if scene.id in maps.seen),
        failed=tuple(failed),
        elapsed_s=time.perf_counter() - start,
        weights=maps.weights,
        is_of_hidden_truth=any(scene.is_hidden for scene in scored.scenes),
        denoised_otherwise={
            scene.id: maps.denoised_otherwise[scene.id]
            for scene in scored.scenes
            if scene.id in maps.denoised_otherwise
        },
    )


class _Counts:
    """Counts of a scene, or of several."""

    def __init__(self) -> None:
        self.grids = {name: ChartScorer() for name in GRIDS}
        self.edge = EdgeScorer()
        self.calibration = CalibrationScorer()

    @property
    def is_empty(self) -> bool:
        """Return whether the charts of the scene have no class anywhere."""
        return not any(table.any() for table in self.grids["original"].confusion.values())

    def merge(self, other: "_Counts") -> None:
        for name, scorer in self.grids.items():
            scorer.merge(other.grids[name])
        self.edge.merge(other.edge)
        self.calibration.merge(other.calibration)


class _Scored:
    """Scored scenes with their counts, to be grouped."""

    def __init__(self) -> None:
        self.scenes: list[ChartedScene] = []
        self.scorers: list[dict[str, ChartScorer]] = []
        self.edges: dict[str, EdgeScore] = {}
        self.without: list[str] = []

    def add(self, scene: ChartedScene, counts: _Counts, without: str) -> None:
        self.scenes.append(scene)
        self.scorers.append(counts.grids)
        self.edges[scene.id] = counts.edge.score()
        self.without.append(without)

    def on(self, grid: str, pooled: ChartScorer) -> GridScores:
        """Return the scores on a grid, of all scenes and by groups."""
        scorers = [by_grid[grid] for by_grid in self.scorers]
        return GridScores(
            pooled=pooled.scores(),
            scenes=_grouped([scene.id for scene in self.scenes], scorers),
            months=_grouped([f"{s.acquired.month:02d}" for s in self.scenes], scorers),
            services=_grouped([s.service or NO_SERVICE for s in self.scenes], scorers),
            regions=_grouped([s.region or "unknown" for s in self.scenes], scorers),
            without=_grouped([words or "nothing" for words in self.without], scorers)
            if any(self.without)
            else {},
            confusion={
                name: tuple(tuple(row) for row in matrix.tolist())
                for name, matrix in pooled.confusion.items()
            },
        )

    def class_counts(self) -> list[tuple[ChartedScene, dict[str, list[int]]]]:
        """Return the scenes with the pixels of each class in their charts."""
        return [
            (
                scene,
                {
                    name: matrix.sum(axis=1).tolist()
                    for name, matrix in by_grid["original"].confusion.items()
                },
            )
            for scene, by_grid in zip(self.scenes, self.scorers, strict=True)
        ]


def _grouped(names: Sequence[str], scorers: Sequence[ChartScorer]) -> dict[str, Scores]:
    """Return the scores of the scenes of each name together, by name."""
    groups: dict[str, ChartScorer] = defaultdict(ChartScorer)
    for name, scorer in zip(names, scorers, strict=True):
        groups[name].merge(scorer)
    return {name: groups[name].scores() for name in sorted(groups)}


def _count_scene(
    maps: FoundMaps, truth: ChartedScenes, ratio: int, scene_id: str
) -> tuple[str, _Counts | Failure | None]:
    """Count the pixels of a scene; return None if it has no charts."""
    if scene_id not in truth.scenes:
        return scene_id, None
    scene = truth.scenes[scene_id]
    try:
        with out_of_memory_errors(f"scene {scene_id}"):
            aligned, charts = maps.readers[scene_id](scene), scene.read()
            return scene_id, _counted(aligned, charts, scene, ratio)
    except (MapError, StoreError, SceneError) as error:
        return scene_id, Failure.of(scene_id, error)
    except OSError as error:
        return scene_id, Failure(scene_id, f"scene {scene_id}: {error.strerror or error}")


def _counted(
    aligned: Aligned, charts: ChartArray, scene: ChartedScene, ratio: int
) -> _Counts:
    """Count the pixels of a map and its charts."""
    predicted = aligned.charts
    counts = _Counts()
    counts.grids["original"].add(charts, predicted)
    _count_officially(charts, predicted, ratio, counts)
    sic = CHARTS.index(SIC)
    counts.edge.add(charts[sic], predicted[sic], pixel_spacing_m=scene.grid.pixel_spacing_m)
    if aligned.decision is not None:
        _count_uncertainty(charts, aligned, aligned.decision, counts.calibration)
    return counts


def _count_uncertainty(
    charts: ChartArray, aligned: Aligned, decision: Decision, scorer: CalibrationScorer
) -> None:
    """Count what the map says about its uncertainty, if anything."""
    places = aligned.rows, aligned.columns
    for chart, truth in zip(CHARTS, charts, strict=True):
        probabilities = decision.probabilities_of(chart.name)
        if probabilities is not None:
            scorer.add_probabilities(chart, truth, probabilities, *places)
    spread = decision.spread_percent()
    if spread is None:
        return
    n_networks = decision.n_networks
    is_single = n_networks == 1  # a number alone has no spread, so it predicts classes
    of_classes = is_single or decision.sic_basis == "probabilities"
    scorer.add_spread(
        charts[CHARTS.index(SIC)],
        decision.concentration_percent(),
        spread,
        *places,
        n_votes=n_networks if decision.sic_basis == "votes" and not is_single else None,
        probabilities=decision.probabilities_of(SIC.name) if of_classes else None,
    )


def _count_officially(
    charts: ChartArray, predicted: ChartArray, ratio: int, counts: _Counts
) -> None:
    """Count as the official code does: charts decimated, and enlarged again.

    Its test takes row ``ratio * i`` of the charts, and enlarges ``n // ratio`` rows by
    ``floor(r * (n // ratio) / n)``. Downscaled, a map is compared where both that rule
    and plain blocks of `ratio` rows lead to row i.
    """
    picked, enlarged, of_map = zip(
        *(_official_indices(size, ratio) for size in charts.shape[1:]), strict=True
    )
    for chart, truth, guess in zip(CHARTS, charts, predicted, strict=True):
        coarse = truth[picked[0][:, np.newaxis], picked[1]]
        counts.grids["downscaled"].add_chart(
            chart, coarse, guess[of_map[0][:, np.newaxis], of_map[1]]
        )
        counts.grids["enlarged"].add_enlarged(chart, coarse, guess, *enlarged)


def _official_indices(n_pixels: int, ratio: int) -> tuple[IntArray, IntArray, IntArray]:
    """Return pixels that are picked, which of them each pixel shows, and those compared.

    Examples
    --------
    >>> _official_indices(7, 3)
    (array([0, 3]), array([0, 0, 0, 0, 1, 1, 1]), array([0, 4]))
    """
    ratio = min(ratio, n_pixels)
    n_picked = n_pixels // ratio
    places = np.arange(n_picked)
    compared = -(-places * n_pixels // n_picked)
    return places * ratio, picks_of_pixels(n_pixels, ratio), compared


def _in_turn(jobs: Iterable[Callable[[], _Result]]) -> Iterator[_Result]:
    """Do a few jobs at a time, and yield the results in order."""
    remaining = iter(jobs)
    with ThreadPoolExecutor(_THREADS) as pool:
        waiting = deque(pool.submit(job) for job in islice(remaining, _THREADS))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(job) for job in islice(remaining, 1))
            yield result

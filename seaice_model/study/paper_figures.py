"""Figures 2 to 5 of Chen et al. (2024), from any runs or maps and any store.

- Figures 2 and 3: the charts of a scene from each model, and from the ice service;
- Figure 4: which classes of SOD and FLOE each model confuses;
- Figure 5: how often each class occurs in the training scenes.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from seaice_data.arrays import ChartArray
from seaice_data.display import Displayed
from seaice_data.errors import Failure, StoreError
from seaice_data.sources.charts import AnyCharts, ChartedScenes, find_charts
from seaice_data.system.ownership import FIGURE, refuse_foreign
from seaice_data.system.workers import Progress
from seaice_data.texts import time_in_words
from seaice_model.errors import MapError, PlotError
from seaice_model.maps.chart_map import ChartMap
from seaice_model.plots.maps import plot_comparison
from seaice_model.plots.scores import plot_confusion
from seaice_model.plots.store import plot_class_distribution
from seaice_model.prediction.predict import PredictSettings, predict_store
from seaice_model.scores.report_text import truth_in_words
from seaice_model.scores.score import ScoreReport, score_maps
from seaice_model.scores.scored_maps import read_scored
from seaice_model.style import save_plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER_SCENES = ("20180707T113313_cis", "20211212T211242_dmi")
"""Scenes of Figures 2 and 3."""


@dataclass(frozen=True, slots=True, repr=False)
class FiguresReport(Displayed):
    """What `plot_figures` did."""

    figures: Mapping[str, Path]
    """Files by what they show."""

    scenes: tuple[str, ...]
    """Scenes of Figures 2 and 3."""

    failed: tuple[Failure, ...]
    """Maps that could not be scored and are not in any figure, and figures that failed."""


def plot_figures(
    models: Mapping[str, str | Path],
    truth: AnyCharts,
    out: str | Path,
    *,
    scenes: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress | None = None,
) -> FiguresReport:
    """Plot the figures of the paper.

    Parameters
    ----------
    models
        Folders of maps or of runs by the name of the model. For a run, maps of the test
        scenes and of `scenes` are first predicted, in ``out/maps/<name>``.
    truth
        The ice charts; a store, or its path, for Figure 5 and for runs. See `score_maps`.
    out
        Folder for the figures, created if needed.
    scenes
        Scenes for Figures 2 and 3. If not given, the scenes of the paper for which all
        models have a map; if there are none, the first two scenes of all models.
    overwrite
        Whether to replace figures that seaice did not write.
    progress
        Called after each model.

    Raises
    ------
    MapError
        If a model lacks a map of one of `scenes`, or the models have no scene in common.
    ForeignFileError
        If there is a figure that seaice did not write.
    RunError, StoreError
        If maps of a run cannot be predicted, or `truth` is not a store.
    """
    truth, out = find_charts(truth), Path(out)
    for path in (
        *(_scene_path(out, scene_id) for scene_id in truth.scenes),
        *(_confusion_path(out, name) for name in models),
        out / "classes.png",
    ):
        refuse_foreign(path, FIGURE, overwrite=overwrite)
    out.mkdir(parents=True, exist_ok=True)
    maps, reports = {}, {}
    for n_done, (name, folder) in enumerate(models.items(), start=1):
        maps[name] = _maps_of(name, Path(folder), truth, out, scenes)
        reports[name] = score_maps(maps[name], truth)
        if progress is not None:
            progress(n_done, len(models), name)
    chosen = _chosen(reports, scenes)
    failed = [failure for report in reports.values() for failure in report.failed]
    figures: dict[str, Path] = {}

    def save(shown: str, path: Path, plot: Callable[[], "Figure"]) -> None:
        try:
            save_plot(plot(), path)
        except PlotError as error:
            failed.append(Failure.of(path, error))
        else:
            figures[shown] = path

    for scene_id in chosen:
        plot = partial(_plot_scene, scene_id, maps, reports, truth)
        save(f"Charts of scene {scene_id}", _scene_path(out, scene_id), plot)
    for name, report in reports.items():
        matrices = report.grids["original"].confusion
        truth_name = truth_in_words(report)
        plot = partial(plot_confusion, matrices, title=name, truth=truth_name)
        save(f"Figure 4: {name}", _confusion_path(out, name), plot)
    counts = truth.store and truth.store.full_class_counts
    if counts:
        save("Figure 5", out / "classes.png", partial(plot_class_distribution, counts))
    return FiguresReport(figures, tuple(chosen), tuple(failed))


def _maps_of(
    name: str, path: Path, truth: ChartedScenes, out: Path, scenes: Sequence[str]
) -> Path:
    """Return the folder of the maps of a model; predict them if it is a run."""
    if not (path / "settings.json").is_file():
        return path
    if truth.store is None:
        raise StoreError(
            f"{truth.path!r} is not a store, so no maps of the run {str(path)!r} can be "
            "predicted",
            hint="pass a store as --truth, or a folder of maps instead of the run",
        )
    made = out / "maps" / _file_name(name)
    wanted = dict.fromkeys((*truth.expected, *scenes))
    settings = PredictSettings(plots=False)
    predict_store(truth.store, path, made, settings, scenes=tuple(wanted))
    return made


def _chosen(reports: Mapping[str, ScoreReport], scenes: Sequence[str]) -> Sequence[str]:
    """Return the scenes for Figures 2 and 3."""
    for scene_id in scenes:
        for name, report in reports.items():
            if scene_id not in report.scenes:
                raise MapError(
                    f"model {name!r} has no map of scene {scene_id!r} with a chart",
                    hint="it has "
                    + ", ".join([*report.scenes][:5])
                    + (", ..." if len(report.scenes) > 5 else ""),
                )
    if scenes:
        return scenes
    first, *others = (report.scenes for report in reports.values())
    common = [scene for scene in first if all(scene in other for other in others)]
    if not common:
        raise MapError("the models have no scene in common", hint="predict the same scenes")
    return [scene for scene in PAPER_SCENES if scene in common] or common[:2]


def _plot_scene(
    scene_id: str,
    maps: Mapping[str, Path],
    reports: Mapping[str, ScoreReport],
    truth: ChartedScenes,
) -> "Figure":
    scene = truth.scenes[scene_id]
    rows: dict[str, ChartArray] = {}
    place: ChartMap | None = None
    for name, path in maps.items():
        rows[name], chart_map = read_scored(path, scene)
        place = place or chart_map
    return plot_comparison(
        f"{scene_id}   {time_in_words(scene.acquired)}",
        {**rows, "ice chart": scene.read()},
        scene.grid,
        {name: report.scenes[scene_id] for name, report in reports.items()},
        place=place,
    )


def _scene_path(out: Path, scene_id: str) -> Path:
    return out / f"scene_{scene_id}.png"


def _confusion_path(out: Path, name: str) -> Path:
    return out / f"confusion_{_file_name(name)}.png"


def _file_name(name: str) -> str:
    """Return the name of a model as a file name that any disk accepts."""
    return re.sub(r"[^\w.-]+", "_", name)

"""Predict the charts of whole scenes and bring them to the SAR grid.

Classes are decided on the grid of the store; each pixel of the 80 m grid takes the class
of the stored pixel that represents it (Chen et al. 2024, section 3.2).
"""

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from seaice_data.channels import DISPENSABLE
from seaice_data.deprecation import former_arguments, former_attribute
from seaice_data.display import Displayed
from seaice_data.errors import (
    Failure,
    RecipeError,
    SceneError,
    SettingsError,
    StoreError,
    is_of_disk,
)
from seaice_data.settings import nearest
from seaice_data.sources.inputs import FileSource, SceneInputs, Source, StoreSource
from seaice_data.store.opening import AnyStore, opened
from seaice_data.system.memory import kept_pages, return_pages
from seaice_data.system.workers import Progress
from seaice_data.texts import printable
from seaice_model.errors import MapError, RunError
from seaice_model.maps.chart_map import ChartMap, MapGrid, Provenance, absolute
from seaice_model.maps.netcdf import write_netcdf
from seaice_model.networks.device import find_device, memory_in_words, usual_torch
from seaice_model.plots.framing import Geometry
from seaice_model.plots.maps import DPI
from seaice_model.prediction.compose import compose_map
from seaice_model.prediction.flips import VIEWS, warn_of_flips
from seaice_model.prediction.map_figures import (
    FigureSettings,
    add_figures,
    in_words,
    write_figures,
    write_page,
)
from seaice_model.prediction.maps_folder import (
    look_at_maps,
    make_folder,
    refuse_foreign_files,
)
from seaice_model.prediction.predictor import Predictor
from seaice_model.prediction.requirements import (
    check_channels,
    check_constants,
    check_store,
    look_at_scenes,
    reduced,
    warn_of_denoising,
    without_incomplete,
)
from seaice_model.prediction.selection import scenes_to_predict

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class PredictReport(Displayed):
    """What `predict_store` or `predict_files` did."""

    maps: tuple[Path, ...]
    """Maps of all scenes asked for, written or kept."""

    n_written: int
    """Maps predicted now."""

    n_kept: int
    """Maps of the same weights that were there already."""

    failed: tuple[Failure, ...]
    """Scenes without a map."""

    elapsed_s: float
    """Seconds in all."""

    plots_failed: tuple[Failure, ...] = ()
    """Figures that could not be written, by scene, and the page; their maps exist."""

    denoised_otherwise: Mapping[str, str] = field(default_factory=dict)
    """How noise was removed from the SAR of scenes that have a map, where a network was not
    trained on any scene like that."""

    drawn_without: Mapping[str, str] = field(default_factory=dict)
    """Groups of channels that networks read and did without, as ``amsr2, era5``, by scene
    that has a map."""


@former_arguments(pictures="plots")
@dataclass(frozen=True, kw_only=True, slots=True)
class PredictSettings:
    """How maps are predicted."""

    grid: MapGrid = "original"
    """Grid of the maps."""

    probabilities: bool = False
    """Whether maps contain the probability of each class."""

    plots: bool = True
    """Whether to write figures next to each map."""

    geometries: tuple[Geometry, ...] = ("swath",)
    """Geometries of the figures, a file of each: ``swath`` (rows and columns of the scene,
    north up, ``<scene>.png``), ``polar`` (polar stereographic, ``<scene>_polar.png``)."""

    dpi: float = DPI
    """Pixels an inch of the figures; a panel is about 6.4 inches wide."""

    flips: bool = False
    """Whether networks also predict mirrored views of each scene, and their mean decides;
    see `seaice_model.prediction.flips`. Maps with and without flips are never mixed in a
    folder."""

    overwrite: bool = False
    """Whether to predict existing maps again, and to replace maps of other weights and
    files that seaice did not write."""

    without: tuple[str, ...] = ()
    """Groups of channels that are left out even if files of scenes have them: ``amsr2``,
    ``era5``, or both. Only networks that have learned to do without (see
    `Augmentation.drop_amsr2`), or do not read them, can predict such scenes."""

    pictures = former_attribute("pictures", "plots")

    @property
    def figures(self) -> FigureSettings:
        """How figures are written."""
        geometries = tuple(dict.fromkeys(self.geometries))
        return FigureSettings(geometries=geometries, dpi=self.dpi)

    def __post_init__(self) -> None:
        """Reject groups that no network can do without, and impossible figures."""
        _ = self.figures  # it checks itself
        if self.plots and not self.geometries:
            raise SettingsError(
                "no geometry of the figures is given",
                hint='leave out geometries, or turn plots off ("plots=False")',
            )
        for name in self.without:
            if name not in DISPENSABLE:
                raise SettingsError(
                    f"no network can predict without {name!r}",
                    hint=nearest(name, DISPENSABLE),
                )


@usual_torch()
def predict_store(
    store: AnyStore,
    run_paths: str | Path | Sequence[str | Path],
    maps_path: str | Path,
    settings: PredictSettings | None = None,
    *,
    scenes: Sequence[str] | None = None,
    split: str = "",
    where: str = "",
    device: str = "auto",
    progress: Progress | None = None,
) -> PredictReport:
    """Predict maps of the scenes of a store with the best weights of a run, or of several.

    Each map is a netCDF file with figures of the same name. Existing maps of the same
    weights and the same store are kept, so an interrupted call continues when it is
    repeated; missing figures of such a map are plotted. If a figure fails, the map is
    written all the same, and the figure is listed in the report. A scene is left out, and
    listed in the report, if it cannot be read, lacks a channel that a network reads, does
    not fit into memory, or another file is in the place of its map; the other scenes are
    predicted. Networks that have learned to do without AMSR2 or ERA5 predict scenes that
    lack them, and the maps say so. Of scenes whose SAR was denoised in another way than
    that of all training scenes, a warning says how many there are.

    Parameters
    ----------
    store
        Where the scenes are: a store, its path or its URL.
    run_paths
        Folder of the run, or folders of several runs that decide together. A folder that
        contains ``seed-<number>`` folders means all of these. URLs are folders, too; see
        `seaice_model.runs.locations`.
    maps_path
        Folder for the maps, made if needed.
    settings
        How to predict; the default settings if not given.
    scenes
        Ids of the scenes, instead of `split` and `where`.
    split
        ``train``, ``validation``, ``test``, ``unseen`` or ``all``, by the lists of the runs
        (`seaice_model.prediction.selection`). If empty, all scenes that the runs were
        neither trained nor validated on; from a store that they were trained on, only test
        scenes.
    where
        Condition that narrows the split, as ``month in 5..9``; see
        `seaice_data.store.selection`.
    device
        Where the networks run: "auto", "cpu", "cuda" and so on.
    progress
        Called after each scene with the number of scenes done, kept ones included, that of
        all, and its id.

    Raises
    ------
    RunError
        If there is no run, it is damaged, the store does not fit it, runs cannot decide
        together or without what `settings` leave out, or there is no scene to predict.
    SettingsError
        If there is no such split, or the condition cannot be read.
    MapError
        If maps of other weights, on another grid, or with other flips or groups of channels
        are in the way, or none can be written.
    ForeignFileError
        If a figure or an ``index.html`` that seaice did not write is in the way.
    StoreError
        If a scene is not in the store.
    """
    start = time.perf_counter()
    store = opened(store)
    predictor = _load(run_paths, device)
    for checkpoint in predictor.checkpoints:
        check_store(store, checkpoint)
    if scenes is None:
        scenes = scenes_to_predict(store, predictor, split, where)
    if not scenes:
        raise RunError("no scene to predict: the list of scenes is empty")
    source = StoreSource(store, scenes)
    return _predict(source, predictor, Path(maps_path), settings, progress, start)


@usual_torch()
def predict_files(
    path: str | Path,
    run_paths: str | Path | Sequence[str | Path],
    maps_path: str | Path,
    settings: PredictSettings | None = None,
    *,
    scenes: Sequence[str] | None = None,
    accept_masks: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
) -> PredictReport:
    """Predict maps of netCDF files of scenes, without a store.

    Each scene is prepared in memory with the recipe of the run; its map is the same as that
    from a store with this recipe. For everything else see `predict_store`.

    Parameters
    ----------
    path
        A file, or a folder that is searched with all folders below it.
    run_paths, maps_path, settings, device, progress
        See `predict_store`.
    scenes
        Ids of the scenes; all if not given.
    accept_masks
        Accept scenes with classes where SAR is missing; see
        `seaice_data.preparation.assemble`.

    Raises
    ------
    SceneError
        If there is no netCDF file, or none of a scene that is named.
    RunError, MapError
        See `predict_store`.
    """
    start = time.perf_counter()
    predictor = _load(run_paths, device)
    for checkpoint in predictor.checkpoints:
        check_constants(checkpoint)
    source = FileSource(Path(path), predictor.recipe, scenes, accept_masks=accept_masks)
    return _predict(source, predictor, Path(maps_path), settings, progress, start)


def predict_scene(
    predictor: Predictor,
    scene: SceneInputs,
    provenance: Provenance,
    *,
    grid: MapGrid = "original",
    probabilities: bool = False,
    flips: bool = False,
) -> ChartMap:
    """Predict the charts of one scene; masks and flags are those of `compose_map`.

    Parameters
    ----------
    predictor
        The networks; its channels must be among those of the scene.
    scene
        A scene of a `Source`.
    provenance
        What to write into the map.
    grid
        Grid of the map.
    probabilities
        Whether to keep the class probabilities.
    flips
        Whether mirrored views of the scene decide, too; the map says so.

    Raises
    ------
    SceneError
        If the scene lacks a channel that the networks need.
    """
    start = time.perf_counter()
    check_channels(scene.id, scene.origin, predictor)
    scene = without_incomplete(scene, predictor)
    with kept_pages():  # layer after layer uses the same memory
        decision = predictor.decide(
            scene.planes, scene.channels, probabilities=probabilities, flips=flips
        )
    log.info("%s: predicted in %.2f s", scene.id, time.perf_counter() - start)
    used = replace(
        provenance, scene_use=predictor.use_of(scene.id), flips=VIEWS if flips else ""
    )
    return compose_map(scene, decision, used, grid=grid)


def _load(run_paths: str | Path | Sequence[str | Path], device: str) -> Predictor:
    paths = [run_paths] if isinstance(run_paths, str | Path) else run_paths
    return Predictor.load(paths, find_device(device))


def _predict(
    source: Source,
    predictor: Predictor,
    maps_path: Path,
    settings: PredictSettings | None,
    progress: Progress | None,
    start: float,
) -> PredictReport:
    """Predict the maps that do not exist."""
    return_pages()
    settings = settings or PredictSettings()
    source = reduced(source, predictor, settings.without)
    provenance = provenance_of(source, predictor)
    if settings.flips:
        provenance = replace(provenance, flips=VIEWS)
        warn_of_flips([c.settings.config.augmentation for c in predictor.checkpoints])
    paths = {scene: maps_path / f"{scene}.nc" for scene in source.scenes}
    kept, in_the_way = look_at_maps(
        {} if settings.overwrite else paths,
        source,
        provenance,
        grid=settings.grid,
        probabilities=settings.probabilities,
    )
    taken = {entry.name for entry in in_the_way}
    suited = look_at_scenes(source, predictor, [s for s in paths if s not in taken])
    warn_of_denoising(suited.denoised_otherwise, predictor, len(paths))
    without = taken | {*suited.failed}
    failed = [*source.failed, *in_the_way]
    if settings.plots:
        new = [path for scene, path in paths.items() if scene not in kept | without]
        refuse_foreign_files(
            maps_path, new, settings.figures.geometries, overwrite=settings.overwrite
        )
    make_folder(maps_path)
    plots_failed: list[Failure] = []
    for n_done, (scene, path) in enumerate(paths.items(), start=1):
        try:
            with memory_in_words(f"scene {scene}", kind=SceneError):
                if scene in suited.failed:
                    raise suited.failed[scene]
                if scene not in kept | taken:
                    plots_failed += _predict_map(
                        source, scene, predictor, path, provenance, settings
                    )
                elif scene in kept and settings.plots:
                    plots_failed += add_figures(source, scene, path, settings.figures)
        except (SceneError, StoreError, RecipeError, MapError) as error:
            if is_of_disk(error):
                raise
            log.info("%s left out: %s", scene, error)
            failed.append(Failure.of(scene, error))
        except OSError as error:
            if is_of_disk(error):
                raise
            failed.append(Failure(scene, in_words(error)))
        if progress is not None:
            progress(n_done, len(paths), scene)
    without = {entry.name for entry in failed}
    maps = tuple(path for scene, path in paths.items() if scene not in without)
    if settings.plots and maps:
        plots_failed += write_page(maps_path, overwrite=settings.overwrite)
    return PredictReport(
        maps=maps,
        n_written=len(maps) - len(kept - without),
        n_kept=len(kept - without),
        failed=tuple(failed),
        elapsed_s=time.perf_counter() - start,
        plots_failed=tuple(plots_failed),
        denoised_otherwise=_but(without, suited.denoised_otherwise),
        drawn_without=_but(without, suited.drawn_without),
    )


def _but(failed: Collection[str], by_scene: Mapping[str, str]) -> dict[str, str]:
    """Return what is said of scenes, but for those that failed."""
    return {scene: said for scene, said in by_scene.items() if scene not in failed}


def _predict_map(
    source: Source,
    scene_id: str,
    predictor: Predictor,
    path: Path,
    provenance: Provenance,
    settings: PredictSettings,
) -> list[Failure]:
    """Predict the map of a scene, and plot it; return what could not be plotted."""
    scene = source.read(scene_id, charts=settings.plots)
    chart_map = predict_scene(
        predictor,
        scene,
        provenance,
        grid=settings.grid,
        probabilities=settings.probabilities,
        flips=settings.flips,
    )
    failed = []
    if settings.plots:
        failed = write_figures(chart_map, scene, path, settings.figures)
    # The map comes last: if it exists, so does its figure, if requested and possible.
    write_netcdf(chart_map, path)
    return failed


def provenance_of(source: Source, predictor: Predictor) -> Provenance:
    """Return what maps of these scenes by these networks are made from."""
    return Provenance(
        run=printable(predictor.name),
        weights=predictor.weights,
        epochs=tuple(checkpoint.state.n_epochs for checkpoint in predictor.checkpoints),
        store=printable(absolute(source.name)),
        store_fingerprint=source.fingerprint,
        software=f"seaice {version('seaice')}",
        network=predictor.network,
        trained_on_denoising=predictor.trained_on_denoising,
    )

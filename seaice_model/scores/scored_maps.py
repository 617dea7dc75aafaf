"""Maps to score: a folder of them, or a submission file; and the charts to score against.

``find_truth`` finds the charts, ``find_maps`` the maps in the folder or file, and
``read_scored`` reads one map as it is scored.
"""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from seaice_data.arrays import ChartArray
from seaice_data.errors import Failure, StoreError
from seaice_data.scene_id import SceneId
from seaice_data.sources.charts import (
    AnyCharts,
    ChartedScene,
    ChartedScenes,
    charts_of,
    find_charts,
)
from seaice_data.store.store import Store
from seaice_data.texts import counted
from seaice_model.errors import MapError
from seaice_model.formats.submission import Submission
from seaice_model.maps.alignment import Aligned, align, without_decision
from seaice_model.maps.chart_map import ChartMap
from seaice_model.maps.listing import describe_maps
from seaice_model.maps.netcdf import read_netcdf


@dataclass(frozen=True, slots=True)
class FoundMaps:
    """Maps to score, and how they are read."""

    run: str
    """The run that made them."""

    readers: Mapping[str, Callable[[ChartedScene], Aligned]]
    """By scene; each reads a map on the 80 m grid."""

    seen: frozenset[str] = frozenset()
    """Scenes that the run was trained or validated on."""

    failed: tuple[Failure, ...] = ()
    """Maps that cannot be read."""

    ratio: int | None = None
    """Ratio of the store that they were predicted on; None if they do not say."""

    weights: str = ""
    """Fingerprint of the weights that made them; empty if they do not say."""

    denoised_otherwise: Mapping[str, str] = field(default_factory=dict)
    """How noise was removed, and how in training, by scene for which these differ."""

    without: Mapping[str, str] = field(default_factory=dict)
    """What maps were predicted without, as ``amsr2, era5``, by scene; empty texts for those
    that lack nothing."""


def find_truth(maps_path: str | Path, path: AnyCharts | None = None) -> ChartedScenes:
    """Find the charts to score maps against.

    Parameters
    ----------
    maps_path
        Folder of maps, or submission file.
    path
        Store, or folder of netCDF files, with the charts; see `find_charts`. If empty or
        not given, the store that the maps name; a URL is not opened then.

    Raises
    ------
    MapError
        If `path` is empty, and the maps name no store that can be opened, or a store with
        another recipe than the one they were made from.
    StoreError, SceneError
        If there are no charts at `path`.
    """
    if path is not None and path != "":
        return find_charts(path)
    return charts_of(_store_of(Path(maps_path)))


def find_maps(path: Path, truth: ChartedScenes) -> FoundMaps:
    """Find the maps in a folder or a submission file.

    Raises
    ------
    MapError
        If there are no maps, a scene has two, they come from several runs, or scenes are
        not in `truth`, or missing from a submission.
    """
    return (_in_submission if path.is_file() else _in_folder)(path, truth)


def read_scored(maps_path: Path, scene: ChartedScene) -> tuple[ChartArray, ChartMap | None]:
    """Read a map as it is scored, and as it is.

    Parameters
    ----------
    maps_path
        Folder of maps or submission file.
    scene
        One of its scenes.

    Returns
    -------
    tuple
        Its charts, ``(chart, y, x)`` on the 80 m grid, and the map, which says where it is
        and what it lacks; None in a submission file.

    Raises
    ------
    MapError
        If it contains no map of the scene, or a damaged one.
    """
    if maps_path.is_file():
        return _read_submission(maps_path, scene).charts, None
    described, _ = describe_maps(maps_path)
    for path, found in described.items():
        if found.scene == scene.id:
            chart_map = read_netcdf(path)
            return align(chart_map, scene.grid).charts, chart_map
    raise MapError(f"no map of scene {scene.id!r} in {str(maps_path)!r}")


def _store_of(maps: Path) -> Store:
    """Open the store that the maps were made from."""
    if maps.is_file():
        raise MapError(
            f"{str(maps)!r} does not say where the charts of its scenes are",
            hint="pass a store or a folder of netCDF files as --truth; for a folder "
            "of maps, name the folder",
        )
    described, failed = describe_maps(maps)
    if not described:
        raise MapError(failed[0].reason, hint=failed[0].hint)
    made_of = [found.provenance for found in described.values()]
    named = made_of[0].store
    if "://" in named or "::" in named:
        # Whoever made the map would choose where requests with our credentials go.
        raise MapError(
            f"the maps in {str(maps)!r} were made from {named!r}; "
            "URLs named in files are not opened",
            hint=f"if you trust it, pass --truth {named}",
        )
    try:
        store = Store.open(named)
    except StoreError as error:
        if " file-" in made_of[0].file_hash:
            raise MapError(
                f"the maps in {str(maps)!r} were made from netCDF files, not from a store",
                hint=f"if these have charts, pass --truth {shlex.quote(named)}",
            ) from None
        raise MapError(
            f"the maps in {str(maps)!r} were made from a store that cannot be opened: "
            f"{error}",
            hint="pass the store with the charts as --truth",
        ) from None
    for provenance in made_of:
        # Maps of version 0.1 name their store relative to what may be another folder.
        if provenance.store_fingerprint != store.fingerprint:
            raise MapError(
                f"the maps in {str(maps)!r} were made from a store with recipe "
                f"{provenance.store_fingerprint!r}; {named!r} has {store.fingerprint!r}",
                hint="pass the store with the charts as --truth",
            )
    return store


def _in_folder(folder: Path, truth: ChartedScenes) -> FoundMaps:
    """Find the maps in a folder; reject what cannot be scored together."""
    paths: dict[str, Path] = {}
    runs: dict[tuple[str, str], str] = {}
    seen: set[str] = set()
    ratios: list[int] = []
    without: dict[str, str] = {}
    otherwise: dict[str, str] = {}
    described, unreadable = describe_maps(folder)
    unknown = [*unreadable]
    for path, found in described.items():
        scene_id, made_by = found.scene, found.provenance
        if scene_id in paths:
            raise MapError(
                f"scene {scene_id!r} has two maps: {paths[scene_id].name!r} "
                f"and {path.name!r}",
                hint="move one of them away, so that no pixel counts twice",
            )
        if scene_id not in truth.scenes and scene_id not in truth.uncharted:
            if truth.failed:  # its chart may be among them
                unknown.append(Failure(str(path), _unknown(scene_id, truth)))
                continue
            raise MapError(
                f"map {str(path)!r} shows scene {scene_id!r}, which "
                f"{truth.path!r} does not contain",
                hint=_where_chart_may_be(scene_id, truth),
            )
        paths[scene_id] = path
        without[scene_id] = made_by.drawn_without
        if made_by.denoised_otherwise:
            otherwise[scene_id] = made_by.denoised_otherwise
        if made_by.scene_use != "unseen":
            seen.add(scene_id)
        if found.ratio is not None:
            ratios.append(found.ratio)
        runs.setdefault((made_by.weights, made_by.flips), made_by.run_in_words)
    if len(runs) > 1:
        raise MapError(
            f"the maps in {str(folder)!r} come from {len(runs)} runs: "
            + "; ".join(runs.values()),
            hint="put the maps of each run into a folder of their own",
        )
    readers = {scene: partial(_read_map, path) for scene, path in paths.items()}
    return FoundMaps(
        run="".join(runs.values()),
        readers=readers,
        seen=frozenset(seen),
        failed=tuple(unknown),
        ratio=ratios[0] if ratios else None,  # equal weights have equal ratios
        weights="".join(weights for weights, _ in runs),
        without=without,
        denoised_otherwise=otherwise,
    )


def _where_chart_may_be(scene_id: str, truth: ChartedScenes) -> str:
    """Return where to look for the chart of a scene that `truth` does not contain."""
    # A scene ingested with a chart has another id than the same scene without one.
    acquired = SceneId(scene_id).acquired
    twin = next((id_ for id_ in truth.scenes if SceneId(id_).acquired == acquired), None)
    if twin is not None:
        return (
            f"{truth.path!r} has the same acquisition as {twin!r}, with a chart: predict "
            "that scene, and score its map"
        )
    return "pass the store or folder with its chart as --truth"


def _unknown(scene_id: str, truth: ChartedScenes) -> str:
    """Return why the chart of a scene is missing, as far as that is known."""
    if scene_id in {failure.name for failure in truth.failed}:
        return f"the chart of scene {scene_id!r} cannot be read"
    return (
        f"no chart of scene {scene_id!r} is in {truth.path!r}, in which "
        f"{counted(len(truth.failed), 'file')} cannot be read"
    )


def _read_map(path: Path, scene: ChartedScene) -> Aligned:
    return align(read_netcdf(path), scene.grid)


def _in_submission(path: Path, truth: ChartedScenes) -> FoundMaps:
    """Find the maps in a submission file; reject one that lacks scenes."""
    with Submission(path) as submission:
        submission.check_scenes(truth.expected, truth.scenes)
        return FoundMaps(
            "", {scene: partial(_read_submission, path) for scene in submission.scenes}
        )


def _read_submission(path: Path, scene: ChartedScene) -> Aligned:
    with Submission(path) as submission:
        return without_decision(submission.read(scene.id, scene.grid.shape))

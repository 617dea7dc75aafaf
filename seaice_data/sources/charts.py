"""Find ice charts, in a store or in files: the truth that maps are scored against.

``find_charts`` takes a store, opened or not, or a folder of netCDF files of any version:
scenes that contain their charts, and the ``_reference`` files of test scenes, with or
without the scene beside them.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np

from seaice_data.arrays import ChartArray
from seaice_data.charts import CHARTS
from seaice_data.display import Displayed
from seaice_data.errors import Failure, SceneError, SeaIceError, StoreError
from seaice_data.grid import SPACING_M, Grid, row_bands
from seaice_data.scene_id import SceneId
from seaice_data.scenes.files import leave_out_copy, list_scene_files, open_scene
from seaice_data.scenes.listing import Listing, reference_file_of
from seaice_data.scenes.netcdf import NetcdfFile
from seaice_data.scenes.ready import contains_charts, contains_classes, find_id, read_charts
from seaice_data.scenes.scene import region_in
from seaice_data.store.group import is_store
from seaice_data.store.opening import AnyStore
from seaice_data.store.split import TEST_IDS
from seaice_data.store.store import Store
from seaice_data.store.stored_scene import StoredScene
from seaice_data.texts import counted

_BAND_ROWS = 500
OFFICIAL_RATIO = 10
"""Ratio of the official configuration (Chen et al. 2024, Table 3), for charts that are not
in a store."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChartedScene:
    """A scene whose charts can be read."""

    id: SceneId
    """As ``20180607T184326_dmi``."""

    region: str
    """Chart region of the ice service; empty if unknown."""

    grid: Grid
    """80 m grid of the charts."""

    read: Callable[[], ChartArray]
    """Read the charts, shape ``(chart, y, x)``; 255 is fill."""

    is_hidden: bool = False
    """Whether they are the hidden truth of a synthetic scene, not what a service charts."""

    file: Path | None = None
    """File with the charts; None for those of a store."""

    @property
    def acquired(self) -> datetime:
        """Start of the acquisition, UTC."""
        return self.id.acquired

    @property
    def service(self) -> str:
        """Ice service that made the chart, such as ``dmi``; empty if there is no chart."""
        return self.id.service


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class ChartedScenes(Displayed):
    """The scenes in a store or a folder that have charts."""

    path: str
    """Store or folder, as the user gave it."""

    scenes: Mapping[str, ChartedScene]
    """Scenes with charts by id, sorted."""

    uncharted: frozenset[str]
    """Ids of scenes without charts."""

    expected: tuple[str, ...]
    """Ids of the scenes that a submission must contain: the test scenes, or all if there
    are none."""

    ratio: int
    """Ratio by which the official score downscales: that of the store, or 10 for files,
    unless the maps say at which ratio they were predicted."""

    failed: tuple[Failure, ...] = ()
    """Scenes that cannot be opened."""

    store: Store | None
    """The store, if the charts are in one: baselines come from its training scenes."""


AnyCharts = ChartedScenes | AnyStore
"""Scenes with charts, or where they are: a store, the path of one or of a folder."""


def find_charts(path: AnyCharts) -> ChartedScenes:
    """Find the scenes with charts in a store, or in a folder of netCDF files.

    Parameters
    ----------
    path
        Store, its path or URL, or folder of netCDF files. What was found before is returned
        as it is.

    Raises
    ------
    StoreError
        If `path` is a URL without a store, or neither a store nor a folder of scenes.
    SceneError
        If no file has charts.
    """
    if isinstance(path, ChartedScenes):
        return path
    if isinstance(path, Store):
        return charts_of(path)
    path = os.fspath(path)
    if is_store(path) or Path(path).is_file():
        return charts_of(Store.open(path))
    try:
        listing = list_scene_files(path)
    except SceneError:
        raise StoreError(
            f"{path!r} is neither a store nor a folder with netCDF files",
            hint="name a store, or the folder of the files with the charts",
        ) from None
    return _charts_in(path, listing)


def charts_of(store: Store) -> ChartedScenes:
    """Return the scenes with charts of a store."""
    scenes, failures = store.open_scenes()
    charted: dict[str, ChartedScene] = {
        scene.id: _of_store(scene) for scene in scenes if scene.has_charts
    }
    return ChartedScenes(
        path=store.path,
        scenes=charted,
        uncharted=frozenset(scene.id for scene in scenes) - {*charted},
        failed=tuple(failures),
        expected=tuple(i for i in store.splits["test"] if i in charted) or tuple(charted),
        ratio=store.recipe.ratio,
        store=store,
    )


def _of_store(scene: StoredScene) -> ChartedScene:
    return ChartedScene(
        id=scene.id,
        region=scene.region,
        grid=scene.source_grid,
        read=scene.full_charts,
    )


def _charts_in(path: str, listing: Listing) -> ChartedScenes:
    """Look into each file once; charts are read when they are needed."""
    charted: dict[str, ChartedScene] = {}
    uncharted, tests = set(), set()
    places: dict[str, Path] = {}
    failed = [*listing.failed]
    for file in listing.paths:
        try:
            scene_id, scene, is_test = _in_file(file)
            if scene is None:
                uncharted.add(scene_id)
            elif other := places.get(scene_id):
                leave_out_copy(file, other)
            else:
                places[scene_id], charted[scene_id] = file, scene
            if is_test or scene_id in TEST_IDS:
                tests.add(scene_id)
        except SeaIceError as error:
            failed.append(Failure.of(file, error))
    if not charted:
        raise _no_charts(path, len(listing.paths), failed)
    return ChartedScenes(
        path=path,
        scenes=dict(sorted(charted.items())),
        uncharted=frozenset(uncharted - charted.keys()),
        expected=tuple(sorted(tests & charted.keys() or charted)),
        ratio=OFFICIAL_RATIO,
        store=None,
        failed=tuple(failed),
    )


def _no_charts(path: str, n_files: int, failed: Sequence[Failure]) -> SceneError:
    message = f"none of {counted(n_files, 'file')} in {path!r} contains a chart"
    if failed:
        return SceneError(f"{message}; {failed[0].reason}", hint=failed[0].hint)
    return SceneError(
        message, hint="put the `_prep_reference.nc` files of test scenes beside them"
    )


def _in_file(path: Path) -> tuple[str, ChartedScene | None, bool]:
    """Return the scene of a file, its charts if any, and whether it is a test scene.

    Charts of test scenes are in a separate file.
    """
    with closing(NetcdfFile(path)) as file:
        beside = reference_file_of(path)
        if beside is not None and not contains_classes(file):
            with closing(NetcdfFile(beside)) as reference:
                return *_painted(file, reference), True
        if contains_charts(file):
            return *_painted(file, file), path.stem.endswith("_reference")
    with closing(open_scene(path)) as scene:
        if not scene.has_charts:
            return scene.id, None, False
        charted = ChartedScene(
            id=scene.id,
            region=scene.region,
            grid=scene.grid,
            read=partial(_read_polygons, path),
            file=path,
        )
        return scene.id, charted, False


def _painted(file: NetcdfFile, charts: NetcdfFile) -> tuple[str, ChartedScene]:
    """Return a scene whose charts are painted, in its own file or in another."""
    scene_id = find_id(file)
    shapes = {charts.variable(chart.name).shape for chart in CHARTS}
    if len(shapes) != 1:
        raise charts.error("its charts differ in shape")
    height, width = shapes.pop()
    return scene_id, ChartedScene(
        id=scene_id,
        region=region_in(file.text("original_id") or charts.text("original_id")),
        grid=Grid(height, width, SPACING_M),
        read=partial(_read_painted, charts.path),
        is_hidden="ice_share" in charts,
        file=charts.path,
    )


def _read_painted(path: Path) -> ChartArray:
    with closing(NetcdfFile(path)) as file:
        height, width = file.variable(CHARTS[0].name).shape
        charts = np.empty((len(CHARTS), height, width), np.uint8)
        for rows in row_bands(height, _BAND_ROWS):
            read_charts(file, rows, charts[:, rows])
    return charts


def _read_polygons(path: Path) -> ChartArray:
    """Paint the charts of a raw file, as `seaice prepare` does."""
    with closing(open_scene(path)) as scene:
        charts = np.empty((len(CHARTS), *scene.grid.shape), np.uint8)
        for rows in row_bands(scene.grid.height, _BAND_ROWS):
            scene.read_band(rows, charts[:, rows])
    return charts

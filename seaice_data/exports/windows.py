"""Which windows of which scenes are exported, and what is in them.

``list_windows`` lists them: tiles that together cover each scene, or random windows of the
scenes of a split. In a scene with a chart, windows need enough valid pixels, as in
`PatchSampler`; of a scene without a chart all tiles are listed. ``WindowSource`` reads
windows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.errors import StoreError
from seaice_data.exports.settings import SPLITS, ExportSettings, Split
from seaice_data.sampling.patch_cutter import PatchCutter, channel_runs
from seaice_data.sampling.plan import Cuts, still_wind
from seaice_data.sampling.planes import Planes, open_planes
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.sampling.tiles import TileGrid
from seaice_data.sampling.windows import is_allowed
from seaice_data.scene_id import SceneId
from seaice_data.store.division import divided
from seaice_data.store.selection import select
from seaice_data.store.store import Store
from seaice_data.store.stored_scene import StoredScene


@dataclass(frozen=True, slots=True)
class PatchWindow:
    """A square window of a scene; what is beyond the scene is fill."""

    name: str
    """Name of the patch, valid in file names and unlike that of any other patch."""

    split: Split
    """Split of its scene."""

    scene: SceneId
    """Id of its scene."""

    top: int
    """Its first row in the scene."""

    left: int
    """Its first column in the scene."""

    latitude: float
    """Degrees north, of the centre of what it shows of the scene."""

    longitude: float
    """Degrees east, of the same place."""

    probability: float
    """How often a random window is sampled, relative to sampling over scenes; 1 for tiles
    (`seaice_data.sampling.patch.Patch`)."""

    n_valid: tuple[int, ...]
    """Valid pixels of each chart."""


@dataclass(frozen=True, slots=True)
class WindowList:
    """What `list_windows` found."""

    windows: tuple[PatchWindow, ...]
    """By split; tiles by scene and row by row, random windows by their number."""

    skipped: tuple[SceneId, ...]
    """Scenes without a window of enough valid pixels."""


@dataclass(frozen=True, slots=True)
class _Corner:
    scene: SceneId
    top: int
    left: int
    probability: float


def list_windows(store: Store, settings: ExportSettings) -> WindowList:
    """List the windows of an export; they follow from store and settings alone.

    Raises
    ------
    StoreError
        If the store is not divided into splits, a scene cannot be read, no scene satisfies
        the condition, or a split has nothing to sample from.
    SettingsError
        If the condition cannot be read.
    """
    of_splits = divided(store)
    chosen = {*select(store, settings.where)}
    windows: list[PatchWindow] = []
    skipped: list[SceneId] = []
    for split in (name for name in SPLITS if name in settings.splits):
        ids = [scene for scene in of_splits[split] if scene in chosen]
        scenes = {scene: store.scene(scene) for scene in ids}
        if settings.random.of(split):
            corners, without = _random_corners(store, split, ids, settings)
        else:
            corners, without = _tiles(list(scenes.values()), settings)
        skipped += without
        windows += _described(corners, split, scenes, settings)
    return WindowList(tuple(windows), tuple(skipped))


def _random_corners(
    store: Store, split: Split, ids: Sequence[SceneId], settings: ExportSettings
) -> tuple[list[_Corner], list[SceneId]]:
    """Return the corners of the random windows of a split, and its scenes without one."""
    if not ids:
        raise StoreError(
            f"the split {split!r} of {store.path!r} has no scenes to sample from"
        )
    sampler = PatchSampler(
        store,
        scenes=ids,
        size=settings.size,
        seed=settings.seed,
        sampling=settings.sampling,
    )
    cuts = sampler.plan(range(settings.random.of(split))).cuts
    corners = [
        _Corner(SceneId(sampler.scenes[position]), int(top), int(left), probability)
        for position, (top, left), probability in zip(
            cuts.scene.tolist(),
            cuts.affine[:, :, 2].tolist(),
            cuts.probability.tolist(),
            strict=True,
        )
    ]
    return corners, [SceneId(scene) for scene in sampler.skipped]


def _tiles(
    scenes: Sequence[StoredScene], settings: ExportSettings
) -> tuple[list[_Corner], list[SceneId]]:
    """Return the corners of the tiles of scenes, and the scenes without one."""
    least = settings.sampling.least_valid(settings.size)
    corners: list[_Corner] = []
    skipped = []
    for scene in scenes:
        grid = TileGrid(
            shape=scene.grid.shape, size=settings.size, overlap=settings.overlap
        )
        charts = scene.closed().charts
        n_before = len(corners)
        for tile in grid:
            if not scene.has_charts or is_allowed(charts[tile.window], least):
                y, x = tile.window
                corners.append(_Corner(scene.id, y.start, x.start, 1.0))
        if len(corners) == n_before:
            skipped.append(scene.id)
    return corners, skipped


def _described(
    corners: Sequence[_Corner],
    split: Split,
    scenes: dict[SceneId, StoredScene],
    settings: ExportSettings,
) -> Iterator[PatchWindow]:
    """Yield the windows at these corners, each with its place and what is valid in it."""
    is_random = bool(settings.random.of(split))
    places = {scene: _Places(scenes[scene]) for scene in {c.scene for c in corners}}
    planes = open_planes(list(scenes.values())) if scenes else None
    position = {scene: k for k, scene in enumerate(scenes)}
    for number, corner in enumerate(corners):
        name = f"{corner.scene}_y{corner.top:05d}_x{corner.left:05d}"
        charts = cast("Planes", planes).charts(position[corner.scene])
        part = charts[corner.top :, corner.left :][: settings.size, : settings.size]
        n_valid = (part != CHART_FILL).sum(axis=(0, 1)).tolist()
        yield PatchWindow(
            f"{name}_n{number:07d}" if is_random else name,
            split,
            corner.scene,
            corner.top,
            corner.left,
            *places[corner.scene].centre(corner.top, corner.left, settings.size),
            corner.probability,
            tuple(n_valid),
        )


class _Places:
    """The geolocation of a scene, read once."""

    def __init__(self, scene: StoredScene) -> None:
        self._tie_points = scene.tie_points
        self._axes = _positions(scene)

    def centre(self, top: int, left: int, size: int) -> tuple[float, float]:
        """Return latitude and longitude of the centre of what a window shows."""
        (y, x) = (
            np.atleast_1d(axis[first : first + size][[0, -1]].mean())
            for axis, first in zip(self._axes, (top, left), strict=True)
        )
        latitude, longitude = self._tie_points.places(y, x)
        return round(float(latitude[0, 0]), 5), round(float(longitude[0, 0]), 5)


def _positions(scene: StoredScene) -> tuple[FloatArray, FloatArray]:
    """Return the positions of stored rows and columns on the 80 m grid."""
    recipe, grid = scene.store.recipe, scene.source_grid
    return recipe.positions(grid.height), recipe.positions(grid.width)


class WindowSource:
    """Reads windows of a store.

    Parameters
    ----------
    store
        Where they are.
    channels
        Names of the channels to read, in this order.
    size
        Pixels along one side of a window.
    scenes
        Ids of the scenes that the windows are in.

    Raises
    ------
    StoreError
        If a channel or a scene is not in the store.
    """

    def __init__(
        self, store: Store, channels: Sequence[str], size: int, scenes: Sequence[SceneId]
    ) -> None:
        self.store, self.channels, self.size = store, tuple(channels), size
        self.scenes = {scene: store.scene(scene) for scene in dict.fromkeys(scenes)}
        """The scenes by their ids."""
        self._position = {scene: k for k, scene in enumerate(self.scenes)}
        self._dtype = np.dtype(store.recipe.dtype)
        self._still_wind = still_wind(())
        self._cutter = PatchCutter(
            open_planes(list(self.scenes.values())),
            np.array([scene.grid.shape for scene in self.scenes.values()]),
            size,
            self._dtype,
            "nearest",
            runs=channel_runs(store, self.channels),
            wind=np.zeros((0, 3), np.int64),
            still_wind=self._still_wind,
        )

    def read(self, window: PatchWindow) -> tuple[FloatArray, ChartArray]:
        """Return the inputs and charts of a window, as `PatchSampler` does.

        Returns
        -------
        tuple
            Inputs, shape ``(size, size, channel)`` in the type of the store, NaN is fill;
            charts, shape ``(size, size, chart)``, 255 is fill.
        """
        shape = (self.size, self.size)
        inputs = np.empty((*shape, len(self.channels)), self._dtype)
        charts = np.empty((*shape, len(CHARTS)), np.uint8)
        affine = np.array([[[1.0, 0.0, window.top], [0.0, 1.0, window.left]]])
        cuts = Cuts(
            scene=np.array([self._position[window.scene]]),
            probability=np.ones(1),
            affine=affine,
            bounds=np.zeros((1, 4), np.int64),
            wind=self._still_wind[np.newaxis],
        )
        self._cutter.copy(cuts, 0, inputs, charts)
        return inputs, charts

    def places(
        self, window: PatchWindow, rows: IntArray, columns: IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return latitudes and longitudes of rows and columns of a window.

        Parameters
        ----------
        window
            The window.
        rows, columns
            Pixels of the window that are in the scene.
        """
        scene = self.scenes[window.scene]
        y, x = _positions(scene)
        return scene.tie_points.places(y[window.top + rows], x[window.left + columns])

    def extent(self, window: PatchWindow) -> tuple[int, int]:
        """Return how many rows and columns of a window are in its scene."""
        height, width = self.scenes[window.scene].grid.shape
        return min(height - window.top, self.size), min(width - window.left, self.size)

"""Whole scenes of a store as tiles side by side, to validate, test and predict."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from torch.utils.data import Dataset

from seaice_data.arrays import ChartArray
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.errors import SettingsError, StoreError
from seaice_data.grid import Window
from seaice_data.sampling.patch_cutter import channel_runs
from seaice_data.sampling.planes import KEPT_BYTES, open_planes
from seaice_data.scene_id import SceneId
from seaice_data.store.channel_choice import asked_channels
from seaice_data.store.division import divided
from seaice_data.store.opening import AnyStore, opened
from seaice_data.texts import counted
from seaice_model.adapters.sample_form import Sample, SampleForm

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_EVERYTHING = SampleForm()


class TilePlace(NamedTuple):
    """Where a tile is."""

    scene: SceneId
    """Id of its scene."""

    window: Window
    """Its rows and columns that are in the scene; what is beyond its end is fill."""


class TileDataset(Dataset[Sample]):
    """Scenes of a store, cut into tiles that do not overlap: each pixel is in one of them.

    With charts, tiles without a class in any of them are left out: they would add nothing
    to a score, and make the mean loss of a batch NaN. Without charts
    (``SampleForm(charts=())``) all tiles are there, for prediction.

    Parameters
    ----------
    store
        The store, or where it is.
    scenes
        Ids of the scenes; the validation split if not given.
    channels
        Names of channels or groups, in this order; all if not given.
    size
        Pixels along one side of a tile. Networks that see beyond a tile predict its borders
        less well: for maps, `predict_tiled` blends tiles that overlap.
    form
        What a sample is made of.
    kept_bytes
        Limit on the memory for what is read from a store whose files cannot be mapped.

    Raises
    ------
    StoreError
        If a scene or channel is not in the store, or there is no tile.
    SettingsError
        If the size is not positive, or the form does not fit the channels.

    Examples
    --------
    >>> tiles = TileDataset(  # doctest: +SKIP
    ...     "store.zarr", channels=["hh", "hv"], form=SampleForm(charts="SOD")
    ... )
    >>> loader = DataLoader(tiles, batch_size=16)  # doctest: +SKIP
    """

    def __init__(
        self,
        store: AnyStore,
        scenes: Sequence[str] | None = None,
        *,
        channels: str | Sequence[str] | None = None,
        size: int = 256,
        form: SampleForm = _EVERYTHING,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        if size < 1:
            raise SettingsError(f"size must be at least 1, got {size}")
        store = opened(store)
        ids = divided(store)["validation"] if scenes is None else scenes
        self.store, self.size, self.form = store, size, form
        self.channels = asked_channels(store, channels)
        form.check_channels(self.channels)
        self._runs = channel_runs(store, self.channels)
        self._scenes = [store.scene(scene_id) for scene_id in ids]
        self._charts = [k for k, chart in enumerate(CHARTS) if chart.name in form.names]
        if self._scenes:
            self._planes = open_planes(self._scenes, kept_bytes)
        self._corners = [
            (k, top, left)
            for k, scene in enumerate(self._scenes)
            for top, left in self._corners_of(k, scene.grid.shape)
        ]
        if not ids:
            raise StoreError(
                f"the store {store.path!r} has no validation scenes"
                if scenes is None
                else "no scene is named, so there are no tiles",
                hint="name scenes with `scenes`; `seaice info` shows the splits of a store",
            )
        if not self._corners:
            raise StoreError(
                f"no pixel of {counted(len(ids), 'scene')} of {store.path!r} has a class "
                f"of {', '.join(form.names) or 'a chart'}",
                hint="name scenes with `scenes`; SampleForm(charts=()) needs no charts",
            )

    def __repr__(self) -> str:
        """Say how many tiles there are, of what."""
        about = (
            counted(len(self), "tile"),
            f"{self.size} x {self.size} pixels",
            counted(len(self._scenes), "scene"),
            f"charts {', '.join(self.form.names) or 'none'}",
        )
        return f"<TileDataset of {self.store.path!r}: {', '.join(about)}>"

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self._corners)

    def __getitem__(self, number: int) -> Sample:
        """Return the sample of a tile."""
        k, top, left = self._corners[number]
        height, width = self._scenes[k].grid.shape
        bottom, right = min(top + self.size, height), min(left + self.size, width)
        part = self._planes.part(k, top, bottom, left, right)
        y, x = part.origin
        window = (slice(top - y, bottom - y), slice(left - x, right - x))
        shape, n_y, n_x = (self.size, self.size), bottom - top, right - left
        inputs = np.full((*shape, len(self.channels)), np.nan, np.float32)
        for to, first, n in self._runs.tolist():
            inputs[:n_y, :n_x, to : to + n] = part.inputs[
                (*window, slice(first, first + n))
            ]
        charts = np.full((*shape, len(CHARTS)), CHART_FILL, np.uint8)
        charts[:n_y, :n_x] = part.charts[window]
        return self.form.sample(inputs, charts)

    def plot(self, sample: Mapping[str, Any], suptitle: str | None = None) -> "Figure":
        """Plot a sample; with ``prediction`` in it, classes (y, x), that too."""
        return self.form.plot(sample, self.channels, suptitle)

    def place(self, number: int) -> TilePlace:
        """Return where a tile is: the id of its scene, and its window there."""
        k, top, left = self._corners[number]
        scene = self._scenes[k]
        height, width = scene.grid.shape
        rows = slice(top, min(top + self.size, height))
        return TilePlace(scene.id, (rows, slice(left, min(left + self.size, width))))

    def _corners_of(self, k: int, shape: tuple[int, int]) -> list[tuple[int, int]]:
        """Return the top left corners of the tiles of a scene, row by row."""
        rows, columns = (range(0, n, self.size) for n in shape)
        corners = [(top, left) for top in rows for left in columns]
        if not self._charts:
            return corners
        charts = self._planes.charts(k)[..., self._charts]
        return [corner for corner in corners if _is_labelled(charts, *corner, self.size)]


def _is_labelled(charts: ChartArray, top: int, left: int, size: int) -> bool:
    part = charts[top : top + size, left : left + size]
    return bool((part != CHART_FILL).any())

"""Numbered random patches: patch ``i`` depends on the seed, the number and the store alone.

So the patches are the same with no worker or eight, on one machine or two, and training
resumes exactly by starting at the next number. Epoch ``e`` of ``n`` patches is
``range(e * n, (e + 1) * n)``. ``torch.utils.data.DataLoader(patches, sampler=range(a, b))``
takes a sampler as it is.
"""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.errors import StoreError
from seaice_data.grid import random_window
from seaice_data.settings import nearest
from seaice_data.store import Store, StoredScene

MIN_VALID = 2
"""Valid SIC pixels that a patch needs, as in the reference implementation."""

_DRAWS = 8


class Patch(TypedDict):
    """A square of a scene, or several stacked along a first axis."""

    inputs: FloatArray
    """Shape ``(size, size, channel)`` in the store's type; NaN is fill."""

    charts: ChartArray
    """Shape ``(size, size, chart)``; 255 is fill."""

    scene: IntArray
    """Position of the scene in `PatchSampler.scenes`."""


class PatchSampler:
    """Random patches of a store, as an endless sequence.

    Scenes are drawn uniformly, windows uniformly over all that hold at least two valid SIC
    pixels (Chen et al. 2024, section 3.2, and the rule of the reference implementation).
    A scene smaller than a patch lies in its top left corner; the rest is fill.

    Parameters
    ----------
    store
        Where the patches come from.
    scenes
        Ids of the scenes to draw from; the training split if not given. Scenes without
        two valid SIC pixels are left out, see `skipped`.
    channels
        Names of the channels wanted, in this order; all if not given.
    size
        Pixels along one side (256: Chen et al. 2024, Table 3).
    seed
        Another seed, other patches.

    Raises
    ------
    StoreError
        If a channel or scene is not in the store, or no scene can give a patch.
    """

    def __init__(
        self,
        store: Store,
        *,
        scenes: Sequence[str] | None = None,
        channels: Sequence[str] | None = None,
        size: int = 256,
        seed: int = 0,
    ) -> None:
        self.size = size
        self.seed = seed
        self.channels = tuple(channels or store.channels)
        self._runs = _channel_runs(store, self.channels)
        wanted = [
            store.scene(i) for i in (store.splits["train"] if scenes is None else scenes)
        ]
        usable = [s for s in wanted if sum(s.class_counts["SIC"][:-1]) >= MIN_VALID]
        self.scenes = tuple(scene.id for scene in usable)
        """Ids of the scenes that patches come from."""
        self.skipped = tuple(s.id for s in wanted if s.id not in self.scenes)
        """Ids of the scenes left out for want of labels."""
        if not usable:
            raise StoreError(
                f"none of {len(wanted)} scenes of {store.path!r} has labels to draw from",
                hint="`seaice info` shows the splits of a store",
            )
        self._scenes: list[StoredScene] = usable
        self._dtype = np.dtype(store.recipe.dtype)

    def __getitem__(self, number: int) -> Patch:
        """Draw patch `number`."""
        patches = self.batch([number])
        return Patch(
            inputs=patches["inputs"][0],
            charts=patches["charts"][0],
            scene=patches["scene"][0],
        )

    def empty(self, n_patches: int) -> Patch:
        """Return memory for a batch, to be used again and again."""
        shape = (n_patches, self.size, self.size)
        return Patch(
            inputs=np.empty((*shape, len(self.channels)), self._dtype),
            charts=np.empty((*shape, len(CHARTS)), np.uint8),
            scene=np.empty(n_patches, np.int64),
        )

    def batch(self, numbers: Sequence[int], out: Patch | None = None) -> Patch:
        """Draw patches and stack them, into `out` if given (see `empty`)."""
        out = self.empty(len(numbers)) if out is None else out
        for k, number in enumerate(numbers):
            position, top, left = self.draw(number)
            scene = self._scenes[position]
            out["scene"][k] = position
            _copy(scene.charts, top, left, out["charts"][k], CHART_FILL)
            for to, columns in self._runs:
                _copy(scene.inputs, top, left, out["inputs"][k, ..., to], np.nan, columns)
        return out

    def draw(self, number: int) -> tuple[int, int, int]:
        """Return the position of the scene, and the top left corner, of a patch."""
        rng = np.random.default_rng((self.seed, number))
        position = int(rng.integers(len(self._scenes)))
        charts = self._scenes[position].charts
        height, width = charts.shape[:2]
        for _ in range(_DRAWS):
            top, left = random_window(rng, (height, width), self.size)
            sic = charts[top : top + self.size, left : left + self.size, 0]
            if np.count_nonzero(sic != CHART_FILL) >= MIN_VALID:
                return position, top, left
        return position, *_draw_among_valid(rng, charts[..., 0] != CHART_FILL, self.size)


def _draw_among_valid(
    rng: np.random.Generator, valid: np.ndarray, size: int
) -> tuple[int, int]:
    """Draw uniformly among the windows with enough valid pixels, without trying.

    Where valid pixels are so far apart that no window holds two, one is enough.
    """
    height, width = valid.shape
    sums = np.zeros((height + 1, width + 1), np.int64)
    sums[1:, 1:] = valid.cumsum(axis=0).cumsum(axis=1)
    n_y, n_x = max(height - size, 0) + 1, max(width - size, 0) + 1
    y, x = min(size, height), min(size, width)
    counts = sums[y:, x:] - sums[:n_y, x:] - sums[y:, :n_x] + sums[:n_y, :n_x]
    tops, lefts = np.nonzero(counts >= min(MIN_VALID, counts.max()))
    k = int(rng.integers(tops.size))
    return int(tops[k]), int(lefts[k])


def _copy(
    source: np.ndarray,
    top: int,
    left: int,
    out: np.ndarray,
    fill: float,
    columns: slice = slice(None),
) -> None:
    """Copy a window of a plane, and fill what lies outside of it."""
    size = out.shape[0]
    part = source[top : top + size, left : left + size, columns]
    height, width = part.shape[:2]
    out[:height, :width] = part
    if height < size:
        out[height:] = fill
    if width < size:
        out[:, width:] = fill


def _channel_runs(store: Store, channels: Sequence[str]) -> list[tuple[slice, slice]]:
    """Return where channels go in a patch and come from in the store.

    Channels that lie side by side in both are copied at once: one run for the defaults.
    """
    runs: list[tuple[slice, slice]] = []
    for to, name in enumerate(channels):
        if name not in store.channels:
            raise StoreError(
                f"the store {store.path!r} has no channel {name!r}",
                hint=nearest(name, store.channels),
            )
        column = store.channels.index(name)
        if runs and runs[-1][1].stop == column:
            runs[-1] = (
                slice(runs[-1][0].start, to + 1),
                slice(runs[-1][1].start, column + 1),
            )
        else:
            runs.append((slice(to, to + 1), slice(column, column + 1)))
    return runs

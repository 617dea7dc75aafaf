"""Cut the pixels of patches from the planes of a store, as a plan says.

- ``PatchCutter`` copies windows as they are, and cuts turned patches and boxes of cutmix by
  the compiled loops of `seaice_data.sampling.cut`;
- ``channel_runs`` finds which channels can be copied together.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.charts import CHART_FILL
from seaice_data.sampling.augmentation import Method
from seaice_data.sampling.plan import Cuts
from seaice_data.sampling.planes import Planes
from seaice_data.store.channel_choice import channel_columns
from seaice_data.store.store import Store


class PatchCutter:
    """Cuts patches out of their scenes.

    Parameters
    ----------
    planes
        The planes of the scenes.
    shapes
        Height and width of each scene, shape ``(scene, 2)``.
    size
        Pixels along one side of a patch.
    dtype
        Type of the inputs, that of the store.
    method
        How inputs are interpolated between pixels.
    runs
        Channels to copy; see `channel_runs`.
    wind
        Wind components that are turned; see `PatchSampler.wind`.
    still_wind
        `Cuts.wind` where the wind is not turned.
    """

    def __init__(
        self,
        planes: Planes,
        shapes: IntArray,
        size: int,
        dtype: np.dtype[Any],
        method: Method,
        *,
        runs: IntArray,
        wind: IntArray,
        still_wind: FloatArray,
    ) -> None:
        self._planes, self._shapes, self._size = planes, shapes, size
        self._dtype, self._method = dtype, method
        self._runs, self._wind, self._still_wind = runs, wind, still_wind

    def copy(self, cuts: Cuts, k: int, inputs: FloatArray, charts: ChartArray) -> None:
        """Copy a window as it is in the scene.

        Parameters
        ----------
        cuts, k
            The window: an unturned patch, and its position among them.
        inputs, charts
            The patch to fill, shapes ``(size, size, channel)`` and ``(size, size, chart)``.
        """
        top, left = (int(value) for value in cuts.affine[k, :, 2])
        height, width = self._shapes[cuts.scene[k]]
        bottom, right = min(top + self._size, height), min(left + self._size, width)
        part = self._planes.part(int(cuts.scene[k]), top, bottom, left, right)
        rows = slice(top - part.origin[0], bottom - part.origin[0])
        columns = slice(left - part.origin[1], right - part.origin[1])
        n_y, n_x = bottom - top, right - left
        charts[:n_y, :n_x] = part.charts[rows, columns]
        for to, first, n in self._runs.tolist():
            inputs[:n_y, :n_x, to : to + n] = part.inputs[rows, columns, first : first + n]
        if (n_y, n_x) != (self._size, self._size):
            inputs[n_y:], inputs[:, n_x:] = np.nan, np.nan
            charts[n_y:], charts[:, n_x:] = CHART_FILL, CHART_FILL

    def cut(
        self,
        cuts: Cuts,
        k: int,
        box: IntArray,
        needed: list[int],
        inputs: FloatArray,
        charts: ChartArray,
    ) -> None:
        """Cut a box of a patch by its map, from the part of its scene that this needs.

        Parameters
        ----------
        cuts, k
            The patches, and the position of this one among them.
        box, needed
            The box, and the part of the scene that it needs; see `Cuts.parts`.
        inputs, charts
            The patch to fill, as in `copy`.
        """
        from seaice_data.sampling.cut import cut_bilinear, cut_nearest  # late: takes 0.2 s

        turn = cuts.wind[k]
        is_turned = (turn != self._still_wind).any()
        part = self._planes.part(int(cuts.scene[k]), *needed)
        # Numba has no half precision on CPUs, so it gets the bits.
        is_half = self._dtype == np.float16
        bits = np.dtype(np.uint16) if is_half else self._dtype
        cut = cut_nearest if self._method == "nearest" else cut_bilinear
        cut(
            part.inputs.view(bits),
            part.charts,
            np.array(part.origin),
            cuts.bounds[k],
            cuts.affine[k],
            self._runs,
            self._wind if is_turned else self._wind[:0],
            turn.astype(np.float32),
            box,
            np.array(np.nan, self._dtype).view(bits)[()],
            inputs.view(bits),
            charts,
        )


def channel_runs(store: Store, channels: Sequence[str]) -> IntArray:
    """Return runs of channels: first in the patch, first in the store, how many.

    Channels that are adjacent in both are copied at once: one run for the defaults.

    Raises
    ------
    StoreError
        If a channel is not in the store.
    """
    runs: list[list[int]] = []
    for to, column in enumerate(channel_columns(store, channels)):
        if runs and column == runs[-1][1] + runs[-1][2]:
            runs[-1][2] += 1
        else:
            runs.append([to, column, 1])
    return np.array(runs, np.int64)

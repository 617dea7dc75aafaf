"""The sampler of the official code of Chen et al. (2024), re-created for benchmarks.

This is our own code; it follows what is known of the original. All scenes are in memory,
channels first: SAR and charts on the downscaled grid, ancillary fields on their 2 km cells.
A patch is assembled in a float64 buffer, and its ancillary window is enlarged to the size
of the patch. Flips and one affine resampling are applied to inputs (float32) and charts
(float64) separately. A plane of ones is resampled with them: pixels where it becomes 0 are
fill.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

from seaice_data.channels import Group, find_channel
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.store.store import Store

_CELL_M = 2000.0


class OfficialSampler:
    """Patches as the official code makes them.

    Parameters
    ----------
    store
        Its scenes are copied to memory.
    scenes
        Ids of the scenes.
    channels
        Names of the channels.
    size
        Pixels along one side of a patch.
    """

    def __init__(
        self, store: Store, scenes: tuple[str, ...], channels: tuple[str, ...], size: int
    ) -> None:
        is_coarse = np.array(
            [find_channel(name).group in (Group.AMSR2, Group.ERA5) for name in channels]
        )
        columns = np.array([store.channels.index(name) for name in channels])
        self._size, self._n_channels = size, len(channels)
        self._scenes = [
            self._planes(store, scene_id, columns[~is_coarse], columns[is_coarse])
            for scene_id in scenes
        ]

    def batch(self, n_patches: int, rng: np.random.Generator, *, augmented: bool) -> Tensor:
        """Sample patches; return the inputs, ``(batch, channel, y, x)``."""
        size = self._size
        inputs = torch.zeros((n_patches, self._n_channels, size, size))
        charts = torch.zeros((n_patches, len(CHARTS), size, size))
        for k in range(n_patches):
            patch = self._patch(rng)
            x = torch.from_numpy(patch[len(CHARTS) :]).float()[None]
            y = torch.from_numpy(patch[: len(CHARTS)])[None]
            if augmented:
                x, y = _augmented(x, y, rng)
            inputs[k], charts[k] = x[0], y[0]
        return inputs

    def _patch(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return a random patch with more than one valid SIC pixel."""
        size, n_charts = self._size, len(CHARTS)
        patch = np.zeros((n_charts + self._n_channels, size, size))
        while True:
            fine, coarse, ratio = self._scenes[rng.integers(len(self._scenes))]
            height, width = fine.shape[1:]
            top, left = rng.integers(0, [max(height - size, 1), max(width - size, 1)])
            window = fine[:, top : top + size, left : left + size]
            patch[: len(fine), : window.shape[1], : window.shape[2]] = window
            n_cells = int(np.ceil(size * ratio))
            y, x = int(top * ratio), int(left * ratio)
            crop = coarse[None, :, y : y + n_cells, x : x + n_cells]
            patch[len(fine) :] = interpolate(crop, size=(size, size), mode="nearest")[0]
            if np.sum(patch[0] != CHART_FILL) > 1:
                return patch

    def _planes(
        self, store: Store, scene_id: str, fine: NDArray[Any], coarse: NDArray[Any]
    ) -> tuple[Tensor, Tensor, float]:
        """Return charts and fine planes, coarse planes on 2 km cells, cells per pixel."""
        scene = store.scene(scene_id)
        ratio = min(scene.grid.pixel_spacing_m / _CELL_M, 1.0)
        n_y, n_x = (max(int(n * ratio), 1) for n in scene.grid.shape)
        rows = (np.arange(n_y) / ratio).astype(np.int64)
        columns = (np.arange(n_x) / ratio).astype(np.int64)
        inputs = np.moveaxis(np.nan_to_num(scene.inputs.astype(np.float32)), -1, 0)
        charts = np.moveaxis(scene.charts.astype(np.float32), -1, 0)
        return (
            torch.from_numpy(np.concatenate([charts, inputs[fine]])),
            torch.from_numpy(inputs[coarse][:, rows][:, :, columns].copy()),
            ratio,
        )


def _augmented(x: Tensor, y: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Flip, rotate and scale inputs and charts, each with probability 0.5."""
    for axis in (-1, -2):
        if rng.random() < 0.5:
            x, y = x.flip(axis), y.flip(axis)
    angle = np.deg2rad(rng.integers(-90, 90)) if rng.random() < 0.5 else 0.0
    scale = rng.uniform(0.9, 1.1) if rng.random() < 0.5 else 1.1
    c, s = np.cos(angle) / scale, np.sin(angle) / scale
    theta = torch.tensor([[[c, s, 0.0], [-s, c, 0.0]]], dtype=torch.float64)
    return _resampled(x, theta, 0.0), _resampled(y, theta, float(CHART_FILL))


def _resampled(planes: Tensor, theta: Tensor, fill: float) -> Tensor:
    ones = torch.ones_like(planes[:, :1])
    planes = torch.cat([planes, ones], dim=1)
    grid = affine_grid(theta.to(planes.dtype), list(planes.shape), align_corners=False)
    planes = grid_sample(planes, grid, mode="nearest", align_corners=False)
    is_fill = (planes[:, -1:] < 0.5).expand_as(planes[:, :-1])
    planes = planes[:, :-1].clone()
    planes[is_fill] = fill
    return planes

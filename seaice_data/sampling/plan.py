"""Batch plans: everything random about the patches of a batch, and no pixel.

A `BatchPlanner` turns numbers of patches into a `BatchPlan`: which scene each patch is cut
from, by which map, how its wind is turned, which box of it shows another patch, and which
groups of channels it lacks. The same plan is followed on the CPU
(`seaice_data.sampling.sampler`) and on a GPU (`seaice_model.training.gpu_patches`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, IntArray, Mask
from seaice_data.channels import find_channels
from seaice_data.sampling.augmentation import (
    Augmentation,
    Turns,
    sample_absent,
    sample_mixing,
    sample_turns,
)
from seaice_data.sampling.windows import WindowSampler

WIND = ("u10m", "v10m")
"""Channels of the wind vector; `Augmentation.wind_axes` has their directions."""

_WIND_CHANNELS = find_channels(WIND)
_NONE, _NO_BOXES = np.zeros(0, np.int64), np.zeros((0, 4), np.int64)


@dataclass(frozen=True, slots=True)
class Cuts:
    """How each of several patches is cut out of its scene."""

    scene: IntArray
    """Position of the scene in `PatchSampler.scenes`, shape ``(patch,)``."""

    probability: FloatArray
    """See `Patch`, shape ``(patch,)``."""

    affine: FloatArray
    """Affine map from patch to scene, ``(y, x) = affine @ (row, column, 1)``; whole numbers
    are centres of pixels. Shape ``(patch, 2, 3)``."""

    bounds: IntArray
    """First and last row, first and last column (last ones excluded) in the scene that
    pixels may come from. Shape ``(patch, 4)``."""

    wind: FloatArray
    """Turned wind: for each of `PatchSampler.wind` what the stored u and v are multiplied
    by, and what is added. Shape ``(patch, component, 3)``."""

    def __len__(self) -> int:
        return len(self.scene)

    @property
    def empty(self) -> "Cuts":
        """The same for no patch at all."""
        return Cuts(
            self.scene[:0],
            self.probability[:0],
            self.affine[:0],
            self.bounds[:0],
            self.wind[:0],
        )

    @property
    def is_window(self) -> NDArray[np.bool_]:
        """Whether a patch is a window of the scene, unturned. Shape ``(patch,)``."""
        return _is_still(self.affine)

    def parts(self, boxes: IntArray) -> IntArray:
        """Return the parts of their scenes that boxes of the patches need.

        Parameters
        ----------
        boxes
            First and last row, first and last column (last ones excluded) of a patch;
            shape ``(patch, 4)``, or ``(4,)`` for the same box of all.

        Returns
        -------
        IntArray
            First and last row, first and last column (last ones excluded) of the scene;
            shape ``(patch, 4)``.
        """
        rows, columns = boxes[..., :2] - [0, 1], boxes[..., 2:] - [0, 1]
        rows, columns = rows[..., [0, 0, 1, 1]], columns[..., [0, 1, 0, 1]]
        corners = np.stack([rows, columns, np.ones_like(rows)], axis=-2)
        places = self.affine @ corners  # (patch, y and x, corner)
        # One pixel more on each side, for places between pixels.
        first = np.floor(places.min(axis=2)).astype(np.int64) - 1
        last = np.ceil(places.max(axis=2)).astype(np.int64) + 2
        lowest, highest = self.bounds[:, ::2], self.bounds[:, 1::2]
        first = np.clip(first, lowest, highest - 1)
        last = np.clip(last, first + 1, highest)
        return np.stack([first, last], axis=2).reshape(-1, 4)


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What a batch is made of: everything that is random, and no pixel."""

    cuts: Cuts
    """The patches."""

    mixed: IntArray
    """Positions in the batch of the patches that cutmix changes."""

    box: IntArray
    """Their box: first and last row, first and last column (last ones excluded). Shape
    ``(mixed, 4)``."""

    partners: Cuts
    """The patches whose pixels their boxes show."""

    absent: Mask
    """Whether each patch, its box included, lacks each group of `DISPENSABLE`. Shape
    ``(patch, group)``."""


@dataclass(frozen=True, slots=True)
class BatchPlanner:
    """Plans batches; a plan depends on the numbers of the patches alone."""

    windows: WindowSampler
    """Chooses scene and window of each patch."""

    shapes: IntArray
    """Height and width of each scene."""

    size: int
    """Pixels along one side of a patch."""

    seed: int
    """Random seed of the plans."""

    augmentation: Augmentation
    """What happens to the patches."""

    components: tuple[str, ...]
    """Those of `WIND` that are turned with the patch."""

    def plan(self, numbers: Sequence[int]) -> BatchPlan:
        """Plan a batch of the patches with these numbers."""
        cuts = self._cuts(numbers)
        absent = sample_absent(self.augmentation, self.seed, numbers)
        if not self.augmentation.cutmix:
            return BatchPlan(cuts, _NONE, _NO_BOXES, cuts.empty, absent)
        mixing = sample_mixing(self.augmentation, self.seed, numbers, self.size)
        is_mixed = (mixing.box[:, 0] < mixing.box[:, 1]) & (
            mixing.box[:, 2] < mixing.box[:, 3]
        )
        mixed = np.flatnonzero(is_mixed)
        partners = self._cuts(mixing.partner[mixed])
        cuts.probability[mixed] *= partners.probability  # of both windows together
        return BatchPlan(cuts, mixed, mixing.box[mixed], partners, absent)

    def _cuts(self, numbers: Sequence[int] | IntArray) -> Cuts:
        places = self.windows.sample(numbers)
        n, size = len(places.scene), self.size
        middle = (size - 1) / 2
        affine = np.zeros((n, 2, 3))
        affine[:, :, :2] = np.eye(2)
        affine[:, :, 2] = places.corner
        still = still_wind(self.components)
        wind: FloatArray = np.broadcast_to(still, (n, *still.shape))
        if not self.augmentation.turns_none:
            turns = sample_turns(self.augmentation, self.seed, numbers)
            affine[:, :, :2] = turns.to_scene()
            # The centre of the patch is the centre of the window.
            affine[:, :, 2] += middle - middle * affine[:, :, :2].sum(axis=2)
            if self.augmentation.beyond == "scene":
                affine[:, :, 2] -= self._overhang(affine, places.scene)
            if self.components:
                wind = turned_wind(turns, self.augmentation, self.components)
        bounds = np.zeros((n, 4), np.int64)
        bounds[:, 1::2] = self.shapes[places.scene]
        if self.augmentation.beyond == "fill":
            bounds[:, ::2] = places.corner
            bounds[:, 1::2] = np.minimum(bounds[:, 1::2], places.corner + size)
        return Cuts(places.scene, places.probability, affine, bounds, wind)

    def _overhang(self, affine: FloatArray, scene: IntArray) -> IntArray:
        """Return how far scenes smaller than a patch are moved to its middle.

        In a corner, a rotation would move them out of the patch.
        """
        overhang: IntArray = np.maximum(self.size - self.shapes[scene], 0) // 2
        overhang[_is_still(affine)] = 0
        return overhang


def still_wind(components: Sequence[str]) -> FloatArray:
    """Return `Cuts.wind` of a patch whose wind is not turned: shape ``(component, 3)``.

    Examples
    --------
    >>> still_wind(["v10m"])
    array([[0., 1., 0.]])
    """
    still = [[name == WIND[0], name == WIND[1], False] for name in components]
    return np.array(still, np.float64).reshape(-1, 3)


def turned_wind(
    turns: Turns, augmentation: Augmentation, components: Sequence[str]
) -> FloatArray:
    """Return `Cuts.wind` of turned patches: standardised, like the values in m s-1."""
    axes = augmentation.wind_directions
    matrices = axes.T @ turns.of_vectors() @ axes  # these turn (u, v)
    u, v = _WIND_CHANNELS
    turned = np.empty((len(matrices), len(components), 3))
    for k, name in enumerate(components):
        to = u if name == u.name else v
        of_u, of_v = matrices[:, int(to is v)].T
        turned[:, k, 0] = of_u * u.std / to.std
        turned[:, k, 1] = of_v * v.std / to.std
        turned[:, k, 2] = (of_u * u.mean + of_v * v.mean - to.mean) / to.std
    return turned


def _is_still(affine: FloatArray) -> NDArray[np.bool_]:
    still: NDArray[np.bool_] = (affine[:, :, :2] == np.eye(2)).all(axis=(1, 2))
    return still

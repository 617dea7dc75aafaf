"""Test-time flips: networks also predict mirrored views of a scene, and the mean decides.

A view is the whole scene mirrored along x, y or both, with the wind turned as in training.
It is predicted in the same parts as the scene: a network that knows the place of a part in
the mirrored plane predicts it as it predicts that plane, so parts are exact, and memory is
that of one part of one view whatever the size of the scene.

The views of a network are averaged before it takes part in a `Ballot`: the mean of class
probabilities and of SIC as a number. They are not independent, so they count as one
network: four views have one vote and no spread.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from seaice_data.arrays import FloatArray
from seaice_data.charts import SIC
from seaice_data.sampling.augmentation import Augmentation, Turns
from seaice_data.sampling.plan import WIND, turned_wind
from seaice_model.networks.unet import Prediction
from seaice_model.prediction.parts import TileView, span_seen

log = logging.getLogger(__name__)

VIEWS = "x, y, xy"
"""Names of the mirrored views, as maps record them."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """One view of a plane.

    Examples
    --------
    >>> Mirror(x=True).planes(np.array([[[1], [2], [3]]]))[0, :, 0]
    array([3, 2, 1])
    """

    x: bool = False
    """Whether left and right are swapped."""

    y: bool = False
    """Whether top and bottom are swapped."""

    def planes(self, planes: FloatArray) -> FloatArray:
        """Mirror planes of shape ``(y, x, channel)``, without a copy."""
        return planes[:: -1 if self.y else 1, :: -1 if self.x else 1]

    def back(self, predicted: Tensor) -> Tensor:
        """Mirror predicted planes of shape ``(..., y, x)`` back."""
        axes = [axis for axis, is_swapped in ((-2, self.y), (-1, self.x)) if is_swapped]
        return torch.flip(predicted, axes) if axes else predicted

    def view(self, view: TileView, stride: int, margin: int) -> TileView:
        """Return where a tile of the plane is in the mirrored plane, and what it sees.

        Parameters
        ----------
        view
            A tile of the plane.
        stride
            What is seen begins and ends at multiples of it, or with the plane.
        margin
            Width of the margin, in strides.
        """
        (rows, columns), (height, width) = view.tile, view.shape
        tile = (
            _mirrored(rows, height) if self.y else rows,
            _mirrored(columns, width) if self.x else columns,
        )
        seen = (
            span_seen(tile[0], height, stride, margin),
            span_seen(tile[1], width, stride, margin),
        )
        return replace(view, tile=tile, seen=seen)

    def wind(
        self, augmentation: Augmentation, channels: Sequence[str]
    ) -> dict[int, tuple[np.float32, np.float32]]:
        """Return how the wind turns, by the axes in which a run was trained.

        Returns
        -------
        dict
            By position in `channels`: what the standardised component is multiplied by,
            and what is added. Empty if the training did not turn the wind.
        """
        if not augmentation.wind_axes:
            return {}
        components = [name for name in WIND if name in channels]
        turns = Turns(
            flip_x=np.array([-1.0 if self.x else 1.0]),
            flip_y=np.array([-1.0 if self.y else 1.0]),
            angle_deg=np.zeros(1),
            scale=np.ones(1),
        )
        matrix = turned_wind(turns, augmentation, components)[0].astype(np.float32)
        found = {}
        for name, factors in zip(components, matrix, strict=True):
            # A mirror changes the sign of a component and does not mix it with the other.
            factor, offset = factors[WIND.index(name)], factors[2]
            if factor != 1:
                found[channels.index(name)] = (factor, offset)
        return found


MIRRORS = (Mirror(), Mirror(x=True), Mirror(y=True), Mirror(x=True, y=True))
"""The scene itself, then the mirrored views."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flips:
    """How a network decides on tiles of a plane together with their mirrored views."""

    augmentation: Augmentation
    """What happened to the patches that the network was trained on."""

    channels: Sequence[str]
    """Names on the channel axis of the planes."""

    stride: int
    """Tiles begin at multiples of it."""

    margin: int
    """Width of the margin around a tile, in strides."""

    def predict(
        self,
        forward: Callable[[FloatArray, TileView], Prediction],
        planes: FloatArray,
        view: TileView,
    ) -> Prediction:
        """Return the mean prediction of a tile over all views.

        Parameters
        ----------
        forward
            Predicts a tile, without its margin, from the part of a plane that it sees: a
            batch of one.
        planes
            The whole plane, ``(y, x, channel)``, standardised, NaN is fill.
        view
            The tile to predict.
        """
        total: list[Tensor] = []
        for mirror in MIRRORS:
            mirrored = mirror.view(view, self.stride, self.margin)
            part = self._part(planes, mirror, mirrored)
            found = [*map(mirror.back, _numbers(forward(part, mirrored)))]
            total = [a + b for a, b in zip(total, found, strict=True)] if total else found
        mean = Prediction(*(plane / len(MIRRORS) for plane in total))
        return mean.converted(lambda number: number, torch.log)

    def _part(self, planes: FloatArray, mirror: Mirror, view: TileView) -> FloatArray:
        """Return what a tile sees of the mirrored planes, with its wind turned."""
        # A copy: torch takes no arrays that run backwards.
        part: FloatArray = np.array(mirror.planes(planes)[view.seen], order="C")
        wind = mirror.wind(self.augmentation, self.channels)
        for channel, (factor, offset) in wind.items():
            # In single precision, like the patches of the training.
            part[..., channel] = factor * np.float32(part[..., channel]) + offset
        return part


def _numbers(prediction: Prediction) -> Prediction:
    """Return what can be averaged: SIC as a number, and probabilities instead of logits."""
    return prediction.converted(
        lambda number: number.float().clamp(0, SIC.n_classes - 1),
        lambda logits: logits.float().softmax(dim=1),
    )


def _mirrored(span: slice, n_pixels: int) -> slice:
    return slice(n_pixels - span.stop, n_pixels - span.start)


def warn_of_flips(augmentations: Sequence[Augmentation]) -> None:
    """Warn if trainings left out a flip: their networks have not seen mirrored scenes."""
    left_out = [
        name
        for name in ("flip_x", "flip_y")
        if not all(getattr(augmentation, name) for augmentation in augmentations)
    ]
    if left_out:
        log.warning(
            "trained without mirrored patches (%s): flips may make maps worse",
            " and ".join(f"{name} = 0" for name in left_out),
        )

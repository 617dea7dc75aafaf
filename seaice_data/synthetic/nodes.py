"""The nodes of a synthetic scene: coarse grids on which land, ice and weather are made.

Large features are made for the whole swath, 416 km wide, on nodes 2.56 km apart; the scene
is a section of it, with nodes 640 m apart. Lengths are in widths of a whole swath, so that
a small scene is a small area.
"""

from typing import NamedTuple

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.synthetic.fields import Float32, fractal, interpolate
from seaice_data.synthetic.plan import SWATH_SIZE, ScenePlan

SWATH_KM = 0.04 * SWATH_SIZE

SPACING = 16
"""Raw pixels from node to node of a scene."""

SWATH_SPACING = 64
"""Raw pixels from node to node of a swath."""


class Nodes(NamedTuple):
    """The nodes of a scene, or of the swath that it is a section of."""

    plan: ScenePlan
    spacing: int
    """Raw pixels from node to node."""

    start: tuple[int, int]
    """Raw line and sample of the first node, in the swath."""

    shape: tuple[int, int]

    @property
    def km(self) -> float:
        """Kilometres from node to node."""
        return 0.04 * self.spacing

    def positions(self) -> tuple[FloatArray, FloatArray]:
        """Return lines and samples from the middle of the swath; shapes (y, 1), (x,)."""
        y, x = (
            (first + self.spacing * np.arange(n) - whole / 2) / SWATH_SIZE
            for first, n, whole in zip(
                self.start, self.shape, self.plan.swath_shape, strict=True
            )
        )
        return y[:, None], x

    def slope(self, azimuth_deg: float) -> Float32:
        """Return the position along an azimuth."""
        along, across = self.plan.image_direction(azimuth_deg)
        y, x = self.positions()
        return np.asarray(along * y + across * x, dtype=np.float32)

    def fractal(self, stream: int, wavelength: float, slope: float) -> Float32:
        """Return a fractal whose longest wavelength is given."""
        nodes = wavelength * SWATH_SIZE / self.spacing
        return fractal(self.plan.rng(stream), self.shape, nodes, slope)

    def take(self, field: Float32, place: "Nodes") -> Float32:
        """Interpolate a field of these nodes to those of another place."""
        rows, columns = (
            (theirs - ours + place.spacing * np.arange(n)) / self.spacing
            for ours, theirs, n in zip(self.start, place.start, place.shape, strict=True)
        )
        return interpolate(field, rows, columns)


def swath_nodes(plan: ScenePlan) -> Nodes:
    """Return the nodes of the whole swath."""
    height, width = (-(-n // SWATH_SPACING) + 2 for n in plan.swath_shape)
    return Nodes(plan, SWATH_SPACING, (0, 0), (height, width))


def scene_nodes(plan: ScenePlan, start: tuple[int, int], margin: int = 0) -> Nodes:
    """Return the nodes of a scene that begins at `start`, and `margin` more around it."""
    height, width = (-(-(n + 1) // SPACING) + 2 + 2 * margin for n in plan.raw_shape)
    y, x = (n - SPACING * margin for n in start)
    return Nodes(plan, SPACING, (y, x), (height, width))

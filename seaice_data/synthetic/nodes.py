"""The nodes of a synthetic scene: the coarse grid on which land and ice are made.

Lengths are shares of the scene's width, so that a small scene is a miniature and not a
section.
"""

from typing import NamedTuple

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.synthetic.fields import Float32, fractal
from seaice_data.synthetic.plan import ScenePlan


class Nodes(NamedTuple):
    """The nodes of a scene."""

    plan: ScenePlan
    spacing: int
    shape: tuple[int, int]

    @property
    def across(self) -> float:
        """Nodes along the width."""
        return self.plan.raw_shape[1] / self.spacing

    @property
    def km(self) -> float:
        """Kilometres from node to node."""
        return 0.04 * self.spacing

    def positions(self) -> tuple[FloatArray, FloatArray]:
        """Return lines and samples from the middle, in widths; shapes (y, 1) and (x,)."""
        height, width = (n / self.spacing for n in self.plan.raw_shape)
        y = (np.arange(self.shape[0]) - height / 2) / width
        return y[:, None], np.arange(self.shape[1]) / width - 0.5

    def slope(self, azimuth_deg: float) -> Float32:
        """Return the position along an azimuth, in widths."""
        along, across = self.plan.image_direction(azimuth_deg)
        y, x = self.positions()
        return np.asarray(along * y + across * x, dtype=np.float32)

    def fractal(self, stream: int, wavelength: float, slope: float) -> Float32:
        """Return a fractal whose longest wavelength is given in widths."""
        return fractal(self.plan.rng(stream), self.shape, wavelength * self.across, slope)


def node_spacing(plan: ScenePlan) -> int:
    """Return 2, 4, 8 or 16: small scenes have denser nodes, large ones 640 m."""
    spacing = 2
    while spacing < 16 and plan.raw_shape[1] >= 600 * spacing:
        spacing *= 2
    return spacing

"""Where and when a scene was acquired: what every source is brought to."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.geolocation import TiePoints
from seaice_data.grid import CELL_PIXELS, Grid, cell_centres


@dataclass(frozen=True)
class Frame:
    """The pixels of a scene: their number, their places, their time."""

    grid: Grid
    """80 m grid: half the lines and samples of the product, rounded down."""

    tie_points: TiePoints
    """Geolocation grid of the product, positions in 80 m pixels."""

    acquired: datetime
    """Start of the acquisition, UTC."""

    stopped: datetime
    """End of the acquisition, UTC."""

    @property
    def middle(self) -> datetime:
        """Time halfway through the acquisition, UTC."""
        return self.acquired + (self.stopped - self.acquired) / 2

    @property
    def cell_shape(self) -> tuple[int, int]:
        """Shape of the grid of 2 km cells: whole cells only."""
        return self.grid.height // CELL_PIXELS, self.grid.width // CELL_PIXELS

    @cached_property
    def cell_places(self) -> tuple[FloatArray, FloatArray]:
        """Latitude and longitude (-180 to 180) of the centres of the cells, in degrees."""
        height, width = self.cell_shape
        return self.tie_points.places(cell_centres(height), cell_centres(width))

    @property
    def pixel_rows(self) -> FloatArray:
        """Positions of the rows of pixels, for `TiePoints.places`."""
        return np.arange(self.grid.height, dtype=np.float64)

    @property
    def pixel_columns(self) -> FloatArray:
        """Positions of the columns of pixels, for `TiePoints.places`."""
        return np.arange(self.grid.width, dtype=np.float64)

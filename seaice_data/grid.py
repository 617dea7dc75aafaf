"""Integer geometry: shapes, windows, and where coarse pixels are on fine grids.

Positions are pixel coordinates on the SAR grid: pixel ``r`` has its centre at ``r`` and
reaches from ``r - 0.5`` to ``r + 0.5``. Height (y, ``sar_lines``) comes before width
(x, ``sar_samples``).

- ``block_centres`` places the pixels of a grid downscaled by block,
  ``nearest_indices`` those of a grid downscaled by picking pixels;
- ``blocks_of_pixels`` maps SAR pixels back to the pixels of the downscaled grid;
- ``cell_centres`` places the 2 km cells of the ancillary grid.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seaice_data.arrays import FloatArray, IntArray
from seaice_data.errors import RecipeError

SPACING_M = 80.0
"""Pixel spacing of ready files, and of every scene once it is opened."""

CELL_PIXELS = 25
"""SAR pixels of 80 m along one side of a 2 km cell."""

Window = tuple[slice, slice]
"""A rectangle of pixels: rows, then columns."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Shape and pixel spacing of a plane."""

    height: int
    """Pixels along y (``sar_lines``)."""

    width: int
    """Pixels along x (``sar_samples``)."""

    pixel_spacing_m: float
    """Distance between pixel centres in metres."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return (self.height, self.width)

    def downscaled(self, ratio: int) -> "Grid":
        """Return the grid of whole blocks of ``ratio`` x ``ratio`` pixels.

        Raises
        ------
        RecipeError
            If `ratio` is below 1 or no block fits into the grid.

        Examples
        --------
        >>> Grid(5003, 5228, 80.0).downscaled(10)
        Grid(height=500, width=522, pixel_spacing_m=800.0)
        """
        if ratio < 1:
            raise RecipeError(f"ratio must be at least 1, got {ratio}")
        if ratio > min(self.shape):
            raise RecipeError(
                f"ratio {ratio} is larger than the scene of "
                f"{self.height} x {self.width} pixels",
                hint="choose a smaller --ratio",
            )
        return Grid(self.height // ratio, self.width // ratio, self.pixel_spacing_m * ratio)


def block_centres(n_pixels: int, ratio: int) -> FloatArray:
    """Return the centres of the whole blocks along an axis, in pixels.

    Examples
    --------
    >>> block_centres(33, 10)
    array([ 4.5, 14.5, 24.5])
    """
    blocks = np.arange(n_pixels // ratio, dtype=np.float64)
    return blocks * ratio + (ratio - 1) / 2


def nearest_indices(n_pixels: int, ratio: int) -> IntArray:
    """Return the pixels that nearest downscaling picks along an axis.

    The rule of the official code: pixel ``i`` comes from
    ``floor(i * n / (n // ratio))``.

    Examples
    --------
    >>> nearest_indices(33, 10)
    array([ 0, 11, 22])
    """
    n_picked = n_pixels // ratio
    return np.arange(n_picked, dtype=np.int64) * n_pixels // n_picked


def blocks_of_pixels(n_pixels: int, ratio: int) -> IntArray:
    """Return the block that each pixel of an axis belongs to.

    Pixels after the last whole block (fewer than `ratio`) belong to it too.

    Examples
    --------
    >>> blocks_of_pixels(7, 3)
    array([0, 0, 0, 1, 1, 1, 1])
    """
    return np.minimum(np.arange(n_pixels) // ratio, n_pixels // ratio - 1)


def picks_of_pixels(n_pixels: int, ratio: int) -> IntArray:
    """Return the picked pixel that represents each pixel of an axis.

    The inverse of `nearest_indices`: ``floor(r * (n // ratio) / n)``.

    Examples
    --------
    >>> picks_of_pixels(7, 3)
    array([0, 0, 0, 0, 1, 1, 1])
    """
    return np.arange(n_pixels, dtype=np.int64) * (n_pixels // ratio) // n_pixels


def cell_centres(n_cells: int) -> FloatArray:
    """Return the centres of the 2 km cells along an axis, in SAR pixels of 80 m.

    Examples
    --------
    >>> cell_centres(3)
    array([12., 37., 62.])
    """
    return np.arange(n_cells, dtype=np.float64) * CELL_PIXELS + (CELL_PIXELS - 1) / 2


def n_corners(shape: tuple[int, ...], size: int) -> tuple[int, int]:
    """Return the number of rows and of columns for the top left corner of a window.

    The last ones let a window touch the last row and column. Along an axis shorter than
    `size` there is one, and the window overhangs.

    Examples
    --------
    >>> n_corners((7, 300), 5), n_corners((7, 3), 7)
    ((3, 296), (1, 1))
    """
    height, width = shape
    return max(height - size, 0) + 1, max(width - size, 0) + 1


def row_bands(height: int, band: int) -> Iterator[slice]:
    """Cut an axis into bands of `band` rows; the last one may be shorter.

    Examples
    --------
    >>> list(row_bands(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    for start in range(0, height, band):
        yield slice(start, min(start + band, height))

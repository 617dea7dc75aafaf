"""Tiles: squares of a regular cover, for prediction, and how to blend them.

Tiles overlap, so that each pixel has context in some tile, and together they cover every
pixel. Their weights fall off towards shared borders and sum to one in each pixel: a sum of
weighted tiles has no seams.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seaice_data.arrays import FloatArray, IntArray
from seaice_data.errors import SettingsError
from seaice_data.grid import Window


@dataclass(frozen=True, slots=True)
class Tile:
    """A square of the cover."""

    window: Window
    """Its rows and columns in the plane."""

    weights: FloatArray
    """Its share in each of its pixels, float32, shape ``(y, x)``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TileGrid:
    """A cover of a plane by overlapping tiles.

    Tiles are spread as evenly as whole pixels allow, from the first row and column to the
    last. An axis shorter than a tile has one tile, as long as the axis.

    Examples
    --------
    >>> grid = TileGrid(shape=(100, 240), size=100, overlap=20)
    >>> [tile.window[1] for tile in grid]
    [slice(0, 100, None), slice(70, 170, None), slice(140, 240, None)]
    >>> total = np.zeros((100, 240))
    >>> for tile in grid:
    ...     total[tile.window] += tile.weights
    >>> bool(np.allclose(total, 1))
    True
    """

    shape: tuple[int, int]
    """Height and width of the plane."""

    size: int = 256
    """Pixels along one side of a tile."""

    overlap: int = 64
    """Smallest number of pixels that neighbours share. Above half the size, more than two
    tiles overlap."""

    def __post_init__(self) -> None:
        """Reject a grid that covers nothing."""
        if min(self.shape) < 1:
            raise SettingsError(f"a plane of {self.shape} has no pixels to cover")
        if self.size < 1:
            raise SettingsError(f"size must be at least 1, got {self.size}")
        if not 0 <= self.overlap < self.size:
            raise SettingsError(
                f"overlap must be at least 0 and below the size {self.size}, "
                f"got {self.overlap}"
            )

    def __len__(self) -> int:
        rows, columns = (self._starts(n) for n in self.shape)
        return len(rows) * len(columns)

    def __iter__(self) -> Iterator[Tile]:
        """Yield the tiles row by row."""
        rows, columns = (self._axis(n) for n in self.shape)
        for y, of_rows in rows:
            for x, of_columns in columns:
                yield Tile((y, x), np.outer(of_rows, of_columns).astype(np.float32))

    def _starts(self, n_pixels: int) -> IntArray:
        """Return where tiles begin along an axis."""
        last = max(n_pixels - self.size, 0)
        n_tiles = 1 + -(-last // (self.size - self.overlap))
        return np.round(np.linspace(0, last, n_tiles)).astype(np.int64)

    def _axis(self, n_pixels: int) -> list[tuple[slice, NDArray[np.float64]]]:
        """Return the tiles of an axis with their weights, which sum to one."""
        size = min(self.size, n_pixels)
        starts = self._starts(n_pixels)
        # A tent: a pixel counts by how far it is from the nearer border.
        distance = np.arange(size) + 1.0
        tent = np.minimum(np.minimum(distance, distance[::-1]), self.overlap + 1.0)
        total = np.zeros(n_pixels)
        for start in starts:
            total[start : start + size] += tent
        return [(slice(int(s), int(s) + size), tent / total[s : s + size]) for s in starts]

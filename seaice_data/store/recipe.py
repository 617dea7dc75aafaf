"""The recipe of a store: everything that decides its bytes."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from seaice_data.arrays import FloatArray, IntArray
from seaice_data.channels import CHANNEL_NAMES, find_channels
from seaice_data.errors import RecipeError
from seaice_data.grid import (
    block_centres,
    blocks_of_pixels,
    nearest_indices,
    picks_of_pixels,
)
from seaice_data.settings import ADDED


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What a store is made of; equal recipes give equal stores.

    The defaults are ours; the paper and the official code take single pixels (``nearest``)
    where we average, and the nearest cell where we interpolate.
    """

    ratio: int = 10
    """SAR pixels per stored pixel along each axis (Chen et al. 2024, Table 3)."""

    channels: tuple[str, ...] = CHANNEL_NAMES
    """Input planes, in the order of the channel axis. All are stored, so that a model can
    choose later."""

    sar: Literal["mean", "nearest", "power"] = "mean"
    """How SAR, incidence angle and distance map are downscaled. ``mean`` averages SAR in
    decibels, as in the files; ``power`` averages its backscatter."""

    charts: Literal["most-frequent", "nearest"] = "most-frequent"
    """How charts are downscaled."""

    ancillary: Literal["bilinear", "nearest"] = "bilinear"
    """How AMSR2 and ERA5 reach the grid of the store, cells placed by their centres."""

    tie_points: Literal["bilinear", "nearest"] = field(default="bilinear", metadata=ADDED)
    """How latitude and longitude reach the grid of the store: interpolated between the
    positions of the tie points; or, as in the official code, pixel ``i`` of ``n`` along an
    axis takes point ``floor(i m / n)`` of ``m``, wherever the point is."""

    dominance_threshold: float = 0.65
    """Share of the ice in a polygon that a stage or floe size needs to become its class;
    files with polygons only (Chen et al. 2024, section 2). The first edition of the dataset
    used 0.70 for SOD and 0.50 for FLOE."""

    interval_codes: Literal["own", "all", "none"] = field(default="own", metadata=ADDED)
    """In which scenes a code for an interval of concentration (46: four to six tenths)
    stands for its mid-point, halves rounded up: ``own``, in those made by `seaice ingest`
    but not in raw files of AI4Arctic, whose authors' script leaves such polygons without
    a class; ``all``, in both; ``none``, in neither."""

    dtype: Literal["float16", "float32"] = "float16"
    """Type of the stored inputs. Standardised values rarely leave -8..8, where float16
    rounds by at most 0.002 standard deviations."""

    codec: Literal["none", "zstd"] = "none"
    """How inputs and charts are compressed: not at all, as one chunk that any process can
    map; or with zstd, inputs in chunks of 256 x 256 pixels, for object stores and slow
    disks."""

    zarr_format: Literal[2, 3] = 3
    """Version of the zarr format; 2 for readers that do not know 3 (GDAL before 3.12)."""

    def __post_init__(self) -> None:
        """Reject a recipe that no store can follow."""
        if self.ratio < 1:
            raise RecipeError(
                f"ratio must be at least 1, got {self.ratio}",
                hint="the paper uses --ratio 10",
            )
        if not 0 < self.dominance_threshold <= 1:
            raise RecipeError(
                f"dominance_threshold must be above 0 and at most 1, "
                f"got {self.dominance_threshold}"
            )
        if not self.channels:
            raise RecipeError("a recipe needs at least one channel")
        find_channels(self.channels)
        if len(set(self.channels)) < len(self.channels):
            raise RecipeError("a channel is named twice in the recipe")

    def positions(self, n_pixels: int) -> FloatArray:
        """Return the position of each stored pixel along an axis of the 80 m grid.

        Examples
        --------
        >>> Recipe(ratio=3).positions(7)
        array([1., 4.])
        """
        if self.sar == "nearest":
            return nearest_indices(n_pixels, self.ratio).astype(np.float64)
        return block_centres(n_pixels, self.ratio)

    def stand_ins(self, n_pixels: int) -> IntArray:
        """Return the stored pixel that represents each pixel of an axis of the 80 m grid.

        Examples
        --------
        >>> Recipe(ratio=3).stand_ins(7)
        array([0, 0, 0, 1, 1, 1, 1])
        """
        if self.sar == "nearest":
            return picks_of_pixels(n_pixels, self.ratio)
        return blocks_of_pixels(n_pixels, self.ratio)

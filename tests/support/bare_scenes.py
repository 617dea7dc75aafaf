"""Scenes that lack channels, or were denoised in another way than those of AI4Arctic."""

from pathlib import Path

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.channels import CHANNELS, Channel
from seaice_data.scenes.netcdf import NetcdfFile
from seaice_data.scenes.ready import ReadyScene
from seaice_data.scenes.scene import SAR_GRID, Band

PRODUCT = "S1A_EW_GRDM_1SDH_20221130T014342_20221130T014442_046117_058553_BB15"


class BareScene(ReadyScene):
    """A whole file, read as if it lacked the channels of some groups, or some channels.

    Parameters
    ----------
    path
        A file that is ready to train.
    absent
        Names of groups or channels.
    denoising
        How noise was removed.
    """

    version = "ingested"

    def __init__(
        self, path: Path, absent: tuple[str, ...] = (), denoising: str = "esa"
    ) -> None:
        self._absent, self._denoising = absent, denoising
        super().__init__(NetcdfFile(path), None)

    @property
    def absent_channels(self) -> tuple[str, ...]:
        """Channels that count as absent."""
        return tuple(c.name for c in CHANNELS if {c.name, str(c.group)} & {*self._absent})

    @property
    def denoising(self) -> str:
        """As given."""
        return self._denoising

    @property
    def original_name(self) -> str:  # type: ignore[override]
        """Name of the product."""
        return PRODUCT

    def read_band(self, rows: slice, charts: ChartArray) -> Band:
        """Read a band; channels that count as absent are NaN."""
        band = super().read_band(rows, charts)
        for plane, channel in zip(band.planes, SAR_GRID, strict=True):
            if channel.name in self.absent_channels:
                plane[:] = np.nan
        return band

    def read_cells(self, channel: Channel) -> FloatArray:
        """Read a channel; those that count as absent are NaN."""
        if channel.name in self.absent_channels:
            return np.full(self.cell_shape, np.nan, np.float32)
        return super().read_cells(channel)

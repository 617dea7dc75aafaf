"""Samples as torchgeo and terratorch expect them: dicts of ``image`` and ``mask``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.charts import CHARTS
from seaice_data.errors import SettingsError
from seaice_data.settings import nearest
from seaice_data.store.balance import Normalisation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Sample = dict[str, Tensor]
"""Planes by name: ``image`` (channel, y, x) float32, and ``mask`` (y, x) int64 of a chart,
or ``mask_SIC`` and so on of several; 255 is fill."""

_NAMES = tuple(chart.name for chart in CHARTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleForm:
    """How patches and tiles become samples.

    Raises
    ------
    SettingsError
        If there is no such chart.

    Examples
    --------
    >>> inputs = np.full((2, 3, 4), np.nan, np.float32)  # (y, x, channel)
    >>> charts = np.zeros((2, 3, 3), np.uint8)
    >>> sample = SampleForm(charts="SOD").sample(inputs, charts)
    >>> {name: tuple(plane.shape) for name, plane in sample.items()}
    {'image': (4, 2, 3), 'mask': (2, 3)}
    >>> list(SampleForm(charts=("SIC", "FLOE")).sample(inputs, charts))
    ['image', 'mask_SIC', 'mask_FLOE']
    """

    charts: str | Sequence[str] = _NAMES
    """The chart whose classes are ``mask``, as torchgeo and terratorch expect it; or
    several charts, each with a mask of its own, as ``mask_SOD``; or none, ``()``."""

    fill: float = 0.0
    """What an image has where the store has none, which is NaN. 0 is the mean of a channel,
    because stores are standardised; NaN leaves it."""

    normalisation: Normalisation | None = None
    """Statistics by which images are standardised again, before they are filled; see
    `seaice_data.store.balance.normalisation`. Its channels are those of the image."""

    transforms: Callable[[Sample], Sample] | None = None
    """Called with each sample; returns the one to use. Worker processes need a function
    that can be pickled, where they are not forked. `StoreDataModule` calls it for patches
    only, as augmentations need it."""

    def __post_init__(self) -> None:
        """Reject charts that do not exist."""
        for name in self.names:
            if name not in _NAMES:
                raise SettingsError(
                    f"there is no chart {name!r}", hint=nearest(str(name), _NAMES)
                )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the charts, also of one."""
        return (self.charts,) if isinstance(self.charts, str) else tuple(self.charts)

    def check_channels(self, channels: Sequence[str]) -> None:
        """Reject a normalisation of other channels than those of the images.

        Raises
        ------
        SettingsError
            If their names or their order differ.
        """
        found = self.normalisation
        if found is not None and found.channels != tuple(channels):
            raise SettingsError(
                f"the normalisation is of the channels {', '.join(found.channels)}, images "
                f"have {', '.join(channels)}",
                hint="normalisation(store, channels=[...]) takes them in the same order",
            )

    def sample(self, inputs: FloatArray, charts: ChartArray) -> Sample:
        """Return planes of a store as a sample.

        Parameters
        ----------
        inputs
            Shape ``(y, x, channel)``; NaN is fill.
        charts
            All charts, shape ``(y, x, chart)``; 255 is fill.
        """
        planes = np.array(np.moveaxis(inputs, -1, 0), np.float32, order="C")
        if self.normalisation is not None:
            planes -= self.normalisation.mean[:, None, None]
            planes /= self.normalisation.std[:, None, None]
        if not np.isnan(self.fill):
            planes[np.isnan(planes)] = self.fill
        sample = {"image": torch.from_numpy(planes)}
        for name in self.names:
            mask = charts[..., _NAMES.index(name)].astype(np.int64)
            sample[self._key(name)] = torch.from_numpy(mask)
        return sample if self.transforms is None else self.transforms(sample)

    def plot(
        self, sample: Mapping[str, Any], channels: Sequence[str], title: str | None = None
    ) -> "Figure":
        """Plot a sample of this form; see `seaice_model.plots.sample.plot_sample`."""
        from seaice_model.plots.sample import plot_sample  # late: few need it

        keys = {self._key(name): name for name in self.names}
        if isinstance(self.charts, str):
            keys["prediction"] = self.charts
        return plot_sample(sample, channels, keys, title)

    def _key(self, chart: str) -> str:
        return "mask" if isinstance(self.charts, str) else f"mask_{chart}"

"""What a network sees where channels of its inputs are missing.

``Filling`` replaces NaN before the first layer, by `ModelConfig.fill`. Networks of any kind
can use it: they then have ``Filling.n_planes`` input planes, those of the channels first.
"""

import torch
from torch import Tensor, nn

from seaice_data.channels import DISPENSABLE, find_channels
from seaice_model.config.run_config import ModelConfig


class Filling(nn.Module):
    """Replace the fill in inputs of a network.

    It has weights only if fill is "constant", which start at 0, so that the network starts
    as with "zero".

    Parameters
    ----------
    config
        Channels of the network, and what it sees in place of fill.

    Examples
    --------
    >>> filling = Filling(ModelConfig(channels=("hh", "btemp_18_7h"), fill="mask"))
    >>> filling(torch.tensor([2.0, torch.nan]).view(1, 2, 1, 1)).flatten()
    tensor([2., 0., 1.])
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.fill = config.fill
        channels = find_channels(config.channels)
        self._masked = [
            [k for k, channel in enumerate(channels) if channel.group == group]
            for group in config.masked
        ]
        self.n_planes = len(channels) + len(self._masked)
        """Planes that a network sees."""
        learned = [k for k, c in enumerate(channels) if c.group in DISPENSABLE]
        # The last number is that of all channels without one of their own.
        self._number_of = [
            learned.index(k) if k in learned else len(learned) for k in range(len(channels))
        ]
        self.numbers: nn.Parameter | None = None
        if self.fill == "constant":
            self.numbers = nn.Parameter(torch.zeros(len(learned)))

    def reset_parameters(self) -> None:
        """Set the learned numbers to 0, the mean of every channel."""
        if self.numbers is not None:
            nn.init.zeros_(self.numbers)

    def forward(self, inputs: Tensor) -> Tensor:
        """Replace fill.

        Parameters
        ----------
        inputs
            Shape ``(batch, channel, y, x)``, standardised. NaN is fill; if fill is "zero",
            it has been replaced by 0 (see `seaice_model.networks.device.as_planes`).

        Returns
        -------
        Tensor
            Shape ``(batch, plane, y, x)``; the inputs themselves if fill is "zero".
        """
        if self.fill == "zero":
            return inputs
        is_fill = inputs.isnan()
        if self.numbers is not None:
            numbers = torch.cat([self.numbers, self.numbers.new_zeros(1)])[self._number_of]
            return torch.where(is_fill, numbers[:, None, None], inputs)
        masks = [
            is_fill[:, channels].all(dim=1, keepdim=True).to(inputs.dtype)
            for channels in self._masked
        ]
        return torch.cat([torch.where(is_fill, 0.0, inputs), *masks], dim=1)

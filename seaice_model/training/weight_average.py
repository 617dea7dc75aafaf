"""The moving average of a network's weights (`TrainConfig.weight_average`).

Each batch moves the average towards the weights by a share, ``1 - decay``::

    average += (1 - decay) * (weights - average)

Initial weights are random, so the decay is at most ``(1 + n) / (10 + n)`` after n batches,
as in TensorFlow's ``ExponentialMovingAverage``: at first, the average covers about the last
ninth of the batches. (Dividing by the sum of the shares, as Adam does, would give the first
batches as much weight as the last.)

Running means and variances of batch norm are averaged in the same way, as timm does. They
describe planes that the weights of the last few batches made, so their average describes
those of average weights better, though not exactly; copies would fit the last weights.
Whole numbers are copied.

A decay of 0.99 averages over about 100 batches. At the end of a cosine, where the learning
rate is near 0, the average is nearly the weights themselves; just after a restart, when
large steps scatter the weights, it stays near the end of the last cosine for about as many
batches. It is not restarted with the learning rate.

PyTorch has the same arithmetic in ``torch.optim.swa_utils``, but there Python reads the
number of batches, which a CUDA graph does not allow.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy

import torch
from torch import Tensor

from seaice_model.networks.build import Network


class WeightAverage:
    """A network whose weights are the moving average of those of another one.

    Parameters
    ----------
    network
        The network that learns, at its start, on its device.
    decay
        Share of the average that stays after each batch, in the long run.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.network = deepcopy(network).requires_grad_(False).eval()
        """The network with the average."""
        pairs = [*zip(_tensors(self.network), _tensors(network), strict=True)]
        is_averaged = [own.is_floating_point() for own, _ in pairs]
        self._averages = [
            own for (own, _), so in zip(pairs, is_averaged, strict=True) if so
        ]
        self._weights = [new for (_, new), so in zip(pairs, is_averaged, strict=True) if so]
        self._copied = [pair for pair, so in zip(pairs, is_averaged, strict=True) if not so]
        self._decay = decay
        self._n_batches = torch.zeros((), dtype=torch.int64, device=pairs[0][0].device)

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the weights; called after each batch.

        It can be part of a CUDA graph: no value is read by Python.
        """
        n = self._n_batches
        decay = ((1 + n) / (10 + n)).clamp(max=self._decay)
        changes = torch._foreach_sub(self._weights, self._averages)
        torch._foreach_mul_(changes, 1 - decay)
        torch._foreach_add_(self._averages, changes)
        for own, new in self._copied:
            own.copy_(new)
        self._n_batches += 1

    def restore(self, average: Mapping[str, Tensor], n_batches: int) -> None:
        """Continue with the average of a checkpoint, made of so many batches."""
        self.network.load_state_dict(dict(average))
        self._n_batches.fill_(n_batches)

    def changed(self) -> Iterator[Tensor]:
        """Yield every tensor that an update changes."""
        yield from _tensors(self.network)
        yield self._n_batches


def _tensors(network: Network) -> Iterator[Tensor]:
    yield from network.parameters()
    yield from network.buffers()

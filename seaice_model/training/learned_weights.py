"""Weights of the losses of charts that are learned (`TrainConfig.learned_weights`).

Each chart c has a variance, the noise of its labels, whose logarithm s_c is learned
together with the network (Kendall, Gal & Cipolla 2018, arXiv:1705.07115)::

    total = sum over c of exp(-s_c) * loss_c + s_c / 2

This is the paper's formula for classes. Its formula for numbers, ``exp(-s) * loss / 2 +
s / 2``, gives a loss the same weight, with s shifted by log 2. So one formula is enough for
all charts: ``exp(-s_c)`` is the weight of a chart. It moves towards ``1 / (2 * loss)``, so
a chart that is hard to predict counts less.

The formula needs losses that are logarithms of likelihoods, as squared errors and cross
entropies are; it is applied to the focal and the ordinal loss all the same.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from seaice_model.runs.checkpoint import LOG_VARIANCES, MOMENTUM
from seaice_model.training.processes import Processes


class LearnedWeights:
    """The logarithms of the variances, trained by the optimiser of the network.

    They do not decay: a decay would pull every weight towards 1.

    Parameters
    ----------
    first
        Weights at the start, in the order of ``CHARTS``. A weight of 0 stays 0: the network
        does not learn this chart.
    device
        Where the losses are.
    """

    def __init__(self, first: Sequence[float], device: torch.device) -> None:
        weights = torch.tensor(first, device=device)
        self._is_learned = weights > 0
        start = torch.where(self._is_learned, -weights.log(), 0.0)
        self.log_variances = nn.Parameter(start)
        """Shape ``(chart,)``; 0, and without effect, for charts of weight 0."""

    def weights(self) -> Tensor:
        """Return the weight of each chart, shape ``(chart,)``."""
        return torch.where(self._is_learned, torch.exp(-self.log_variances), 0.0)

    def total(self, losses: Tensor, n_valid: Tensor) -> Tensor:
        """Return what training minimises; it may be negative.

        Parameters
        ----------
        losses
            Loss of each chart, shape ``(chart,)``.
        n_valid
            Number of valid pixels by which each is divided, shape ``(chart,)``. A chart
            without any says nothing of its noise, so its weight stays as it is.
        """
        is_known = self._is_learned & (n_valid > 0)
        noise = torch.where(is_known, self.log_variances / 2, 0.0)
        return (self.weights() * losses + noise).sum()

    def share_gradient(self, processes: Processes) -> None:
        """Replace the gradient by its mean over all processes."""
        if self.log_variances.grad is not None:
            self.log_variances.grad = processes.mean(self.log_variances.grad)

    def state(self, optimiser: Optimizer) -> dict[str, Tensor]:
        """Return what a checkpoint needs; without momentum before the first batch."""
        state = {LOG_VARIANCES: self.log_variances.detach()}
        if self.log_variances in optimiser.state:
            state[MOMENTUM] = optimiser.state[self.log_variances]["momentum_buffer"]
        return state

    def restore(self, state: Mapping[str, Tensor], optimiser: Optimizer) -> None:
        """Continue from a checkpoint."""
        with torch.no_grad():
            self.log_variances.copy_(state[LOG_VARIANCES])
        if MOMENTUM in state:
            buffer = state[MOMENTUM].to(self.log_variances.device, copy=True)
            optimiser.state[self.log_variances]["momentum_buffer"] = buffer

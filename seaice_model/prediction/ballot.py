"""Combine the predictions of one network or several: classes, and how sure they are.

SOD and FLOE, and SIC if it is predicted as classes: the mean of the networks' class
probabilities; the most probable class wins. SIC as a number: the mean of the numbers, then
rounded; each network votes for the class it would have decided on, and votes count as
probabilities. A single number has no uncertainty. The standard deviation of n numbers
divides by n: it describes the networks that voted, and the truth is usually further from
their mean (`seaice_model.scores.calibration`).

SIC as both: the mean of the numbers decides, and probabilities are those of the classes.
The spread is the root mean square distance of the classes from that mean, because it is the
concentration on the map.

The ``*_of`` functions turn probabilities into the bytes of a `Decision`.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.charts import CHARTS, SIC, SIC_STEP_PERCENT
from seaice_model.errors import RunError
from seaice_model.maps.decision import (
    CONCENTRATION,
    ENTROPY,
    PROBABILITY,
    SPREAD,
    UNKNOWN,
    Steps,
)
from seaice_model.networks.unet import Prediction

Moments = tuple[Tensor, Tensor]
"""Means of the class number of SIC and of its square, shape ``(y, x)``."""


class Ballot:
    """Gathers predictions of the same pixels, then decides.

    Examples
    --------
    >>> ballot = Ballot()
    >>> sod, floe = torch.zeros(1, 6, 1, 1), torch.zeros(1, 7, 1, 1)
    >>> for number in (7.2, 8.4):
    ...     ballot.add(Prediction(torch.full((1, 1, 1), number), sod, floe))
    >>> ballot.classes()[0], ballot.spread(), ballot.concentration()
    (array([[8]], dtype=uint8), array([[30]], dtype=uint8), array([[156]], dtype=uint8))
    """

    def __init__(self) -> None:
        self.n_networks = 0
        self._heads = (False, False)  # whether SIC is a number, and is classes
        self._sums: list[Tensor] = []  # of probabilities, or of votes
        self._first: Tensor | None = None  # moments of SIC as a number
        self._second: Tensor | None = None

    def add(self, prediction: Prediction) -> None:
        """Count a network's prediction of one scene or tile, a batch of one.

        Raises
        ------
        RunError
            If it predicts SIC in a different way from earlier networks.
        """
        given, logits = prediction.sic_number(), prediction.sic_logits()
        heads = (given is not None, logits is not None)
        if self.n_networks and heads != self._heads:
            raise RunError("networks cannot mix SIC as a number and as classes, or as both")
        self._heads = heads
        planes = (logits, prediction.sod, prediction.floe)
        shares = [p[0].float().softmax(dim=0) for p in planes if p is not None]
        if given is not None:
            number = given[0].float().clamp(0, SIC.n_classes - 1)
            self._first = _sum(self._first, number)
            self._second = _sum(self._second, number.square())
            if logits is None:
                vote = functional.one_hot(number.round().long(), SIC.n_classes)
                shares.insert(0, vote.permute(2, 0, 1).float())
        if self._sums:
            for total, share in zip(self._sums, shares, strict=True):
                total += share
        else:
            self._sums = shares
        self.n_networks += 1

    def classes(self) -> ChartArray:
        """Return the classes decided on, shape ``(chart, y, x)``."""
        planes = [total.argmax(dim=0) for total in self._sums]
        if self._first is not None:
            planes[0] = (self._first / self.n_networks).round().long()
        return torch.stack(planes).to(torch.uint8).cpu().numpy()

    def concentration(self) -> ChartArray:
        """Return the mean ice concentration, in steps `CONCENTRATION`."""
        return concentration_of(self._moments())

    def spread(self) -> ChartArray | None:
        """Return the deviation of the ice concentration in steps `SPREAD`, if known."""
        if not self._knows_sic:
            return None
        return spread_of(self._moments())

    def entropy(self) -> ChartArray:
        """Return the entropy of each chart in steps `ENTROPY`, ``(chart, y, x)``."""
        planes = [
            entropy_of(total / self.n_networks)
            if chart is not SIC or self._knows_sic
            else np.full(total.shape[1:], UNKNOWN, np.uint8)
            for chart, total in zip(CHARTS, self._sums, strict=True)
        ]
        return np.stack(planes)

    def probabilities(self) -> dict[str, ChartArray]:
        """Return class probabilities by chart in steps `PROBABILITY`, where known."""
        return {
            chart.name: probabilities_of(total / self.n_networks)
            for chart, total in zip(CHARTS, self._sums, strict=True)
            if chart is not SIC or self._knows_sic
        }

    @property
    def _knows_sic(self) -> bool:
        """Return whether the uncertainty of SIC is known; that of one number is not."""
        return self._heads[1] or self.n_networks > 1

    def _moments(self) -> Moments:
        if self._first is None or self._second is None:
            return moments_of(self._sums[0] / self.n_networks)
        mean = self._first / self.n_networks
        if not self._heads[1]:
            return mean, self._second / self.n_networks
        first, second = moments_of(self._sums[0] / self.n_networks)
        # The square whose deviation from `mean` is the distance of the classes from it.
        return mean, second + 2 * mean * (mean - first)


def _sum(total: Tensor | None, value: Tensor) -> Tensor:
    return value if total is None else total + value


def moments_of(shares: Tensor) -> Moments:
    """Return the moments of the class number from probabilities, ``(class, y, x)``."""
    number = torch.arange(len(shares), dtype=shares.dtype, device=shares.device)
    number = number[:, None, None]
    return (shares * number).sum(dim=0), (shares * number.square()).sum(dim=0)


def concentration_of(moments: Moments) -> ChartArray:
    """Return the ice concentration, in steps `CONCENTRATION`."""
    return _encoded(moments[0] * SIC_STEP_PERCENT, CONCENTRATION)


def spread_of(moments: Moments) -> ChartArray:
    """Return the deviation of the ice concentration, in steps `SPREAD`."""
    mean, mean_square = moments
    deviation = (mean_square - mean.square()).clamp(min=0).sqrt()
    return _encoded(deviation * SIC_STEP_PERCENT, SPREAD)


def entropy_of(shares: Tensor) -> ChartArray:
    """Return the entropy of probabilities, ``(class, y, x)``, in steps `ENTROPY`."""
    entropy = torch.special.entr(shares).sum(dim=0) / math.log(len(shares))
    return _encoded(entropy, ENTROPY)


def probabilities_of(shares: Tensor) -> ChartArray:
    """Return probabilities in steps `PROBABILITY`."""
    return _encoded(shares, PROBABILITY)


def _encoded(values: Tensor, steps: Steps) -> ChartArray:
    plane: FloatArray = values.cpu().numpy()
    return steps.encode(plane)

"""Uncertainty of classes: from probabilities to the bytes of a `Decision`."""

import math

import torch
from torch import Tensor

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.charts import SIC_STEP_PERCENT
from seaice_model.maps.decision import CONCENTRATION, ENTROPY, PROBABILITY, SPREAD, Steps

Moments = tuple[Tensor, Tensor]
"""Means of the class number of SIC and of its square, shape ``(y, x)``."""


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

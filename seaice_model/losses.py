"""Losses over valid pixels and their weighted sum (Chen et al. 2024, section 3.5, Table 3).

A chart without a single valid pixel has the loss 0 and sends no gradient: the mean of no
pixels would be NaN and ruin the weights.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from seaice_data.charts import CHART_FILL
from seaice_model.unet import Prediction


class Losses(NamedTuple):
    """Loss of each chart and their weighted sum; scalars."""

    total: Tensor
    """Weighted sum, what training minimises."""

    sic: Tensor
    """Squared error in classes, or cross entropy if SIC is predicted as classes."""

    sod: Tensor
    """Cross entropy in nats."""

    floe: Tensor
    """Cross entropy in nats."""


def masked_mse(prediction: Tensor, chart: Tensor) -> Tensor:
    """Return the mean squared error over valid pixels; 0 if there are none.

    Both have shape ``(batch, y, x)``; `chart` holds classes, 255 where unlabelled.
    """
    valid = chart != CHART_FILL
    error = torch.where(valid, prediction.float() - chart, 0.0)
    return error.square().sum() / valid.sum().clamp(min=1)


def masked_cross_entropy(logits: Tensor, chart: Tensor) -> Tensor:
    """Return the mean cross entropy over valid pixels in nats; 0 if there are none.

    `logits` have shape ``(batch, class, y, x)``; `chart` has shape ``(batch, y, x)``, is
    int64, and holds classes, 255 where unlabelled.
    """
    n_valid = (chart != CHART_FILL).sum()
    total = functional.cross_entropy(
        logits.float(), chart, ignore_index=CHART_FILL, reduction="sum"
    )
    return total / n_valid.clamp(min=1)


def total_loss(prediction: Prediction, charts: Tensor, weights: Sequence[float]) -> Losses:
    """Return the loss of each chart and their sum weighted by `weights`.

    `charts` has shape ``(batch, chart, y, x)`` and is int64, 255 where unlabelled;
    `weights` and charts are in the order of ``CHARTS``.
    """
    parts = [
        masked_mse(plane, chart) if plane.ndim == 3 else masked_cross_entropy(plane, chart)
        for plane, chart in zip(prediction, charts.unbind(dim=1), strict=True)
    ]
    total = torch.stack(
        [weight * part for weight, part in zip(weights, parts, strict=True)]
    ).sum()
    return Losses(total, *parts)

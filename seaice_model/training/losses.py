"""Losses over valid pixels and their weighted sum (Chen et al. 2024, section 3.5, Table 3).

A chart without a single valid pixel has loss 0 and no gradient: the mean over no pixels
would be NaN and ruin the weights.

- ``masked_mse`` is for SIC as a number.
- ``masked_cross_entropy`` is for charts as classes; ``masked_focal`` and
  ``masked_ordinal`` are its alternatives.
- ``total_loss`` is what training minimises.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from seaice_data.charts import CHART_FILL
from seaice_model.config.run_config import TrainConfig
from seaice_model.networks.unet import Prediction
from seaice_model.training.learned_weights import LearnedWeights


class Losses(NamedTuple):
    """Loss of each chart and their weighted sum; scalars."""

    total: Tensor
    """Weighted sum, which training minimises; with learned weights, also the terms that
    keep them from vanishing."""

    sic: Tensor
    """Squared error in classes, or the loss of classes if SIC is predicted as classes; the
    mean of the two if it is predicted as both."""

    sod: Tensor
    """Loss of classes; in nats if it is the cross entropy."""

    floe: Tensor
    """The same for FLOE."""


def masked_mse(prediction: Tensor, chart: Tensor) -> Tensor:
    """Return the mean squared error over valid pixels; 0 if there are none.

    Both have shape ``(batch, y, x)``; `chart` contains classes, 255 where unlabelled.
    """
    return _mean(_squared_error(prediction, chart), count_valid(chart))


def masked_cross_entropy(logits: Tensor, chart: Tensor) -> Tensor:
    """Return the mean cross entropy over valid pixels in nats; 0 if there are none.

    `logits` have shape ``(batch, class, y, x)``. `chart` is int64 of shape ``(batch, y,
    x)`` and contains classes, 255 where unlabelled.
    """
    return _mean(_cross_entropy(logits, chart), count_valid(chart))


def masked_focal(logits: Tensor, chart: Tensor, gamma: float = 2.0) -> Tensor:
    """Return the mean focal loss over valid pixels; 0 if there are none.

    A pixel whose class has probability ``p`` counts ``(1 - p) ** gamma`` times its cross
    entropy (Lin et al. 2017, without class weights). Shapes as in `masked_cross_entropy`.
    """
    return _mean(_focal(logits, chart, gamma), count_valid(chart))


def masked_ordinal(logits: Tensor, chart: Tensor) -> Tensor:
    """Return the mean ordinal loss over valid pixels; 0 if there are none.

    The expected distance between the classes of chart and map is added to the cross
    entropy: calling new ice young ice costs less than calling it old ice. Shapes as in
    `masked_cross_entropy`.
    """
    return _mean(_ordinal(logits, chart), count_valid(chart))


def total_loss(
    prediction: Prediction,
    charts: Tensor,
    config: TrainConfig,
    n_valid: Tensor | None = None,
    weights: Tensor | None = None,
    learned: LearnedWeights | None = None,
) -> Losses:
    """Return the loss of each chart and their weighted sum.

    Parameters
    ----------
    prediction
        Of a batch; its charts are in the order of ``CHARTS``.
    charts
        Shape ``(batch, chart, y, x)``, int64, 255 where unlabelled.
    config
        Weights and the loss of classes.
    n_valid
        Number of valid pixels by which the loss of each chart is divided, shape
        ``(chart,)``; that of `charts` if not given. A process with a share of a batch
        divides by the mean over all processes, so that the mean of their losses is the
        loss of the batch.
    weights
        Weight of the pixels of each patch, shape ``(batch,)``; 1 if not given. With
        weights, `n_valid` should be an expected number: dividing by the number in the
        batch, or by the sum of its weights, favours patches of batches with few valid
        pixels.
    learned
        Weights of the charts, if they are learned.
    """
    sic, sod, floe = charts.unbind(dim=1)
    losses = (
        _sic_losses(prediction, sic, config),
        _class_losses(prediction.sod, sod, config),
        _class_losses(prediction.floe, floe, config),
    )
    if n_valid is None:
        n_valid = count_valid(charts)
    parts = [
        _mean(of_pixels, n, weights)
        for of_pixels, n in zip(losses, n_valid.unbind(), strict=True)
    ]
    if learned is not None:
        return Losses(learned.total(torch.stack(parts), n_valid), *parts)
    total = torch.stack(
        [weight * part for weight, part in zip(config.loss_weights, parts, strict=True)]
    ).sum()
    return Losses(total, *parts)


def count_valid(charts: Tensor) -> Tensor:
    """Count valid pixels of one chart, or of each.

    `charts` have shape ``(batch, y, x)`` or ``(batch, chart, y, x)``.
    """
    return (charts != CHART_FILL).sum(dim=(-2, -1)).sum(dim=0)


def _mean(losses: Tensor, n_valid: Tensor, weights: Tensor | None = None) -> Tensor:
    if weights is not None:
        losses = losses * weights[:, None, None]
    # Divide by 1 only where there is nothing to divide: mean counts may be below 1.
    return losses.sum() / torch.where(n_valid > 0, n_valid, 1)


def _sic_losses(prediction: Prediction, chart: Tensor, config: TrainConfig) -> Tensor:
    """Return the loss of SIC of every pixel, 0 where it is unlabelled."""
    number, logits = prediction.sic_number(), prediction.sic_logits()
    losses = []
    if number is not None:
        losses.append(_squared_error(number, chart))
    if logits is not None:
        losses.append(_class_losses(logits, chart, config))
    return losses[0] if len(losses) == 1 else (losses[0] + losses[1]) / 2


def _class_losses(plane: Tensor, chart: Tensor, config: TrainConfig) -> Tensor:
    """Return the loss of every pixel from logits, 0 where it is unlabelled."""
    if config.class_loss == "focal":
        return _focal(plane, chart, config.focal_gamma)
    if config.class_loss == "ordinal":
        return _ordinal(plane, chart)
    return _cross_entropy(plane, chart)


def _squared_error(prediction: Tensor, chart: Tensor) -> Tensor:
    error = prediction.float() - chart
    return torch.where(chart != CHART_FILL, error, 0.0).square()


def _cross_entropy(logits: Tensor, chart: Tensor) -> Tensor:
    # The loss of unlabelled pixels is 0.
    return functional.cross_entropy(
        logits.float(), chart, ignore_index=CHART_FILL, reduction="none"
    )


def _focal(logits: Tensor, chart: Tensor, gamma: float) -> Tensor:
    entropy = _cross_entropy(logits, chart)
    # Where p rounds to 1, the slope is infinite for a gamma below 1: stay away from it.
    missing = (-torch.expm1(-entropy)).clamp(min=1e-7)
    return missing**gamma * entropy


def _ordinal(logits: Tensor, chart: Tensor) -> Tensor:
    probabilities = logits.float().softmax(dim=1)
    classes = torch.arange(logits.shape[1], device=chart.device).view(1, -1, 1, 1)
    distances = (classes - chart.unsqueeze(1)).abs()
    expected = (probabilities * distances).sum(dim=1)
    is_valid = chart != CHART_FILL
    return _cross_entropy(logits, chart) + torch.where(is_valid, expected, 0.0)

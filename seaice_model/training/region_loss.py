"""The loss of regions: shares of classes predicted in a polygon against those of its chart.

A polygon that mixes ice types has no class, and the losses of pixels leave it out. Its egg
code still says how much of its ice each type is, though not where it is: learning from
label proportions (Quadrianto et al. 2009, JMLR 10).
"""

import torch
from torch import Tensor

from seaice_data.charts import CHART_FILL, CHARTS, FLOE, SOD
from seaice_model.config.run_config import RegionShares, TrainConfig
from seaice_model.networks.device import Regions
from seaice_model.networks.unet import Prediction
from seaice_model.training.learned_weights import LearnedWeights

LEAST_VISIBLE = 0.3
"""Smallest share of a polygon that a patch must show: the shares of classes are those of
the whole polygon."""

_SIC, _SOD, _FLOE = range(len(CHARTS))

_LEAST_SHARE = 1e-6  # a predicted share has a logarithm


def region_loss(
    prediction: Prediction,
    charts: Tensor,
    regions: Regions,
    config: TrainConfig,
    n_charted: Tensor | None = None,
    weights: Tensor | None = None,
    learned: LearnedWeights | None = None,
) -> Tensor:
    """Return the weighted sum of the losses of regions of SOD and FLOE, a scalar.

    Parameters
    ----------
    prediction
        Of a batch.
    charts
        Shape ``(batch, chart, y, x)``, int64, 255 where unlabelled.
    regions
        The polygons of the patches.
    config
        Weights of the charts, and which shares are compared.
    n_charted
        Number of pixels with a class of SIC by which the loss is divided, a scalar; that of
        `charts` if not given.
    weights
        Weight of the pixels of each patch, shape ``(batch,)``; 1 if not given.
    learned
        Weights of the charts, if they are learned: from the losses of pixels alone, so they
        have no gradient here.
    """
    of_charts = config.loss_weights if learned is None else learned.weights().detach()
    is_charted = charts[:, _SIC] != CHART_FILL
    if n_charted is None:
        n_charted = is_charted.sum()
    shares = torch.split(regions.shares, [SOD.n_classes, FLOE.n_classes], dim=2)
    planes = (prediction.sod, prediction.floe)
    total = torch.zeros((), device=charts.device)
    for position, logits, of_chart in zip((_SOD, _FLOE), planes, shares, strict=True):
        is_free = is_charted & (charts[:, position] == CHART_FILL)
        losses = _losses(logits, is_free, of_chart, regions, config.region_shares)
        if weights is not None:
            losses = losses * weights[:, None]
        total = total + of_charts[position] * losses.sum()
    # Divide by 1 only where there is nothing to divide: mean counts may be below 1.
    return total / torch.where(n_charted > 0, n_charted, 1)


def _losses(
    logits: Tensor, is_free: Tensor, shares: Tensor, regions: Regions, kind: RegionShares
) -> Tensor:
    """Return the loss of each region in nats times pixels, shape ``(batch, region)``.

    `is_free` has shape ``(batch, y, x)``: pixels without a class, which have no other loss.
    """
    number = torch.arange(1, shares.shape[1] + 1, device=shares.device)[:, None]
    is_in = regions.number.flatten(1)[:, None] == number  # (batch, region, pixel)
    is_counted = is_in & is_free.flatten(1)[:, None]
    n_pixels = is_counted.sum(dim=2)
    is_used = (regions.visible >= LEAST_VISIBLE) & shares.isfinite().all(dim=2)
    # Pixels at the border of a polygon with a class may have none.
    is_used &= 2 * n_pixels > is_in.sum(dim=2)
    expected = shares.nan_to_num(nan=0.0)
    classes = logits[:, : shares.shape[2]].float().flatten(2)  # without that of fill
    pixels = is_counted.float()
    if kind == "ice":
        # Weights of ice have no gradient: regions do not say where water is.
        is_ice = 1 - classes.softmax(dim=1)[:, 0].detach()
        pixels = pixels * is_ice[:, None]
        classes = classes[:, 1:]
        ice = 1 - expected[..., 0]
        is_used &= ice > _LEAST_SHARE
        expected = expected[..., 1:] / ice.clamp(min=_LEAST_SHARE)[..., None]
    found = torch.bmm(pixels, classes.softmax(dim=1).transpose(1, 2))
    found = found / pixels.sum(dim=2).clamp(min=_LEAST_SHARE)[..., None]
    ratio = (expected + _LEAST_SHARE).log() - (found + _LEAST_SHARE).log()
    return torch.where(is_used, (expected * ratio).sum(dim=2) * n_pixels, 0.0)

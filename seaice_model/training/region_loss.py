"""The loss of regions: shares of classes predicted in a polygon against those of its chart.

A polygon that mixes ice types has no class, and the losses of pixels leave it out. Its egg
code still says how much of its ice each type is, though not where it is: learning from
label proportions (Quadrianto et al. 2009, JMLR 10). The mean of the probabilities that the
network gives the pixels of the polygon is compared with these shares.

The loss is the cross entropy of the shares, less the entropy of those of the chart: their
Kullback-Leibler divergence, in nats, 0 where they agree. It is the logarithmic score, which
is strictly proper: nothing but the right shares is best (Gneiting and Raftery 2007, JASA
102). For a polygon of one pixel and one type it is the cross entropy of that pixel, so a
pixel of a polygon weighs as much as one with a class. Its gradient grows as a type of the
chart vanishes from the prediction, which is the usual mistake: types that are rarely
dominant are rare among the classes, too. The ranked probability score and the Wasserstein
distance respect the order of stages, but a type that is missed costs little if its
neighbour is predicted instead. A Dirichlet likelihood needs the precision of the shares,
which charts do not state.

Water needs care. Charts label the water between floes as ice, and only the concentration
says how much of it there is. With ``region_shares = "ice"``, shares are those among the
ice: a pixel counts by its probability of ice, which passes no gradient on, so regions do
not say where water is. With ``"area"``, water is a class like the others.
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
    """Return the losses of regions of SOD and FLOE, weighted and added; a scalar.

    A pixel has the loss of its class or that of its region: regions consist of the pixels
    that the chart gives no class. Left out are polygons whose shares are unknown, those of
    which the patch shows less than `LEAST_VISIBLE`, and those with a class, whose few other
    pixels are at their border.

    The loss of a region counts for each of its pixels. The sum is divided by the number of
    pixels with a class of SIC, which is that of all pixels of polygons.

    Parameters
    ----------
    prediction
        Of a batch. Outputs for fill are not among the shares.
    charts
        Shape ``(batch, chart, y, x)``, int64, 255 where unlabelled.
    regions
        The polygons of the patches.
    config
        Weights of the charts, and which shares are compared.
    n_charted
        Number of pixels with a class of SIC by which the loss is divided, a scalar; that of
        `charts` if not given. As in `total_loss`, processes pass the mean over all of them,
        and with `weights` it should be an expected number.
    weights
        Weight of the pixels of each patch, shape ``(batch,)``; 1 if not given.
    learned
        Weights of the charts, if they are learned: from the losses of pixels alone, so they
        have no gradient here.

    Returns
    -------
    Tensor
        In nats per pixel; 0, with gradients of 0, if there is no region to learn from.
    """
    of_charts = config.loss_weights if learned is None else learned.weights().detach()
    is_charted = charts[:, _SIC] != CHART_FILL
    if n_charted is None:
        n_charted = is_charted.sum()
    numbers = torch.arange(1, regions.shares.shape[1] + 1, device=charts.device)
    is_in = regions.number.flatten(1)[:, None] == numbers[:, None]
    shares = torch.split(regions.shares, [SOD.n_classes, FLOE.n_classes], dim=2)
    planes = (prediction.sod, prediction.floe)
    total = torch.zeros((), device=charts.device)
    for position, logits, of_chart in zip((_SOD, _FLOE), planes, shares, strict=True):
        is_free = is_charted & (charts[:, position] == CHART_FILL)
        sums = _sums(logits[:, : of_chart.shape[2]], is_free, is_in, config.region_shares)
        losses = _losses(sums, of_chart, config.region_shares)
        # Pixels at the border of a polygon with a class may have none.
        is_mixed = 2 * sums[..., -1] > is_in.sum(dim=2)
        losses = torch.where(is_mixed & (regions.visible >= LEAST_VISIBLE), losses, 0.0)
        if weights is not None:
            losses = losses * weights[:, None]
        total = total + of_charts[position] * losses.sum()
    # Divide by 1 only where there is nothing to divide: mean counts may be below 1.
    return total / torch.where(n_charted > 0, n_charted, 1)


def _sums(logits: Tensor, is_free: Tensor, is_in: Tensor, kind: RegionShares) -> Tensor:
    """Add up the pixels of each region that have no class.

    Returns
    -------
    Tensor
        Shape ``(batch, region, column)``: probabilities of the classes, or of those of ice,
        then pixels by their probability of ice, then pixels.
    """
    logits = logits.float().flatten(2)  # (batch, class, pixel)
    free = is_free.flatten(1)[:, None].float()
    counted = free
    if kind == "ice":
        # Without a gradient: regions do not say where water is.
        counted = free * (1 - logits.softmax(dim=1)[:, :1].detach())
        logits = logits[:, 1:]
    columns = torch.cat([logits.softmax(dim=1) * counted, counted, free], dim=1)
    # A product of matrices adds in the same order each time, unlike scattering on a GPU.
    return torch.bmm(is_in.float(), columns.transpose(1, 2))


def _losses(sums: Tensor, shares: Tensor, kind: RegionShares) -> Tensor:
    """Return the loss of each region in nats times pixels; 0 without shares of ice."""
    is_known = shares.isfinite().all(dim=2)
    expected = shares.nan_to_num(nan=0.0)
    if kind == "ice":
        ice = 1 - expected[..., 0]
        is_known &= ice > _LEAST_SHARE
        expected = expected[..., 1:] / ice.clamp(min=_LEAST_SHARE)[..., None]
    found = sums[..., :-2] / sums[..., -2:-1].clamp(min=_LEAST_SHARE)
    ratio = (expected + _LEAST_SHARE).log() - (found + _LEAST_SHARE).log()
    return torch.where(is_known, (expected * ratio).sum(dim=2) * sums[..., -1], 0.0)

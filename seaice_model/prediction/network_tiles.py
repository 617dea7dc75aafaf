"""Tiles of networks that see squares of one size: predicted, and blended.

A scene is predicted in parts, so that memory stays bounded however large it is. A part sees
all tiles that reach into it, and tiles begin at the same pixels in every part: what is
blended is that of the whole scene.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seaice_data.arrays import FloatArray
from seaice_model.networks.build import Network
from seaice_model.networks.device import to_device
from seaice_model.networks.unet import Prediction
from seaice_model.prediction.tiling import predict_tiled

_N_TILES = 8
"""Tiles along one side of a part, at most, as far as memory is concerned."""


class Parts(NamedTuple):
    """How a plane is divided for prediction; see `predict_in_parts`."""

    stride: int
    """Parts begin at multiples of it."""

    tile: int
    """Pixels along one side of a part."""

    margin: int
    """Width of the margin, in strides."""


def parts_of(networks: Sequence[Network], *, tile: int, margin: int) -> Parts:
    """Return parts of a plane that suit all networks.

    Parameters
    ----------
    networks
        Networks that predict the same parts.
    tile
        Pixels along one side of a part; more if tiles of a network need it.
    margin
        Width of the margin of exact networks, in their strides.

    Examples
    --------
    >>> from seaice_model.networks.unet import MultiTaskUNet, ModelConfig
    >>> parts_of([MultiTaskUNet(ModelConfig(), seed=None)], tile=1024, margin=8)
    Parts(stride=16, tile=1024, margin=8)
    """
    strides, margins = [], []
    for network in networks:
        if network.tile is None:
            strides.append(network.config.stride)
            margins.append(margin * network.config.stride)
        else:
            strides.append(network.tile - overlap_of(network.tile))
            margins.append(network.tile)
            tile = max(tile, _N_TILES * network.tile)
    stride = math.lcm(*strides)
    return Parts(stride, tile, max(-(-width // stride) for width in margins))


def overlap_of(tile: int) -> int:
    """Return the pixels that neighbouring tiles share."""
    return tile // 4


def predict_blended(network: Network, part: FloatArray, tile: int) -> Prediction:
    """Predict planes in tiles, and average numbers and probabilities where they overlap.

    Parameters
    ----------
    network
        In evaluation mode, on any device.
    part
        Shape ``(y, x, channel)``, standardised, NaN is fill.
    tile
        Pixels along one side of a tile.

    Returns
    -------
    Prediction
        A batch of one, on the device of the network. Logits are logarithms of the averaged
        probabilities.
    """
    device = next(network.parameters()).device

    def predict(window: FloatArray) -> dict[str, NDArray[np.float32]]:
        planes = np.ascontiguousarray(window[np.newaxis])
        prediction = network(to_device(planes, device, network.config.fill))
        found = prediction.converted(Tensor.float, lambda p: p.float().softmax(dim=1))
        return {name: plane[0].cpu().numpy() for name, plane in found._asdict().items()}

    blended = predict_tiled(predict, part, tile=tile, overlap=overlap_of(tile))
    planes = {n: torch.from_numpy(p).to(device)[np.newaxis] for n, p in blended.items()}
    smallest = torch.finfo(torch.float32).tiny
    return Prediction(**planes).converted(
        lambda number: number, lambda shares: shares.clamp(min=smallest).log()
    )

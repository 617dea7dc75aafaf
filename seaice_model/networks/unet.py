"""The multi-task U-Net: one encoder, one or three decoders, one head for each chart.

The architecture is that of Chen et al. (2024), section 3.1 and Figure 1, including the
padding, so that the official weights give the official outputs
(`seaice_model.networks.published_weights`). Initial weights have the distribution of
PyTorch's, from a seed of their own.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from seaice_data.charts import CHARTS, SIC, SOD
from seaice_model.config.run_config import ModelConfig
from seaice_model.networks.convolution import Convolution, has_kernels
from seaice_model.networks.fill import Filling
from seaice_model.networks.upsampling import Place, doubled, doubled_tile

AnyModule = TypeVar("AnyModule", bound=nn.Module)

_FAST_CHANNELS = 8
"""Half-precision kernels work on multiples of this number of channels."""


class Prediction(NamedTuple):
    """The output for a batch: one tensor for each chart, in the order of ``CHARTS``."""

    sic: Tensor
    """Class as a real number, shape ``(batch, y, x)``; or logits, shape
    ``(batch, class, y, x)``, if SIC is predicted as classes; or the number and then the
    logits, shape ``(batch, 1 + class, y, x)``, if it is predicted as both. In training, the
    last logit is that of fill, if the network has it."""

    sod: Tensor
    """Logits, shape ``(batch, class, y, x)``."""

    floe: Tensor
    """Logits, shape ``(batch, class, y, x)``."""

    def sic_number(self) -> Tensor | None:
        """Return SIC as a number, ``(batch, y, x)``; None if it is predicted as classes."""
        if self.sic.ndim == 3:
            return self.sic
        return self.sic[:, 0] if self._has_both else None

    def sic_logits(self) -> Tensor | None:
        """Return logits of SIC, ``(batch, class, y, x)``; None if it is only a number."""
        if self.sic.ndim == 3:
            return None
        return self.sic[:, 1:] if self._has_both else self.sic

    @property
    def _has_both(self) -> bool:
        # Logits of fill are in both charts or in neither.
        n_more_sic = self.sic.shape[1] - SIC.n_classes
        return n_more_sic > self.sod.shape[1] - SOD.n_classes

    def converted(
        self, of_number: Callable[[Tensor], Tensor], of_classes: Callable[[Tensor], Tensor]
    ) -> "Prediction":
        """Apply functions to SIC as a number, and to all that has classes.

        Parameters
        ----------
        of_number
            Of SIC as a number, ``(batch, y, x)``.
        of_classes
            Of the classes of a chart, ``(batch, class, y, x)``.

        Returns
        -------
        Prediction
            In the form of this one.
        """
        number, classes = self.sic_number(), self.sic_logits()
        sic = [] if number is None else [of_number(number)[:, None]]
        if classes is not None:
            sic.append(of_classes(classes))
        return Prediction(
            sic[0][:, 0] if classes is None else torch.cat(sic, dim=1),
            of_classes(self.sod),
            of_classes(self.floe),
        )

    def classes(self) -> Tensor:
        """Decide the class of every pixel.

        A real number is rounded and clamped to the classes of SIC, 0 to 10; among logits
        the largest is chosen. If SIC is predicted as both, the number decides.

        Returns
        -------
        Tensor
            Shape ``(batch, chart, y, x)``, uint8.
        """
        number = self.sic_number()
        if number is None:
            sic = self.sic.argmax(dim=1)
        else:
            sic = number.round().clamp(0, SIC.n_classes - 1)
        planes = (sic, self.sod.argmax(dim=1), self.floe.argmax(dim=1))
        return torch.stack([plane.to(torch.uint8) for plane in planes], dim=1)


def as_prediction(
    planes: Sequence[Tensor], config: ModelConfig, *, is_training: bool
) -> Prediction:
    """Return the outputs of the three heads, ``(batch, output, y, x)``, as a prediction.

    Outside of training, the output of fill is left out.
    """
    if config.fill_class and not is_training:  # a number has no output for it
        planes = [plane if plane.shape[1] == 1 else plane[:, :-1] for plane in planes]
    sic, sod, floe = planes
    return Prediction(sic.squeeze(1) if sic.shape[1] == 1 else sic, sod, floe)


class MultiTaskUNet(nn.Module):
    """Map input planes to the three charts.

    The heads of a shared decoder are computed as one convolution from their weights: the
    modules themselves are not called, nor are hooks on them.

    Parameters
    ----------
    config
        Channels and where they enter, filters, decoders and the kind of the SIC head.
    seed
        Decides the initial weights; the global random state is neither read nor changed.
        With None, weights are not allocated (PyTorch's device "meta"): for callers that
        need only shapes, or have weights already.

    Examples
    --------
    >>> network = MultiTaskUNet(ModelConfig())
    >>> sum(weights.numel() for weights in network.parameters())
    522958
    """

    tile: int | None = None
    """It predicts a tile with its margin as it predicts the whole plane."""

    def __init__(self, config: ModelConfig, *, seed: int | None = 0) -> None:
        super().__init__()
        self.config = config
        self._stride = config.stride
        filters = config.filters
        self.filling = Filling(config)
        places = range(self.filling.n_planes)
        at_input = [config.channels.index(name) for name in config.at_input]
        # Planes after those of the channels belong to groups, and enter where these do.
        self._at_bridge = (
            [k for k in places if k not in at_input] if config.at_bridge else []
        )
        self._at_input = [k for k in places if k not in self._at_bridge]
        n_inputs = [len(self._at_input), *filters]
        n_inputs[-1] += len(self._at_bridge)
        self.contract = nn.ModuleList(
            _DoubleConv(n_in, n_out)
            for n_in, n_out in zip(n_inputs, (*filters, filters[-1]), strict=True)
        )
        n_decoders = len(CHARTS) if config.decoders == "separate" else 1
        self.decoders = nn.ModuleList(_Decoder(filters) for _ in range(n_decoders))
        self.heads = nn.ModuleList(
            nn.Conv2d(filters[0], n_out, kernel_size=1, device="meta")
            for n_out in n_outputs(config)
        )
        if seed is not None:
            self.to_empty(device="cpu")
            _initialise(self, torch.Generator().manual_seed(seed))

    def forward(self, inputs: Tensor, place: Place | None = None) -> Prediction:
        """Predict the charts of a batch.

        Parameters
        ----------
        inputs
            Shape ``(batch, channel, y, x)``, standardised, fill set to 0, or NaN if the
            network replaces it (see `Filling`). Any height and width: a plane smaller than
            one pixel of the bridge is padded with zeros, and the prediction is cut to its
            size.
        place
            Place of `inputs` in a larger plane, if they are a tile of it. Height and width
            are then multiples of the stride, unless the tile ends with the plane.
        """
        height, width = inputs.shape[-2:]
        inputs = _grown(self.filling(inputs), self._stride)
        fine = inputs[:, self._at_input] if self._at_bridge else inputs
        levels = [self.contract[0](fine)]
        for block in self.contract[1:-1]:
            levels.append(block(functional.max_pool2d(levels[-1], 2)))
        coarsest = functional.max_pool2d(levels[-1], 2)
        if self._at_bridge:
            coarse = functional.avg_pool2d(inputs[:, self._at_bridge], self._stride)
            coarsest = torch.cat([coarsest, coarse], dim=1)
        levels.append(self.contract[-1](coarsest))
        features = [d(levels, place)[..., :height, :width] for d in self.decoders]
        planes = self._ask_heads(features)
        return as_prediction(planes, self.config, is_training=self.training)

    def _ask_heads(self, features: list[Tensor]) -> Sequence[Tensor]:
        if len(features) == len(self.heads):
            return [head(f) for head, f in zip(self.heads, features, strict=True)]
        # All heads at once: reading the output of the decoder takes longer than any head.
        # Spare outputs make the number of channels one for which kernels are fast.
        heads = cast("list[nn.Conv2d]", list(self.heads))
        n_outputs = [head.out_channels for head in heads]
        n_spare = -sum(n_outputs) % _FAST_CHANNELS
        weights = torch.cat([head.weight for head in heads])
        biases = torch.cat([cast("Tensor", head.bias) for head in heads])
        weights = functional.pad(weights, (0, 0, 0, 0, 0, 0, 0, n_spare))
        biases = functional.pad(biases, (0, n_spare))
        outputs = functional.conv2d(features[0], weights, biases)
        return torch.split(outputs, [*n_outputs, n_spare], dim=1)[: len(heads)]


def on_device(network: AnyModule, device: torch.device) -> AnyModule:
    """Move a network to a device; weights of a U-Net in the fastest memory format."""
    network = network.to(device)
    if not isinstance(network, MultiTaskUNet):
        return network
    for module in network.modules():
        if isinstance(module, Convolution):
            module.has_kernels = has_kernels(device)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


class _DoubleConv(nn.Sequential):
    """Twice: 3 x 3 convolution, batch norm (which makes a bias pointless), ReLU.

    Layers are not allocated yet, so that none samples weights from the global random state.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(
            Convolution(n_in, n_out, device="meta"),
            nn.BatchNorm2d(n_out, device="meta"),
            nn.ReLU(inplace=True),
            Convolution(n_out, n_out, device="meta"),
            nn.BatchNorm2d(n_out, device="meta"),
            nn.ReLU(inplace=True),
        )


class _Decoder(nn.Module):
    """From the bridge back to the finest level, with a skip connection at each level."""

    def __init__(self, filters: tuple[int, ...]) -> None:
        super().__init__()
        skips = filters[::-1]
        below = (filters[-1], *skips[:-1])
        self.expand = nn.ModuleList(
            _DoubleConv(n_below + n_skip, n_skip)
            for n_below, n_skip in zip(below, skips, strict=True)
        )

    def forward(self, levels: Sequence[Tensor], place: Place | None) -> Tensor:
        plane = levels[-1]
        for block, skip, ratio in zip(
            self.expand, levels[-2::-1], _ratios(len(levels)), strict=True
        ):
            plane = doubled(plane) if place is None else doubled_tile(plane, place, ratio)
            # One name for all, and layers called here: the argument of a block would be
            # kept until the block ends.
            plane = _padded_to(plane, skip)
            plane = torch.cat([plane, skip], dim=1)
            for layer in cast("_DoubleConv", block):
                plane = layer(plane)
        return plane


def n_outputs(config: ModelConfig) -> list[int]:
    """Return the outputs of the head of each chart."""
    of_sic, *others = (chart.n_classes + config.fill_class for chart in CHARTS)
    return [{"regression": 1, "classes": of_sic, "both": 1 + of_sic}[config.sic], *others]


def _ratios(n_levels: int) -> list[int]:
    """Return the pixels of the input per pixel of each level, from the bridge up.

    Examples
    --------
    >>> _ratios(4)
    [8, 4, 2]
    """
    return [2**level for level in range(n_levels - 1, 0, -1)]


def _padded_to(plane: Tensor, skip: Tensor) -> Tensor:
    """Pad `plane` with zeros to the size of `skip`; an odd pixel goes after it."""
    missing_y = skip.shape[-2] - plane.shape[-2]
    missing_x = skip.shape[-1] - plane.shape[-1]
    # An exported network serves any size, so it pads even if this size needs no padding.
    # (PyTorch before 2.13 reports exporting while it compiles, too.)
    is_for_any = torch.compiler.is_exporting() and not torch.compiler.is_dynamo_compiling()
    if missing_y == missing_x == 0 and not is_for_any:
        return plane
    top, left = missing_y // 2, missing_x // 2
    return functional.pad(plane, (left, missing_x - left, top, missing_y - top))


def _grown(inputs: Tensor, smallest: int) -> Tensor:
    """Pad `inputs` with zeros to at least `smallest` pixels along each axis."""
    height, width = inputs.shape[-2:]
    missing_y, missing_x = max(smallest - height, 0), max(smallest - width, 0)
    if missing_y == 0 and missing_x == 0:
        return inputs
    return functional.pad(inputs, (0, missing_x, 0, missing_y))


def _initialise(network: nn.Module, generator: torch.Generator) -> None:
    """Sample weights as PyTorch does: uniform, within 1 / sqrt(fan-in)."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
        if isinstance(module, Filling):
            module.reset_parameters()
        if isinstance(module, nn.Conv2d):
            bound = 1 / math.sqrt(module.weight[0].numel())
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
            if module.bias is not None:
                nn.init.uniform_(module.bias, -bound, bound, generator=generator)

"""A Swin transformer with the decoder of a U-Net (extra ``networks``).

The paper mentions one (Chen et al. 2024, section 3.1) without figures; those here are of
its code: tokens of 4 x 4 pixels, windows of 8 x 8 tokens, 96 filters that double from level
to level, and 2, 2, 6 and 2 layers. Attention has 3, 6, 12 and 24 heads, as in Liu et al.
(2021). MONAI has the layers; its own ``SwinUNETR`` has tokens of 2 x 2 pixels and no skip
connections from its levels, only from what is passed to the next. The decoder is ours and
light: at each level a transposed convolution, a skip connection, and one 3 x 3 convolution;
two levels of convolutions lead from tokens back to pixels.

There is no dropout, so training samples no random numbers.
"""

from collections.abc import Mapping, Sequence

import torch
from monai.networks.blocks import PatchEmbed
from monai.networks.nets.swin_unetr import BasicLayer, PatchMergingV2
from torch import Tensor, nn
from torch.nn import functional

from seaice_model.config.run_config import SWIN_HEADS, SWIN_PATCH

_WINDOW = 8
_DEPTHS = (2, 2, 6, 2)


def build_swin(
    n_channels: int, heads: Mapping[str, int], *, filters: Sequence[int]
) -> nn.Module:
    """Build the network; `filters` are those of its four levels, from fine to coarse.

    Weights are sampled from the global random state.
    """
    return _SwinUNet(n_channels, heads, filters)


class _SwinUNet(nn.Module):
    def __init__(
        self, n_channels: int, heads: Mapping[str, int], filters: Sequence[int]
    ) -> None:
        super().__init__()
        half, whole = filters[0] // 2, filters[0] // 4
        self._stride = SWIN_PATCH * 2 ** (len(filters) - 1)
        self.pixels = _convolved(n_channels, whole)
        self.pairs = _convolved(whole, half)
        self.tokens = PatchEmbed(
            patch_size=SWIN_PATCH, in_chans=n_channels, embed_dim=filters[0], spatial_dims=2
        )
        self.levels = nn.ModuleList(
            BasicLayer(
                dim=width,
                depth=depth,
                num_heads=SWIN_HEADS * 2**level,
                window_size=(_WINDOW, _WINDOW),
                drop_path=[0.0] * depth,
                qkv_bias=True,
            )
            for level, (width, depth) in enumerate(zip(filters, _DEPTHS, strict=True))
        )
        self.merge = nn.ModuleList(
            PatchMergingV2(dim=width, spatial_dims=2) for width in filters[:-1]
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in filters)
        skips = (*filters[-2::-1], half, whole)
        below = (filters[-1], *skips[:-1])
        self.expand = nn.ModuleList(
            nn.ConvTranspose2d(n_in, n_out, kernel_size=2, stride=2)
            for n_in, n_out in zip(below, skips, strict=True)
        )
        self.mix = nn.ModuleList(_convolved(2 * n, n) for n in skips)
        self.heads = nn.ModuleList(
            nn.Conv2d(whole, n, kernel_size=1) for n in heads.values()
        )

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Map ``(batch, channel, y, x)`` of any size to a tensor for each chart."""
        height, width = inputs.shape[-2:]
        padding = (0, -width % self._stride, 0, -height % self._stride)
        if any(padding):
            inputs = functional.pad(inputs, padding)
        skips = [self.pixels(inputs)]
        skips.append(self.pairs(functional.max_pool2d(skips[0], 2)))
        plane = self.tokens(inputs)
        for level, norm in zip(self.levels, self.norms, strict=True):
            if len(skips) > 2:
                merge = self.merge[len(skips) - 3]
                plane = _channels_first(merge(_channels_last(plane)))
            plane = level(plane)
            skips.append(_channels_first(norm(_channels_last(plane))))
        plane = skips.pop()
        for expand, mix in zip(self.expand, self.mix, strict=True):
            plane = mix(torch.cat([expand(plane), skips.pop()], dim=1))
        plane = plane[..., :height, :width]
        return tuple(head(plane) for head in self.heads)


def _convolved(n_in: int, n_out: int) -> nn.Module:
    """Return a 3 x 3 convolution, batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    )


def _channels_last(plane: Tensor) -> Tensor:
    return plane.permute(0, 2, 3, 1)


def _channels_first(plane: Tensor) -> Tensor:
    return plane.permute(0, 3, 1, 2)

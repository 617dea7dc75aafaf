"""Networks of another package: two that work, and others that do not."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn


class Cnn(nn.Module):
    """A convolution, dropout, and a head for each chart; `change` spoils its outputs."""

    def __init__(
        self, n_channels: int, heads: Mapping[str, int], change: Callable[[Any], Any]
    ) -> None:
        super().__init__()
        self.first = nn.Conv2d(n_channels, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.dropout = nn.Dropout(0.2)
        self.heads = nn.ModuleDict({name: nn.Conv2d(8, n, 1) for name, n in heads.items()})
        self.register_buffer("scale", torch.tensor(0.5), persistent=False)
        self.change = change

    def forward(self, inputs: Tensor) -> Any:
        # A view, as in many networks: it fails for planes in another order in memory.
        flat = inputs.view(inputs.shape[0], inputs.shape[1], -1) * self.scale
        plane = self.norm(self.first(flat.view(inputs.shape)))
        plane = self.dropout(plane.relu())
        return self.change({name: head(plane) for name, head in self.heads.items()})


def small_cnn(n_channels: int, heads: Mapping[str, int]) -> nn.Module:
    return Cnn(n_channels, heads, lambda planes: tuple(planes.values()))


def by_chart(n_channels: int, heads: Mapping[str, int]) -> nn.Module:
    return Cnn(n_channels, heads, lambda planes: dict(reversed(planes.items())))


class LooksAtValues(nn.Module):
    """A network that looks at values, which no exported graph can."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, inputs: Tensor) -> Any:
        return self.module(inputs * (2 if float(inputs.mean()) > 0 else 1))


def looks_at_values(n_channels: int, heads: Mapping[str, int]) -> nn.Module:
    return LooksAtValues(small_cnn(n_channels, heads))


def raises(n_channels: int, heads: Mapping[str, int]) -> nn.Module:
    raise ValueError(f"cannot take {n_channels} channels\nof {sorted(heads)}")


def no_module(_n_channels: int, _heads: Mapping[str, int]) -> Any:
    return lambda inputs: inputs


def no_weights(_n_channels: int, _heads: Mapping[str, int]) -> nn.Module:
    return nn.Identity()


def lazy(_n_channels: int, heads: Mapping[str, int]) -> nn.Module:
    return nn.LazyConv2d(sum(heads.values()), 1)


def two_outputs(n_channels: int, heads: Mapping[str, int]) -> nn.Module:
    return Cnn(n_channels, heads, lambda planes: tuple(planes.values())[:2])


def half_size(n_channels: int, heads: Mapping[str, int]) -> nn.Module:
    return Cnn(n_channels, heads, lambda ps: tuple(p[..., ::2, ::2] for p in ps.values()))


def classes(n_channels: int, heads: Mapping[str, int]) -> nn.Module:
    return Cnn(n_channels, heads, lambda ps: [p.argmax(1, True) for p in ps.values()])


def no_sod(n_channels: int, heads: Mapping[str, int]) -> nn.Module:
    return Cnn(n_channels, heads, lambda planes: {"SIC": planes["SIC"]})


def no_gradient(n_channels: int, heads: Mapping[str, int]) -> nn.Module:
    return Cnn(n_channels, heads, lambda ps: tuple(p.detach() for p in ps.values()))


def out_of_place(n_channels: int, heads: Mapping[str, int]) -> nn.Module:
    return Cnn(n_channels, heads, lambda planes: planes["ICE"])


def not_finite(n_channels: int, heads: Mapping[str, int]) -> nn.Module:
    return Cnn(n_channels, heads, lambda ps: tuple(p / 0 for p in ps.values()))


def with_mask(n_channels: int, heads: Mapping[str, int]) -> nn.Module:
    module = small_cnn(n_channels, heads)
    module.register_buffer("mask", torch.full((2, 2), -torch.inf).triu(1))
    return module


def sparse(n_channels: int, heads: Mapping[str, int]) -> nn.Module:
    module = small_cnn(n_channels, heads)
    module.register_buffer("graph", torch.eye(2).to_sparse())
    return module


def without_values(n_channels: int, heads: Mapping[str, int]) -> nn.Module:
    with torch.device("meta"):
        return small_cnn(n_channels, heads)


def ends(_n_channels: int, _heads: Mapping[str, int]) -> nn.Module:
    raise SystemExit(0)


def talks(n_channels: int, heads: Mapping[str, int]) -> nn.Module:
    print("welcome")  # noqa: T201 - as some packages do
    return small_cnn(n_channels, heads)


def bfloat16(n_channels: int, heads: Mapping[str, int]) -> nn.Module:
    return Cnn(n_channels, heads, lambda ps: tuple(p.bfloat16() for p in ps.values()))

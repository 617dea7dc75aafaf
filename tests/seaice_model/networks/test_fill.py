"""What networks see in place of fill."""

import pytest
import torch
from torch import Tensor

from seaice_model.config.run_config import Fill, Fusion, ModelConfig
from seaice_model.errors import ConfigError
from seaice_model.networks.build import build_network
from seaice_model.networks.device import as_planes
from seaice_model.networks.fill import Filling

NAN = torch.nan
CHANNELS = ("hh", "btemp_18_7h", "t2m", "btemp_18_7v")


def model(fill: Fill, fusion: Fusion = "input") -> ModelConfig:
    return ModelConfig(channels=CHANNELS, filters=(4, 8), fill=fill, fusion=fusion)


def filled(fill: Fill, *pixel: float, numbers: list[float] | None = None) -> list[float]:
    """Return what a network sees of a pixel of `CHANNELS`."""
    filling = Filling(model(fill))
    if numbers is not None:
        assert filling.numbers is not None
        filling.numbers.data = torch.tensor(numbers)
    planes: Tensor = filling(as_planes(torch.tensor(pixel).view(1, 1, 1, -1), fill))
    assert planes.shape == (1, filling.n_planes, 1, 1)
    return [float(value) for value in planes.detach().flatten()]


def test_zero_is_the_mean_of_every_channel() -> None:
    assert filled("zero", NAN, 2, NAN, 4) == [0, 2, 0, 4]


def test_a_mask_says_where_a_whole_group_is_missing() -> None:
    # HH, 18.7 GHz H, t2m, 18.7 GHz V; then AMSR2 and ERA5.
    assert filled("mask", 1, 2, 3, 4) == [1, 2, 3, 4, 0, 0]
    assert filled("mask", 1, NAN, 3, NAN) == [1, 0, 3, 0, 1, 0]
    assert filled("mask", 1, NAN, 3, 4) == [1, 0, 3, 4, 0, 0]  # a part of the group
    assert filled("mask", NAN, 2, NAN, 4) == [0, 2, 0, 4, 0, 1]


def test_constants_are_those_of_their_channels() -> None:
    assert filled("constant", NAN, NAN, NAN, NAN) == [0, 0, 0, 0]
    numbers = [0.5, 0.25, -1.0]  # 18.7 GHz H, t2m, 18.7 GHz V
    assert filled("constant", 1, 2, 3, 4, numbers=numbers) == [1, 2, 3, 4]
    assert filled("constant", NAN, NAN, 3, NAN, numbers=numbers) == [0, 0.5, 3, -1]
    assert filled("constant", 1, 2, NAN, 4, numbers=numbers) == [1, 2, 0.25, 4]


@pytest.mark.parametrize("fusion", ["input", "bottleneck"])
def test_constants_are_learned_from_zero(fusion: Fusion) -> None:
    inputs = torch.randn(2, 16, 16, 4, generator=torch.Generator().manual_seed(0))
    inputs[0, ..., [1, 3]] = NAN
    zero = build_network(model("zero", fusion), seed=3)
    constant = build_network(model("constant", fusion), seed=3)
    theirs = zero(as_planes(inputs))
    ours = constant(as_planes(inputs, "constant"))
    torch.testing.assert_close(ours.sod, theirs.sod, rtol=0, atol=0)
    added = {*constant.state_dict()} - {*zero.state_dict()}
    assert added == {"filling.numbers"}
    ours.sod.square().sum().backward()
    gradient = constant.state_dict(keep_vars=True)["filling.numbers"].grad
    assert gradient is not None
    assert gradient[[0, 2]].all()
    assert not gradient[1]  # t2m is there


@pytest.mark.parametrize("fill", ["mask", "constant"])
@pytest.mark.parametrize("fusion", ["input", "bottleneck"])
def test_the_rest_of_a_network_does_not_see_fill(fill: Fill, fusion: Fusion) -> None:
    network = build_network(model(fill, fusion), seed=3).eval()
    inputs = torch.full((1, 5, 3, 4), NAN)  # smaller than a pixel of the bridge
    prediction = network(as_planes(inputs, fill))
    assert all(plane.isfinite().all() for plane in prediction)


def test_a_mask_enters_where_its_group_does() -> None:
    counts = {}
    for fusion in ("input", "bottleneck"):
        weights = build_network(model("mask", fusion), seed=None).state_dict()  # type: ignore[arg-type]
        counts[fusion] = (
            weights["contract.0.0.weight"].shape[1], weights["contract.2.0.weight"].shape[1]
        )  # fmt: skip
    assert counts == {"input": (6, 8), "bottleneck": (1, 8 + 5)}


def test_a_mask_needs_a_group_to_mask() -> None:
    with pytest.raises(ConfigError, match="fill 'mask' needs channels") as caught:
        ModelConfig(channels=("hh", "hv"), fill="mask")
    assert caught.value.hint == "add some, or set fill to 'zero'"

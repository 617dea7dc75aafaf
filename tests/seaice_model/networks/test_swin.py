"""The Swin transformer has the sizes asked for, and takes planes of any size."""

import subprocess
import sys

import pytest
import torch

from seaice_model.config.presets import find_preset
from seaice_model.config.run_config import ModelConfig
from seaice_model.networks.build import build_network
from seaice_model.networks.registry import NamedNetwork, try_network

SMALL = ModelConfig(channels=("hh", "hv"), network="swin-unetr", filters=(12, 24, 48, 96))


def built(config: ModelConfig, size: int = 64) -> NamedNetwork:
    network = build_network(config, seed=0, patch_size=size)
    assert isinstance(network, NamedNetwork)
    return network.eval()


def test_its_layers_are_those_of_the_code_of_the_paper() -> None:
    network = built(find_preset("swin").config.model, 256)
    shapes = {name: tuple(w.shape) for name, w in network.named_parameters()}
    assert shapes["module.tokens.proj.weight"] == (96, 16, 4, 4)
    for level, (depth, width) in enumerate([(2, 96), (2, 192), (6, 384), (2, 768)]):
        layers = f"module.levels.{level}.blocks"
        biases = [n for n in shapes if n.startswith(layers) and n.endswith("bias_table")]
        assert len(biases) == depth
        # Windows of 8 x 8 tokens, with heads of 32 filters.
        assert {shapes[name] for name in biases} == {(15 * 15, width // 32)}
        assert shapes[f"{layers}.0.attn.proj.weight"] == (width, width)


@pytest.mark.parametrize("shape", [(64, 64), (96, 96), (33, 50)])
def test_planes_keep_their_size(shape: tuple[int, int]) -> None:
    with torch.inference_mode():
        prediction = built(SMALL)(torch.randn(2, 2, *shape))
    assert [tuple(plane.shape) for plane in prediction] == [
        (2, *shape),
        (2, 6, *shape),
        (2, 7, *shape),
    ]


def test_every_weight_learns() -> None:
    network = built(SMALL)
    try_network(network)
    prediction = network.train()(torch.randn(2, 2, 64, 64))
    torch.autograd.backward([plane.square().sum() for plane in prediction])
    without = [
        n for n, w in network.named_parameters() if w.grad is None or not w.grad.any()
    ]
    # The key of attention has no effect through its bias: softmax takes it away.
    assert [name for name in without if "qkv.bias" not in name] == []


def test_weights_follow_from_the_seed() -> None:
    one, other = built(SMALL).state_dict(), built(SMALL).state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_extra_is_imported_late() -> None:
    code = "import seaice_model.networks.build, sys; sys.exit('monai' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)

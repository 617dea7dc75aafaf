"""Networks with official weights, those that the paper's authors published.

Names and shapes of the weights decide filters, decoders and heads. Outputs agree with those
of the official code to 1e-5 (tests/seaice_model/networks/test_published_weights.py).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from seaice_data.channels import OFFICIAL_CHANNELS
from seaice_data.charts import SOD
from seaice_model.config.run_config import ModelConfig
from seaice_model.errors import RunError
from seaice_model.networks.pickled_tensors import read_tensors
from seaice_model.networks.unet import MultiTaskUNet

_DECODERS = {
    "shared": ("expand_blocks",),
    "separate": ("expand_sic_blocks", "expand_sod_blocks", "expand_floe_blocks"),
}
_HEADS = ("sic_feature_map", "sod_feature_map", "floe_feature_map")


def load_official_state_dict(
    path_or_mapping: Path | str | Mapping[str, Tensor],
    channels: Sequence[str] = OFFICIAL_CHANNELS,
) -> MultiTaskUNet:
    """Build the network of official weights.

    Filters, decoders and the kind of the SIC head are read from the names and shapes; heads
    have the output for fill (`ModelConfig.fill_class`) if the weights have it. Weights that
    the official forward pass does not use are left out.

    Parameters
    ----------
    path_or_mapping
        An official checkpoint file, or its state dict. Only tensors are read from a file:
        the configuration that is pickled with them, functions included, is skipped, and no
        code in it is run.
    channels
        Names of the input planes in the order that the weights were trained with.

    Raises
    ------
    RunError
        If the file cannot be read, weights are missing, or the number of channels differs.
    """
    state = _state(path_or_mapping)
    config = _config(state, tuple(channels))
    network = MultiTaskUNet(config, seed=None)  # takes no memory until it has weights
    network.load_state_dict(
        {
            name: _tensor(state, source, target)
            for (name, target), source in zip(
                network.state_dict().items(),
                _names(network, state),
                strict=True,
            )
        },
        assign=True,
    )
    return network.eval()


def _state(path_or_mapping: Path | str | Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the state dict in a file or a mapping, without its wrappers."""
    if isinstance(path_or_mapping, Mapping):
        loaded = path_or_mapping
    else:
        loaded = read_tensors(Path(path_or_mapping))
    named = loaded.get("model_state_dict", loaded)
    if not isinstance(named, Mapping):
        raise RunError("the weights have no names")
    # Wrappers for several GPUs and for compilation put a prefix before every name.
    return {
        name.removeprefix("module.").removeprefix("_orig_mod."): tensor
        for name, tensor in named.items()
        if isinstance(name, str) and isinstance(tensor, Tensor)
    }


def _config(state: Mapping[str, Tensor], channels: tuple[str, ...]) -> ModelConfig:
    first = _find(state, "input_block.double_conv.0.weight")
    if first.ndim != 4:
        raise RunError(f"the first weights have shape {tuple(first.shape)}, not 4 axes")
    if first.shape[1] != len(channels):
        raise RunError(
            f"the weights are for {first.shape[1]} channels, {len(channels)} are named",
            hint="name the channels in the order that the weights were trained with",
        )
    n_contract = len(
        {name.split(".")[1] for name in state if name.startswith("contract_blocks.")}
    )
    filters = [first.shape[0]]
    for level in range(n_contract):
        name = f"contract_blocks.{level}.double_conv.double_conv.0.weight"
        filters.append(_find(state, name).shape[:1].numel())
    is_separate = any(name.startswith("expand_sic_blocks.") for name in state)
    return ModelConfig(
        channels=channels,
        filters=tuple(filters),
        decoders="separate" if is_separate else "shared",
        sic="regression" if "regression_layer.weight" in state else "classes",
        fill_class=_find(state, f"{_HEADS[1]}.feature_out.bias").numel() > SOD.n_classes,
    )


def _names(network: MultiTaskUNet, state: Mapping[str, Tensor]) -> list[str]:
    """Return the official name of every entry of the network's state dict, in order."""
    n_levels = len(network.config.filters)
    contract = [
        "input_block.double_conv",
        *(f"contract_blocks.{i}.double_conv.double_conv" for i in range(n_levels - 1)),
        "bridge.double_conv.double_conv",
    ]
    expand = [
        f"{decoder}.{i}.double_conv.double_conv"
        for decoder in _DECODERS[network.config.decoders]
        for i in range(n_levels)
    ]
    layers = list(network.contract[0].state_dict())
    names = [f"{block}.{layer}" for block in contract + expand for layer in layers]
    heads = [f"{head}.feature_out" for head in _HEADS]
    if "regression_layer.weight" in state:
        heads[0] = "regression_layer"
    return names + [f"{head}.{kind}" for head in heads for kind in ("weight", "bias")]


def _find(state: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in state:
        raise RunError(
            f"the weights have no {name!r}",
            hint="they must be those of the official U-Net",
        )
    return state[name]


def _tensor(state: Mapping[str, Tensor], name: str, target: Tensor) -> Tensor:
    """Return an official tensor in our shape and type."""
    tensor, shape = _find(state, name), target.shape
    while tensor.ndim < len(shape):  # the regression layer is linear: (1, filter)
        tensor = tensor.unsqueeze(-1)
    if tensor.shape != shape:
        raise RunError(
            f"weights {name!r} have shape {tuple(tensor.shape)}, {tuple(shape)} is needed"
        )
    return tensor.detach().to(target.dtype, copy=True)

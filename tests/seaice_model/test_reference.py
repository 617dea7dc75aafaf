"""Figures in `reference_networks.npz`: outputs of the paper's code for its own weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from seaice_model.errors import RunError
from seaice_model.reference import load_reference

FIGURES = Path(__file__).parents[1] / "data" / "reference_networks.npz"


def reference_state(key: str) -> dict[str, Tensor]:
    with np.load(FIGURES) as figures:
        shapes = json.loads(str(figures[f"{key}/names"]))
        values = torch.from_numpy(figures[f"{key}/values"])
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    state = {
        name: part.reshape(shape)
        for (name, shape), part in zip(shapes.items(), values.split(sizes), strict=True)
    }
    for name in list(state):
        if name.endswith("running_var"):
            state[name.replace("running_var", "num_batches_tracked")] = torch.tensor(0)
    return state


def classes_state() -> dict[str, Tensor]:
    """The shared network without its regression layer is that of Model 8."""
    return {
        name: tensor
        for name, tensor in reference_state("shared").items()
        if not name.startswith("regression_layer")
    }


def reference_inputs(height: int, width: int) -> Tensor:
    k, i, j = np.meshgrid(np.arange(16), np.arange(height), np.arange(width), indexing="ij")
    values = (i * 7919 + j * 104729 + k * 15485863) % 65536 / 32768 - 1
    return torch.from_numpy(values.astype(np.float32))[None]


def figure(key: str) -> NDArray[Any]:
    with np.load(FIGURES) as figures:
        return np.asarray(figures[key])


@pytest.mark.parametrize(("height", "width", "step"), [(32, 32, 8), (37, 45, 3)])
@pytest.mark.parametrize("name", ["unet", "unet_regression", "unet_sep_dec_mse"])
def test_published_weights_give_their_outputs(
    name: str, height: int, width: int, step: int
) -> None:
    state = {
        "unet": classes_state,
        "unet_regression": lambda: reference_state("shared"),
        "unet_sep_dec_mse": lambda: reference_state("separate"),
    }[name]()
    with torch.no_grad():
        prediction = load_reference(state)(reference_inputs(height, width))
    for chart, plane in zip(("SIC", "SOD", "FLOE"), prediction, strict=True):
        # SOD and FLOE are the same with and without the regression of SIC.
        source = "unet" if chart != "SIC" and name == "unet_regression" else name
        expected = figure(f"{source}/{height}x{width}/{chart}")
        ours = plane.reshape(-1, height, width)[:, ::step, ::step].numpy()
        # The last class of the reference heads is never trained, and ours have none.
        np.testing.assert_allclose(ours, expected[: len(ours)], atol=1e-5)


def test_kinds_of_network_are_read_from_the_names() -> None:
    assert load_reference(reference_state("shared")).config.sic == "regression"
    assert load_reference(classes_state()).config.sic == "classes"
    assert load_reference(reference_state("separate")).config.decoders == "separate"
    assert load_reference(classes_state()).config.filters == (4, 4, 8, 8)


def test_a_checkpoint_file_is_read_without_running_code(tmp_path: Path) -> None:
    wrapped = {f"module.{name}": w for name, w in reference_state("shared").items()}
    torch.save({"model_state_dict": wrapped, "epoch": 7}, tmp_path / "best.pth")
    network = load_reference(tmp_path / "best.pth")
    assert not network.training
    torch.save(Path("x"), tmp_path / "code.pth")  # a pickled object that is no tensor
    with pytest.raises(RunError, match="cannot read weights from"):
        load_reference(tmp_path / "code.pth")


def test_missing_weights_are_named() -> None:
    state = reference_state("shared")
    del state["bridge.double_conv.double_conv.3.weight"]
    with pytest.raises(RunError, match=r"no 'bridge\.double_conv\.double_conv\.3\.weight'"):
        load_reference(state)


def test_another_number_of_channels_is_refused() -> None:
    with pytest.raises(RunError, match="take 16 channels, 2 are named"):
        load_reference(reference_state("shared"), ("hh", "hv"))

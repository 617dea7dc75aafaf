import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from seaice_model.config import ModelConfig
from seaice_model.losses import masked_cross_entropy, masked_mse, total_loss
from seaice_model.unet import MultiTaskUNet, Prediction

FIGURES = Path(__file__).parents[1] / "data" / "reference_losses.npz"


def test_squared_error_counts_valid_pixels_only() -> None:
    prediction = torch.tensor([[[1.0, 5.0, 7.0]]])
    chart = torch.tensor([[[3, 6, 255]]])
    assert masked_mse(prediction, chart) == (4 + 1) / 2


def test_cross_entropy_counts_valid_pixels_only() -> None:
    logits = torch.tensor([[[[0.0, 0.0]], [[0.0, 9.0]]]])  # two classes, two pixels
    chart = torch.tensor([[[1, 255]]])
    assert masked_cross_entropy(logits, chart) == pytest.approx(math.log(2))


def test_an_empty_chart_has_loss_0_and_no_gradient() -> None:
    empty = torch.full((1, 2, 2), 255)
    sic = torch.ones(1, 2, 2, requires_grad=True)
    sod = torch.ones(1, 6, 2, 2, requires_grad=True)
    loss = masked_mse(sic, empty) + masked_cross_entropy(sod, empty)
    loss.backward()
    assert loss == 0
    assert sic.grad is not None
    assert sod.grad is not None
    assert not sic.grad.any()
    assert not sod.grad.any()


def test_a_batch_with_an_empty_chart_keeps_every_gradient_finite() -> None:
    network = MultiTaskUNet(ModelConfig(channels=("hh",), filters=(4, 4)))
    charts = torch.zeros(2, 3, 8, 8, dtype=torch.int64)
    charts[:, 0] = 255
    prediction = network(torch.randn(2, 1, 8, 8, generator=torch.Generator()))
    total_loss(prediction, charts, (1, 3, 3)).total.backward()
    assert all(w.grad is not None and w.grad.isfinite().all() for w in network.parameters())


def test_the_sum_is_weighted() -> None:
    charts = torch.tensor([[[[2]], [[0]], [[0]]]])
    prediction = Prediction(
        torch.zeros(1, 1, 1), torch.zeros(1, 6, 1, 1), torch.zeros(1, 7, 1, 1)
    )
    losses = total_loss(prediction, charts, (1, 3, 3))
    assert losses.sic == 4
    assert losses.total == pytest.approx(4 + 3 * math.log(6) + 3 * math.log(7))


@pytest.fixture(scope="module")
def figures() -> dict[str, Tensor]:
    with np.load(FIGURES) as file:
        tensors = {name: torch.from_numpy(file[name]) for name in file.files}
    return {
        name: tensor.long() if name.startswith("y_") else tensor
        for name, tensor in tensors.items()
    }


def test_losses_are_those_of_the_reference(figures: dict[str, Tensor]) -> None:
    prediction = Prediction(
        figures["out_SIC"][..., 0], figures["out_SOD"], figures["out_FLOE"]
    )
    charts = torch.stack([figures[f"y_{name}"] for name in ("SIC", "SOD", "FLOE")], dim=1)
    losses = total_loss(prediction, charts, (1, 3, 3))
    torch.testing.assert_close(losses.sic, figures["loss_SIC"])
    torch.testing.assert_close(losses.sod, figures["loss_SOD"])
    torch.testing.assert_close(losses.floe, figures["loss_FLOE"])
    torch.testing.assert_close(losses.total, figures["combined_1_3_3"])


def test_half_precision_is_summed_in_full() -> None:
    # 60 000 times 1 overflows float16 at 65 504 with weight 3, and bfloat16 loses digits.
    prediction = torch.ones(1, 200, 300, dtype=torch.bfloat16)
    chart = torch.full((1, 200, 300), 3)
    assert masked_mse(prediction, chart) == 4

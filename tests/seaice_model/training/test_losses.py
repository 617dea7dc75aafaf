import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from seaice_model.config.run_config import ClassLoss, ModelConfig, TrainConfig
from seaice_model.networks.unet import MultiTaskUNet, Prediction
from seaice_model.training.learned_weights import LearnedWeights
from seaice_model.training.losses import (
    count_valid,
    masked_cross_entropy,
    masked_focal,
    masked_mse,
    masked_ordinal,
    total_loss,
)

PAPER = TrainConfig()  # weights 1, 3, 3
FIGURES = Path(__file__).parents[2] / "data" / "reference_losses.npz"


def test_squared_error_counts_valid_pixels_only() -> None:
    prediction = torch.tensor([[[1.0, 5.0, 7.0]]])
    chart = torch.tensor([[[3, 6, 255]]])
    assert masked_mse(prediction, chart) == (4 + 1) / 2


def test_cross_entropy_counts_valid_pixels_only() -> None:
    logits = torch.tensor([[[[0.0, 0.0]], [[0.0, 9.0]]]])  # two classes, two pixels
    chart = torch.tensor([[[1, 255]]])
    assert masked_cross_entropy(logits, chart) == pytest.approx(math.log(2))


def test_focal_loss_weighs_confident_pixels_less() -> None:
    # Probabilities 1/2 and 9/10 of the right class.
    logits = torch.tensor([[[[0.0, math.log(9)]], [[0.0, 0.0]]]])
    chart = torch.tensor([[[0, 0]]])
    expected = (0.25 * math.log(2) + 0.01 * math.log(10 / 9)) / 2
    assert masked_focal(logits, chart, 2.0).item() == pytest.approx(expected)
    plain = masked_cross_entropy(logits, chart)
    torch.testing.assert_close(masked_focal(logits, chart, 0.0), plain)


def test_focal_loss_of_a_certain_pixel_has_a_finite_gradient() -> None:
    logits = torch.tensor([[[[90.0]], [[0.0]]]], requires_grad=True)
    masked_focal(logits, torch.tensor([[[0]]]), 0.5).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_ordinal_loss_adds_the_expected_distance() -> None:
    logits = torch.zeros(1, 3, 1, 2)
    chart = torch.tensor([[[0, 255]]])  # classes 0, 1 and 2 are equally likely
    expected = math.log(3) + (0 + 1 + 2) / 3
    assert masked_ordinal(logits, chart).item() == pytest.approx(expected)
    # A far class costs more than a near one that is as likely.
    near, far = torch.tensor([9.0, 9, 0]), torch.tensor([9.0, 0, 9])
    one = torch.tensor([[[0]]])
    assert masked_ordinal(near.view(1, 3, 1, 1), one) < masked_ordinal(
        far.view(1, 3, 1, 1), one
    )


@pytest.mark.parametrize(
    "loss", [masked_cross_entropy, masked_focal, masked_ordinal, masked_mse]
)
def test_an_empty_chart_has_loss_0_and_no_gradient(
    loss: Callable[[Tensor, Tensor], Tensor],
) -> None:
    empty = torch.full((1, 2, 2), 255)
    shape = (1, 2, 2) if loss is masked_mse else (1, 6, 2, 2)
    plane = torch.ones(shape, requires_grad=True)
    value = loss(plane, empty)
    value.backward()  # type: ignore[no-untyped-call]
    assert value == 0
    assert plane.grad is not None
    assert not plane.grad.any()


@pytest.mark.parametrize("class_loss", ["cross-entropy", "focal", "ordinal"])
def test_a_batch_with_empty_charts_keeps_every_gradient_finite(
    class_loss: ClassLoss,
) -> None:
    config = TrainConfig(class_loss=class_loss)
    generator = torch.Generator()
    for empty in ([0], [1], [2], [0, 1, 2]):
        network = MultiTaskUNet(ModelConfig(channels=("hh",), filters=(4, 4)))
        charts = torch.zeros(2, 3, 8, 8, dtype=torch.int64)
        charts[:, empty] = 255
        prediction = network(torch.randn(2, 1, 8, 8, generator=generator))
        losses = total_loss(prediction, charts, config)
        losses.total.backward()
        assert all(losses[1 + k] == 0 for k in empty)
        for weights in network.parameters():
            assert weights.grad is not None
            assert weights.grad.isfinite().all()


def test_shares_of_a_batch_have_the_loss_of_the_batch_as_their_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    prediction = Prediction(
        torch.randn(4, 5, 5, generator=generator),
        torch.randn(4, 6, 5, 5, generator=generator),
        torch.randn(4, 7, 5, 5, generator=generator),
    )
    charts = torch.randint(0, 6, (4, 3, 5, 5), generator=generator)
    charts[:2, 1] = 255  # one share has no SOD at all
    charts[3, :, 2:] = 255
    whole = total_loss(prediction, charts, PAPER)
    shares = [slice(0, 2), slice(2, 4)]
    n_valid = sum(count_valid(charts[share]) for share in shares) / 2
    parts = [
        total_loss(Prediction(*(p[s] for p in prediction)), charts[s], PAPER, n_valid)
        for s in shares
    ]
    for k, loss in enumerate(whole):
        torch.testing.assert_close((parts[0][k] + parts[1][k]) / 2, loss)


def test_the_sum_is_weighted() -> None:
    charts = torch.tensor([[[[2]], [[0]], [[0]]]])
    prediction = Prediction(
        torch.zeros(1, 1, 1), torch.zeros(1, 6, 1, 1), torch.zeros(1, 7, 1, 1)
    )
    losses = total_loss(prediction, charts, PAPER)
    assert losses.sic == 4
    assert losses.total == pytest.approx(4 + 3 * math.log(6) + 3 * math.log(7))


def test_sic_as_both_has_the_mean_of_both_losses() -> None:
    charts = torch.tensor([[[[2, 255]], [[0, 255]], [[0, 255]]]])
    sic = torch.zeros(1, 12, 1, 2)
    sic[0, 0] = 5.0
    prediction = Prediction(sic, torch.zeros(1, 6, 1, 2), torch.zeros(1, 7, 1, 2))
    losses = total_loss(prediction, charts, PAPER)
    assert losses.sic.item() == pytest.approx((9 + math.log(11)) / 2)
    assert losses.sod.item() == pytest.approx(math.log(6))


def test_learned_weights_replace_those_of_the_settings() -> None:
    charts = torch.tensor([[[[2]], [[0]], [[255]]]])
    prediction = Prediction(
        torch.zeros(1, 1, 1), torch.zeros(1, 6, 1, 1), torch.zeros(1, 7, 1, 1)
    )
    learned = LearnedWeights((2.0, 1.0, 5.0), torch.device("cpu"))
    losses = total_loss(prediction, charts, PAPER, learned=learned)
    # No pixel has FLOE, so its noise is not in the total.
    assert losses.total.item() == pytest.approx(2 * 4 + math.log(6) - math.log(2) / 2)
    assert losses.floe == 0


@pytest.fixture(scope="module")
def figures() -> dict[str, Tensor]:
    with np.load(FIGURES) as file:
        tensors = {name: torch.from_numpy(file[name]) for name in file.files}
    return {
        name: tensor.long() if name.startswith("y_") else tensor
        for name, tensor in tensors.items()
    }


def test_losses_are_the_official_ones(figures: dict[str, Tensor]) -> None:
    prediction = Prediction(
        figures["out_SIC"][..., 0], figures["out_SOD"], figures["out_FLOE"]
    )
    charts = torch.stack([figures[f"y_{name}"] for name in ("SIC", "SOD", "FLOE")], dim=1)
    losses = total_loss(prediction, charts, PAPER)
    torch.testing.assert_close(losses.sic, figures["loss_SIC"])
    torch.testing.assert_close(losses.sod, figures["loss_SOD"])
    torch.testing.assert_close(losses.floe, figures["loss_FLOE"])
    torch.testing.assert_close(losses.total, figures["combined_1_3_3"])


def test_half_precision_is_summed_in_full() -> None:
    # 60 000 times 1 overflows float16 at 65 504 with weight 3, and bfloat16 loses digits.
    prediction = torch.ones(1, 200, 300, dtype=torch.bfloat16)
    chart = torch.full((1, 200, 300), 3)
    assert masked_mse(prediction, chart) == 4


def test_patches_count_by_their_weight() -> None:
    prediction = Prediction(
        torch.tensor([[[1.0]], [[2.0]]]), torch.zeros(2, 6, 1, 1), torch.zeros(2, 7, 1, 1)
    )
    charts = torch.zeros(2, 3, 1, 1, dtype=torch.int64)
    weights, n_valid = torch.tensor([3.0, 1.0]), torch.full((3,), 5.0)
    losses = total_loss(prediction, charts, PAPER, n_valid, weights)
    assert losses.sic == (3 * 1 + 1 * 4) / 5
    torch.testing.assert_close(losses.sod, torch.tensor(4 / 5 * math.log(6)))

"""Weights of the losses move towards the inverse of twice their loss."""

import math

import pytest
import torch

from seaice_model.training.learned_weights import LearnedWeights

CPU = torch.device("cpu")
ALL_VALID = torch.ones(3)


def test_the_first_weights_are_those_given() -> None:
    learned = LearnedWeights((1.0, 3.0, 0.0), CPU)
    torch.testing.assert_close(learned.weights(), torch.tensor([1.0, 3.0, 0.0]))


def test_the_total_and_its_gradient_are_those_by_hand() -> None:
    learned = LearnedWeights((1.0, 4.0, 0.5), CPU)
    losses = torch.tensor([5.0, 0.25, 1.0], requires_grad=True)
    total = learned.total(losses, ALL_VALID)
    total.backward()  # type: ignore[no-untyped-call]
    noise = (0 - math.log(4) - math.log(0.5)) / 2
    assert total.item() == pytest.approx(5 + 1 + 0.5 + noise)
    torch.testing.assert_close(losses.grad, learned.weights().detach())
    # -exp(-s) * loss + 1 / 2: SIC and SOD weigh too much, FLOE is where it stays.
    torch.testing.assert_close(learned.log_variances.grad, torch.tensor([-4.5, -0.5, 0.0]))


def test_weights_find_the_inverse_of_twice_the_loss() -> None:
    learned = LearnedWeights((1.0, 3.0, 3.0), CPU)
    optimiser = torch.optim.SGD([learned.log_variances], lr=0.5)
    losses = torch.tensor([2.0, 0.5, 0.25])
    for _ in range(100):
        optimiser.zero_grad()
        learned.total(losses, ALL_VALID).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    torch.testing.assert_close(learned.weights(), torch.tensor([0.25, 1.0, 2.0]))


def test_the_formula_for_numbers_gives_the_same_weight() -> None:
    """Kendall et al. have half the loss for numbers; its best weight is the same."""
    loss, s = 5.0, torch.linspace(-3, 5, 8001)
    of_numbers = torch.exp(-s) * loss / 2 + s / 2
    best = math.exp(-s[of_numbers.argmin()].item()) / 2
    assert best == pytest.approx(1 / (2 * loss), rel=1e-3)


def test_a_chart_of_weight_0_or_without_a_pixel_learns_nothing() -> None:
    learned = LearnedWeights((1.0, 0.0, 3.0), CPU)
    losses = torch.tensor([0.0, 7.0, 1.0], requires_grad=True)
    total = learned.total(losses, torch.tensor([0.0, 5.0, 5.0]))
    total.backward()  # type: ignore[no-untyped-call]
    assert total.item() == pytest.approx(3 - math.log(3) / 2)
    torch.testing.assert_close(learned.log_variances.grad, torch.tensor([0.0, 0.0, -2.5]))
    torch.testing.assert_close(losses.grad, torch.tensor([1.0, 0.0, 3.0]))

"""Batch norm and ReLU in one are the two, in value, gradient and memory."""

import copy

import pytest
import torch
from torch import Tensor, nn

from seaice_model.normalise import normalised

pytestmark = pytest.mark.filterwarnings("ignore")  # of the compiler, about itself


def make_norm() -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(3)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([0.5, -2.0, 1.0]))
        norm.bias.copy_(torch.tensor([0.1, 0.0, -0.7]))
    return norm


def both(norm: nn.BatchNorm2d) -> tuple[list[Tensor], list[Tensor]]:
    """Return results, gradients and running values: compiled, and of PyTorch's layers."""
    generator = torch.Generator().manual_seed(1)
    planes = 3 * torch.randn(2, 3, 7, 5, generator=generator) + 1
    gradient = torch.randn(2, 3, 7, 5, generator=generator)
    told = []
    for judge in (False, True):
        own, start = copy.deepcopy(norm), planes.clone().requires_grad_()

        def forward(start: Tensor, own: nn.BatchNorm2d = own) -> Tensor:
            return normalised(start, own)

        if judge:
            result = torch.relu(own(start))
        else:
            torch._dynamo.reset()
            result = torch.compile(forward, backend="aot_eager", fullgraph=True)(start)
        gradients = torch.autograd.grad(result, [start, own.weight, own.bias], gradient)
        told.append([result.detach(), *gradients, *own.buffers()])
    return told[0], told[1]


@pytest.mark.parametrize("is_training", [True, False])
def test_compiled_it_is_batch_norm_and_relu(*, is_training: bool) -> None:
    ours, theirs = both(make_norm().train(is_training))
    assert len(ours) == 7
    for got, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_a_mean_of_several_processes_is_left_to_them() -> None:
    norm = nn.SyncBatchNorm.convert_sync_batchnorm(make_norm()).eval()
    planes = torch.randn(1, 3, 4, 4)
    torch.testing.assert_close(normalised(planes, norm), torch.relu(norm(planes)))

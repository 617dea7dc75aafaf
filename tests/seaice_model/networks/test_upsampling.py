"""Every implementation doubles planes alike, and has the same gradients."""

import pytest
import torch
from torch.nn import functional

from seaice_model.networks.upsampling import Place, doubled, doubled_tile

pytestmark = pytest.mark.filterwarnings("ignore")  # of the compiler, about itself


def compiled_doubled(planes: torch.Tensor) -> torch.Tensor:
    """Double as compiled code does, without waiting for the compiler."""
    compiled: torch.Tensor = torch.compile(doubled, backend="aot_eager")(planes)
    return compiled


def test_corners_stay_corners() -> None:
    plane = torch.tensor([[[[0.0, 3.0], [6.0, 9.0]]]])
    expected = torch.tensor([[0.0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7], [6, 7, 8, 9]])
    for double in (doubled, compiled_doubled):
        torch.testing.assert_close(double(plane)[0, 0], expected)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 33])
def test_compiled_code_doubles_planes_and_gradients_as_pytorch_does(n: int) -> None:
    torch._dynamo.reset()
    generator = torch.Generator().manual_seed(n)
    planes = torch.randn(2, 3, n, n + 2, generator=generator, requires_grad=True)
    gradient = torch.randn(2, 3, 2 * n, 2 * n + 4, generator=generator)
    judge = functional.interpolate(
        planes, scale_factor=2, mode="bilinear", align_corners=True
    )
    (expected,) = torch.autograd.grad(judge, planes, gradient)
    whole = compiled_doubled(planes)
    (got,) = torch.autograd.grad(whole, planes, gradient)
    torch.testing.assert_close(whole, judge, rtol=1e-5, atol=2e-5)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=2e-5)


def test_a_constant_gradient_is_distributed_completely() -> None:
    planes = torch.zeros(1, 1, 6, 5, requires_grad=True)
    compiled_doubled(planes).sum().backward()  # type: ignore[no-untyped-call]
    assert planes.grad is not None
    torch.testing.assert_close(planes.grad.sum(), torch.tensor(120.0))


def test_a_tile_is_doubled_as_it_would_be_within_the_whole() -> None:
    planes = torch.randn(1, 2, 12, 10, generator=torch.Generator().manual_seed(0))
    tile = doubled_tile(planes[..., 4:9, 2:8], Place(8, 4, 24, 20), 2)
    # What its outermost pixels show depends on neighbours that the tile does not have.
    torch.testing.assert_close(
        tile[..., 2:-2, 2:-2], doubled(planes)[..., 10:16, 6:14], rtol=1e-5, atol=1e-5
    )

"""The GPU kernels return PyTorch's gradient; without a GPU they are interpreted."""

import pytest
import torch

pytest.importorskip("triton", reason="Triton is for Linux")

from seaice_model.networks.convolution import weight_gradient as gradient_op
from seaice_model.networks.gradient_kernel import Tiling, tiling, weight_gradient

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SMALL = Tiling(n_pairs=16, per_processor=1, stages=2)


def random_planes(
    n: int, n_in: int, n_out: int, height: int, width: int
) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(n_in + height)
    planes, gradient = (
        torch.randn(n, channels, height, width, generator=generator)
        .to(DEVICE, torch.bfloat16)
        .contiguous(memory_format=torch.channels_last)
        for channels in (n_in, n_out)
    )
    return planes, gradient


def check(n: int, n_in: int, n_out: int, height: int, width: int, how: Tiling) -> None:
    planes, gradient = random_planes(n, n_in, n_out, height, width)
    expected = torch.nn.grad.conv2d_weight(
        planes.double(), [n_out, n_in, 3, 3], gradient.double(), padding=1
    )
    # bfloat16 products are exact in float32: only the sums are rounded.
    torch.testing.assert_close(
        weight_gradient(planes, gradient, how).double(), expected, rtol=1e-4, atol=1e-4
    )


def test_one_pixel_of_ones_has_its_gradient_in_the_middle() -> None:
    planes = torch.zeros(1, 32, 4, 4, dtype=torch.bfloat16, device=DEVICE)
    gradient = torch.zeros_like(planes)
    planes[0, 3, 1, 2] = 2
    gradient[0, 5, 1, 2] = 3  # the same pixel
    gradient[0, 6, 2, 1] = 1  # one row below it and one column to its left
    result = weight_gradient(planes, gradient, SMALL)
    assert result.sum() == 8
    assert result[5, 3, 1, 1] == 6
    assert result[6, 3, 0, 2] == 2


@pytest.mark.parametrize("n_in", [16, 32, 96])
def test_the_tilings_in_use_are_right(n_in: int) -> None:
    check(2, n_in, 32, 5, 7, tiling(n_in))


@pytest.mark.parametrize(
    "how",
    [
        SMALL,
        Tiling(n_pairs=16, rows=4, per_processor=1),
        Tiling(n_pairs=32, rows=1, per_processor=3),
        Tiling(n_in=16, n_out=32, n_pairs=64, rows=3),
        Tiling(n_in=32, n_out=32, n_pairs=16, is_swapped=True),
    ],
)
@pytest.mark.parametrize(("n_in", "n_out"), [(32, 64), (64, 32)])
def test_channels_come_in_blocks(how: Tiling, n_in: int, n_out: int) -> None:
    check(1, n_in, n_out, 6, 10, how)


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 9), (9, 1), (2, 2), (3, 70), (19, 33), (4, 67)]
)
def test_planes_have_any_size(height: int, width: int) -> None:
    check(2, 32, 32, height, width, SMALL)


def test_the_operation_is_known_to_compilers() -> None:
    planes, gradient = (tensor.float() for tensor in random_planes(1, 16, 32, 6, 5))
    torch.library.opcheck(gradient_op, (planes, gradient))
    expected = torch.nn.grad.conv2d_weight(planes, [32, 16, 3, 3], gradient, padding=1)
    torch.testing.assert_close(gradient_op(planes, gradient), expected)


@pytest.mark.gpu
@pytest.mark.skipif(DEVICE == "cpu", reason="needs a CUDA device")
@pytest.mark.parametrize(
    ("n_in", "n_out", "size"), [(16, 32, 256), (32, 32, 256), (64, 32, 256), (96, 32, 128)]
)
def test_large_planes_on_a_gpu(n_in: int, n_out: int, size: int) -> None:
    planes, gradient = random_planes(16, n_in, n_out, size, size)
    got = gradient_op(planes, gradient).double()
    expected = torch.nn.grad.conv2d_weight(
        planes.float(), [n_out, n_in, 3, 3], gradient.float(), padding=1
    ).double()
    assert (got - expected).norm() / expected.norm() < 2e-3  # the judge may round to TF32
    torch.testing.assert_close(gradient_op(planes, gradient).double(), got, rtol=0, atol=0)

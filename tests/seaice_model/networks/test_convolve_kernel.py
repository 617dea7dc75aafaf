"""The GPU kernel convolves like PyTorch; without a GPU it is interpreted on the CPU."""

from collections.abc import Iterator

import pytest
import torch
from torch.nn import functional

pytest.importorskip("triton", reason="Triton is for Linux")

from seaice_model.networks import convolution
from seaice_model.networks.convolution import Convolution
from seaice_model.networks.convolve_kernel import TILINGS, Tiling, convolve, input_gradient

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
PAIRS, SINGLE = Tiling(2, 32, 32, stages=2), Tiling(1, 32, 32, stages=2)


def random(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    planes = torch.randn(*shape, generator=generator).to(DEVICE, torch.bfloat16)
    return planes.contiguous(memory_format=torch.channels_last)


def check(
    n: int, n_in: int, n_out: int, height: int, width: int, how: Tiling | None = None
) -> None:
    """Compare both directions of a convolution that runs from `n_in` to `n_out`."""
    planes = random(n, n_in, height, width)
    weights = random(n_out, n_in, 3, 3) / (9 * n_in) ** 0.5
    expected = functional.conv2d(planes.float(), weights.float(), padding=1)
    got = convolve(planes, weights, how)
    assert got.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(got.float(), expected, rtol=2**-7, atol=0.02)
    turned = weights.transpose(0, 1)
    expected = torch.nn.grad.conv2d_input(
        [n, n_out, height, width], turned.float(), planes.float(), padding=1
    )
    got = input_gradient(planes, turned, how)
    torch.testing.assert_close(got.float(), expected, rtol=2**-7, atol=0.02)


def test_a_pixel_is_spread_by_the_weights() -> None:
    planes = torch.zeros(1, 32, 3, 4, dtype=torch.bfloat16, device=DEVICE)
    planes[0, 7, 1, 1] = 2
    weights = torch.zeros(32, 32, 3, 3, dtype=torch.bfloat16, device=DEVICE)
    weights[5, 7] = torch.arange(9).reshape(3, 3)
    for how in (PAIRS, SINGLE):
        result = convolve(planes, weights, how)[0, 5].cpu()
        assert result[:, :3].tolist() == [[16, 14, 12], [10, 8, 6], [4, 2, 0]]
        assert result[:, 3].tolist() == [0, 0, 0]


@pytest.mark.parametrize("channels", list(TILINGS))
def test_the_tilings_in_use_are_right(channels: tuple[int, int]) -> None:
    check(2, *channels, 5, 7)


@pytest.mark.parametrize("how", [PAIRS, SINGLE])
@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 9), (9, 1), (2, 2), (3, 70), (19, 33), (2, 131)]
)
def test_planes_have_any_size(how: Tiling, height: int, width: int) -> None:
    check(2, 32, 32, height, width, how)


@pytest.fixture
def ours_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    torch._dynamo.reset()
    monkeypatch.setattr(convolution, "_is_ours", lambda *_: True)
    monkeypatch.setattr(Convolution, "has_kernels", True)
    yield
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore")  # of the compiler, about itself
@pytest.mark.usefixtures("ours_everywhere")
@pytest.mark.parametrize(("n_in", "n_out"), [(32, 32), (96, 32)])
def test_a_compiled_layer_has_the_gradients_of_the_plain_one(n_in: int, n_out: int) -> None:
    layer = Convolution(n_in, n_out, device=DEVICE)
    results = []
    for forward in (layer, torch.compile(layer, backend="aot_eager", fullgraph=True)):
        planes = random(2, n_in, 6, 8).float().requires_grad_()
        with torch.autocast(DEVICE, torch.bfloat16):
            result = forward(planes)
        gradient = random(2, n_out, 6, 8)
        results.append(
            [result, *torch.autograd.grad(result, [planes, layer.weight], gradient)]
        )
    for ours, theirs in zip(*results, strict=True):
        assert ours.dtype == theirs.dtype
        error = (ours.float() - theirs.float()).norm() / theirs.float().norm()
        assert error < 1e-2


@pytest.mark.gpu
@pytest.mark.skipif(DEVICE == "cpu", reason="needs a CUDA device")
@pytest.mark.parametrize(
    ("n_in", "n_out", "size"),
    [(16, 32, 256), (32, 32, 256), (64, 32, 256), (32, 64, 256), (96, 32, 128)],
)
def test_large_planes_on_a_gpu(n_in: int, n_out: int, size: int) -> None:
    check(16, n_in, n_out, size, size)

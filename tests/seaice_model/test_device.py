import pytest
import torch

from seaice_model.device import arithmetic, find_device
from seaice_model.errors import RunError


def test_auto_is_a_gpu_if_there_is_one() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert find_device("auto").type == expected


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(RunError, match="unknown device 'abacus'"):
        find_device("abacus")
    with pytest.raises(RunError, match="no device 'cuda:99' on this machine"):
        find_device("cuda:99")


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("auto", torch.float32), ("float32", torch.float32), ("bfloat16", torch.bfloat16)],
)
def test_a_cpu_calculates_in_float32_unless_told(
    precision: str, dtype: torch.dtype
) -> None:
    layer = torch.nn.Linear(2, 2)
    with arithmetic(torch.device("cpu"), precision):  # type: ignore[arg-type]
        assert layer(torch.ones(1, 2)).dtype == dtype

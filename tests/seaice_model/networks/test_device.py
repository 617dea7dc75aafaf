import os

import numpy as np
import pytest
import torch

from seaice_data.errors import SceneError
from seaice_data.system.process import n_cores
from seaice_model.errors import RunError
from seaice_model.networks.device import arithmetic, find_device, memory_in_words, to_device


def test_auto_is_a_gpu_if_there_is_one() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert find_device("auto").type == expected


@pytest.mark.parametrize("name", ["abacus", "", "meta", "mps", "xla", "cuda:-1", "cuda:x"])
def test_an_unknown_device_is_refused(name: str) -> None:
    with pytest.raises(RunError, match=f"unknown device '{name}'"):
        find_device(name)


def test_a_missing_device_is_refused() -> None:
    with pytest.raises(RunError, match="no device 'cuda:99' on this machine"):
        find_device("cuda:99")


def test_too_little_memory_is_reported_with_a_hint() -> None:
    with (
        pytest.raises(RunError, match="too little memory for training") as caught,
        memory_in_words("training", "take fewer filters"),
    ):
        torch.zeros(2**50)
    assert caught.value.hint == "take fewer filters"
    with (
        pytest.raises(SceneError, match="too little memory for scene 1"),
        memory_in_words("scene 1", kind=SceneError),
    ):
        raise MemoryError
    with pytest.raises(RuntimeError, match="another"), memory_in_words("training", ""):
        raise RuntimeError("another problem")


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("auto", torch.float32), ("float32", torch.float32), ("bfloat16", torch.bfloat16)],
)
def test_a_cpu_calculates_in_float32_unless_set_otherwise(
    precision: str, dtype: torch.dtype
) -> None:
    layer = torch.nn.Linear(2, 2)
    with arithmetic(torch.device("cpu"), precision):  # type: ignore[arg-type]
        assert layer(torch.ones(1, 2)).dtype == dtype


def test_pytorch_uses_no_more_threads_than_there_are_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1}, raising=False)
    torch.set_num_threads(3)  # as in a container
    try:
        find_device("cpu")
        assert torch.get_num_threads() == min(2, n_cores())
        torch.set_num_threads(1)  # as a user may set it
        find_device("cpu")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


CPU = torch.device("cpu")


def test_fill_becomes_0_and_the_source_stays() -> None:
    planes = np.array([[[[np.nan, 2.0]]]], np.float32)
    assert to_device(planes, CPU).flatten().tolist() == [0, 2]
    assert np.isnan(planes[0, 0, 0, 0])

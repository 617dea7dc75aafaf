import numpy as np
import torch

from seaice_model.networks.tensors import to_device

CPU = torch.device("cpu")


def test_fill_becomes_0_and_the_source_stays() -> None:
    planes = np.array([[[[np.nan, 2.0]]]], np.float32)
    assert to_device(planes, CPU).flatten().tolist() == [0, 2]
    assert np.isnan(planes[0, 0, 0, 0])

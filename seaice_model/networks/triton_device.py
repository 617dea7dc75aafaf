"""Where Triton kernels run: on a GPU or, in tests, in an interpreter on the CPU."""

import os
from functools import cache

import torch

IS_INTERPRETED = os.environ.get("TRITON_INTERPRET", "0") == "1"
"""Whether kernels are interpreted on the CPU, to test them."""


@cache
def n_processors(device: torch.device) -> int:
    """Return the number of multiprocessors of a GPU; 3 for the interpreter."""
    if device.type != "cuda":
        return 3
    return int(torch.cuda.get_device_properties(device).multi_processor_count)

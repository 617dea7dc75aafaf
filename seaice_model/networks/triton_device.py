"""What Triton kernels run on: a GPU, or an interpreter that tests them on the CPU."""

import os
from functools import cache

import torch

IS_INTERPRETED = os.environ.get("TRITON_INTERPRET", "0") == "1"
"""Whether kernels run on the CPU, step by step, to test them."""


@cache
def n_processors(device: torch.device) -> int:
    """Return the multiprocessors of a GPU; a few programs for the interpreter."""
    if device.type != "cuda":
        return 3
    return int(torch.cuda.get_device_properties(device).multi_processor_count)

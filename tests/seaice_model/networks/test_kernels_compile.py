"""Kernels compile for their GPUs and fit into their memory; this needs no GPU."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from seaice_model.config.run_config import ModelConfig
from seaice_model.networks.convolution import Convolution, has_kernels
from seaice_model.networks.unet import MultiTaskUNet, on_device

# Not imported here: other tests make Triton interpret before they import it.
pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is for Linux")

SHARED_OF_HOPPER = 228 * 1024
"""Bytes of shared memory of a multiprocessor; each program takes 1 KiB besides its own."""

# Run in a separate process: in this one kernels are interpreted.
COMPILE = """
import json, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from seaice_model.networks import convolve_kernel, gradient_kernel


def shared_bytes(kernel, how, pointers, **constants):
    signature = {name: "i32" for name in kernel.arg_names}
    signature |= dict.fromkeys(constants, "constexpr") | pointers
    places = {name: (kernel.arg_names.index(name),) for name in signature}
    source = ASTSource(
        kernel, signature, {places[name]: value for name, value in constants.items()},
        {places[name]: [["tt.divisibility", 16]] for name in pointers},
    )
    options = {"num_warps": how.warps, "num_stages": how.stages}
    compiled = triton.compile(source, GPUTarget("cuda", 90, 32), options)
    return compiled.metadata.shared


taken = {}
for (n_in, n_out), how in convolve_kernel.TILINGS.items():
    shared = shared_bytes(
        convolve_kernel._convolve, how,
        {"planes": "*bf16", "packed": "*bf16", "result": "*bf16"},
        N_IN=n_in, N_OUT=n_out, TILE_IN=how.n_in, BLOCK_OUT=how.n_out,
        N_SIDE=how.n_side, N_ROWS=how.n_rows, ACROSS=how.n_rows,
        BY_REGISTERS=how.by_registers, IS_INTERPRETED=False,
    )
    taken[f"convolve {n_in} {n_out}"] = (how.per_processor, shared)
for n_in in (16, 32):
    how = gradient_kernel.tiling(n_in)
    shared = shared_bytes(
        gradient_kernel._sum_tiles, how,
        {"planes": "*bf16", "gradient": "*bf16", "sums": "*fp32"},
        N_IN=n_in, N_OUT=32, BLOCK_IN=how.n_in, BLOCK_OUT=how.n_out,
        N_PAIRS=how.n_pairs, PAIRS_ACROSS=how.n_pairs, ROWS=how.rows,
        IS_SWAPPED=how.is_swapped, IS_INTERPRETED=False,
    )
    taken[f"gradient {n_in}"] = (how.per_processor, shared)
print(json.dumps(taken))
"""


def test_kernels_fit_into_the_shared_memory_of_their_gpus(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path)}
    (tmp_path / "compile.py").write_text(COMPILE)  # Triton reads the source of its caller
    done = subprocess.run(
        [sys.executable, tmp_path / "compile.py"],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    taken = json.loads(done.stdout)
    assert len(taken) == 7
    for name, (per_processor, shared) in taken.items():
        assert shared > 0, name
        assert per_processor * (shared + 1024) <= SHARED_OF_HOPPER, name


@pytest.mark.parametrize(("capability", "expected"), [((8, 0), False), ((9, 0), True)])
def test_other_gpus_are_left_to_the_library(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert has_kernels(torch.device("cuda")) == expected
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert not has_kernels(torch.device("cuda"))


def test_a_network_on_a_cpu_does_not_use_our_kernels() -> None:
    device = torch.device("cpu")
    network = on_device(MultiTaskUNet(ModelConfig(filters=(4, 8))), device)
    layers = [layer for layer in network.modules() if isinstance(layer, Convolution)]
    assert layers
    assert not any(layer.has_kernels for layer in layers)

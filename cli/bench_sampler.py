"""`seaice bench sampler`: patches from a store, beside a plain copy of as many bytes."""

from pathlib import Path
from typing import TYPE_CHECKING

from .console import say
from .timing import line, timed

if TYPE_CHECKING:
    from seaice_data.arrays import FloatArray


def measure(path: Path, rounds: int) -> None:
    """Print how many patches are drawn in a second."""
    import numpy as np

    from seaice_data.channels import OFFICIAL_CHANNELS
    from seaice_data.sampler import PatchSampler
    from seaice_data.store import Store

    patches = PatchSampler(Store.open(str(path)), channels=OFFICIAL_CHANNELS)
    out = patches.empty(16)
    n_batches = 12
    times = timed(
        lambda: [patches.batch(range(16 * k, 16 * k + 16), out) for k in range(n_batches)],
        rounds,
    )
    source = np.ones_like(out["inputs"])
    copies = timed(lambda: _copy(source, out["inputs"], n_batches), rounds)
    n = 16 * n_batches
    what = f"16 x 256 x 256 {out['inputs'].dtype}, {len(patches.scenes)} scenes, 1 thread"
    say(line("sampler, warm", [n / t for t in times], "patches/s", what))
    say(line("copy of the same batch", [n / t for t in copies], "patches/s", what))


def _copy(source: "FloatArray", out: "FloatArray", n_batches: int) -> None:
    """Copy one batch several times: what memory allows."""
    for _ in range(n_batches):
        out[...] = source

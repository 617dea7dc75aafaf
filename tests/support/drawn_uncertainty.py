"""Random probabilities and spreads, with charts that are sampled from them."""

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.charts import SOD

MANY = 10**6
"""So many networks know the mean, and the deviation, of what they predict."""


def drawn(seed: int = 0, sharpness: float = 1.0) -> tuple[ChartArray, FloatArray]:
    """Return a sampled chart and its probabilities, which are right if `sharpness` is 1."""
    rng = np.random.default_rng(seed)
    true = rng.dirichlet(np.full(SOD.n_classes, 0.5), (60, 80))
    levels = rng.random((60, 80, 1))
    truth = (levels > true.cumsum(axis=2)).sum(axis=2).clip(max=SOD.n_classes - 1)
    stated = true**sharpness / (true**sharpness).sum(axis=2, keepdims=True)
    return truth.astype(np.uint8), np.moveaxis(stated, 2, 0).astype(np.float32)


def errors(seed: int, told: float = 1.0) -> tuple[ChartArray, FloatArray, FloatArray]:
    """Return a chart, a map with normal errors, and `told` times the spread of these."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 11, (200, 300), np.uint8)
    spread = rng.uniform(3, 15, truth.shape)
    return truth, truth * 10 + rng.normal(0, spread), told * spread

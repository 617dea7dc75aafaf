"""Random values that follow from a seed and a number, not from earlier values.

The generator is Philox (Salmon et al. 2011), made for this: the seed is its key and the
number its counter, so any number is reached at once and no two share a value.
"""

import enum
from collections.abc import Sequence

import numpy as np

from seaice_data.arrays import FloatArray, IntArray
from seaice_data.errors import SettingsError

MAX_SEED = 2**63
"""Seeds are below this number, as in PyTorch."""


class Stream(enum.IntEnum):
    """Uses of random values; each has a stream of its own, independent of the others."""

    PLACE = 0
    TURN = 1
    CUTMIX = 2
    ABSENT = 3


def check_seed(seed: int) -> None:
    """Reject a seed out of range.

    Raises
    ------
    SettingsError
        If `seed` is negative, or 2**63 or more.
    """
    if not 0 <= seed < MAX_SEED:
        raise SettingsError(f"seed must be in 0..2**63 - 1, got {seed}")


def uniform(
    seed: int, stream: Stream, numbers: Sequence[int] | IntArray, n: int
) -> FloatArray:
    """Return `n` values in [0, 1) for each number, shape ``(number, n)``.

    Raises
    ------
    ValueError
        For a number below 0.

    Examples
    --------
    >>> both = uniform(3, Stream.PLACE, [7, 5], 4)
    >>> bool((both[1] == uniform(3, Stream.PLACE, [5], 4)).all())
    True
    """
    words = np.empty((len(numbers), n), np.uint64)
    philox = np.random.Philox(key=np.array([seed, stream], np.uint64))
    state = philox.state
    for k, number in enumerate(numbers):
        if number < 0:
            raise ValueError(f"expected non-negative numbers of patches, got {number}")
        # The values of one number count up in the first word, 2**64 of them.
        state["state"]["counter"][:] = (0, number, 0, 0)
        philox.state = state
        words[k] = philox.random_raw(n)
    # 53 bits: as many as a float64 below 1 has.
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def below(values: FloatArray, n: FloatArray | IntArray | int) -> IntArray:
    """Turn values in [0, 1) into whole numbers in ``0..n - 1``.

    Examples
    --------
    >>> below(np.array([0.0, 0.49, 0.99]), 4)
    array([0, 1, 3])
    """
    # The product can be rounded up to n itself.
    return np.minimum((values * n).astype(np.int64), np.asarray(n, np.int64) - 1)

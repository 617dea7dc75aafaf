"""Instructions of the processor do what their plain twins do, to the bit."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest

from seaice_data.system.instructions import (
    copy_eight,
    narrowed,
    plain_copy_eight,
    plain_narrowed,
    plain_prefetch,
    plain_weigh_eight,
    plain_widened,
    prefetch,
    weigh_eight,
    widened,
)

Loop = Callable[..., Any]
DTYPES = [np.float16, np.float32]


def loop(instruction: Loop) -> Loop:
    """Compile a loop that reads and writes one number at a time."""

    @numba.njit
    def run(values: np.ndarray, out: np.ndarray) -> None:
        for k in range(values.size):
            out[k] = instruction(values[k])

    return run  # type: ignore[no-any-return]


def narrowing_loop(instruction: Loop) -> Loop:
    @numba.njit
    def run(values: np.ndarray, out: np.ndarray) -> None:
        for k in range(values.size):
            out[k] = instruction(values[k], out[k])

    return run  # type: ignore[no-any-return]


def bits_of(values: np.ndarray) -> np.ndarray:
    """Return numbers as compiled loops take them."""
    return values.view(np.uint16) if values.dtype == np.float16 else values


@pytest.mark.parametrize("instruction", [widened, plain_widened])
def test_every_half_is_widened(instruction: Loop) -> None:
    bits = np.arange(2**16, dtype=np.uint16)
    out = np.zeros(bits.size, np.float32)
    loop(instruction)(bits, out)
    np.testing.assert_array_equal(out, bits.view(np.float16).astype(np.float32))
    np.testing.assert_array_equal(np.signbit(out), bits >= 2**15)


@pytest.mark.parametrize("instruction", [narrowed, plain_narrowed])
def test_floats_are_rounded_to_the_nearest_half(instruction: Loop) -> None:
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float32)
    halves = halves[np.isfinite(halves)]
    ties = (halves[1:] + halves[:-1]) / 2  # between neighbours, exactly
    bits = np.random.default_rng(0).integers(0, 2**32, 100_000, np.uint32)
    limits = np.array([65519.996, 65520, np.inf, np.nan], np.float32)
    values = np.concatenate([halves, ties, bits.view(np.float32), limits, -limits])
    out = np.zeros(values.size, np.uint16)
    narrowing_loop(instruction)(values, out)
    with np.errstate(over="ignore"):
        expected = values.astype(np.float16)
    np.testing.assert_array_equal(out.view(np.float16), expected)
    np.testing.assert_array_equal(out >= 2**15, np.signbit(values))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("instruction", [copy_eight, plain_copy_eight])
def test_eight_numbers_are_copied(instruction: Loop, dtype: type) -> None:
    @numba.njit
    def run(source: np.ndarray, out: np.ndarray) -> None:
        instruction(source, np.uint64(2), out, np.uint64(1))

    source, out = np.arange(12, dtype=dtype), np.zeros(10, dtype)
    run(bits_of(source), bits_of(out))
    np.testing.assert_array_equal(out, [0, *range(2, 10), 0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_eight_numbers_are_weighed_as_their_twins_are(dtype: type) -> None:
    rng = np.random.default_rng(0)
    source = rng.normal(size=400).astype(dtype)
    source[rng.random(400) < 0.2] = np.nan
    places = tuple(np.array([0, 40, 80, 120, 40], np.uint64))
    weights = tuple(np.array([0.125, 0.5, 0.3, 0.075], np.float32))

    def run(instruction: Loop) -> np.ndarray:
        @numba.njit
        def weigh(source: np.ndarray, places: Any, weights: Any, out: np.ndarray) -> None:
            for k in range(0, 32, 8):
                instruction(source, places, np.uint64(k), weights, out, np.uint64(k))

        out = np.zeros(33, dtype)
        weigh(bits_of(source), places, weights, bits_of(out))
        return out

    ours, plain = run(weigh_eight), run(plain_weigh_eight)
    np.testing.assert_array_equal(ours, plain)
    np.testing.assert_array_equal(np.isnan(ours[:32]), np.isnan(source[40:72]))
    assert ours[32] == 0


@pytest.mark.parametrize("instruction", [prefetch, plain_prefetch])
def test_asking_for_memory_changes_nothing(instruction: Loop) -> None:
    @numba.njit
    def run(array: np.ndarray) -> None:
        instruction(array, np.uint64(3))

    array = np.arange(8, dtype=np.float32)
    run(array)
    np.testing.assert_array_equal(array, np.arange(8))

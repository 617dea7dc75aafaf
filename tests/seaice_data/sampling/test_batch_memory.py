"""Memory of batches is handed out again, but never while somebody uses it."""

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seaice_data.sampling.batch_memory import BatchMemory
from seaice_data.sampling.sampler import PatchSampler
from seaice_data.store.store import Store

SHAPE = (4, 2**20)


def test_memory_that_nobody_uses_is_handed_out_again() -> None:
    memory = BatchMemory()
    first = memory.empty(SHAPE, np.uint8)
    place = first.ctypes.data
    second = memory.empty(SHAPE, np.uint8)
    assert second.ctypes.data != place
    del first
    assert memory.empty((2**20,), np.float32).ctypes.data == place  # as many bytes


@pytest.mark.parametrize(
    "use",
    [
        lambda array: array[1:, ::2],
        lambda array: array.T.view(np.int8),
        torch.from_numpy,
        memoryview,
        lambda array: [{"inputs": array[k]} for k in range(4)],
    ],
)
def test_memory_in_use_is_not_handed_out(use: Callable[[Any], Any]) -> None:
    memory = BatchMemory()
    used = use(memory.empty(SHAPE, np.uint8))
    array = memory.empty(SHAPE, np.uint8)
    place = array.ctypes.data
    del array
    assert memory.empty(SHAPE, np.uint8).ctypes.data == place
    del used
    both = [memory.empty(SHAPE, np.uint8), memory.empty(SHAPE, np.uint8)]
    assert place in [array.ctypes.data for array in both]


@given(st.lists(st.tuples(st.integers(2**20, 2**20 + 3), st.booleans()), max_size=20))
def test_arrays_in_use_never_share_memory(asked: list[tuple[int, bool]]) -> None:
    memory, used = BatchMemory(), []
    for number, (size, is_kept) in enumerate(asked):
        array = memory.empty((size,), np.uint8)
        array[[0, -1]] = number
        if is_kept:
            used.append((number, array))
        assert all(kept[0] == kept[-1] == k for k, kept in used)


def test_threads_get_memory_of_their_own() -> None:
    memory = BatchMemory()

    def work(number: int) -> bool:
        array = memory.empty((2**20,), np.uint8)
        array[:] = number
        return bool((array == number).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(200)))


def test_memory_is_not_copied_to_other_processes() -> None:
    memory = BatchMemory()
    memory.empty(SHAPE, np.uint8)
    assert len(pickle.dumps(memory)) < 200


def test_a_sampler_does_not_overwrite_batches_in_use(store_path: str) -> None:
    patches = PatchSampler(Store(store_path), size=64)
    wanted = [patches.batch(range(k, k + 32))["inputs"].copy() for k in range(4)]
    kept = [patches.batch(range(k, k + 32))["inputs"] for k in range(4)]
    np.testing.assert_array_equal(kept, wanted)
    places = {patches.batch(range(32))["inputs"].ctypes.data for _ in range(4)}
    assert len(places) == 1  # each is free before the next one is made

"""Epochs of a `DataLoader` have patches of their own, whoever loads them."""

import json
import pickle
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, DistributedSampler

from seaice import PatchNumbers, PatchSampler, Store
from seaice_data.errors import SettingsError

N, BATCH = 12, 4


class Counted(Dataset[int]):
    """Patches of which one sees only the number."""

    def __getitem__(self, number: int) -> torch.Tensor:
        return torch.tensor(number)


def epochs(loader: "DataLoader[Any]", n_epochs: int) -> list[list[int]]:
    return [
        [int(n) for batch in loader for n in batch.reshape(-1)] for _ in range(n_epochs)
    ]


WORKERS: list[dict[str, Any]] = [
    {},
    {"num_workers": 2},
    {"num_workers": 2, "persistent_workers": True},
]


@pytest.mark.parametrize("workers", WORKERS, ids=["none", "two", "persistent"])
@pytest.mark.parametrize("form", ["sampler", "batches", "single"])
def test_three_epochs_have_no_number_twice(workers: dict[str, Any], form: str) -> None:
    numbers = PatchNumbers(N)
    settings: dict[str, Any] = {
        "sampler": {"sampler": numbers, "batch_size": BATCH},
        "batches": {"batch_sampler": BatchSampler(numbers, BATCH, drop_last=False)},
        "single": {"sampler": numbers, "batch_size": None},
    }[form]
    loader = DataLoader(Counted(), **settings, **workers)
    assert epochs(loader, 3) == [[*range(e * N, (e + 1) * N)] for e in range(3)]


def test_a_chosen_epoch_wins_and_those_after_it_follow() -> None:
    numbers = PatchNumbers(3)
    assert list(numbers) == [0, 1, 2]
    numbers.set_epoch(0)
    assert list(numbers) == [0, 1, 2]
    numbers.set_epoch(7)
    assert [*numbers, *numbers] == [*range(21, 27)]


def test_an_epoch_counts_from_its_first_number() -> None:
    numbers = PatchNumbers(N)
    loader = DataLoader(Counted(), sampler=numbers, batch_size=BATCH)
    iter(loader)  # without workers nothing is loaded yet
    assert next(iter(loader)).tolist() == [0, 1, 2, 3]
    assert next(iter(loader)).tolist() == [12, 13, 14, 15]


@pytest.mark.parametrize(("n", "count"), [(12, 2), (13, 3), (5, 5), (11, 4)])
def test_processes_share_every_epoch_evenly(n: int, count: int) -> None:
    shares = [PatchNumbers(n, num_replicas=count, rank=rank) for rank in range(count)]
    for epoch in range(3):
        taken = [list(share) for share in shares]
        assert {len(numbers) for numbers in taken} == {n // count} == {len(shares[0])}
        together = sorted(chain.from_iterable(taken))
        assert together == [*range(epoch * n, epoch * n + n // count * count)]


def test_batches_of_processes_are_together_those_of_one() -> None:
    alone = DataLoader(Counted(), sampler=PatchNumbers(N), batch_size=4)
    shares = [
        DataLoader(Counted(), sampler=PatchNumbers(N, 2, rank), batch_size=2)
        for rank in (0, 1)
    ]
    for whole, *parts in zip(alone, *shares, strict=True):
        assert sorted(torch.cat(parts).tolist()) == whole.tolist()


@pytest.mark.parametrize("n_taken", range(2 * 6 + 1))
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_saved_state_continues_with_the_next_number(n_taken: int, count: int) -> None:
    before = PatchNumbers(6, num_replicas=2, rank=1)
    endless = (number for _ in range(99) for number in before)
    seen = [next(endless) for _ in range(n_taken)]
    state = json.loads(json.dumps(before.state_dict()))
    first = state["next_patch"]
    assert first == max(seen, default=-1) + 1
    rest = []
    for rank in range(count):
        after = PatchNumbers(6, num_replicas=count, rank=rank)
        after.load_state_dict(state)
        rest += [*after, *after]
    n_unshared = -first % count  # three processes cannot share four numbers, or two
    assert sorted(rest) == [*range(first + n_unshared, (first // 6 + 2) * 6)]


def test_a_loop_that_names_its_epochs_resumes_in_the_middle_of_one() -> None:
    numbers = PatchNumbers(4)
    numbers.load_state_dict({"next_patch": 6})
    numbers.set_epoch(1)
    assert list(numbers) == [6, 7]
    numbers.set_epoch(1)  # again, and from its start
    assert list(numbers) == [4, 5, 6, 7]


def test_numbers_of_numpy_leave_plain_states() -> None:
    numbers = PatchNumbers(cast("int", np.int64(4)))
    numbers.set_epoch(cast("int", np.int64(2)))
    assert (
        json.dumps([next(iter(numbers)), numbers.state_dict()]) == '[8, {"next_patch": 9}]'
    )
    with pytest.raises(TypeError, match="float"):
        PatchNumbers(cast("int", 8e3))


def test_a_state_after_a_chosen_epoch_is_its_start() -> None:
    numbers = PatchNumbers(4)
    next(iter(numbers))
    numbers.set_epoch(1)
    assert numbers.state_dict() == {"next_patch": 4}
    assert list(numbers) == [4, 5, 6, 7]


def test_frameworks_that_divide_samplers_leave_it_alone() -> None:
    # Lightning wraps every other sampler: each process would get a share of its share.
    assert isinstance(PatchNumbers(N), DistributedSampler)
    assert list(pickle.loads(pickle.dumps(PatchNumbers(N)))) == [*range(N)]  # noqa: S301


TWO_PROCESSES = """
import json, sys
from torch import distributed
from torch.utils.data import DataLoader
from seaice import PatchNumbers

class Counted:
    def __getitem__(self, number):
        return number

rank, place = int(sys.argv[1]), sys.argv[2]
loader = DataLoader(Counted(), sampler=PatchNumbers(13), batch_size=3)  # before they join
distributed.init_process_group(
    "gloo", init_method=f"file://{place}", rank=rank, world_size=2
)
taken = [[n for batch in loader for n in batch.tolist()] for _ in range(3)]
print(json.dumps([len(loader), taken]))
distributed.barrier()
distributed.destroy_process_group()
"""


def test_two_processes_never_take_the_same_number(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TWO_PROCESSES]
    both = [
        subprocess.Popen(
            [*command, str(rank), tmp_path / "join"], stdout=subprocess.PIPE, text=True
        )
        for rank in (0, 1)
    ]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    (first_n, first), (second_n, second) = map(json.loads, said)
    assert first_n == second_n == 2
    for epoch, (one, other) in enumerate(zip(first, second, strict=True)):
        assert len(one) == len(other) == 6
        assert sorted(one + other) == [*range(13 * epoch, 13 * epoch + 12)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_patches": 0}, "n_patches must be at least 1, got 0"),
        ({"n_patches": 4, "rank": 1}, "both num_replicas and rank"),
        ({"n_patches": 4, "num_replicas": 2, "rank": 2}, "rank must be in 0..1, got 2"),
    ],
)
def test_what_cannot_work_is_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        PatchNumbers(**arguments)


def test_more_processes_than_patches_are_refused() -> None:
    with pytest.raises(SettingsError, match="5 processes cannot share 4 patches"):
        list(PatchNumbers(4, num_replicas=5, rank=0))


def test_a_negative_epoch_and_a_foreign_state_are_refused() -> None:
    with pytest.raises(SettingsError, match="epoch must be at least 0, got -1"):
        PatchNumbers(4).set_epoch(-1)
    for state in ({}, {"next_patch": -3}, {"next_patch": "7"}):
        with pytest.raises(SettingsError, match="not a state of patch numbers"):
            PatchNumbers(4).load_state_dict(state)


def test_epochs_of_patches_differ_and_those_of_a_range_do_not(store: Store) -> None:
    patches = PatchSampler(store, channels=["hh"], size=16, augmentation="default")

    def inputs(sampler: Any) -> list[torch.Tensor]:
        dataset = cast("Dataset[Any]", patches)
        loader = DataLoader(dataset, sampler=sampler, batch_size=4)
        return [next(iter(loader))["inputs"].nan_to_num() for _ in range(2)]

    first, second = inputs(PatchNumbers(8))
    assert not torch.equal(first, second)
    first, second = inputs(range(8))
    assert torch.equal(first, second)

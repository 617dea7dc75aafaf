"""Conditions select scenes by what is known about them, here from six synthetic ones."""

import os
from pathlib import Path

import pytest

from seaice_data.errors import SettingsError, StoreError
from seaice_data.store.selection import select
from seaice_data.store.store import Store
from seaice_data.store.stored_scene import StoredScene


@pytest.fixture(scope="module")
def store(store_path: str) -> Store:
    return Store.open(store_path)


@pytest.fixture(scope="module")
def scenes(store: Store) -> list[StoredScene]:
    return [store.scene(scene_id) for scene_id in store.scenes]


def test_no_condition_takes_all(store: Store) -> None:
    assert select(store) == store.scenes


@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_by_split(store: Store, name: str) -> None:
    assert select(store, f"split == {name!r}") == store.splits[name]
    assert not {*select(store, f"split != {name}")} & {*store.splits[name]}


def test_splits_may_be_those_of_a_run(store: Store) -> None:
    ids = store.splits["train"][:1]
    assert select(store, "split == validation", {"validation": ids}) == ids
    assert {*select(store, "split == none", {"validation": ids})} == {*store.scenes} - {
        *ids
    }


def test_by_month_service_and_year(store: Store, scenes: list[StoredScene]) -> None:
    for where, satisfies in {
        "month in 5..9": lambda s: 5 <= s.acquired.month <= 9,
        "month not in 5..9": lambda s: not 5 <= s.acquired.month <= 9,
        "month in 10..4": lambda s: not 5 <= s.acquired.month <= 9,
        "month in [1, 5..9, 12]": lambda s: s.acquired.month in (1, 5, 6, 7, 8, 9, 12),
        "month > 4 and month <= 9": lambda s: 5 <= s.acquired.month <= 9,
        "service == 'CIS' or month < 6": lambda s: (
            s.service == "cis" or s.acquired.month < 6
        ),
        "not (service == dmi)": lambda s: s.service != "dmi",
        "service in ['cis', \"dmi\"] and year >= 2018": lambda s: s.acquired.year >= 2018,
        "month >= 3 or month <= 8 and service == cis": lambda s: (
            s.acquired.month >= 3 or (s.acquired.month <= 8 and s.service == "cis")
        ),
        "valid_share > 0.5": lambda s: s.attributes["valid_share"] > 0.5,
    }.items():  # fmt: skip
        expected = tuple(s.id for s in scenes if satisfies(s))
        if expected:
            assert select(store, where) == expected, where
        else:
            with pytest.raises(StoreError, match="satisfies"):
                select(store, where)


def test_by_region(store: Store, scenes: list[StoredScene]) -> None:
    region = scenes[0].attributes["region"]
    found = select(store, f"region == {region}")
    assert found == tuple(s.id for s in scenes if s.attributes["region"] == region)


def test_by_ids_and_lists_of_them(store: Store, tmp_path: Path) -> None:
    first, second = store.scenes[1], store.scenes[4]
    assert select(store, f"id in [{first}, '{second}']") == (first, second)
    assert select(store, f"id == {second}") == (second,)
    listed = tmp_path / "scenes.txt"
    listed.write_text(f"{second}_prep.nc\n20991231T000000_cis\n")
    assert select(store, f"id in @{listed}") == (second,)
    assert second not in select(store, f"id not in @{listed}")


@pytest.mark.parametrize(
    ("where", "message", "hint"),
    [
        ("", "it ends too early", "write for example month in 5..9"),
        ("mnth == 5", "unknown name 'mnth'", "did you mean 'month'?"),
        ("month = 5", "'=' is not part of a condition", "write == to compare"),
        ("month", "month is compared with nothing", "for example month"),
        ("month ==", "it ends too early", "for example month"),
        ("month == five", "month is a whole number, not five", "for example month"),
        ("month in 5..", "'.' is not part", "for example month"),
        ("month in [5, 6", "a list is not closed", "for example month"),
        ("month in [5 6]", "a list is not closed", "for example month"),
        ("(month == 5", "a parenthesis is not closed", "for example month"),
        ("month == 5 service == cis", "'service' is unexpected", "join with and"),
        ("month in 5-9", "'-9' is unexpected", "write a range as 5..9"),
        ("month == 5 and", "it ends too early", "for example month"),
        ("service == 'dni'", "no scene has service 'dni'", "did you mean 'dmi'?"),
        ("split == 'validaton'", "no scene has split", "did you mean 'validation'?"),
        ("service < 'dmi'", "service has no order", "write service == ..."),
        ("service in 1..2", "service is not a whole number", "for example month"),
        ("year in 2021..2018", "2021..2018 ends before it starts", "for example month"),
        ("service in @list.txt", "a file lists ids, not service", "@scenes.txt"),
        ("id in @nowhere.txt", "cannot read scene ids from 'nowhere.txt'", None),
        ("__import__('os')", "unknown name '__import__'", "known are"),
        ("month.real == 1", "'.' is not part of a condition", "for example month"),
        ("month == and", "expected a value of month, got 'and'", "for example month"),
        ("month == 5; month == 6", "';' is not part", "for example month"),
        (
            "(" * 3000 + "month == 1" + ")" * 3000,
            "nested more than 32 deep",
            "for example month",
        ),
        ("not " * 3000 + "month == 1", "nested more than 32 deep", "for example month"),
        ("not (" * 3000, "nested more than 32 deep", "for example month"),
        (
            f"month in {'9' * 5000}..1",
            "999999999999... has 5000 digits",
            "for example month",
        ),
        (f"year == {'9' * 5000}", "999999999999... has 5000 digits", "for example month"),
        (f"year == {'x' * 5000}", "year is a whole number, not xxx", "for example month"),
        ("month == \u0661", "month is a whole number, not \u0661", "for example month"),
        ("month == 5\0", "'\\x00' is not part of a condition", "for example month"),
        (
            "id in @a\0b",
            "cannot read scene ids from 'a\\x00b': it cannot be the name",
            None,
        ),
        ("id in @/dev/zero", "'/dev/zero': it is not a regular file", None),
    ],
)
def test_conditions_that_cannot_be_read_are_refused(
    store: Store, where: str, message: str, hint: str | None
) -> None:
    with pytest.raises(SettingsError) as caught:
        select(store, where)
    assert message in str(caught.value)
    assert hint is None or hint in str(caught.value.hint)


def test_a_condition_that_no_scene_satisfies_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match=r"none of 6 scenes .* satisfies 'year == 1900'"):
        select(store, "year == 1900")


def test_long_words_are_shortened_in_messages(store: Store) -> None:
    for where in (f"region == {'x' * 5000}", f"{'x' * 5000} == 1", f"year == {'x' * 5000}"):
        with pytest.raises(SettingsError) as caught:
            select(store, where)
        assert len(str(caught.value)) < 600


def test_parentheses_as_people_write_them_are_read(store: Store) -> None:
    assert select(store, "(" * 16 + "not not year > 0" + ")" * 16) == store.scenes
    assert select(store, " and ".join(["(year > 0)"] * 200)) == store.scenes


def test_a_wide_range_takes_no_memory(store: Store, scenes: list[StoredScene]) -> None:
    assert select(store, "year in 1..200000000000000000") == store.scenes
    years = [scene.acquired.year for scene in scenes]
    found = select(store, f"year not in [1..{min(years)}, 9000..200000000000000000]")
    assert found == tuple(s.id for s in scenes if s.acquired.year > min(years))


def test_a_pipe_in_the_place_of_a_list_is_not_waited_for(
    store: Store, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "list")
    with pytest.raises(SettingsError, match="list': it is not a regular file"):
        select(store, f"id in @{tmp_path / 'list'}")

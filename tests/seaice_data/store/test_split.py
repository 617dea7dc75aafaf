from pathlib import Path

import pytest

from seaice_data.errors import SettingsError
from seaice_data.store.split import (
    TEST_IDS,
    SplitSettings,
    leaking_pairs,
    orbit_passes,
    read_id_file,
    read_ids,
    split_folds,
    split_scenes,
)

IDS = [
    f"2019{month:02d}{day:02d}T101010_dmi" for month in range(1, 13) for day in range(1, 11)
]


def test_every_scene_is_in_exactly_one_split() -> None:
    splits = split_scenes(IDS)
    assert sorted(sum(splits.values(), ())) == sorted(IDS)
    assert len(splits["validation"]) == 20


def test_published_test_scenes_are_test_scenes() -> None:
    assert set(split_scenes([*IDS, *TEST_IDS])["test"]) == TEST_IDS


def test_another_seed_validates_on_other_scenes() -> None:
    assert split_scenes(IDS, seed=1) != split_scenes(IDS, seed=2)
    assert split_scenes(IDS, seed=1) == split_scenes(IDS[::-1], seed=1)


def test_a_new_scene_moves_few_others() -> None:
    before = set(split_scenes(IDS)["validation"])
    after = set(split_scenes([*IDS, "20200101T101010_cis"])["validation"])
    assert len(before - after) <= 1


def test_scenes_of_one_pass_stay_together() -> None:
    slices = [f"{scene[:9]}{minute}10_dmi" for scene in IDS for minute in ("1010", "1011")]
    splits = split_scenes(slices)
    assert len(splits["validation"]) == 20
    assert leaking_pairs(splits) == []


def test_one_acquisition_charted_twice_stays_together() -> None:
    twice = ["20200728T120112_cis", "20200728T120112_dmi"]
    assert leaking_pairs(split_scenes([*IDS, *twice])) == []


def test_a_neighbour_of_a_test_scene_neither_trains_nor_validates() -> None:
    neighbour = "20201013T080348_dmi"  # a minute before test scene 20201013T080448_dmi
    splits = split_scenes([*IDS, *TEST_IDS, neighbour])
    assert neighbour not in sum(splits.values(), ())


def test_scenes_to_map_only_leave_the_rest_of_their_pass_alone() -> None:
    charted = ["20190101T100000_nic", "20190201T100000_nic"]
    mapped = ["20190101T100100_s1a", "20190301T100000_s1a"]
    splits = split_scenes([*charted, *mapped], unlabelled=mapped)
    assert sorted([*splits["train"], *splits["validation"]]) == charted
    assert splits["test"] == tuple(mapped)
    assert leaking_pairs(splits, mapped) == []
    listed = split_scenes([*charted, *mapped], [mapped[0]], unlabelled=mapped)
    assert listed["test"] == tuple(mapped)
    assert charted[0] not in {*listed["train"], *listed["validation"]}


def test_a_leak_is_seen() -> None:
    splits = {"train": ("20201013T080348_dmi",), "test": ("20201013T080448_dmi",)}
    assert leaking_pairs(splits) == [("20201013T080348_dmi", "20201013T080448_dmi")]


def test_few_scenes_still_validate() -> None:
    assert [len(ids) for ids in split_scenes(IDS[:2]).values()] == [1, 1, 0]
    assert [len(ids) for ids in split_scenes(IDS[:10]).values()] == [8, 2, 0]


def test_a_list_of_validation_scenes_is_used_and_its_passes_do_not_train() -> None:
    slices = [
        f"{scene[:9]}{minute}10_dmi" for scene in IDS[:5] for minute in ("1010", "1011")
    ]
    splits = split_scenes(slices, validation=[slices[0], "20200101T000000_cis"])
    assert splits["validation"] == (slices[0],)
    assert splits["train"] == tuple(slices[2:])
    leaky = split_scenes(slices, validation=[slices[0]], allow_leaks=True)
    assert leaky["train"] == tuple(slices[1:])
    assert leaking_pairs(leaky) == [(slices[0], slices[1])]


def test_the_published_lists_are_read() -> None:
    raw = "S1B_EW_GRDM_1SDH_20210430T205436_20210430T205536_02_03_AA_icechart_cis_X_pl_a.nc"
    assert read_ids(f'["{raw}", "20180124T194759_dmi_prep.nc"]') == (
        "20210430T205436_cis",
        "20180124T194759_dmi",
    )
    with pytest.raises(SettingsError, match="no scene id"):
        read_ids("[]")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89HDF\xff", "cannot read scene ids from '.*': byte 0 is not text in UTF-8"),
        (b"[]", "no scene id in the list"),
        (b"[" * 100_000, "no scene id in the list"),
        (b"20191340T101010_dmi", "'20191340T101010' is not a time of acquisition"),
        ("2019010\u0661T101010_dmi".encode(), "no scene id in the list"),
        (None, "cannot read scene ids from '.*': No such file"),
    ],
)
def test_a_file_without_ids_is_named(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "list.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=message):
        read_id_file(path)


def test_a_scene_cannot_validate_and_test() -> None:
    ids = ("20180124T194759_dmi", "20180623T114935_cis")
    with pytest.raises(SettingsError, match="1 scene is in the test and in the valid"):
        SplitSettings(test=ids, validation=ids[:1])


def slices_of_passes() -> list[str]:
    """Return 180 scenes of two services in 120 passes; every other pass has two scenes."""
    first = [f"{scene[:-3]}{'cis' if k % 3 else 'dmi'}" for k, scene in enumerate(IDS)]
    return sorted([*first, *(scene.replace("101010", "101110") for scene in first[::2])])


def test_passes_are_found_in_any_order() -> None:
    ids = slices_of_passes()
    passes = orbit_passes(ids[::-1])
    assert [len(group) for group in passes] == [2, 1] * 60
    assert [scene for group in passes for scene in group] == ids


@pytest.mark.parametrize("n_folds", [2, 5, 7])
def test_folds_cover_each_scene_once_and_divide_no_pass(n_folds: int) -> None:
    ids = slices_of_passes()
    folds = split_folds(ids, n_folds)
    assert sorted(scene for fold in folds for scene in fold) == ids
    assert leaking_pairs({str(k): fold for k, fold in enumerate(folds)}) == []
    assert max(map(len, folds)) - min(map(len, folds)) <= 4


def test_folds_have_equal_shares_of_services_and_months() -> None:
    folds = split_folds(slices_of_passes(), 5)
    for service in ("cis", "dmi"):
        numbers = [sum(scene.service == service for scene in fold) for fold in folds]
        assert max(numbers) - min(numbers) <= 12
    for month in range(1, 13):
        numbers = [sum(scene.acquired.month == month for scene in f) for f in folds]
        assert max(numbers) - min(numbers) <= 4


def test_folds_follow_from_the_seed_and_the_ids() -> None:
    ids = slices_of_passes()
    assert split_folds(ids, 5, seed=1) == split_folds(ids[::-1], 5, seed=1)
    assert split_folds(ids, 5, seed=1) != split_folds(ids, 5, seed=2)


@pytest.mark.parametrize("n_folds", [1, 3])
def test_folds_need_as_many_passes(n_folds: int) -> None:
    ids = ["20190110T101010_dmi", "20190110T101110_dmi", "20190210T101010_dmi"]
    with pytest.raises(SettingsError, match="2 orbit passes") as caught:
        split_folds(ids, n_folds)
    assert caught.value.hint == "ask for 2 to 2 folds"

"""Scene ids: one form, checked wherever one comes from."""

import pickle

import pytest

from seaice_data.scene_id import SceneId

ID = "20180607T184326_dmi"


def test_an_id_knows_its_time_and_service() -> None:
    scene_id = SceneId(ID)
    assert scene_id.acquired.isoformat() == "2018-06-07T18:43:26+00:00"
    assert scene_id.service == "dmi"
    assert scene_id == ID
    assert type(pickle.loads(pickle.dumps(scene_id))) is SceneId  # noqa: S301 - ours


@pytest.mark.parametrize(
    "text",
    [
        "backup",
        "",
        f"{ID}_old",
        f" {ID}",
        f"{ID}\n",
        f"../{ID}",
        "20180607T184326_DMI",
        "20180607T184326",
        "20180607T184326_x",
        "20180607T184326_1xy",
        "20180607T184326_abcdefghijklm",  # 13 letters
        "20180607T184326_prep",
        "20180607T184326_reference",
        "20180607T184326_sod",
        "20180607T184326_none",
        "2018060\u0667T184326_dmi",  # an Arabic 7
        "20180607T184326_dm\u0456",  # a Cyrillic i
    ],
)
def test_other_text_is_not_an_id(text: str) -> None:
    assert not SceneId.is_one(text)
    with pytest.raises(ValueError, match="is not a scene id like '20180607T184326_dmi'"):
        SceneId(text)


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("20221130T014342_nic", "nic"),
        ("20221130T014342_other", "other"),
        ("20221130T014342_preprint", "preprint"),  # only begins with a reserved word
        ("20221130T014342_s1a", ""),
        ("20221130T014342_s1d", ""),
        ("20221130T014342_s1e", "s1e"),
    ],
)
def test_scenes_have_any_service_or_none(text: str, service: str) -> None:
    assert SceneId(text).service == service
    assert SceneId(text).acquired.isoformat() == "2022-11-30T01:43:42+00:00"


@pytest.mark.parametrize("text", ["20181307T184326_dmi", "20180607T254326_cis"])
def test_digits_that_are_not_a_time_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time of acquisition"):
        SceneId(text)
    with pytest.raises(ValueError, match="is not a time of acquisition"):
        SceneId.find_in(f"{text}_prep.nc")


@pytest.mark.parametrize(
    "text",
    [
        f"{ID}_prep.nc",
        f"{ID}_prep_reference.nc",
        "S1A_EW_GRDM_1SDH_20180607T184326_20180607T184426_0222_A5E4_icechart_dmi_2018_RIC.nc",
        f'["{ID}"]',
        f"x {ID}, y",
    ],
)
def test_an_id_is_found_in_a_name(text: str) -> None:
    assert SceneId.find_in(text) == ID


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20221130T014342_s1a.nc", ["20221130T014342_s1a"]),
        ("20221130T014342_nic_ingested.nc", ["20221130T014342_nic"]),
        (f"{ID}_prep.nc, 20221130T014342_nic_prep.nc", [ID, "20221130T014342_nic"]),
        (
            "S1A_EW_GRDM_1SDH_20221130T014342_20221130T014446_046117_058566_BB15_icechart_"
            "nic_202211300000_Arctic.nc",
            ["20221130T014342_nic"],
        ),
    ],
)
def test_ids_of_own_scenes_are_found_in_names(name: str, expected: list[str]) -> None:
    assert [*SceneId.find_all(name)] == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "map.nc",
        "120180607T184326_dmi",
        "2018_dmi",
        "20180607T184326_prep.nc",
        "20180607T184326_truth.nc",
        "S1A_EW_GRDM_1SDH_20221130T014342_20221130T014446_046117_058566_BB15.SAFE.zip",
    ],
)
def test_no_id_is_found_where_there_is_none(text: str) -> None:
    assert SceneId.find_in(text) is None

"""What a scene says of its file."""

import pytest

from seaice_data.channels import CHANNELS, Group
from seaice_data.store.origin import Origin, groups_of, read_origin
from seaice_data.system.documents import DocumentError

AMSR2 = tuple(channel.name for channel in CHANNELS if channel.group == Group.AMSR2)


def test_a_group_is_named_only_if_all_of_it_is_absent() -> None:
    assert groups_of(()) == ()
    assert groups_of(("hv", *AMSR2)) == ("hv", "amsr2")
    assert groups_of(AMSR2[1:]) == AMSR2[1:]


def test_only_what_a_network_reads_counts_for_it() -> None:
    origin = Origin(absent_channels=("hv", *AMSR2))
    assert origin.absent_among(["hh", "incidence_angle"]) == ()
    assert origin.absent_among(["hh", AMSR2[3]]) == ("amsr2",)
    assert origin.absent_among(["hv"]) == ("hv",)


def test_scenes_of_ai4arctic_say_nothing_unusual() -> None:
    assert Origin(version="raw", original_name="S1A_EW.nc").unusual() == {}
    assert Origin(version="ready").is_ai4arctic
    assert not Origin(version="ingested").is_ai4arctic


@pytest.mark.parametrize("denoising", ["nersc", "esa", "none"])
@pytest.mark.parametrize("absent", [(), ("hv",), ("hv", *AMSR2)])
def test_what_is_unusual_is_read_back(denoising: str, absent: tuple[str, ...]) -> None:
    origin = Origin(absent_channels=absent, denoising=denoising)
    assert read_origin(origin.unusual()) == origin
    assert len(origin.unusual()) == (denoising != "nersc") + bool(absent)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"absent_channels": "hv"}, "absent_channels must be a list"),
        ({"absent_channels": ["hv", "hh"]}, "are not channels in order: hv, hh"),
        ({"absent_channels": ["vv"]}, "are not channels in order: vv"),
        ({"absent_channels": ["hv", "hv"]}, "are not channels in order: hv, hv"),
        ({"denoising": "NERSC"}, "denoising is 'NERSC'"),
        ({"denoising": None}, "denoising must be str"),
    ],
)
def test_damaged_attributes_are_refused(attributes: dict[str, object], words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        read_origin(attributes)

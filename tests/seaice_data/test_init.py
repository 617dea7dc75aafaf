import pytest

import seaice_data


@pytest.mark.parametrize("name", seaice_data.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(seaice_data, name) is not None


def test_names_are_listed_before_they_are_used() -> None:
    assert dir(seaice_data) == sorted(seaice_data.__all__)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="fly"):
        seaice_data.fly  # noqa: B018 - the access is the test

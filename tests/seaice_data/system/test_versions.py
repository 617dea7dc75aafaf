from importlib.metadata import version

import pytest

from seaice_data.errors import SettingsError, StoreError
from seaice_data.system.documents import naming_version


@pytest.mark.parametrize(
    ("software", "named"),
    [
        ("seaice 99.1", "99.1"),
        ("seaice 99", "99"),
        ("seaice 0.999.0", "0.999.0"),
        ("seaice 99.1.0.dev3+g12\x1b[31m", "99.1.0"),
    ],
)
def test_an_error_about_a_file_of_a_later_version_says_so(
    software: str, named: str
) -> None:
    message = (
        f"'a.zarr' was written by seaice {named}, which is later than this one, "
        f"{version('seaice')}: unknown setting 'x'"
    )
    with (
        pytest.raises(StoreError) as caught,
        naming_version(StoreError, "a.zarr", software),
    ):
        raise SettingsError("unknown setting 'x'", hint="did you mean 'y'?")
    assert str(caught.value) == message
    assert caught.value.hint == f"read it with seaice {named} or later"


@pytest.mark.parametrize(
    "software",
    [
        f"seaice {version('seaice')}",
        "seaice 0.0.9",
        "seaice 0",
        "other 99.1",
        "seaice",
        "seaice ٩٩",
        f"seaice {'9' * 5000}",
        None,
        99,
        ["seaice 99.1"],
    ],
)
def test_other_errors_pass_as_they_are(software: object) -> None:
    with (
        pytest.raises(SettingsError, match=r"(?m)^unknown setting 'x'$") as caught,
        naming_version(StoreError, "a.zarr", software),
    ):
        raise SettingsError("unknown setting 'x'", hint="did you mean 'y'?")
    assert caught.value.hint == "did you mean 'y'?"


def test_a_key_that_a_later_version_does_not_write_is_named() -> None:
    with (
        pytest.raises(
            StoreError, match=r"(?m)later than this one, .*: 'recipe' is missing$"
        ),
        naming_version(StoreError, "a.zarr", "seaice 99.0"),
    ):
        _ = {}["recipe"]

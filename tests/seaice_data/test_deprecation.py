import pytest

import seaice_data
import seaice_model
from seaice_data.deprecation import former_arguments


@former_arguments(colour="color")
class Paint:
    """A class with an argument that has a new name."""

    def __init__(self, color: str) -> None:
        self.color = color


def test_an_old_argument_works_and_warns() -> None:
    with pytest.warns(FutureWarning, match="argument 'colour' is now 'color'") as warned:
        assert Paint(colour="blue").color == "blue"  # type: ignore[call-arg]
    assert warned[0].filename == __file__
    assert Paint("red").color == "red"


def test_an_argument_under_both_names_is_refused() -> None:
    with pytest.warns(FutureWarning), pytest.raises(TypeError, match="given twice"):
        Paint(color="red", colour="blue")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("package", "old", "new"),
    [
        (seaice_data, "Drawing", "Sampling"),
        (seaice_model, "draw_chart_map", "compose_chart_map"),
        (seaice_model, "load_reference_state_dict", "load_official_state_dict"),
    ],
)
def test_an_old_public_name_works_and_warns(package: object, old: str, new: str) -> None:
    with pytest.warns(FutureWarning, match=f"{old!r} is now {new!r}") as warned:
        assert getattr(package, old) is getattr(package, new)
    assert warned[0].filename == __file__

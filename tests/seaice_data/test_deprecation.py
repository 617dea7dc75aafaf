from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any

import pytest

import seaice_data
import seaice_model
from seaice_data.deprecation import former_arguments, former_attribute
from seaice_data.sampling.sampler import PatchSampler
from seaice_model.config.run_config import RunConfig
from seaice_model.prediction.predict import PredictSettings
from seaice_model.scores.score import ScoreReport


@former_arguments(colour="color")
class Paint:
    """A class with an argument that has a new name."""

    def __init__(self, color: str) -> None:
        self.color = color


@dataclass(frozen=True, slots=True)
class Picture:
    """A class of which an attribute has a new name."""

    color: str

    colour = former_attribute("colour", "color")


def test_an_old_attribute_works_and_warns() -> None:
    picture = Picture("blue")
    with pytest.warns(FutureWarning, match="attribute 'colour' is now 'color'") as warned:
        assert picture.colour == "blue"
    assert warned[0].filename == __file__
    assert asdict(picture) == {"color": "blue"}
    assert repr(picture) == "Picture(color='blue')"


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        (PatchSampler, "drawing", "sampling"),
        (RunConfig, "drawing", "sampling"),
        (PredictSettings, "pictures", "plots"),
        (ScoreReport, "reference", "truth"),
    ],
)
def test_old_attributes_of_public_classes_work(kind: type[Any], old: str, new: str) -> None:
    made = kind.__new__(kind)
    object.__setattr__(made, new, "as it is")
    with pytest.warns(FutureWarning, match=f"attribute {old!r} is now {new!r}"):
        assert getattr(made, old) == "as it is"
    if is_dataclass(kind):
        assert old not in {field.name for field in fields(kind)}


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

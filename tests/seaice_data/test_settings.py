import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from seaice_data.channels import OFFICIAL_CHANNELS, find_channel, select_channels
from seaice_data.errors import RecipeError, SettingsError
from seaice_data.settings import (
    ADDED,
    assign,
    differences,
    fingerprint,
    formerly,
    from_mapping,
    read_assignments,
    read_toml,
    to_mapping,
)
from seaice_data.store.recipe import Recipe
from seaice_data.store.split import SplitSettings


def test_a_recipe_survives_a_round_trip_through_json() -> None:
    recipe = Recipe(ratio=5, channels=OFFICIAL_CHANNELS)
    assert from_mapping(Recipe, to_mapping(recipe)) == recipe


def test_an_unknown_setting_names_its_neighbour() -> None:
    with pytest.raises(SettingsError, match="unknown setting 'ration'") as caught:
        from_mapping(Recipe, {"ration": 10})
    assert caught.value.hint == "did you mean 'ratio'?"


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"ratio": "10"}, "ratio must be int, got '10'"),
        ({"ratio": True}, "ratio must be int, got True"),
        ({"channels": "hh"}, "channels must be a list, got 'hh'"),
        ({"sar": "median"}, "sar must be one of mean, nearest, power, got 'median'"),
        ({"ratio": 0}, "ratio must be at least 1, got 0"),
        ({"dominance_threshold": 65.0}, "at most 1, got 65"),
        ({"channels": []}, "at least one channel"),
        ({"channels": ["hh", "hh"]}, "named twice"),
        ({"dominance_threshold": float("nan")}, "must be a finite number, got nan"),
        ({"dominance_threshold": float("-inf")}, "must be a finite number, got -inf"),
        ({"x" * 5000: 1}, "unknown setting 'x{200}...'"),
    ],
)
def test_a_wrong_value_is_refused(mapping: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        from_mapping(Recipe, mapping)


def test_fingerprints_differ_exactly_when_recipes_do() -> None:
    assert fingerprint(Recipe()) == fingerprint(Recipe(ratio=10))
    assert fingerprint(Recipe()) != fingerprint(Recipe(ratio=5))


def test_recipes_have_the_fingerprints_that_version_0_1_gave_them() -> None:
    # Stores and maps contain them: a field without `ADDED` would change them all.
    assert fingerprint(Recipe()) == "5b8979fb52a0bf32"
    unusual = Recipe(
        ratio=4,
        channels=("t2m", "hv", "hh", "latitude"),
        sar="nearest",
        charts="nearest",
        ancillary="nearest",
        dominance_threshold=0.5,
        dtype="float32",
        codec="zstd",
        zarr_format=2,
    )
    assert fingerprint(unusual) == "a1ef65e7a15178c5"
    assert fingerprint(SplitSettings()) == "4bd79e5b9bb878d5"


def test_a_fingerprint_depends_on_values_not_on_how_they_are_written() -> None:
    mapping = to_mapping(Recipe(dominance_threshold=0.1 + 0.2))
    backwards = from_mapping(Recipe, dict(reversed(mapping.items())))
    assert fingerprint(backwards) == fingerprint(from_mapping(Recipe, mapping))
    again = from_mapping(Recipe, json.loads(json.dumps(mapping)))
    assert fingerprint(again) == fingerprint(from_mapping(Recipe, mapping))
    assert fingerprint(Recipe(dominance_threshold=1)) == "b4c06dfd12c16dab"
    assert fingerprint(Recipe(dominance_threshold=1.0)) == "b4c06dfd12c16dab"


@dataclass(frozen=True, kw_only=True, slots=True)
class LaterRecipe(Recipe):
    """A recipe of a version that knows more."""

    despeckle: bool = field(default=False, metadata=ADDED)
    windows: tuple[int, ...] = field(default=(3, 5), metadata=ADDED)
    strength: float = field(default=1.0, metadata=ADDED)


def test_fields_added_later_enter_a_fingerprint_only_if_they_are_set() -> None:
    recipe = Recipe(ratio=5)
    later = from_mapping(LaterRecipe, to_mapping(recipe))
    assert fingerprint(later) == fingerprint(recipe)
    assert fingerprint(LaterRecipe(ratio=5, windows=(3, 5), strength=1)) == fingerprint(
        recipe
    )
    changed = [
        LaterRecipe(ratio=5, despeckle=True),
        LaterRecipe(ratio=5, windows=(3,)),
        LaterRecipe(ratio=5, strength=0.5),
    ]
    assert len({fingerprint(recipe), *map(fingerprint, changed)}) == 4


@dataclass(frozen=True, kw_only=True)
class Early:
    recipe: Recipe = field(default_factory=Recipe)


@dataclass(frozen=True, kw_only=True)
class Late:
    recipe: LaterRecipe = field(default_factory=LaterRecipe)
    test: Recipe = field(default_factory=lambda: Recipe(ratio=1), metadata=ADDED)
    split: SplitSettings | None = field(default=None, metadata=ADDED)


def test_fields_added_later_are_ignored_in_parts_and_as_parts() -> None:
    before = fingerprint(Early(recipe=Recipe(ratio=5)))
    assert fingerprint(Late(recipe=LaterRecipe(ratio=5))) == before
    changed = [
        Late(recipe=LaterRecipe(ratio=5, despeckle=True)),
        Late(recipe=LaterRecipe(ratio=5), test=Recipe(ratio=2)),
        Late(recipe=LaterRecipe(ratio=5), split=SplitSettings()),
    ]
    assert len({before, *map(fingerprint, changed)}) == 4


def test_what_an_earlier_file_lacks_equals_the_default() -> None:
    read = from_mapping(Late, to_mapping(Early()))
    assert differences(read, Late()) == []
    changed = Late(recipe=LaterRecipe(despeckle=True, ratio=5), split=SplitSettings())
    assert differences(changed, read) == [
        "despeckle: true instead of false",
        "ratio: 5 instead of 10",
        'split: {"seed": 0, "test": null, "validation": null, "allow_leaks": false} '
        "instead of null",
    ]


def test_toml_becomes_a_recipe(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text('ratio = 20\nsar = "nearest"\n')
    assert read_toml(Recipe, tmp_path / "recipe.toml") == Recipe(ratio=20, sar="nearest")


def test_what_is_not_toml_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("ratio: 20")
    with pytest.raises(SettingsError, match="cannot read settings"):
        read_toml(Recipe, tmp_path / "recipe.toml")


def test_channels_are_selected_by_group_and_name() -> None:
    assert select_channels(["geometry", "hv", "hh"]) == (
        "hh",
        "hv",
        "incidence_angle",
        "distance_map",
    )
    with pytest.raises(RecipeError, match="unknown channel or group 'amsr'") as caught:
        select_channels(["amsr"])
    with pytest.raises(RecipeError, match="'sar' is a group of channels") as group:
        find_channel("sar")
    assert group.value.hint == "name its channels: hh, hv"
    assert caught.value.hint == "did you mean 'amsr2'?"


def test_settings_that_are_not_a_table_are_refused() -> None:
    with pytest.raises(SettingsError, match="settings must be a table, got 5"):
        from_mapping(Recipe, 5)


def test_a_wrong_setting_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("rato = 5")
    with pytest.raises(SettingsError, match=r"recipe.toml': unknown setting 'rato'"):
        read_toml(Recipe, tmp_path / "recipe.toml")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("n_epochs = 3", {"n_epochs": 3}),
        ("a=1,b=0.5, c=true", {"a": 1, "b": 0.5, "c": True}),
        ("sic=classes, sar='mean'", {"sic": "classes", "sar": "mean"}),
        ("a=[16, 32], b=[hh, hv]", {"a": [16, 32], "b": ["hh", "hv"]}),
        ("channels=[hh]", {"channels": ["hh"]}),
        ("a=1\nb = 2", {"a": "1\nb = 2"}),
    ],
)
def test_assignments_are_read_as_toml_with_bare_words(
    text: str, values: dict[str, object]
) -> None:
    assert read_assignments(text) == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n_epochs", "'n_epochs' is not a setting"),
        ("n_epochs=", "'n_epochs=' is not a setting"),
        ("=3", "'=3' is not a setting"),
        ("a=1, a=2", "setting 'a' is given twice"),
        ("x" * 5000, "(?m)^'x{200}...' is not a setting$"),
    ],
)
def test_what_is_not_an_assignment_is_rejected(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_assignments(text)


def test_a_list_without_brackets_gets_a_hint() -> None:
    with pytest.raises(SettingsError) as caught:
        read_assignments("sic=classes, channels=hh, hv")
    hint = "write it as key=value, a list as channels=[hh, hv]"
    assert (str(caught.value), caught.value.hint) == ("'hv' is not a setting", hint)


@dataclass(frozen=True, kw_only=True)
class Whole:
    first: Recipe = field(default_factory=Recipe)
    second: Recipe = field(default_factory=lambda: Recipe(ratio=5))
    name: str = "whole"


def test_a_part_is_assigned_by_its_name() -> None:
    changed = assign(Whole(), {"second.ratio": 2, "name": "half"})
    assert changed == Whole(second=Recipe(ratio=2), name="half")


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", ["[" * 5000 + "]" * 5000, "[" * 5000, "9" * 5000])
def test_a_value_that_no_setting_has_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="must be"):
        assign(Recipe(), read_assignments(f"ratio={value}"))


@pytest.mark.parametrize(
    ("values", "message", "hint"),
    [
        ({"ratio": 2}, "'ratio' is ambiguous", "write first.ratio or second.ratio"),
        ({"nam": "a"}, "unknown setting 'nam'", "did you mean 'name'?"),
        ({"first": {}}, "unknown setting 'first'", "known are"),
        ({"first.ratio": "two"}, "ratio must be int, got 'two'", "None"),
        ({"first.ratio": 10**30}, "a whole number is beyond 64 bits", "None"),
        ({"name": "K\udcf8benhavn"}, "has a half character", "None"),
        ({"name": nested(100)}, "nested more than 32 deep", "None"),
    ],
)
def test_what_cannot_be_assigned_is_refused(
    values: dict[str, object], message: str, hint: str
) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        assign(Whole(), values)
    assert hint in str(caught.value.hint)


@dataclass(frozen=True, kw_only=True)
class Sharp:
    """Settings with a field that had another name."""

    sharpness: float = field(default=1.0, metadata=formerly("crispness"))


@dataclass(frozen=True, kw_only=True)
class Image:
    """Settings with a part that had another name."""

    sharp: Sharp = field(default_factory=Sharp, metadata=formerly("crisp"))


@dataclass(frozen=True, kw_only=True)
class Crisp:
    """`Sharp` with its old name."""

    crispness: float = 1.0


def test_files_with_the_old_name_of_a_setting_are_read() -> None:
    assert from_mapping(Image, {"crisp": {"crispness": 2.0}}) == Image(
        sharp=Sharp(sharpness=2)
    )
    assert to_mapping(Sharp()) == {"sharpness": 1.0}
    assert fingerprint(Sharp(sharpness=3)) == fingerprint(Crisp(crispness=3))


def test_a_setting_under_both_names_is_refused() -> None:
    with pytest.raises(
        SettingsError, match="'sharpness' is given twice, also as 'crispness'"
    ):
        from_mapping(Sharp, {"sharpness": 1.0, "crispness": 2.0})


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("text", ["[sharp]\n[crisp]", "[crisp]\n[sharp]\nsharpness = 2.0"])
def test_a_file_with_both_names_of_a_setting_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "image.toml"
    path.write_text(text)
    with pytest.raises(
        SettingsError, match="toml': setting 'sharp' is given twice, also as 'crisp'"
    ):
        read_toml(Image, path)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("old", "new"),
    [("crispness", "sharpness"), ("crisp.sharpness", "sharp.sharpness")],
)
def test_a_setting_is_not_assigned_under_both_names(old: str, new: str) -> None:
    said = f"setting '{new}' is given twice, also as '{old}'"
    for keys in ((old, new), (new, old)):
        with pytest.raises(SettingsError, match=said):
            assign(Image(), dict.fromkeys(keys, 1.0))


def test_writing_an_old_name_warns_of_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "sharp.toml"
    path.write_text("crispness = 2.0")
    with pytest.warns(FutureWarning, match="'crispness' is now 'sharpness'") as warned:
        assert read_toml(Sharp, path) == Sharp(sharpness=2)
    assert warned[0].filename == __file__
    with pytest.warns(FutureWarning) as warned:
        settings = assign(Image(), {"crisp.crispness": 4.0})
    assert settings == Image(sharp=Sharp(sharpness=4))
    assert len(warned) == 2
    assert {warning.filename for warning in warned} == {__file__}

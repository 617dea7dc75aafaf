import pytest

from seaice_data.recipe import Recipe
from seaice_model.config import RunConfig
from seaice_model.errors import ConfigError
from seaice_model.presets import PRESETS, PROFILES, find_preset, find_profile


def test_the_default_preset_has_the_defaults() -> None:
    assert find_preset("default").config == RunConfig()
    assert find_preset("model1").config == RunConfig()


@pytest.mark.parametrize(
    ("name", "n_channels"),
    [("model3", 2), ("model4", 12), ("model5", 11), ("model6", 13), ("model7", 27)],
)
def test_models_3_to_7_differ_in_their_channels_only(name: str, n_channels: int) -> None:
    config = find_preset(name).config
    assert len(config.model.channels) == n_channels
    assert config.train == RunConfig().train
    assert config.model.filters == RunConfig().model.filters


def test_models_2_8_and_9_differ_in_ratio_head_and_decoders() -> None:
    assert find_preset("model2").ratio == 1
    assert find_preset("model8").config.model.sic == "classes"
    assert find_preset("model9").config.model.decoders == "separate"


def test_the_figures_of_the_paper_agree_with_its_weights() -> None:
    # Within what Table 4 itself rounds; Models 1 and 7 are printed 0.2 off their parts.
    for name, preset in PRESETS.items():
        for scores in (preset.validation, preset.test):
            if scores is None:
                assert not name.startswith("model")
                continue
            combined = (2 * scores.sic + 2 * scores.sod + scores.floe) / 5
            assert combined == pytest.approx(scores.combined, abs=0.25), name


def test_profiles_decide_channels_validation_and_recipe() -> None:
    paper, official = find_profile("paper"), find_profile("official")
    assert len(paper.config.model.channels) == 14
    assert "distance_map" not in paper.config.model.channels
    assert paper.config.train.validation == "drawn"
    assert official.config.model == RunConfig().model
    assert len(official.config.train.validation_scenes) == 17
    assert official.departures(Recipe(), 10) == [
        'ancillary: "bilinear" instead of "nearest"',
        'charts: "most-frequent" instead of "nearest"',
        'sar: "mean" instead of "nearest"',
    ]
    assert find_profile("default").departures(Recipe(ratio=2), 1) == [
        "ratio: 2 instead of 1"
    ]


def test_presets_change_any_profile() -> None:
    paper = find_profile("paper").config
    changed = find_preset("model4").applied(paper)
    assert len(changed.model.channels) == 10
    assert changed.train == paper.train
    assert find_preset("model3").applied(paper).model.channels == ("hh", "hv")


def test_profiles_are_found_by_name() -> None:
    assert [profile.name for profile in PROFILES.values()] == list(PROFILES)
    with pytest.raises(ConfigError, match="unknown profile 'papers'") as caught:
        find_profile("papers")
    assert caught.value.hint == "did you mean 'paper'?"


def test_every_preset_is_found_by_its_name() -> None:
    assert [preset.name for preset in PRESETS.values()] == list(PRESETS)


def test_an_unknown_preset_names_its_nearest_neighbour() -> None:
    with pytest.raises(ConfigError, match="unknown preset 'model10'") as caught:
        find_preset("model10")
    assert caught.value.hint == "did you mean 'model1'?"

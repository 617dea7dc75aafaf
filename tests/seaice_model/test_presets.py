import pytest

from seaice_model.config import RunConfig
from seaice_model.errors import ConfigError
from seaice_model.presets import PRESETS, find_preset


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


def test_every_preset_is_found_by_its_name() -> None:
    assert [preset.name for preset in PRESETS.values()] == list(PRESETS)


def test_an_unknown_preset_names_its_nearest_neighbour() -> None:
    with pytest.raises(ConfigError, match="unknown preset 'model10'") as caught:
        find_preset("model10")
    assert caught.value.hint == "did you mean 'model1'?"

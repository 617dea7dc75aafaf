from dataclasses import replace

import pytest

from seaice_data.errors import RecipeError, SettingsError
from seaice_data.sampling.augmentation import Augmentation
from seaice_data.sampling.windows import Sampling
from seaice_data.settings import fingerprint, from_mapping, to_mapping
from seaice_model.config.presets import find_preset
from seaice_model.config.run_config import ModelConfig, RunConfig, TrainConfig
from seaice_model.errors import ConfigError


def test_defaults_are_table_3_of_the_paper() -> None:
    train = TrainConfig()
    assert (train.patch_size, train.batch_size) == (256, 16)
    assert (train.n_iterations, train.n_epochs, train.n_restart_epochs) == (500, 300, 20)
    assert (train.learning_rate, train.weight_decay) == (0.001, 0.01)
    assert train.loss_weights == (1, 3, 3)


def test_a_configuration_survives_being_written_and_read() -> None:
    config = RunConfig(model=ModelConfig(channels=("hh",), filters=(4, 8), sic="classes"))
    again = from_mapping(RunConfig, to_mapping(config))
    assert again == config
    assert fingerprint(again) == fingerprint(config)


def test_the_usual_configuration_has_the_fingerprint_of_version_0_1() -> None:
    # Version 0.1 turned the wind unless asked not to.
    turned = Augmentation(wind_axes=("samples", "lines"))
    usual, model8 = RunConfig(), find_preset("model8").config
    assert fingerprint(replace(usual, augmentation=turned)) == "47fca1baeeadb749"
    assert fingerprint(replace(model8, augmentation=turned)) == "192eddb1d3f37129"


def test_an_unknown_setting_names_the_nearest_one() -> None:
    with pytest.raises(SettingsError, match="unknown setting 'batchsize'") as caught:
        from_mapping(RunConfig, {"train": {"batchsize": 8}})
    assert caught.value.hint == "did you mean 'batch_size'?"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("n_epochs", 0, "n_epochs must be in 1..1000000, got 0"),
        ("n_epochs", 10**30, "n_epochs must be in 1..1000000, got 10{30}"),
        ("n_iterations", 2**63 - 1, "n_iterations must be in 1..1000000"),
        ("batch_size", -2, "batch_size must be in 1..1048576, got -2"),
        ("batch_size", 10**12, "batch_size must be in 1..1048576"),
        ("patch_size", 10**9, "patch_size must be in 1..32768"),
        ("n_restart_epochs", 0, "n_restart_epochs must be at least 1"),
        ("learning_rate", 0.0, "learning_rate must be finite and above 0"),
        ("learning_rate", float("nan"), "learning_rate must be finite"),
        ("learning_rate", float("inf"), "learning_rate must be finite"),
        ("momentum", 1.0, r"momentum must be in \[0, 1\), got 1.0"),
        ("weight_decay", -0.1, "weight_decay must be finite and not negative"),
        ("weight_decay", float("inf"), "weight_decay must be finite"),
        ("focal_gamma", -1.0, "focal_gamma must be finite and not negative, got -1.0"),
        ("focal_gamma", float("nan"), "focal_gamma must be finite"),
        ("seed", -1, "seed must not be negative"),
        ("seed", 2**63, r"seed must be below 2\*\*63, got 9223372036854775808"),
        ("validation", "listed", "validation is 'listed', but validation_scenes names 0"),
        ("validation_scenes", ("a",), "validation is 'store', but .* names 1 scene"),
        ("loss_weights", (1.0, 3.0), "one finite number per chart"),
        ("loss_weights", (1.0, float("nan"), 3.0), "one finite number per chart"),
        ("loss_weights", (1.0, float("inf"), 3.0), "one finite number per chart"),
        ("loss_weights", (0.0, 0.0, 0.0), "not all 0"),
    ],
)
def test_a_training_that_cannot_work_is_refused(
    name: str, value: object, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        TrainConfig(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ((10**9,), "must not be above 65536, got 1000000000"),
        ((1,) * 100_000, "at most 14 levels, got 100000"),
        ((0,) * 100_000, "must be positive numbers, got .0, 0"),
    ],
)
def test_a_network_of_absurd_size_is_refused(filters: tuple[int, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        RunConfig(model=ModelConfig(channels=("hh",), filters=filters))


def test_scenes_to_validate_on_are_named_by_their_ids() -> None:
    listed = {"validation": "listed", "validation_scenes": ["../20180607T184326_dmi"]}
    with pytest.raises(SettingsError, match="is not a scene id like"):
        from_mapping(TrainConfig, listed)


def test_a_network_that_cannot_be_built_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one channel"):
        ModelConfig(channels=())
    with pytest.raises(RecipeError, match="unknown channel 'vv'"):
        ModelConfig(channels=("hh", "vv"))
    with pytest.raises(ConfigError, match="'hh' is named more than once"):
        ModelConfig(channels=("hh", "hv", "hh"))
    with pytest.raises(ConfigError, match=r"positive numbers, got \[8, 0\]"):
        ModelConfig(filters=(8, 0))
    with pytest.raises(ConfigError, match="must not be above 65536, got 100000"):
        ModelConfig(filters=(8, 100_000))


def test_patches_smaller_than_the_network_are_refused() -> None:
    with pytest.raises(ConfigError, match="patch_size 31 is too small for 4 levels"):
        RunConfig(train=TrainConfig(patch_size=31))
    RunConfig(train=TrainConfig(patch_size=32))


def test_what_the_network_does_not_read_cannot_be_dropped() -> None:
    weather = ModelConfig(channels=("hh", "t2m"))
    with pytest.raises(ConfigError, match="drop_amsr2 needs channels of AMSR2") as caught:
        RunConfig(model=weather, augmentation=Augmentation(drop_amsr2=0.2))
    assert caught.value.hint == "add some, or set drop_amsr2 to 0"
    RunConfig(model=weather, augmentation=Augmentation(drop_era5=0.2))


def test_sampling_may_be_given_under_its_old_name() -> None:
    over_area = Sampling(over="area")
    with pytest.warns(FutureWarning, match="'drawing' is now 'sampling'"):
        config = RunConfig(drawing=over_area)  # type: ignore[call-arg]
    assert config == RunConfig(sampling=over_area)

"""Networks have names, whether they are ours or from installed packages."""

import sys
from pathlib import Path

import pytest
from support.network_packages import installed

from seaice_model.config.network_names import (
    check_package,
    find_network,
    known_networks,
    package_of,
)
from seaice_model.config.resolve import resolve
from seaice_model.config.run_config import ModelConfig, RunConfig, TrainConfig
from seaice_model.errors import ConfigError, RunError
from seaice_model.study.candidates import read_variant

SWIN = {"network": "swin-unetr", "filters": (12, 24, 48, 96)}


def test_networks_of_packages_are_known_without_importing_them(tmp_path: Path) -> None:
    assert known_networks() == ("unet", "swin-unetr")
    with installed(tmp_path / "site"):
        assert known_networks()[:2] == ("unet", "swin-unetr")
        assert "small-cnn" in known_networks()
        assert package_of("small-cnn") == "ice-networks 1.2"
        assert "ice_networks" not in sys.modules
    assert known_networks() == ("unet", "swin-unetr")


def test_our_names_cannot_be_taken(tmp_path: Path) -> None:
    with installed(tmp_path / "site"):
        assert find_network("unet") is None
        assert package_of("unet") == ""


def test_an_unknown_name_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with installed(tmp_path / "site"), pytest.raises(ConfigError) as caught:
        resolve(changes=["network=smal-cnn"])
    assert str(caught.value) == "unknown network 'smal-cnn'"
    assert "did you mean 'small-cnn'?" in str(caught.value.hint)
    with pytest.raises(ConfigError, match="unknown network 'small-cnn'"):
        read_variant("other: network=small-cnn")


def test_a_name_of_two_packages_is_refused(tmp_path: Path) -> None:
    with (
        installed(tmp_path / "one"),
        installed(tmp_path / "two", name="other-networks"),
        pytest.raises(ConfigError, match=r"ice-networks 1\.2, other-networks 1\.2"),
    ):
        find_network("small-cnn")


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 101, "a\nb"])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="not a name for a network"):
        ModelConfig(network=name)


def test_a_run_needs_the_package_that_it_was_trained_from(tmp_path: Path) -> None:
    check_package("unet", "")
    with installed(tmp_path / "site"):
        check_package("small-cnn", "ice-networks 0.9")
        with pytest.raises(RunError, match="from the package 'other 1', here it is from"):
            check_package("small-cnn", "other 1")
    with pytest.raises(RunError, match=r"of the package 'ice-networks 1\.2'") as caught:
        check_package("small-cnn", "ice-networks 1.2")
    assert "pip" not in str(caught.value.hint)  # a run file may name any package


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decoders": "separate"}, "decoders 'separate' is a setting of the U-Net"),
        ({"fusion": "bottleneck"}, "fusion 'bottleneck' is a setting of the U-Net"),
    ],
)
@pytest.mark.parametrize("name", ["swin-unetr", "small-cnn"])
def test_settings_of_the_unet_are_refused_for_others(
    name: str, settings: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        ModelConfig(network=name, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "filters", [(32, 32, 64, 64), (96, 192, 384), (50, 100, 200, 400), (6, 12, 24, 48)]
)
def test_filters_that_no_swin_has_are_refused(filters: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="needs four levels of filters") as caught:
        ModelConfig(network="swin-unetr", filters=filters)
    assert "preset swin" in str(caught.value.hint)


def test_the_smallest_patch_depends_on_the_network() -> None:
    model = ModelConfig(**SWIN)  # type: ignore[arg-type]
    assert model.stride == 32
    RunConfig(model=model, train=TrainConfig(patch_size=64))
    with pytest.raises(
        ConfigError, match="patch_size 32 is too small for network"
    ) as caught:
        RunConfig(model=model, train=TrainConfig(patch_size=32))
    assert caught.value.hint == "use patches of at least 64 pixels"
    assert ModelConfig(network="small-cnn").stride == 1


def test_the_preset_has_the_sizes_of_the_code_of_the_paper() -> None:
    model = resolve(preset="swin").model
    assert (model.network, model.filters) == ("swin-unetr", (96, 192, 384, 768))

from pathlib import Path

import pytest

from seaice_data.errors import SettingsError
from seaice_data.settings import to_mapping, to_toml
from seaice_model.config.resolve import resolve
from seaice_model.config.run_config import RunConfig


def test_the_default_is_the_paper_with_our_corrections() -> None:
    assert resolve() == RunConfig()


def test_later_settings_override_earlier_ones(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[model]\nsic = "classes"\n[train]\nbatch_size = 4\nn_epochs = 7\n')
    config = resolve("paper", "tiny", path, ["batch_size=2", "train.momentum=0.5"])
    assert len(config.model.channels) == 14  # the profile
    assert config.train.patch_size == 96  # the preset
    assert (config.model.sic, config.train.n_epochs) == ("classes", 7)  # the file
    assert (config.train.batch_size, config.train.momentum) == (2, 0.5)  # the changes


def test_a_configuration_shown_as_toml_can_be_read_back(tmp_path: Path) -> None:
    config = resolve("official", "model9", None, ["loss_weights=[1, 2, 0.5]"])
    (tmp_path / "shown.toml").write_text(to_toml(to_mapping(config)))
    assert resolve(file=tmp_path / "shown.toml") == config


def test_a_file_with_an_unknown_setting_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for text, word in (
        ("[train]\nbatchsize = 4\n", "batch_size"),
        ("[trein]\nbatch_size = 4\n", "train"),
    ):
        path.write_text(text)
        with pytest.raises(SettingsError, match=r"mine\.toml': unknown setting") as caught:
            resolve(file=path)
        assert caught.value.hint == f"did you mean {word!r}?"
    path.write_text("train = 5\n")
    with pytest.raises(SettingsError, match="train must be a table, got 5"):
        resolve(file=path)


def test_an_error_in_a_change_does_not_blame_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[train]\nbatch_size = 4\n")
    with pytest.raises(SettingsError) as caught:
        resolve(file=path, changes=["n_epochs=many"])
    assert str(caught.value) == "n_epochs must be int, got 'many'"

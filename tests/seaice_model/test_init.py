import subprocess
import sys

import pytest

import seaice_model


@pytest.mark.parametrize("name", seaice_model.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(seaice_model, name) is not None


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="fly"):
        seaice_model.fly  # noqa: B018 - the access is the test


def test_settings_load_without_pytorch() -> None:
    code = "import seaice_model.config.presets, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

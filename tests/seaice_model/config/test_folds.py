from pathlib import Path

import pytest

from seaice_data.scene_id import SceneId
from seaice_model.config.folds import write_folds
from seaice_model.config.resolve import resolve
from seaice_model.errors import ConfigError

FOLDS = [[SceneId("20190110T101010_dmi")], [SceneId("20190210T101010_cis")]]


def test_a_training_with_the_file_of_a_fold_validates_on_it(tmp_path: Path) -> None:
    paths = write_folds(FOLDS, tmp_path / "folds")
    assert [path.name for path in paths] == ["fold-1.toml", "fold-2.toml"]
    for path, fold in zip(paths, FOLDS, strict=True):
        chosen = resolve("default", "tiny", path, [])
        assert chosen.train.validation == "listed"
        assert chosen.train.validation_scenes == tuple(fold)


def test_files_of_other_folds_are_not_replaced(tmp_path: Path) -> None:
    write_folds(FOLDS, tmp_path)
    assert len(write_folds(FOLDS, tmp_path)) == 2
    with pytest.raises(ConfigError, match=r"fold-1\.toml' with other content"):
        write_folds(FOLDS[::-1], tmp_path)
    (tmp_path / "fold-1.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="other content"):
        write_folds(FOLDS, tmp_path)

"""Cross-validation: a file of settings for the training of each fold."""

from collections.abc import Sequence
from pathlib import Path

from seaice_data.scene_id import SceneId
from seaice_data.settings import to_toml
from seaice_data.system.documents import DocumentError, read_text
from seaice_data.system.files import replacing
from seaice_model.errors import ConfigError


def write_folds(folds: Sequence[Sequence[SceneId]], folder: str | Path) -> tuple[Path, ...]:
    """Write ``fold-1.toml`` and so on, for ``seaice train --config``.

    A training with such a file validates on the scenes of its fold and trains on those of
    the others.

    Parameters
    ----------
    folds
        The scenes of each fold (`seaice_data.store.division.folds_of`).
    folder
        Where the files go; made if needed.

    Returns
    -------
    tuple
        The files, in the order of the folds.

    Raises
    ------
    ConfigError
        If a file of one of these names exists with other content.
    """
    texts = {
        Path(folder) / f"fold-{number}.toml": _text(number, len(folds), fold)
        for number, fold in enumerate(folds, start=1)
    }
    for path, text in texts.items():
        if path.exists() and _content(path) != text:
            raise ConfigError(
                f"there is a file at {str(path)!r} with other content",
                hint="choose another folder with --out, or remove the file",
            )
    Path(folder).mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        with replacing(path) as new:
            new.write_text(text, encoding="utf-8")
    return tuple(texts)


def _text(number: int, n_folds: int, fold: Sequence[SceneId]) -> str:
    settings = {"validation": "listed", "validation_scenes": list(fold)}
    return f"# Fold {number} of {n_folds}.\n{to_toml({'train': settings})}\n"


def _content(path: Path) -> str | None:
    """Return the text of a file; None if it is not a text."""
    try:
        return read_text(path)
    except DocumentError:
        return None

"""Checkpoints: weights as safetensors, everything else as JSON in the same file.

Nothing is pickled, so opening a checkpoint never runs code. One file holds what is needed
to predict (network, channels and their standardisation) and to go on with the training
(momentum, number of the next patch). It is whole or absent.

A run is a folder::

    run/
      settings.json         what was asked for: configuration, store, scenes
      log.jsonl             one line an epoch
      best.safetensors      checkpoint of the epoch with the highest combined score
      last.safetensors      checkpoint to go on from
      learning_curve.png    the log as a picture
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from seaice_data.errors import SettingsError
from seaice_data.recipe import Recipe
from seaice_data.settings import from_mapping, to_mapping
from seaice_model.config import RunConfig
from seaice_model.errors import RunError
from seaice_model.files import replacing
from seaice_model.unet import MultiTaskUNet

FORMAT_VERSION = 1
"""Version of the checkpoint format."""

_KEY = "seaice"
_WEIGHTS, _MOMENTUM = "weights.", "momentum."


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where the files of a run are."""

    path: Path
    """The folder."""

    @property
    def settings(self) -> Path:
        """What was asked for, as JSON."""
        return self.path / "settings.json"

    @property
    def log(self) -> Path:
        """One line of JSON an epoch."""
        return self.path / "log.jsonl"

    @property
    def best(self) -> Path:
        """Checkpoint of the best epoch."""
        return self.path / "best.safetensors"

    @property
    def last(self) -> Path:
        """Checkpoint to go on from."""
        return self.path / "last.safetensors"

    @property
    def learning_curve(self) -> Path:
        """The log as a picture."""
        return self.path / "learning_curve.png"

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that a training writes."""
        return (self.settings, self.log, self.best, self.last, self.learning_curve)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreRecord:
    """The store that a run was trained on."""

    path: str
    """Path or URL, as it was given."""

    fingerprint: str
    """Fingerprint of its recipe."""

    recipe: Recipe
    """How it was made."""

    means: tuple[float, ...]
    """Subtracted from each channel of the run before storing, in its unit."""

    stds: tuple[float, ...]
    """Divided by before storing, in the same order and unit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSettings:
    """Everything that decides the weights of a run."""

    config: RunConfig
    """Network and training."""

    store: StoreRecord
    """Where the patches come from."""

    train_scenes: tuple[str, ...]
    """Ids of the scenes that patches are drawn from."""

    validation_scenes: tuple[str, ...]
    """Ids of the scenes that epochs are scored on."""

    software: str
    """Version of this package."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainState:
    """How far a training has come."""

    n_epochs: int = 0
    """Epochs trained and validated."""

    next_patch: int = 0
    """Number of the first patch that is not yet trained on."""

    losses: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    """Sums of the losses of the epoch under way: total, SIC, SOD, FLOE."""

    best_score: float | None = None
    """Highest combined score so far, in percent."""

    best_epoch: int | None = None
    """Its epoch, from 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A network in training, or one that is trained."""

    settings: RunSettings
    """What was asked for."""

    state: TrainState
    """How far it has come."""

    weights: Mapping[str, Tensor]
    """State dict of the network."""

    momentum: Mapping[str, Tensor] = field(default_factory=dict)
    """Momentum of the optimiser by the name of its weights."""

    def network(self) -> MultiTaskUNet:
        """Build the network, ready to predict."""
        network = MultiTaskUNet(self.settings.config.model)
        network.load_state_dict(dict(self.weights))
        return network.eval()


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint; a file at `path` stays until the new one is whole."""
    tensors = {f"{_WEIGHTS}{name}": tensor for name, tensor in checkpoint.weights.items()}
    tensors |= {f"{_MOMENTUM}{name}": t for name, t in checkpoint.momentum.items()}
    # The format keeps tensors in C order, and shared memory only once.
    plain = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    header = {
        "format_version": FORMAT_VERSION,
        "settings": to_mapping(checkpoint.settings),
        "state": to_mapping(checkpoint.state),
    }
    with replacing(path) as new:
        new.write_bytes(to_bytes(plain, metadata={_KEY: json.dumps(header)}))


def load(path: Path) -> Checkpoint:
    """Read a checkpoint, on the CPU.

    Raises
    ------
    RunError
        If there is none at `path`, or it is not one of ours.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except FileNotFoundError as error:
        raise RunError(f"no checkpoint at {str(path)!r}") from error
    except (SafetensorError, KeyError, json.JSONDecodeError, OSError) as error:
        raise RunError(f"{str(path)!r} is not a checkpoint of seaice: {error}") from error
    if header["format_version"] != FORMAT_VERSION:
        raise RunError(
            f"{str(path)!r} has format version {header['format_version']}, "
            f"this version reads {FORMAT_VERSION}"
        )
    return Checkpoint(
        settings=_settings(header["settings"], path),
        state=from_mapping(TrainState, header["state"]),
        weights=_part(tensors, _WEIGHTS),
        momentum=_part(tensors, _MOMENTUM),
    )


def save_settings(settings: RunSettings, path: Path) -> None:
    """Write the settings of a run as JSON for people and programs."""
    with replacing(path) as new:
        new.write_text(json.dumps(to_mapping(settings), indent=2) + "\n", encoding="utf-8")


def load_settings(path: Path) -> RunSettings:
    """Read the settings of a run.

    Raises
    ------
    RunError
        If there are none at `path`, or they do not fit this version.
    """
    try:
        mapping = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RunError(f"cannot read settings from {str(path)!r}: {error}") from error
    return _settings(mapping, path)


def load_best(run_path: Path) -> Checkpoint:
    """Read the best checkpoint of a run.

    Raises
    ------
    RunError
        If there is no run, or none of its epochs is finished.
    """
    folder = RunFolder(run_path)
    if not folder.settings.exists() and not folder.best.exists():
        raise RunError(
            f"no run at {str(run_path)!r}",
            hint="train one with `seaice train store.zarr`, or name it with --run",
        )
    if not folder.best.exists():
        raise RunError(
            f"the run at {str(run_path)!r} has no finished epoch",
            hint="go on with `seaice train --resume`",
        )
    return load(folder.best)


def weights_fingerprint(checkpoint: Checkpoint) -> str:
    """Return a short hash of the weights; equal weights have equal hashes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(checkpoint.weights.items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _settings(mapping: Mapping[str, object], path: Path) -> RunSettings:
    try:
        return from_mapping(RunSettings, mapping)
    except (SettingsError, TypeError) as error:
        raise RunError(f"settings in {str(path)!r} do not fit: {error}") from error


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }

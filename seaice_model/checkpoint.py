"""Checkpoints: weights as safetensors, everything else as JSON in the same file.

Nothing is pickled, so opening a checkpoint never runs code. One file holds what is needed
to predict (network, channels and their standardisation) and to go on with the training
(momentum, number of the next patch). It is whole or absent.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import Tensor

from seaice_data.charts import CHARTS
from seaice_data.errors import SettingsError
from seaice_data.recipe import Recipe
from seaice_data.settings import from_mapping, to_mapping
from seaice_data.versions import naming_version
from seaice_model.config import RunConfig
from seaice_model.errors import ConfigError, RunError
from seaice_model.files import replacing
from seaice_model.run_folder import RunFolder
from seaice_model.unet import MultiTaskUNet

FORMAT_VERSION = 1
"""Version of the checkpoint format."""

_KEY = "seaice"
_WEIGHTS, _MOMENTUM = "weights.", "momentum."


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreRecord:
    """The store that a run was trained on."""

    path: str
    """Path or URL as it was given, without passwords and keys."""

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

    def __post_init__(self) -> None:
        """Refuse a standardisation of other channels."""
        n_channels = len(self.config.model.channels)
        for name in ("means", "stds"):
            values = getattr(self.store, name)
            if len(values) != n_channels:
                raise ConfigError(
                    f"{name} must be one number a channel ({n_channels}), got {len(values)}"
                )


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

    def __post_init__(self) -> None:
        """Refuse a state that no training reaches."""
        if min(self.n_epochs, self.next_patch) < 0:
            raise ConfigError("n_epochs and next_patch must not be negative")
        if len(self.losses) != 1 + len(CHARTS):
            raise ConfigError(f"losses must be 4 numbers, got {len(self.losses)}")


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

    @property
    def is_best(self) -> bool:
        """Whether these are the weights of the best epoch, as they were scored."""
        train = self.settings.config.train
        n_finished = self.state.n_epochs * train.n_iterations * train.batch_size
        return (
            self.state.best_epoch == self.state.n_epochs
            and self.state.next_patch == n_finished
        )

    def network(self) -> MultiTaskUNet:
        """Return the network, ready to predict; it shares its memory with `weights`."""
        network = MultiTaskUNet(self.settings.config.model, seed=None)
        network.load_state_dict(dict(self.weights), assign=True)
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
        If there is none at `path`, it is not one of ours, or damaged.
    """
    try:
        # safetensors would map the file, which some network disks refuse.
        content = path.read_bytes()
        tensors = from_bytes(content)
        text = _metadata(content)[_KEY]
    except FileNotFoundError as error:
        raise RunError(f"no checkpoint at {str(path)!r}") from error
    except OSError as error:
        raise RunError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except (SafetensorError, KeyError) as error:
        raise RunError(
            f"{str(path)!r} is not a checkpoint of seaice: {error}",
            hint=_mending(path),
        ) from error
    try:
        header = json.loads(text)
        with naming_version(RunError, str(path), header["settings"].get("software")):
            if header["format_version"] != FORMAT_VERSION:
                raise RunError(
                    f"{str(path)!r} has format version {header['format_version']}, "
                    f"this version reads {FORMAT_VERSION}"
                )
            checkpoint = Checkpoint(
                settings=from_mapping(RunSettings, header["settings"]),
                state=from_mapping(TrainState, header["state"]),
                weights=_part(tensors, _WEIGHTS),
                momentum=_part(tensors, _MOMENTUM),
            )
    except _DAMAGE as error:
        raise _damaged(path, error) from error
    try:
        _check_weights(checkpoint)
        _check_momentum(checkpoint)
    except RunError as error:
        raise _damaged(path, error) from error
    return checkpoint


def save_settings(settings: RunSettings, path: Path) -> None:
    """Write the settings of a run as JSON for people and programs."""
    with replacing(path) as new:
        new.write_text(json.dumps(to_mapping(settings), indent=2) + "\n", encoding="utf-8")


def load_settings(path: Path) -> RunSettings:
    """Read the settings of a run.

    Raises
    ------
    RunError
        If there are none at `path`, they are damaged, or do not fit this version.
    """
    try:
        mapping = json.loads(path.read_text(encoding="utf-8"))
        with naming_version(RunError, str(path), mapping.get("software")):
            return from_mapping(RunSettings, mapping)
    except OSError as error:
        raise RunError(
            f"cannot read settings from {str(path)!r}: {error.strerror}"
        ) from error
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def settings_to_resume(run_path: Path) -> RunSettings:
    """Read the settings of a run that is to go on.

    Raises
    ------
    RunError
        If there is no run, or its settings are damaged.
    """
    folder = RunFolder(run_path)
    if not folder.settings.exists():
        raise RunError(
            f"no run at {str(run_path)!r} to resume",
            hint="leave out --resume to start one",
        )
    return load_settings(folder.settings)


def load_best(run_path: str | Path) -> Checkpoint:
    """Read the best checkpoint of a run.

    Raises
    ------
    RunError
        If there is no run, or none of its epochs is finished.
    """
    folder = RunFolder(Path(run_path))
    if not folder.settings.exists() and not folder.best.exists():
        raise RunError(
            f"no run at {str(run_path)!r}",
            hint="train one with `seaice train store.zarr`, or name it with --run",
        )
    if not folder.best.exists():
        last = load(folder.last) if folder.last.exists() else None
        if last is not None and last.is_best:
            raise RunError(
                f"the best checkpoint of the run at {str(run_path)!r} is missing",
                hint="write it again with `seaice train --resume`",
            )
        if last is not None and last.state.best_epoch is not None:
            raise best_is_lost(folder, last)
        raise RunError(
            f"the run at {str(run_path)!r} has no finished epoch",
            hint="go on with `seaice train --resume`",
        )
    return load(folder.best)


def best_is_lost(folder: RunFolder, last: Checkpoint) -> RunError:
    """Say that the best checkpoint is gone and that `last` cannot stand for it."""
    return RunError(
        f"the best checkpoint of the run at {str(folder.path)!r} is missing: that of "
        f"epoch {last.state.best_epoch}, and the last one is of epoch "
        f"{last.state.n_epochs}",
        hint=f"bring {str(folder.best)!r} back; or copy {str(folder.last)!r} to it to do "
        "with the last weights",
    )


def weights_fingerprint(checkpoint: Checkpoint) -> str:
    """Return a short hash of the weights; equal weights have equal hashes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(checkpoint.weights.items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


_DAMAGE = (KeyError, TypeError, AttributeError, ValueError, SettingsError)
"""What reading JSON raises that somebody changed, or that another version wrote."""


def _damaged(path: Path, error: Exception) -> RunError:
    reason = f"{error.args[0]!r} is missing" if type(error) is KeyError else str(error)
    return RunError(f"{str(path)!r} is damaged: {reason}", hint=_mending(path))


def _mending(path: Path) -> str:
    """Return what to do about a damaged file of a run."""
    folder = RunFolder(path.parent)
    if path == folder.best and folder.last.exists():
        return "remove it and call `seaice train --resume`, which can write it again"
    if path == folder.last and folder.best.exists():
        return "remove it and call `seaice train --resume`, which goes on from the best"
    return "bring it back from a copy, or train anew with `seaice train --overwrite`"


def _check_weights(checkpoint: Checkpoint) -> None:
    model = checkpoint.settings.config.model
    wanted = MultiTaskUNet(model, seed=None).state_dict()
    if difference := _first_difference(checkpoint.weights, wanted):
        raise RunError(
            f"weights are not those of a network of filters {list(model.filters)}: "
            f"{difference}"
        )
    for name, weights in checkpoint.weights.items():
        if not bool(torch.isfinite(weights).all()):
            raise RunError(f"weights {name!r} are not finite")


def _check_momentum(checkpoint: Checkpoint) -> None:
    for name, momentum in checkpoint.momentum.items():
        if name not in checkpoint.weights:
            raise RunError(f"there is momentum but no weights {name!r}")
        if momentum.shape != checkpoint.weights[name].shape:
            raise RunError(f"momentum of {name!r} has another shape than the weights")
        if not bool(torch.isfinite(momentum).all()):
            raise RunError(f"momentum of {name!r} is not finite")


def _first_difference(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    for name in sorted({*found, *wanted}):
        if name not in found:
            return f"{name!r} is missing"
        if name not in wanted:
            return f"{name!r} has no place in it"
        if found[name].shape != wanted[name].shape:
            shapes = (tuple(found[name].shape), tuple(wanted[name].shape))
            return f"{name!r} has shape {shapes[0]} instead of {shapes[1]}"
        if found[name].dtype != wanted[name].dtype:
            return f"{name!r} is {found[name].dtype} instead of {wanted[name].dtype}"
    return ""


def _metadata(content: bytes) -> dict[str, str]:
    """Return the metadata of a safetensors file that was read without an error."""
    end = 8 + int.from_bytes(content[:8], "little")
    metadata: dict[str, str] = json.loads(content[8:end]).get("__metadata__", {})
    return metadata


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }

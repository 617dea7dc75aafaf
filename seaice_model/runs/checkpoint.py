"""Checkpoints: weights as safetensors, everything else as JSON in the same file.

Nothing is pickled, so opening a checkpoint never runs code. One file contains what is
needed to predict (network, channels and their standardisation) and to resume the training
(momentum, number of the next patch). It is complete or absent.
"""

import hashlib
import json
import logging
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import Tensor

from seaice_data.charts import CHARTS
from seaice_data.display import Displayed
from seaice_data.errors import SettingsError
from seaice_data.settings import from_mapping, to_mapping
from seaice_data.system.documents import (
    MOST_BYTES,
    DocumentError,
    naming_version,
    open_file,
    parse_json,
    typed,
)
from seaice_data.system.files import replacing
from seaice_data.texts import printable
from seaice_model.config.network_names import UNET, check_package, package_of
from seaice_model.config.run_config import ModelConfig
from seaice_model.errors import ConfigError, RunError
from seaice_model.networks.build import Network, build_network
from seaice_model.runs.folder import RunFolder, run_errors
from seaice_model.runs.locations import archive_hint, is_url, read_best, shown
from seaice_model.runs.settings import RunSettings

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
"""Version of the checkpoint format."""

LOG_VARIANCES, MOMENTUM = "log_variances", "momentum"
"""Tensors of `Checkpoint.loss_weights`: one number for each chart in both."""

_KEY = "seaice"
_WEIGHTS, _MOMENTUM = "weights.", "momentum."
_AVERAGE, _LOSS_WEIGHTS = "average.", "loss_weights."


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainState:
    """State of a training."""

    n_epochs: int = 0
    """Epochs trained and validated."""

    next_patch: int = 0
    """Number of the first patch that is not yet trained on."""

    losses: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    """Sums of the losses of the current epoch: total, SIC, SOD, FLOE."""

    best_score: float | None = None
    """Highest combined score so far, in percent."""

    best_epoch: int | None = None
    """Epoch of the best score, from 1."""

    def __post_init__(self) -> None:
        """Refuse a state that no training can reach."""
        if min(self.n_epochs, self.next_patch) < 0:
            raise ConfigError("n_epochs and next_patch must not be negative")
        if len(self.losses) != 1 + len(CHARTS):
            raise ConfigError(f"losses must be 4 numbers, got {len(self.losses)}")


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Checkpoint(Displayed):
    """A network, and the state of its training."""

    settings: RunSettings
    """Settings of the run."""

    state: TrainState
    """State of the training."""

    weights: Mapping[str, Tensor]
    """State dict of the network that learns."""

    momentum: Mapping[str, Tensor] = field(default_factory=dict)
    """Momentum of the optimiser by the name of its weights."""

    average: Mapping[str, Tensor] = field(default_factory=dict)
    """Average of `weights` over batches, if the settings ask for one; else empty."""

    loss_weights: Mapping[str, Tensor] = field(default_factory=dict)
    """State of the weights of the losses, if they are learned; else empty."""

    def _displayed(self) -> Iterator[tuple[str, object]]:
        model = self.settings.config.model
        yield "network", model.network
        yield "channels", model.channels
        yield "n_weights", sum(tensor.numel() for tensor in self.result.values())
        yield "n_epochs", self.state.n_epochs
        yield "best_score", self.state.best_score
        yield "best_epoch", self.state.best_epoch

    @property
    def result(self) -> Mapping[str, Tensor]:
        """State dict of the network that predicts: the average, if there is one."""
        return self.average or self.weights

    @property
    def is_best(self) -> bool:
        """Return whether these are the weights of the best epoch, as they were scored."""
        train = self.settings.config.train
        n_finished = self.state.n_epochs * train.n_iterations * train.batch_size
        return (
            self.state.best_epoch == self.state.n_epochs
            and self.state.next_patch == n_finished
        )

    def network(self) -> Network:
        """Return the network, ready to predict; it shares memory with `result`.

        Raises
        ------
        RunError
            If its package is not installed, or cannot build it.
        """
        network = _built(self.settings)
        network.load_state_dict(dict(self.result), assign=True)
        return network.eval()


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint; a file at `path` stays until the new one is complete.

    Raises
    ------
    RunError
        If it cannot be written.
    """
    parts = {
        _WEIGHTS: checkpoint.weights,
        _MOMENTUM: checkpoint.momentum,
        _AVERAGE: checkpoint.average,
        _LOSS_WEIGHTS: checkpoint.loss_weights,
    }
    tensors = {f"{key}{name}": t for key, part in parts.items() for name, t in part.items()}
    # The format stores tensors in C order, and refuses shared memory.
    plain = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    header = {
        "format_version": FORMAT_VERSION,
        "settings": to_mapping(checkpoint.settings),
        "state": to_mapping(checkpoint.state),
    }
    with run_errors(path, "write"), replacing(path) as new:
        new.write_bytes(to_bytes(plain, metadata={_KEY: json.dumps(header)}))


def load(path: Path) -> Checkpoint:
    """Read a checkpoint, on the CPU.

    Raises
    ------
    RunError
        If there is none at `path`, seaice did not write it, or it is damaged.
    """
    with run_errors(path):
        if not path.exists():
            raise RunError(f"no checkpoint at {str(path)!r}")
        with open_file(path) as stream:
            return _parsed(stream, str(path))


def _parsed(stream: BinaryIO, name: str) -> Checkpoint:
    """Return the checkpoint in a file of this name."""
    header, tensors = _read(stream)
    settings = header.get("settings")
    software = settings.get("software") if isinstance(settings, dict) else None
    with naming_version(RunError, name, software):
        found = typed(_entry(header, "format_version"), int, "format_version")
        if found != FORMAT_VERSION:
            raise RunError(
                f"{name!r} has format version {found}, this version reads {FORMAT_VERSION}"
            )
        return _checked(
            Checkpoint(
                settings=from_mapping(RunSettings, _entry(header, "settings")),
                state=from_mapping(TrainState, _entry(header, "state")),
                weights=_part(tensors, _WEIGHTS),
                momentum=_part(tensors, _MOMENTUM),
                average=_part(tensors, _AVERAGE),
                loss_weights=_part(tensors, _LOSS_WEIGHTS),
            )
        )


def load_best(run_path: str | Path) -> Checkpoint:
    """Read the best checkpoint of a run.

    Parameters
    ----------
    run_path
        Folder of the run, or a URL; see `seaice_model.runs.locations`.

    Raises
    ------
    RunError
        If there is no run, or none of its epochs is finished.
    """
    if isinstance(run_path, str) and is_url(run_path):
        content = read_best(run_path)
        return load(content) if isinstance(content, Path) else _from_url(content, run_path)
    folder = RunFolder(Path(run_path))
    if not folder.settings.exists() and not folder.best.exists():
        raise RunError(
            f"no run at {str(run_path)!r}",
            hint=archive_hint(folder.path)
            or "train one with `seaice train store.zarr`, or name it with --run",
        )
    if not folder.best.exists():
        last = load(folder.last) if folder.last.exists() else None
        if last is not None and last.is_best:
            raise RunError(
                f"the best checkpoint of the run at {str(run_path)!r} is missing",
                hint=f"write it again with `{_resume(run_path)}`",
            )
        if last is not None and last.state.best_epoch is not None:
            raise lost_best_error(folder, last)
        raise RunError(
            f"the run at {str(run_path)!r} has no finished epoch",
            hint=f"continue with `{_resume(run_path)}`",
        )
    return load(folder.best)


def _from_url(content: bytes, url: str) -> Checkpoint:
    try:
        return _parsed(BytesIO(content), shown(url))
    except (DocumentError, SettingsError) as error:
        raise RunError(
            f"the best checkpoint at {shown(url)!r} is damaged: {error}",
            hint="ask who published it, or download it again",
        ) from error


def _resume(run_path: str | Path) -> str:
    return shlex.join(["seaice", "train", "--resume", "--run", str(run_path)])


def lost_best_error(folder: RunFolder, last: Checkpoint) -> RunError:
    """Return the error for a best checkpoint that is missing and not `last`."""
    return RunError(
        f"the best checkpoint of the run at {str(folder.path)!r} is missing: it is that of "
        f"epoch {last.state.best_epoch}, and the last checkpoint is that of epoch "
        f"{last.state.n_epochs}",
        hint=f"restore {str(folder.best)!r}, or copy {str(folder.last)!r} to it to use "
        "the last weights instead",
    )


def weights_fingerprint(checkpoint: Checkpoint) -> str:
    """Return a short hash of the weights that predict; equal ones have equal hashes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(checkpoint.result.items()):
        digest.update(name.encode())
        # Their bits: numpy lacks types that networks of others may have.
        bits = tensor.detach().cpu().reshape(-1).view(torch.uint8)
        digest.update(bits.numpy().tobytes())
    return digest.hexdigest()[:16]


def joint_fingerprint(checkpoints: Iterable[Checkpoint]) -> str:
    """Return the same for networks that decide together, in any order; of one, its own."""
    prints = sorted(map(weights_fingerprint, checkpoints))
    if len(prints) == 1:
        return prints[0]
    return hashlib.sha256("".join(prints).encode()).hexdigest()[:16]


def _read(stream: BinaryIO) -> tuple[Mapping[str, Any], Mapping[str, Tensor]]:
    """Return the header of a checkpoint, and its tensors."""
    start = stream.read(8)
    n_bytes = int.from_bytes(start, "little")
    if len(start) < 8 or n_bytes > MOST_BYTES:
        raise DocumentError("it is not a safetensors file")
    text = stream.read(n_bytes)
    metadata = _entry(typed(parse_json(text), dict[str, Any]), "__metadata__")
    header = typed(metadata, dict[str, str], "__metadata__").get(_KEY)
    if header is None:
        raise DocumentError("seaice did not write it")
    try:
        # Not with `safe_open`, which needs a path in UTF-8 and maps the file.
        tensors = from_bytes(start + text + stream.read())
    except (SafetensorError, KeyError) as error:  # KeyError: a type that torch lacks
        raise DocumentError(f"its tensors cannot be read: {error}") from None
    return typed(parse_json(header), dict[str, Any]), tensors


def _entry(table: Mapping[str, Any], name: str) -> Any:
    if name not in table:
        raise DocumentError(f"{name!r} is missing")
    return table[name]


def _checked(checkpoint: Checkpoint) -> Checkpoint:
    """Refuse tensors that do not fit the network, or the settings of its training."""
    model, package = checkpoint.settings.config.model, checkpoint.settings.network_package
    wanted = _built(checkpoint.settings).state_dict()
    found = package_of(model.network)
    if difference := _first_difference(checkpoint.weights, wanted):
        if found != package:
            raise RunError(
                f"the run has weights of the network {model.network!r} of "
                f"{printable(package)!r}, here it is from {found!r}, where {difference}",
                hint="install the version that the run was trained with, if you trust it",
            )
        raise DocumentError(f"weights are not those of {_in_words(model)}: {difference}")
    if found != package:
        log.warning(
            "the network %r of the run is from %s, here it is from %s",
            model.network, printable(package), found,
        )  # fmt: skip
    train = checkpoint.settings.config.train
    averaged = wanted if train.weight_average > 0 else {}
    if difference := _first_difference(checkpoint.average, averaged):
        raise DocumentError(f"in the average of the weights, {difference}")
    learned = _learned_like(checkpoint) if train.learned_weights else {}
    if difference := _first_difference(checkpoint.loss_weights, learned):
        raise DocumentError(f"in the weights of the losses, {difference}")
    for part in (checkpoint.weights, checkpoint.average, checkpoint.loss_weights):
        for name, weights in part.items():
            if not bool(torch.isfinite(weights).all()):
                raise DocumentError(f"weights {name!r} are not finite")
    for name, momentum in checkpoint.momentum.items():
        if name not in checkpoint.weights:
            raise DocumentError(f"there is momentum for {name!r}, but no weights")
        if momentum.shape != checkpoint.weights[name].shape:
            raise DocumentError(f"momentum of {name!r} differs in shape from the weights")
        if not bool(torch.isfinite(momentum).all()):
            raise DocumentError(f"momentum of {name!r} is not finite")
    return checkpoint


def _built(settings: RunSettings) -> Network:
    """Build the network of a run, for other weights."""
    config = settings.config
    check_package(config.model.network, settings.network_package)
    return build_network(config.model, seed=None, patch_size=config.train.patch_size)


def _in_words(model: ModelConfig) -> str:
    if model.network == UNET:
        return f"a network of filters {list(model.filters)}"
    return f"the network {model.network!r} ({package_of(model.network)})"


def _learned_like(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """Return tensors like those of learned weights, with momentum if weights have one."""
    names = [LOG_VARIANCES, *([MOMENTUM] if checkpoint.momentum else [])]
    return dict.fromkeys(names, torch.zeros(len(CHARTS)))


def _first_difference(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    for name in sorted({*found, *wanted}):
        if name not in found:
            return f"{name!r} is missing"
        if name not in wanted:
            return f"{name!r} is not part of it"
        if found[name].shape != wanted[name].shape:
            shapes = (tuple(found[name].shape), tuple(wanted[name].shape))
            return f"{name!r} has shape {shapes[0]} instead of {shapes[1]}"
        if found[name].dtype != wanted[name].dtype:
            return f"{name!r} is {found[name].dtype} instead of {wanted[name].dtype}"
    return ""


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }

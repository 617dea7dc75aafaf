"""Train the network: from the first batch to the best checkpoint.

As Chen et al. (2024), section 3.5: gradient descent with momentum, a learning rate that
falls as a cosine and restarts, epochs of a fixed number of batches, and after each epoch
the combined score on the validation scenes, whole, which decides the best weights. That
score is counted on the grid of the store; `seaice_model.score` counts on the 80 m grid.

Weights follow from the settings alone. Learning rate and patches are functions of the
number of the batch, so a training that goes on after an interruption ends, on the same
CPU with as many threads, with the very weights it would have had without.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seaice_data.channels import find_channel
from seaice_data.charts import FLOE, SIC, SOD
from seaice_data.sampler import PatchSampler
from seaice_data.settings import differences, to_mapping
from seaice_data.split import split_scenes
from seaice_data.store import Store
from seaice_model import checkpoint as checkpoints
from seaice_model import runlog
from seaice_model.batches import Batch, batches
from seaice_model.checkpoint import (
    Checkpoint,
    RunFolder,
    RunSettings,
    StoreRecord,
    TrainState,
    best_is_lost,
    settings_to_resume,
)
from seaice_model.config import RunConfig, TrainConfig
from seaice_model.device import arithmetic, find_device, memory_in_words
from seaice_model.errors import RunError
from seaice_model.files import alone_in
from seaice_model.losses import total_loss
from seaice_model.metrics import ChartScorer, Scores
from seaice_model.pictures import draw_learning_curve, save_picture
from seaice_model.predict import predict_classes, read_inputs
from seaice_model.runlog import LogEntry
from seaice_model.stop import StopRequest, stop_on_signals
from seaice_model.unet import MultiTaskUNet

log = logging.getLogger(__name__)

_CHECK_EVERY = {"cpu": 1}
_CHECK_EVERY_ELSEWHERE = 25
_DRAW_EVERY_S = 60.0
_MARKS_OF_A_STORE = ("zarr.json", ".zgroup")


@dataclass(frozen=True, slots=True)
class TrainProgress:
    """Told every few batches, and after each validation."""

    epoch: int
    """Epoch under way, from 1."""

    n_epochs: int
    """Epochs in all."""

    iteration: int
    """Batches of this epoch done."""

    n_iterations: int
    """Batches in an epoch."""

    loss: float
    """Mean loss of the epoch so far."""

    learning_rate: float
    """Learning rate of the last batch."""

    scores: Scores | None
    """Scores on the validation scenes, once the epoch is validated."""


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What `train` did."""

    run: Path
    """Folder of the run."""

    n_epochs: int
    """Epochs finished, those of earlier calls included."""

    is_complete: bool
    """False if a signal stopped the training; it can go on with ``resume``."""

    best_score: float | None
    """Highest combined score in percent, on the grid of the store."""

    best_epoch: int | None
    """Its epoch, from 1."""

    n_parameters: int
    """Numbers that were trained."""

    patches_per_s: float
    """Speed of this call, without validation."""

    wait_share: float
    """Share of the training time that the network waited for patches."""

    elapsed_s: float
    """Seconds of this call."""


Progress = Callable[[TrainProgress], None]


def train(
    store: Store,
    run_path: Path,
    config: RunConfig | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
) -> TrainReport:
    """Train a network on the training scenes of a store.

    SIGTERM and Ctrl-C stop at the next batch with everything saved.

    Parameters
    ----------
    store
        Where the patches come from.
    run_path
        Folder for settings, log and checkpoints (`seaice_model.checkpoint` lists them).
    config
        Network and training; the defaults of the paper if not given. When resuming, that
        of the run; a given one must equal it but for the number of epochs.
    resume
        Go on with the run in `run_path`.
    overwrite
        Replace the run in `run_path`. One that has neither a checkpoint nor a finished
        epoch is replaced unasked.
    device
        Where to train: "auto", "cpu", "cuda" and so on.
    progress
        Told every few batches, and after each validation.

    Raises
    ------
    RunError
        If a run is in the way, missing, damaged or under way elsewhere, does not fit store
        or config, the store has no scenes to train or validate on, the loss is not finite,
        or memory runs out.
    StoreError
        If the store lacks channels or labels.
    """
    start = time.perf_counter()
    folder = RunFolder(run_path)
    if resume:
        settings = _settings_to_resume(store, folder, config)
    else:
        settings = _new_settings(store, config or RunConfig())
    machine = find_device(device)
    with memory_in_words("training", "take a smaller batch_size, patch_size or filters"):
        training = _Training(store, folder, settings, machine)
        with _alone(folder):
            if resume:
                training.restore()
            else:
                _claim(folder, settings, overwrite=overwrite)
            training.run(progress)
    state = training.state
    train_s = max(sum(t.train_s for t in training.timing), 1e-9)
    return TrainReport(
        run=run_path,
        n_epochs=state.n_epochs,
        is_complete=state.n_epochs >= settings.config.train.n_epochs,
        best_score=state.best_score,
        best_epoch=state.best_epoch,
        n_parameters=sum(w.numel() for w in training.network.parameters()),
        patches_per_s=sum(t.n_patches for t in training.timing) / train_s,
        wait_share=sum(t.wait_s for t in training.timing) / train_s,
        elapsed_s=time.perf_counter() - start,
    )


def learning_rate(config: TrainConfig, iteration: int) -> float:
    """Return the learning rate of a batch, counted from 0 over all epochs.

    A cosine from `config.learning_rate` to 0 that starts again every
    `config.n_restart_epochs` epochs (Chen et al. 2024, section 3.5; stepped per batch as
    in the reference implementation).

    Examples
    --------
    >>> [learning_rate(TrainConfig(), t) for t in (0, 5000, 10000)]
    [0.001, 0.0005, 0.001]
    """
    period = config.n_restart_epochs * config.n_iterations
    phase = (iteration % period) / period
    return config.learning_rate * (1 + math.cos(math.pi * phase)) / 2


@dataclass(slots=True)
class _Timing:
    """Where the time of this process went in an epoch, in seconds."""

    n_patches: int = 0
    train_s: float = 0.0
    wait_s: float = 0.0
    validation_s: float = 0.0


class _Training:
    """A network, its optimiser and how far they have come."""

    def __init__(
        self, store: Store, folder: RunFolder, settings: RunSettings, device: torch.device
    ) -> None:
        self.store = store
        self.folder = folder
        self.settings = settings
        self.device = device
        self.config = settings.config.train
        self.state = TrainState()
        self.timing = [_Timing()]
        self.drawn = time.perf_counter()
        network = MultiTaskUNet(settings.config.model, seed=self.config.seed).to(device)
        self.network: MultiTaskUNet = network.to(  # type: ignore[call-overload]
            memory_format=torch.channels_last
        )
        self.optimiser = torch.optim.SGD(
            self.network.parameters(),
            lr=self.config.learning_rate,
            momentum=self.config.momentum,
            weight_decay=self.config.weight_decay,
        )
        self.sampler = PatchSampler(
            store,
            scenes=settings.train_scenes,
            channels=settings.config.model.channels,
            size=self.config.patch_size,
            seed=self.config.seed,
        )
        if self.sampler.skipped:
            log.warning(
                "%d training scenes have no labels and give no patches: %s",
                len(self.sampler.skipped), ", ".join(self.sampler.skipped),
            )  # fmt: skip

    def run(self, progress: Progress | None) -> None:
        """Train and validate the epochs that are left, until a signal comes."""
        with stop_on_signals() as stop:
            while self.state.n_epochs < self.config.n_epochs and not stop.is_made:
                self.train_epoch(stop, progress)
                scores = self.validate(stop)
                if scores is None:
                    self.save(self.folder.last)
                    break
                told = self.told(scores)
                self.finish_epoch(scores)
                if progress is not None:
                    progress(told)
        self.draw_learning_curve()

    def train_epoch(self, stop: StopRequest, progress: Progress | None) -> None:
        """Train on the batches of the epoch that are left; all of them, unless stopped."""
        self.network.train()
        self.timing.append(_Timing())
        first = self.state.next_patch
        last = (self.state.n_epochs + 1) * self.config.n_iterations * self.config.batch_size
        every = _CHECK_EVERY.get(self.device.type, _CHECK_EVERY_ELSEWHERE)
        unchecked: list[Tensor] = []
        start = time.perf_counter()
        stream = batches(self.sampler, first, last, self.config.batch_size, self.device)
        iterations = range(first // self.config.batch_size, last // self.config.batch_size)
        with closing(stream):
            for iteration, batch in zip(iterations, stream, strict=True):
                unchecked.append(self._step(iteration, batch))
                self.timing[-1].wait_s += batch.wait_s
                is_last = iteration + 1 == iterations.stop
                if len(unchecked) == every or is_last or stop.is_made:
                    self._account(unchecked)
                    unchecked.clear()
                    if progress is not None:
                        progress(self.told(None))
                if stop.is_made:
                    break
        self.timing[-1].train_s = time.perf_counter() - start
        self.timing[-1].n_patches = self.state.next_patch - first

    def validate(self, stop: StopRequest) -> Scores | None:
        """Score the network on the validation scenes; none if stopped before the end."""
        self.network.eval()
        start = time.perf_counter()
        scorer = ChartScorer()
        for scene_id in self.settings.validation_scenes:
            if stop.is_made:
                return None
            scene = self.store.scene(scene_id)
            inputs = read_inputs(scene, self.settings.config.model.channels)
            predicted = predict_classes(self.network, inputs, self.config.precision)
            scorer.add(np.moveaxis(scene.charts, -1, 0), predicted)
        self.timing[-1].validation_s = time.perf_counter() - start
        return None if stop.is_made else scorer.scores()

    def finish_epoch(self, scores: Scores) -> None:
        """Log the epoch and save the network, as the best too if it is."""
        self._check_weights()
        if scores.combined is None:
            raise RunError("no pixel of the validation scenes has a class")
        best = self.state.best_score
        is_best = best is None or scores.combined > best
        entry = self._log_entry(scores, scores.combined, is_best=is_best)
        self.state = replace(
            self.state,
            n_epochs=entry.epoch,
            losses=TrainState().losses,
            best_score=scores.combined if is_best else best,
            best_epoch=entry.epoch if is_best else self.state.best_epoch,
        )
        # A process killed in between repeats the epoch from the last checkpoint, drops
        # its line of the log, and finds the same best weights again.
        runlog.append(self.folder.log, entry)
        if is_best:
            self.save(self.folder.best)
        self.save(self.folder.last)
        if time.perf_counter() - self.drawn > _DRAW_EVERY_S:
            self.draw_learning_curve()
        log.info(
            "epoch %d: loss %.4f, combined score %.2f %%, %.1f s of training, %.1f s of "
            "validation",
            entry.epoch, entry.loss, entry.combined, entry.train_s, entry.validation_s,
        )  # fmt: skip

    def draw_learning_curve(self) -> None:
        """Draw the log, if an epoch is finished."""
        if entries := runlog.read_log(self.folder.log):
            save_picture(draw_learning_curve(entries), self.folder.learning_curve)
        self.drawn = time.perf_counter()

    def told(self, scores: Scores | None) -> TrainProgress:
        """Return how far the training is."""
        return TrainProgress(
            epoch=self.state.n_epochs + 1,
            n_epochs=self.config.n_epochs,
            iteration=self._n_done,
            n_iterations=self.config.n_iterations,
            loss=self.state.losses[0] / max(self._n_done, 1),
            learning_rate=learning_rate(self.config, self._iteration - 1),
            scores=scores,
        )

    def save(self, path: Path) -> None:
        """Write everything that is needed to predict and to go on."""
        momentum = {
            name: self.optimiser.state[weights]["momentum_buffer"]
            for name, weights in self.network.named_parameters()
            if weights in self.optimiser.state
        }
        checkpoint = Checkpoint(
            settings=self.settings,
            state=self.state,
            weights=self.network.state_dict(),
            momentum=momentum,
        )
        checkpoints.save(checkpoint, path)

    def restore(self) -> None:
        """Go back to the last checkpoint, else the best, else to the start."""
        newest = next((p for p in (self.folder.last, self.folder.best) if p.exists()), None)
        if newest is not None:
            checkpoint = checkpoints.load(newest)
            self._check_checkpoint(checkpoint, newest)
            self.state = checkpoint.state
            self.network.load_state_dict(dict(checkpoint.weights))
            for name, weights in self.network.named_parameters():
                if name in checkpoint.momentum:
                    buffer = torch.empty_like(weights.detach())  # same memory format
                    buffer.copy_(checkpoint.momentum[name])
                    self.optimiser.state[weights]["momentum_buffer"] = buffer
            if not self.folder.best.exists() and self.state.best_epoch is not None:
                if not checkpoint.is_best:
                    raise best_is_lost(self.folder, checkpoint)
                self.save(self.folder.best)
        runlog.keep_epochs(self.folder.log, self.state.n_epochs)
        checkpoints.save_settings(self.settings, self.folder.settings)

    def _check_checkpoint(self, checkpoint: Checkpoint, path: Path) -> None:
        """Refuse a checkpoint of another run, or one that is past the epochs wanted."""
        ours = to_mapping(self.settings.config)
        theirs = to_mapping(checkpoint.settings.config)
        theirs["train"]["n_epochs"] = self.config.n_epochs
        if changed := _differences(theirs, ours):
            raise RunError(
                f"{str(path)!r} is of a run with other settings: {'; '.join(changed)}",
                hint="bring back the files of one run, or start another run",
            )
        state = checkpoint.state
        per_epoch = self.config.n_iterations * self.config.batch_size
        n_seen = state.next_patch - state.n_epochs * per_epoch
        if not 0 <= n_seen <= per_epoch or n_seen % self.config.batch_size:
            raise RunError(
                f"{str(path)!r} is damaged: patch {state.next_patch} is not the next one "
                f"after {state.n_epochs} epochs",
                hint="bring it back from a copy, or start another run",
            )
        if state.n_epochs > self.config.n_epochs:
            raise RunError(
                f"the run at {str(self.folder.path)!r} has {state.n_epochs} epochs "
                f"already, asked for are {self.config.n_epochs}",
                hint="ask for more with --epochs, or start another run",
            )

    @property
    def _iteration(self) -> int:
        """Batches done in all epochs."""
        return self.state.next_patch // self.config.batch_size

    @property
    def _n_done(self) -> int:
        """Batches done in the epoch under way."""
        return self._iteration - self.state.n_epochs * self.config.n_iterations

    def _step(self, iteration: int, batch: Batch) -> Tensor:
        """Train on one batch; return its losses, still on the device."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.config, iteration)
        with arithmetic(self.device, self.config.precision):
            prediction = self.network(batch.inputs)
        losses = total_loss(prediction, batch.charts, self.config)
        self.optimiser.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return torch.stack(losses).detach()

    def _account(self, losses: Sequence[Tensor]) -> None:
        """Take trained batches into the state; stop if a loss is not finite."""
        table = torch.stack(list(losses)).cpu().double().numpy()
        finite = np.isfinite(table).all(axis=1)
        if not finite.all():
            position = int(np.flatnonzero(~finite)[0])
            raise self._diverged(
                f"the loss of batch {self._n_done + position + 1} is {table[position, 0]}"
            )
        # Summed one by one, so that sums do not depend on how often they are taken.
        sums = np.array(self.state.losses)
        for row in table:
            sums = sums + row
        self.state = replace(
            self.state,
            next_patch=self.state.next_patch + len(losses) * self.config.batch_size,
            losses=tuple(sums.tolist()),
        )

    def _check_weights(self) -> None:
        """Stop before weights that are not finite are saved."""
        for name, weights in self.network.state_dict().items():
            if not bool(torch.isfinite(weights).all()):
                raise self._diverged(f"weights {name!r} are not finite")

    def _diverged(self, reason: str) -> RunError:
        return RunError(
            f"training diverged in epoch {self.state.n_epochs + 1}: {reason}",
            hint=f"lower learning_rate ({self.config.learning_rate}) in another run; "
            f"{str(self.folder.path)!r} stays as it was after epoch {self.state.n_epochs}"
            if self.state.n_epochs
            else f"lower learning_rate ({self.config.learning_rate})",
        )

    def _log_entry(self, scores: Scores, combined: float, *, is_best: bool) -> LogEntry:
        total, sic, sod, floe = (
            value / self.config.n_iterations for value in self.state.losses
        )
        return LogEntry(
            epoch=self.state.n_epochs + 1,
            loss=total,
            loss_sic=sic,
            loss_sod=sod,
            loss_floe=floe,
            learning_rate=learning_rate(self.config, self._iteration - 1),
            combined=combined,
            sic=scores.charts[SIC.name].score,
            sod=scores.charts[SOD.name].score,
            floe=scores.charts[FLOE.name].score,
            is_best=is_best,
            train_s=self.timing[-1].train_s,
            wait_s=self.timing[-1].wait_s,
            validation_s=self.timing[-1].validation_s,
        )


def _new_settings(store: Store, config: RunConfig) -> RunSettings:
    train_scenes, validation_scenes = _scenes(store, config.train)
    channels = [find_channel(name) for name in config.model.channels]
    return RunSettings(
        config=config,
        store=StoreRecord(
            path=store.path,
            fingerprint=store.fingerprint,
            recipe=store.recipe,
            means=tuple(channel.mean for channel in channels),
            stds=tuple(channel.std for channel in channels),
        ),
        train_scenes=train_scenes,
        validation_scenes=validation_scenes,
        software=f"seaice {version('seaice')}",
    )


def _scenes(store: Store, config: TrainConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the scenes to train and to validate on."""
    splits = store.splits
    if config.validation == "drawn":
        both = (*splits["train"], *splits["validation"])
        splits = split_scenes(both, tests=(), seed=config.seed)
    for name, kind in (("train", "training"), ("validation", "validation")):
        if not splits[name]:
            raise RunError(
                f"the store {store.path!r} has no {kind} scenes",
                hint="prepare more scenes: of five, one validates and four train",
            )
    return splits["train"], splits["validation"]


def _settings_to_resume(
    store: Store, folder: RunFolder, config: RunConfig | None
) -> RunSettings:
    """Return the settings of a run; of `config`, only the number of epochs may be new."""
    settings = settings_to_resume(folder.path)
    if store.fingerprint != settings.store.fingerprint:
        changed = differences(to_mapping(store.recipe), to_mapping(settings.store.recipe))
        raise RunError(
            f"the run at {str(folder.path)!r} was trained on a store of another recipe: "
            f"{'; '.join(changed)}"
        )
    if config is None:
        return settings
    n_epochs = config.train.n_epochs
    continued = replace(
        settings.config, train=replace(settings.config.train, n_epochs=n_epochs)
    )
    if config != continued:
        changed = _differences(to_mapping(config), to_mapping(continued))
        raise RunError(
            f"the run at {str(folder.path)!r} has other settings: {'; '.join(changed)}",
            hint="resume with the settings of the run, or start another run",
        )
    return replace(settings, config=continued)


def _differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """List what differs between two configurations."""
    return [
        difference
        for part in ("model", "train")
        for difference in differences(ours[part], theirs[part])
    ]


@contextmanager
def _alone(folder: RunFolder) -> Iterator[None]:
    """Make the folder of a run; refuse it while another process trains in it."""
    found = [name for name in _MARKS_OF_A_STORE if (folder.path / name).exists()]
    if found:
        raise RunError(
            f"{str(folder.path)!r} is a store, and no folder for a run",
            hint="name another folder with --run",
        )
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    with alone_in(folder.path) as is_alone:
        if not is_alone:
            raise RunError(
                f"another process is training the run at {str(folder.path)!r}",
                hint="wait until it has ended, or name another folder with --run",
            )
        yield


def _claim(folder: RunFolder, settings: RunSettings, *, overwrite: bool) -> None:
    """Write the settings of a new run; remove the files of an old one if asked to.

    Not asked for are the files of one that has learned nothing yet.
    """
    if folder.has_results and not overwrite:
        raise RunError(
            f"there is a run at {str(folder.path)!r}",
            hint="go on with it by --resume, replace it by --overwrite, or name another "
            "with --run",
        )
    try:
        for path in folder.files:
            path.unlink(missing_ok=True)
        checkpoints.save_settings(settings, folder.settings)
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _cannot_write(folder: RunFolder, error: OSError) -> RunError:
    return RunError(
        f"cannot write a run to {str(folder.path)!r}: {error.strerror or error}"
    )

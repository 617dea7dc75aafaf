"""Networks that decide together on the classes of whole scenes.

``Predictor`` holds the best weights of one run or several, ``predict_classes`` asks a
single network, as a training does to validate.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.charts import CHARTS
from seaice_data.grid import Window
from seaice_data.settings import differences
from seaice_data.store.recipe import Recipe
from seaice_data.store.stored_scene import StoredScene
from seaice_model.config.run_config import Precision
from seaice_model.errors import RunError
from seaice_model.maps.chart_map import SceneUse
from seaice_model.networks.device import arithmetic
from seaice_model.networks.tensors import to_device
from seaice_model.networks.unet import MultiTaskUNet, Prediction, on_device
from seaice_model.networks.upsampling import Place
from seaice_model.prediction.ballot import Ballot
from seaice_model.runs.checkpoint import Checkpoint, load_best, weights_fingerprint
from seaice_model.runs.folder import RunFolder

TILE = 1024
"""Pixels along one side of a tile, for networks whose stride is not larger."""

MARGIN = 8
"""Pixels of the bridge around a tile that its prediction sees: more than half the receptive
field of a network, which is less than 16 of them whatever its depth."""

_ALL = slice(None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What the networks decide on for each pixel of the planes; see `Decision`."""

    classes: ChartArray
    concentration: ChartArray
    entropy: ChartArray
    spread: ChartArray | None
    probabilities: dict[str, ChartArray] | None


class Predictor:
    """The best networks of one run or several, on a device, in evaluation mode.

    Parameters
    ----------
    paths
        Folders of the runs, as the user gave them.
    checkpoints
        Their best checkpoints.
    device
        Where the networks run.

    Raises
    ------
    RunError
        If the runs were not trained on the same kind of store.
    """

    def __init__(
        self, paths: Sequence[Path], checkpoints: Sequence[Checkpoint], device: torch.device
    ) -> None:
        self.paths = tuple(paths)
        self.checkpoints = tuple(checkpoints)
        for path, checkpoint in zip(paths[1:], checkpoints[1:], strict=True):
            _check_alike(paths[0], checkpoints[0], path, checkpoint)
        self._networks = [on_device(c.network(), device) for c in checkpoints]
        self._device = device

    @classmethod
    def load(cls, paths: Sequence[str | Path], device: torch.device) -> Self:
        """Load the best networks of runs.

        Raises
        ------
        RunError
            If there is no run, it is damaged, or runs do not go together.
        """
        folders = [RunFolder(Path(path)) for path in paths]
        runs = [run.path for f in folders for run in f.seeds() or (f,)]
        if twice := [run for run in runs if runs.count(run) > 1]:
            raise RunError(f"the run {str(twice[0])!r} is named twice")
        return cls(runs, [load_best(run) for run in runs], device)

    def use_of(self, scene_id: str) -> SceneUse:
        """Tell whether a network was trained or, if none was, validated on a scene."""
        settings = [checkpoint.settings for checkpoint in self.checkpoints]
        if any(scene_id in s.train_scenes for s in settings):
            return "trained"
        if any(scene_id in s.validation_scenes for s in settings):
            return "validated"
        return "unseen"

    @property
    def name(self) -> str:
        """The folders, with commas between them."""
        return ", ".join(map(str, self.paths))

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels that at least one of the networks takes."""
        names = (n for network in self._networks for n in network.config.channels)
        return tuple(dict.fromkeys(names))

    @property
    def recipe(self) -> Recipe:
        """Recipe of the store that the runs were trained on, for these channels alone."""
        return replace(self.checkpoints[0].settings.store.recipe, channels=self.channels)

    @property
    def n_networks(self) -> int:
        """Networks that decide together."""
        return len(self._networks)

    @property
    def weights(self) -> str:
        """Fingerprint of the weights of all networks, in any order."""
        prints = sorted(map(weights_fingerprint, self.checkpoints))
        if len(prints) == 1:
            return prints[0]
        return hashlib.sha256("".join(prints).encode()).hexdigest()[:16]

    def decide(
        self, planes: FloatArray, channels: Sequence[str], *, probabilities: bool = False
    ) -> Outcome:
        """Decide on the classes of a scene.

        Parameters
        ----------
        planes
            Shape ``(y, x, channel)``, standardised, NaN is fill.
        channels
            Names on the channel axis; all of `Predictor.channels` are among them.
        probabilities
            Whether to keep the class probabilities.
        """
        places = [
            [channels.index(name) for name in network.config.channels]
            for network in self._networks
        ]
        shape = planes.shape[:2]
        stride = max(network.config.stride for network in self._networks)
        outcomes = []
        for tile, seen in _tiles(shape, stride):
            ballot = Ballot()
            for network, place in zip(self._networks, places, strict=True):
                ballot.add(_forward(network, planes, tile, seen, place))
            outcomes.append((tile, _outcome(ballot, keep=probabilities)))
        return _joined(outcomes, shape)


def predict_classes(
    network: MultiTaskUNet, inputs: FloatArray, precision: Precision = "float32"
) -> ChartArray:
    """Predict classes on the grid of `inputs`.

    Large planes are predicted in tiles, each of which sees a margin of its neighbours and
    knows its place, so that the classes are those of the whole plane.

    Parameters
    ----------
    network
        In evaluation mode, on any device.
    inputs
        Shape ``(y, x, channel)``, standardised, NaN is fill.
    precision
        Arithmetic of the convolutions.

    Returns
    -------
    ChartArray
        Shape ``(chart, y, x)``; every pixel has a class.
    """
    shape = inputs.shape[:2]
    classes = np.empty((len(CHARTS), *shape), np.uint8)
    for tile, seen in _tiles(shape, network.config.stride):
        prediction = _forward(network, inputs, tile, seen, precision=precision)
        classes[:, *tile] = prediction.classes()[0].cpu().numpy()
    return classes


def read_inputs(scene: StoredScene, channels: Sequence[str]) -> FloatArray:
    """Return the planes of a scene in the order of `channels`, ``(y, x, channel)``."""
    stored = scene.store.channels
    return np.asarray(scene.inputs[..., [stored.index(name) for name in channels]])


def recipe_differences(ours: Recipe, theirs: Recipe) -> list[str]:
    """List what differs between two recipes but for their channels."""
    return differences(ours, replace(theirs, channels=ours.channels))


def _forward(
    network: MultiTaskUNet,
    planes: FloatArray,
    tile: Window,
    seen: Window,
    channels: list[int] | slice = _ALL,
    *,
    precision: Precision = "float32",
) -> Prediction:
    """Predict a tile of `planes` from the part that it sees of some channels."""
    device = next(network.parameters()).device
    top, left = (span.start for span in seen)
    part = planes[seen]
    is_whole = part.shape == planes.shape
    place = None if is_whole else Place(top, left, *planes.shape[:2])
    inner = tuple(
        slice(span.start - first, span.stop - first)
        for span, first in zip(tile, (top, left), strict=True)
    )
    with torch.inference_mode(), arithmetic(device, precision):
        batch = to_device(np.ascontiguousarray(part[np.newaxis, ..., channels]), device)
        return Prediction(*(plane[..., *inner] for plane in network(batch, place)))


def _outcome(ballot: Ballot, *, keep: bool) -> Outcome:
    return Outcome(
        classes=ballot.classes(),
        concentration=ballot.concentration(),
        entropy=ballot.entropy(),
        spread=ballot.spread(),
        probabilities=ballot.probabilities() if keep else None,
    )


def _joined(parts: Sequence[tuple[Window, Outcome]], shape: tuple[int, int]) -> Outcome:
    """Put tiles together."""
    if len(parts) == 1:
        return parts[0][1]

    def join(planes: Sequence[ChartArray]) -> ChartArray:
        whole = np.empty((*planes[0].shape[:-2], *shape), np.uint8)
        for (tile, _), plane in zip(parts, planes, strict=True):
            whole[..., *tile] = plane
        return whole

    outcomes = [outcome for _, outcome in parts]
    spreads = [outcome.spread for outcome in outcomes if outcome.spread is not None]
    shares = [o.probabilities for o in outcomes if o.probabilities is not None]
    return Outcome(
        classes=join([outcome.classes for outcome in outcomes]),
        concentration=join([outcome.concentration for outcome in outcomes]),
        entropy=join([outcome.entropy for outcome in outcomes]),
        spread=join(spreads) if spreads else None,
        probabilities={name: join([share[name] for share in shares]) for name in shares[0]}
        if shares
        else None,
    )


def _check_alike(
    path: Path, first: Checkpoint, other_path: Path, other: Checkpoint
) -> None:
    """Refuse networks that cannot look at the same planes, or decide together."""
    listed = recipe_differences(first.settings.store.recipe, other.settings.store.recipe)
    heads = [c.settings.config.model.sic for c in (first, other)]
    if heads[0] != heads[1]:
        listed.append(f"sic: {heads[0]} and {heads[1]}")
    if listed:
        raise RunError(
            f"the runs {str(path)!r} and {str(other_path)!r} cannot decide together, "
            f"they differ in {'; '.join(listed)}",
            hint="take runs of one preset that were trained on one store",
        )


def _tiles(shape: tuple[int, ...], stride: int) -> Iterator[tuple[Window, Window]]:
    """Cover a plane by tiles; give each tile and what its prediction sees."""
    height, width = shape
    for rows, rows_seen in _spans(height, stride):
        for columns, columns_seen in _spans(width, stride):
            yield (rows, columns), (rows_seen, columns_seen)


def _spans(n_pixels: int, stride: int) -> Iterator[tuple[slice, slice]]:
    """Cut an axis into tiles, and add the margins that fit into the plane.

    An axis that a tile with its margins covers is not cut.

    Examples
    --------
    >>> [(t.start, t.stop, s.start, s.stop) for t, s in _spans(2000, 16)]
    [(0, 1024, 0, 1152), (1024, 2000, 896, 2000)]
    """
    margin = MARGIN * stride
    size = max(TILE // stride, 1) * stride
    if n_pixels <= size + 2 * margin:
        size = n_pixels
    for start in range(0, n_pixels, size):
        stop = min(start + size, n_pixels)
        seen = slice(max(start - margin, 0), min(stop + margin, n_pixels))
        yield slice(start, stop), seen

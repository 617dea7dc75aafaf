"""Networks that decide together on the classes of whole scenes.

``Predictor`` uses the best weights of one run or several; ``predict_classes`` uses a single
network, for validation in training. Planes of any size are predicted part by part
(`seaice_model.prediction.parts`). Nothing is blended, except within a part the tiles of
networks that need them (`seaice_model.prediction.network_tiles`).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import torch

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.charts import CHARTS
from seaice_data.settings import differences
from seaice_data.store.recipe import Recipe
from seaice_data.store.stored_scene import StoredScene
from seaice_model.config.run_config import Precision
from seaice_model.errors import RunError
from seaice_model.maps.chart_map import U_NET, SceneUse
from seaice_model.maps.decision import Decision, SicBasis
from seaice_model.networks.build import Network
from seaice_model.networks.device import arithmetic, to_device
from seaice_model.networks.unet import Prediction, on_device
from seaice_model.prediction.ballot import Ballot
from seaice_model.prediction.flips import Flips
from seaice_model.prediction.network_tiles import parts_of, predict_blended
from seaice_model.prediction.parts import MARGIN, TILE, TileView, predict_in_parts
from seaice_model.runs.checkpoint import Checkpoint, joint_fingerprint, load_best
from seaice_model.runs.locations import is_url, runs_at, shown

_ALL = slice(None)


class Predictor:
    """The best networks of one run or several, on a device, in evaluation mode.

    Parameters
    ----------
    paths
        Folders or URLs of the runs, as the user gave them.
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
        self,
        paths: Sequence[str | Path],
        checkpoints: Sequence[Checkpoint],
        device: torch.device,
    ) -> None:
        self.paths = tuple(shown(p) if is_url(p) else Path(p) for p in paths)
        self.checkpoints = tuple(checkpoints)
        for path, checkpoint in zip(self.paths[1:], checkpoints[1:], strict=True):
            _check_alike(self.paths[0], checkpoints[0], path, checkpoint)
        self._networks = [on_device(c.network(), device) for c in checkpoints]
        self._device = device

    @classmethod
    def load(cls, paths: Sequence[str | Path], device: torch.device) -> Self:
        """Load the best networks of runs.

        Raises
        ------
        RunError
            If there is no run, it is damaged, or runs cannot decide together.
        """
        runs = [run for path in paths for run in runs_at(path)]
        if twice := [run for run in runs if runs.count(run) > 1]:
            raise RunError(f"the run {shown(twice[0])!r} is named twice")
        return cls(runs, [load_best(run) for run in runs], device)

    def use_of(self, scene_id: str) -> SceneUse:
        """Return whether a network was trained or, if none was, validated on a scene."""
        settings = [checkpoint.settings for checkpoint in self.checkpoints]
        if any(scene_id in s.train_scenes for s in settings):
            return "trained"
        if any(scene_id in s.validation_scenes for s in settings):
            return "validated"
        return "unseen"

    def knows(self, denoising: str) -> bool:
        """Return whether each network was trained on scenes denoised in this way, too."""
        return all(denoising in c.settings.denoisings for c in self.checkpoints)

    @property
    def trained_on_denoising(self) -> str:
        """Ways in which noise was removed from training scenes, separated by commas."""
        known = {name for c in self.checkpoints for name in c.settings.denoisings}
        return ", ".join(sorted(known))

    @property
    def name(self) -> str:
        """The folders, separated by commas."""
        return ", ".join(map(str, self.paths))

    @property
    def network(self) -> str:
        """Kinds of the networks, separated by commas, with packages that they are from."""
        of_runs = [
            (c.settings.config.model.network, c.settings.network_package)
            for c in self.checkpoints
        ]
        kinds = [f"{name} ({package})" if package else U_NET for name, package in of_runs]
        return ", ".join(dict.fromkeys(kinds))

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels that at least one of the networks needs."""
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
    def _sic_basis(self) -> SicBasis | None:
        """Source of the uncertainty of SIC; None for a single number."""
        if self._networks[0].config.sic != "regression":
            return "probabilities"
        return "votes" if self.n_networks > 1 else None

    @property
    def weights(self) -> str:
        """Fingerprint of the weights of all networks, in any order."""
        return joint_fingerprint(self.checkpoints)

    def decide(
        self,
        planes: FloatArray,
        channels: Sequence[str],
        *,
        probabilities: bool = False,
        flips: bool = False,
        tile: int = TILE,
        margin: int = MARGIN,
    ) -> Decision:
        """Decide on the classes of a scene.

        Parameters
        ----------
        planes
            Shape ``(y, x, channel)``, standardised, NaN is fill.
        channels
            Names on the channel axis; all of `Predictor.channels` are among them.
        probabilities
            Whether to keep the class probabilities.
        flips
            Whether each network also predicts mirrored views of the scene, and their mean
            decides (`seaice_model.prediction.flips`). Takes four times as long.
        tile, margin
            See `predict_in_parts`.

        Returns
        -------
        Decision
            On the grid of `planes`, as for a map on the same grid.
        """
        places = [
            [channels.index(name) for name in network.config.channels]
            for network in self._networks
        ]

        def predict(part: FloatArray, view: TileView) -> dict[str, ChartArray]:
            ballot = Ballot()
            for k, (network, place) in enumerate(zip(self._networks, places, strict=True)):
                forward = partial(_forward, network, channels=place)
                if flips:
                    ballot.add(mirrored[k].predict(forward, planes, view))
                else:
                    ballot.add(forward(part, view))
            return _planes(ballot, probabilities=probabilities)

        parts = parts_of(self._networks, tile=tile, margin=margin)
        mirrored = [
            Flips(
                augmentation=checkpoint.settings.config.augmentation,
                channels=channels,
                stride=parts.stride,
                margin=parts.margin,
            )
            for checkpoint in self.checkpoints
        ]
        decided = predict_in_parts(
            predict, planes, parts.stride, tile=parts.tile, margin=parts.margin
        )
        shares = {
            chart.name: decided[chart.name] for chart in CHARTS if chart.name in decided
        }
        return Decision(
            classes=decided["classes"],
            concentration=decided["concentration"],
            entropy=decided["entropy"],
            spread=decided.get("spread"),
            probabilities=shares or None,
            n_networks=self.n_networks,
            sic_basis=self._sic_basis,
            rows=np.arange(planes.shape[0]),
            columns=np.arange(planes.shape[1]),
        )


def predict_classes(
    network: Network,
    inputs: FloatArray,
    precision: Precision = "float32",
    *,
    tile: int = TILE,
    margin: int = MARGIN,
) -> ChartArray:
    """Predict classes on the grid of `inputs`.

    Parameters
    ----------
    network
        In evaluation mode, on any device.
    inputs
        Shape ``(y, x, channel)``, standardised, NaN is fill.
    precision
        Arithmetic of the convolutions.
    tile, margin
        See `predict_in_parts`.

    Returns
    -------
    ChartArray
        Shape ``(chart, y, x)``; every pixel has a class.
    """

    def predict(part: FloatArray, view: TileView) -> dict[str, ChartArray]:
        prediction = _forward(network, part, view, precision=precision)
        classes: ChartArray = (
            prediction.classes()[0].cpu().numpy().astype(np.uint8, copy=False)
        )
        return {"classes": classes}

    parts = parts_of([network], tile=tile, margin=margin)
    return predict_in_parts(
        predict, inputs, parts.stride, tile=parts.tile, margin=parts.margin
    )["classes"]


def read_inputs(scene: StoredScene, channels: Sequence[str]) -> FloatArray:
    """Return the planes of a scene in the order of `channels`, ``(y, x, channel)``."""
    stored = scene.store.channels
    return np.asarray(scene.inputs[..., [stored.index(name) for name in channels]])


def recipe_differences(ours: Recipe, theirs: Recipe) -> list[str]:
    """List what differs between two recipes, apart from their channels."""
    return differences(ours, replace(theirs, channels=ours.channels))


def _forward(
    network: Network,
    part: FloatArray,
    view: TileView,
    channels: list[int] | slice = _ALL,
    *,
    precision: Precision = "float32",
) -> Prediction:
    """Predict a tile from some channels of the part that it sees."""
    device = next(network.parameters()).device
    with torch.inference_mode(), arithmetic(device, precision):
        if network.tile is not None:
            blended = predict_blended(network, part[..., channels], network.tile)
            return Prediction(*map(view.crop, blended))
        planes = np.ascontiguousarray(part[np.newaxis, ..., channels])
        batch = to_device(planes, device, network.config.fill)
        return Prediction(*map(view.crop, network(batch, view.place)))


def _planes(ballot: Ballot, *, probabilities: bool) -> dict[str, ChartArray]:
    """Return the planes of a ballot by name, probabilities by the name of their chart."""
    planes = {
        "classes": ballot.classes(),
        "concentration": ballot.concentration(),
        "entropy": ballot.entropy(),
    }
    if (spread := ballot.spread()) is not None:
        planes["spread"] = spread
    return planes | (ballot.probabilities() if probabilities else {})


def _check_alike(
    path: str | Path, first: Checkpoint, other_path: str | Path, other: Checkpoint
) -> None:
    """Refuse networks that need different planes, or cannot decide together."""
    listed = recipe_differences(first.settings.store.recipe, other.settings.store.recipe)
    heads = [c.settings.config.model.sic for c in (first, other)]
    if heads[0] != heads[1]:
        listed.append(f"sic: {heads[0]} and {heads[1]}")
    if listed:
        raise RunError(
            f"the runs {str(path)!r} and {str(other_path)!r} cannot decide together: "
            f"they differ in {'; '.join(listed)}",
            hint="use runs of the same preset, trained on the same store",
        )

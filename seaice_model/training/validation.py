"""The validation scenes of a run, scored after each epoch.

On a GPU they stay in its memory, and pixels are counted there: after the first epoch
nothing is read or sent, and only counts are returned. Reading and counting 20 scenes on the
CPU would take a second or two, as long as a GPU takes for an epoch of 8000 patches.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.store.stored_scene import StoredScene
from seaice_model.config.run_config import Precision
from seaice_model.metrics import ChartScorer
from seaice_model.networks.build import Network
from seaice_model.networks.device import arithmetic, to_device
from seaice_model.prediction.predictor import predict_classes, read_inputs
from seaice_model.training.stop import StopRequest

_N_VALUES = 16
"""Values of a chart, classes first and fill last: few, so that counting is fast."""


class Validation:
    """Scenes to score a network on.

    Parameters
    ----------
    scenes
        The scenes; they have charts.
    channels
        Input planes of the network, in its order.
    precision
        Arithmetic of the convolutions.
    largest_kept
        Scenes of at most this many pixels along each side stay in the memory of the
        network's device, where they are predicted in one piece; 0 keeps none.
    """

    def __init__(
        self,
        scenes: Sequence[StoredScene],
        channels: Sequence[str],
        precision: Precision,
        *,
        largest_kept: int,
    ) -> None:
        self._scenes = scenes
        self._channels = channels
        self._precision = precision
        self._largest_kept = largest_kept
        self._on_device: dict[str, tuple[Tensor, Tensor]] = {}

    def score(self, network: Network, stop: StopRequest) -> ChartScorer:
        """Count the pixels of all scenes, or of fewer after a request to stop."""
        network.eval()
        scorer = ChartScorer()
        counts: list[Tensor] = []
        for scene in self._scenes:
            if stop.is_made:
                break
            if max(scene.grid.shape) <= self._largest_kept:
                counts.append(self._count(network, scene))
                continue
            inputs = read_inputs(scene, self._channels)
            predicted = predict_classes(network, inputs, self._precision)
            scorer.add(np.moveaxis(scene.charts, -1, 0), predicted)
        if counts:
            _add(scorer, torch.stack(counts).sum(dim=0))
        return scorer

    def _count(self, network: Network, scene: StoredScene) -> Tensor:
        """Count pairs of classes on the device.

        The result is flat, with axes chart, class in the chart, and class in the map.
        """
        device = next(network.parameters()).device
        if scene.id not in self._on_device:
            planes = read_inputs(scene, self._channels)[np.newaxis]
            inputs = to_device(np.ascontiguousarray(planes), device, network.config.fill)
            self._on_device[scene.id] = (inputs, _codes(scene).to(device))
        inputs, codes = self._on_device[scene.id]
        with torch.inference_mode(), arithmetic(device, self._precision):
            classes = network(inputs).classes()[0]
        n = len(CHARTS) * _N_VALUES**2
        return torch.bincount((codes + classes).flatten(), minlength=n)


def _codes(scene: StoredScene) -> Tensor:
    """Return a number for the chart of each pixel and its class there.

    Adding the class of the map gives the number of the pair. Shape ``(chart, y, x)``,
    int16.
    """
    charts = np.moveaxis(scene.charts, -1, 0).astype(np.int16)
    charts[charts == CHART_FILL] = _N_VALUES - 1
    charts += _N_VALUES * np.arange(len(CHARTS), dtype=np.int16)[:, None, None]
    return torch.from_numpy(charts * _N_VALUES)


def _add(scorer: ChartScorer, counts: Tensor) -> None:
    tables = counts.cpu().numpy().reshape(len(CHARTS), _N_VALUES, _N_VALUES)
    for chart, table in zip(CHARTS, tables, strict=True):
        n = chart.n_classes
        scorer.confusion[chart.name][:, :n] += table[:n, :n]

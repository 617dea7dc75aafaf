"""Train a network of your own in PyTorch, make maps of the test scenes, and score them."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from seaice import (
    CHARTS,
    ChartScorer,
    PatchNumbers,
    PatchSampler,
    Store,
    compose_chart_map,
    masked_cross_entropy,
    write_netcdf,
)

CHANNELS = ["hh", "hv", "btemp_36_5v", "t2m"]
N_EPOCHS, N_STEPS, BATCH, SIZE, WIDTH = 2, 20, 8, 32, 16
N_CLASSES = [chart.n_classes for chart in CHARTS]  # SIC, SOD, FLOE

torch.manual_seed(0)
network = nn.Sequential(
    nn.Conv2d(len(CHANNELS), WIDTH, 3, padding=1),
    nn.ReLU(),
    nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
    nn.ReLU(),
    nn.Conv2d(WIDTH, sum(N_CLASSES), 1),
)


def logits_of(inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Return logits of each chart, (batch, class, y, x), from (batch, y, x, channel)."""
    # Channels are standardised, so fill becomes their mean.
    planes = inputs.permute(0, 3, 1, 2).float().nan_to_num(0.0)
    return network(planes).split(N_CLASSES, dim=1)


store = Store.open(sys.argv[1])
patches = PatchSampler(store, channels=CHANNELS, size=SIZE, seed=0, augmentation="default")
optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
# A store has endlessly many numbered patches: each epoch loads the next ones.
loader = DataLoader(patches, sampler=PatchNumbers(N_STEPS * BATCH), batch_size=BATCH)
for _ in range(N_EPOCHS):
    for batch in loader:
        charts = batch["charts"].long().unbind(dim=-1)  # 255 is not a class: ignored
        loss = sum(
            chart.weight * masked_cross_entropy(logits, classes)
            for chart, logits, classes in zip(
                CHARTS, logits_of(batch["inputs"]), charts, strict=True
            )
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

scorer = ChartScorer()
columns = [store.channels.index(name) for name in CHANNELS]
with tempfile.TemporaryDirectory() as maps, torch.inference_mode():
    for scene_id in store.splits["test"]:
        scene = store.scene(scene_id)
        inputs = np.asarray(scene.inputs)[np.newaxis, ..., columns]
        shares = [logits[0].softmax(dim=0) for logits in logits_of(torch.tensor(inputs))]
        chart_map = compose_chart_map(
            store,
            scene_id,
            torch.stack([share.argmax(dim=0) for share in shares]).numpy(),
            probabilities={c.name: s.numpy() for c, s in zip(CHARTS, shares, strict=True)},
            network="small CNN",
        )
        write_netcdf(chart_map, Path(maps) / f"{scene_id}.nc")
        if scene.has_charts:
            scorer.add(scene.full_charts(), chart_map.charts)  # both at 80 m
scores = {name: s and round(s, 1) for name, s in scorer.scores().by_name.items()}
print("scores of the test scenes in %:", scores)

"""Register a network of your own: `seaice` then trains it and makes maps, by its name."""

import subprocess
import sys
import tempfile
from pathlib import Path

# The whole package: `pip install .` in its folder makes the network known to seaice.
PYPROJECT = """\
[project]
name = "ice-cnn"
version = "1.0"

[project.entry-points."seaice.networks"]
ice-cnn = "ice_cnn:build"
"""

MODULE = """\
from torch import nn


class IceCnn(nn.Module):
    def __init__(self, n_channels, heads):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(n_channels, 16, 3, padding=1), nn.ReLU())
        self.heads = nn.ModuleDict({name: nn.Conv2d(16, n, 1) for name, n in heads.items()})

    def forward(self, planes):  # (batch, channel, y, x), float32 without NaN
        features = self.body(planes)
        return {name: head(features) for name, head in self.heads.items()}


def build(n_channels, heads):  # heads: {"SIC": 1, "SOD": 6, "FLOE": 7}
    return IceCnn(n_channels, heads)
"""

SETTINGS = "network=ice-cnn, patch_size=32, batch_size=4, n_iterations=5, n_epochs=1"

with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "ice_cnn.py").write_text(MODULE)
    # Instead of pip, which may need a connection: what it writes, and a path to it.
    described = folder / "ice_cnn-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: ice-cnn\nVersion: 1.0\n"
    )
    (described / "entry_points.txt").write_text(
        "[seaice.networks]\nice-cnn = ice_cnn:build\n"
    )
    code = f"import sys; sys.path.insert(0, {name!r}); from seaice.main import run; run()"
    seaice = [sys.executable, "-c", code]
    run, maps = str(folder / "run"), str(folder / "maps")
    train = ["train", sys.argv[1], "--run", run, "--set", SETTINGS, "--device", "cpu"]
    predict = ["predict", sys.argv[1], "--run", run, "--out", maps, "--no-plots"]
    for command in (train, predict, ["score", maps]):
        subprocess.run([*seaice, *command], check=True)

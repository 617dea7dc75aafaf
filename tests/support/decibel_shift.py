"""Measure how averages of own scenes differ from those of decibels, as in AI4Arctic.

    PYTHONPATH=.:tests .venv/bin/python -m support.decibel_shift

writes scenes both as products of the satellite and ready to train, ingests the products,
prepares all at a ratio, and prints a table in Markdown. It says by how many decibels the
mean of an own scene is higher than that of its ready twin, by polarisation, sub-swath and
surface, and in deviations of the channel: if decibels of both are averaged over the ratio
(``sar = "mean"`` in the recipe), if power of the own scene is (``"power"``), and if that of
both is.

The default is four sections of 104 x 416 km, with all five sub-swaths. It takes a minute of
processor time and 1.2 GB of disk.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import xarray as xr

from seaice_data.arrays import ChartArray, FloatArray, Mask
from seaice_data.channels import find_channels
from seaice_data.charts import CHART_FILL
from seaice_data.ingest import ingest_scene
from seaice_data.preparation.assemble import assemble
from seaice_data.scenes.files import open_scene
from seaice_data.store.recipe import Recipe
from seaice_data.synthetic.plan import plan_scenes
from seaice_data.synthetic.radar import N_SUB_SWATHS
from seaice_data.synthetic.scene import scene_paths
from seaice_data.synthetic.scene_set import write_scenes

SAR = find_channels(("hh", "hv"))
WHOLE_SWATH = 5000  # nominal pixels of 80 m
BORDER = 2  # pixels of a store on both sides of borders of sub-swaths that do not count

How = Literal["mean", "power"]

PAIRS: tuple[tuple[How, How], ...] = (
    ("mean", "mean"),
    ("power", "mean"),
    ("power", "power"),
)
"""How own scenes are averaged, and how their twins."""


class Prepared(NamedTuple):
    """A scene as a network sees it."""

    decibels: FloatArray
    """HH and HV, shape ``(2, y, x)``."""

    concentration: ChartArray
    """Classes of SIC."""


def prepared(path: Path, how: How, ratio: int) -> Prepared:
    """Prepare a scene."""
    recipe = Recipe(ratio=ratio, sar=how, channels=("hh", "hv"), dtype="float32")
    with open_scene(path) as scene:
        made = assemble(scene, recipe)
    planes = [made.inputs[..., i] * c.std + c.mean for i, c in enumerate(SAR)]
    return Prepared(np.stack(planes), made.charts[..., 0])


def areas(ready: Prepared) -> dict[str, Mask]:
    """Return the pixels of each sub-swath, of water and of ice."""
    sic = ready.concentration
    place = np.arange(sic.shape[1]) / sic.shape[1] * N_SUB_SWATHS
    margin = BORDER / sic.shape[1] * N_SUB_SWATHS
    found = {}
    for number in range(N_SUB_SWATHS):
        is_inside = (place >= number + margin) & (place < number + 1 - margin)
        found[f"EW{number + 1}"] = np.broadcast_to(is_inside, sic.shape)
    is_ice = (sic > 0) & (sic != CHART_FILL)
    return found | {"water": sic == 0, "ice": is_ice, "all": np.ones(sic.shape, bool)}


def differences(
    own: Sequence[Path], ready: Sequence[Path], pair: tuple[How, How], ratio: int
) -> dict[str, FloatArray]:
    """Return by how many decibels means of HH and HV are higher than those of twins.

    Pixels with backscatter in both scenes count, by area; it is NaN where there are none.
    """
    parts: dict[str, list[FloatArray]] = {}
    for mine, theirs in zip(own, ready, strict=True):
        twin = prepared(theirs, pair[1], ratio)
        difference = prepared(mine, pair[0], ratio).decibels - twin.decibels
        is_seen = np.isfinite(difference).all(axis=0)
        for name, area in areas(twin).items():
            parts.setdefault(name, []).append(difference[:, area & is_seen])
    joined = {name: np.concatenate(found, axis=1) for name, found in parts.items()}
    return {
        name: values.mean(axis=1) if values.size else np.full(len(SAR), np.nan)
        for name, values in joined.items()
    }


def table(own: Sequence[Path], ready: Sequence[Path], ratio: int) -> Iterator[str]:
    """Yield the lines of the table."""
    found = [differences(own, ready, pair, ratio) for pair in PAIRS]
    yield f"| | own scene | AI4Arctic | {' | '.join(found[0])} | all, deviations |"
    yield "|:--|:--|:--|" + "--:|" * (len(found[0]) + 1)
    for i, channel in enumerate(SAR):
        for pair, shifts in zip(PAIRS, found, strict=True):
            name = " | ".join(f"`{how}`" for how in pair)
            cells = " | ".join(f"{shift[i]:+.2f}" for shift in shifts.values())
            in_deviations = f"{shifts['all'][i] / channel.std:+.2f}"
            yield f"| {channel.name.upper()} | {name} | {cells} | {in_deviations} |"


def below_noise(own: Sequence[Path]) -> Iterator[str]:
    """Yield how many pixels of 80 m are not above the noise, by polarisation."""
    for channel in SAR:
        name = f"share_not_positive_{channel.name}"
        shares = []
        for path in own:
            with xr.open_dataset(path) as file:
                shares.append(file.attrs[name])
        yield f"{channel.name.upper()} not above the noise: {np.mean(shares):.1%} of pixels"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--height", type=int, default=1300, help="lines of 80 m")
    parser.add_argument("--ratio", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, size = Path(place), (options.height, WHOLE_SWATH)
        for version in ("products", "ready"):
            write_scenes(folder / version, options.scenes, size, version, seed=options.seed)
        own, ready = [], []
        for plan in plan_scenes(options.scenes, size, options.seed):
            ready.append(scene_paths(folder / "ready", plan, "ready")[0])
            products = folder / "products" / plan.id
            chart, coast = products / f"{plan.chart_name}.gpkg", products / "coast.gpkg"
            # The chart masks land, as it does in the other files.
            own.append(ingest_scene(products, folder / "own", chart=chart, coast=coast))
        lines = [*table(own, ready, options.ratio), "", *below_noise(own)]
        sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()

"""Small scenes that a network can learn from, made without files, and settings for it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray
from seaice_data.channels import CHANNELS, Group
from seaice_data.charts import CHART_FILL
from seaice_data.flags import FLAG_LAND, FLAG_NO_SAR, FLAG_REMAINDER
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_data.preparation.blocks import add_up
from seaice_data.scene_id import SceneId
from seaice_data.store.origin import Origin
from seaice_data.store.prepared_scene import PreparedScene
from seaice_data.store.recipe import Recipe
from seaice_data.store.statistics import ChannelStats, count_classes
from seaice_data.store.store import Store
from seaice_model.config.run_config import ModelConfig, RunConfig, TrainConfig
from seaice_model.runs.log import LogEntry

StoreMaker = Callable[..., Store]

RECIPE = Recipe(ratio=2, channels=("t2m", "hh", "hv"))
SOURCE = Grid(81, 90, 80.0)
SCENES = tuple(f"2019010{day}T120000_dmi" for day in range(1, 7))
TEST_SCENE = "20180124T194759_dmi"
UNCHARTED = "20180903T123331_cis"

WHOLE = Origin(version="ready")
ERA5 = tuple(channel.name for channel in CHANNELS if channel.group == Group.ERA5)

TINY = RunConfig(
    model=ModelConfig(channels=("hh", "hv"), filters=(4, 8)),
    train=TrainConfig(
        patch_size=16,
        batch_size=4,
        n_iterations=4,
        n_epochs=3,
        n_restart_epochs=2,
        learning_rate=0.02,
    ),
)


ENTRY = LogEntry(
    epoch=1,
    loss=0.1 + 0.2,
    loss_sic=1.0,
    loss_sod=2.0,
    loss_floe=3.0,
    learning_rate=1e-3,
    combined=80.0,
    sic=90.0,
    sod=None,
    floe=60.0,
    is_best=True,
    train_s=10.0,
    wait_s=0.5,
    validation_s=2.0,
    n_patches=64,
)


def scene_fields(seed: int, shape: tuple[int, int]) -> tuple[FloatArray, ChartArray]:
    """Return backscatter in -1..1 and charts that follow from it, ``(chart, y, x)``."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 6)
    y, x = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    field = np.sin(y / 19 + phase) * np.cos(x / 23)
    sic = np.clip(np.rint((field + 1) * 5), 0, 10)
    charts = np.stack([sic, np.clip(sic // 2, 0, 5), np.clip(sic // 3, 0, 6)])
    return field, charts.astype(np.uint8)


def prepared_scene(
    scene_id: str,
    recipe: Recipe = RECIPE,
    source: Grid = SOURCE,
    *,
    has_charts: bool = True,
    origin: Origin = WHOLE,
) -> PreparedScene:
    seed = sum(map(ord, scene_id))
    field, full_charts = scene_fields(seed, source.shape)
    grid = source.downscaled(recipe.ratio)
    flags = np.zeros(source.shape, np.uint8)
    flags[:, :4] |= FLAG_NO_SAR
    flags[:6, -6:] |= FLAG_LAND
    flags[grid.height * recipe.ratio :] |= FLAG_REMAINDER
    full_charts[:, flags & (FLAG_NO_SAR | FLAG_LAND) != 0] = CHART_FILL
    if not has_charts:
        full_charts[:] = CHART_FILL
    rows = slice(0, grid.height * recipe.ratio, recipe.ratio)
    columns = slice(0, grid.width * recipe.ratio, recipe.ratio)
    charts = full_charts[:, rows, columns]
    inputs = np.repeat(field[rows, columns, None], len(recipe.channels), axis=2)
    inputs += np.random.default_rng(seed).normal(0, 0.05, inputs.shape)
    inputs[flags[rows, columns] & FLAG_NO_SAR != 0] = np.nan
    for name in {*recipe.channels}.intersection(origin.absent_channels):
        inputs[..., recipe.channels.index(name)] = np.nan
    inputs = inputs.astype(recipe.dtype)
    sums = ChannelStats.empty_sums(len(recipe.channels))
    add_up(inputs.astype(np.float64), sums)
    return PreparedScene(
        id=SceneId(scene_id),
        version=origin.version,
        region="",
        original_name=origin.original_name,
        has_charts=has_charts,
        is_test_file=False,
        grid=grid,
        source_grid=source,
        inputs=inputs,
        charts=np.moveaxis(charts, 0, -1),
        full_charts=full_charts,
        full_flags=flags,
        polygons=None,
        polygon_ids=None,
        tie_points=tie_points(source),
        stats=ChannelStats.from_sums(sums),
        class_counts=count_classes(charts),
        full_class_counts=count_classes(full_charts),
        absent_channels=origin.absent_channels,
        denoising=origin.denoising,
    )


def tie_points(grid: Grid) -> TiePoints:
    lines = np.linspace(-0.25, grid.height - 0.75, 5)
    samples = np.linspace(-0.25, grid.width - 0.75, 6)
    latitude = 75 - lines[:, None] * 7e-4 + samples * 1e-4
    longitude = -60 + lines[:, None] * 5e-4 + samples * 3e-3
    return TiePoints(latitude, longitude, lines, samples)


def train_in_one_thread(*arguments: Any, **options: Any) -> None:
    """Train on one thread, as these tests do: weights depend on the number of threads."""
    import torch

    from seaice_model.training.train import train

    torch.set_num_threads(1)
    train(*arguments, **options)

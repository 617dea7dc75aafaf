"""AI4Arctic scenes to a zarr patch store, and random patches from it.

The names below are the public interface; inside the project import the modules.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seaice_data.channels import CHANNELS, OFFICIAL_CHANNELS, PAPER_CHANNELS
    from seaice_data.charts import CHART_FILL, CHARTS, FLOE, SIC, SOD
    from seaice_data.errors import RecipeError, SceneError, SeaIceError, StoreError
    from seaice_data.sampling.augmentation import AUGMENTATIONS, Augmentation
    from seaice_data.sampling.sampler import Patch, PatchSampler
    from seaice_data.sampling.tiles import Tile, TileGrid
    from seaice_data.sampling.windows import Drawing
    from seaice_data.scenes.files import Scene, find_scenes, open_scene
    from seaice_data.sources.charts import ChartedScenes, find_charts
    from seaice_data.store.recipe import Recipe
    from seaice_data.store.selection import select
    from seaice_data.store.store import Store, StoredScene

_HOMES = {
    "AUGMENTATIONS": "sampling.augmentation",
    "Augmentation": "sampling.augmentation",
    "CHANNELS": "channels",
    "OFFICIAL_CHANNELS": "channels",
    "PAPER_CHANNELS": "channels",
    "ChartedScenes": "sources.charts",
    "find_charts": "sources.charts",
    "CHARTS": "charts",
    "CHART_FILL": "charts",
    "FLOE": "charts",
    "SIC": "charts",
    "SOD": "charts",
    "Drawing": "sampling.windows",
    "RecipeError": "errors",
    "SceneError": "errors",
    "SeaIceError": "errors",
    "StoreError": "errors",
    "Recipe": "store.recipe",
    "Patch": "sampling.sampler",
    "PatchSampler": "sampling.sampler",
    "Scene": "scenes.files",
    "find_scenes": "scenes.files",
    "open_scene": "scenes.files",
    "select": "store.selection",
    "Store": "store.store",
    "StoredScene": "store.store",
    "Tile": "sampling.tiles",
    "TileGrid": "sampling.tiles",
}

__all__ = [  # noqa: RUF022 - in the order of the flow
    "find_scenes", "open_scene", "Scene",
    "find_charts", "ChartedScenes",
    "Recipe",
    "Store", "StoredScene", "select",
    "PatchSampler", "Patch", "Drawing", "Augmentation", "AUGMENTATIONS",
    "TileGrid", "Tile",
    "CHANNELS", "OFFICIAL_CHANNELS", "PAPER_CHANNELS",
    "CHARTS", "CHART_FILL", "SIC", "SOD", "FLOE",
    "SeaIceError", "SceneError", "RecipeError", "StoreError",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: a sampler needs no dask, no h5py."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)

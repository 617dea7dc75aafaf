"""AI4Arctic scenes to a zarr patch store, and random patches from it.

The names below are the public interface; inside the project import the modules. `prepare`
stays in its module, ``from seaice_data.prepare import prepare``: a package cannot have a
function and a module of one name.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seaice_data.augment import AUGMENTATIONS, Augmentation
    from seaice_data.channels import CHANNELS, OFFICIAL_CHANNELS, PAPER_CHANNELS
    from seaice_data.charted import ChartedScenes, find_charts
    from seaice_data.charts import CHART_FILL, CHARTS, FLOE, SIC, SOD
    from seaice_data.drawing import Drawing
    from seaice_data.errors import RecipeError, SceneError, SeaIceError, StoreError
    from seaice_data.recipe import Recipe
    from seaice_data.sampler import Patch, PatchSampler
    from seaice_data.scene import Scene, find_scenes, open_scene
    from seaice_data.selection import select
    from seaice_data.store import Store, StoredScene
    from seaice_data.tiles import Tile, TileGrid

_HOMES = {
    "AUGMENTATIONS": "augment",
    "Augmentation": "augment",
    "CHANNELS": "channels",
    "OFFICIAL_CHANNELS": "channels",
    "PAPER_CHANNELS": "channels",
    "ChartedScenes": "charted",
    "find_charts": "charted",
    "CHARTS": "charts",
    "CHART_FILL": "charts",
    "FLOE": "charts",
    "SIC": "charts",
    "SOD": "charts",
    "Drawing": "drawing",
    "RecipeError": "errors",
    "SceneError": "errors",
    "SeaIceError": "errors",
    "StoreError": "errors",
    "Recipe": "recipe",
    "Patch": "sampler",
    "PatchSampler": "sampler",
    "Scene": "scene",
    "find_scenes": "scene",
    "open_scene": "scene",
    "select": "selection",
    "Store": "store",
    "StoredScene": "store",
    "Tile": "tiles",
    "TileGrid": "tiles",
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

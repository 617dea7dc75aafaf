"""The attributes of a scene's group, and root attributes that describe all scenes together.

A store may come from anywhere, or be edited by hand: its attributes are checked here when a
scene is opened, so that no other code meets a wrong type.
"""

from typing import Any, Literal, NotRequired, TypedDict

from seaice_data.charts import CHARTS
from seaice_data.errors import RecipeError
from seaice_data.grid import Grid
from seaice_data.scene_id import SceneId
from seaice_data.store.recipe import Recipe
from seaice_data.system.documents import DocumentError, typed

MOST_PIXELS = 2**28
"""Limit of the pixels of a scene on the 80 m grid; Sentinel-1 scenes have 30 million."""


class StatsTable(TypedDict):
    """Sums of the valid values of each channel; see `ChannelStats`."""

    count: list[int]
    total: list[float]
    squares: list[float]
    lowest: list[float | None]
    highest: list[float | None]


class SourceFile(TypedDict):
    """A file that a scene was made from."""

    name: str
    size: int
    blake2b_of_samples: str


class SceneAttributes(TypedDict):
    """Attributes of the group of a scene that seaice reads."""

    id: SceneId
    service: Literal["cis", "dmi"]
    region: str
    has_charts: bool
    is_test_file: bool
    grid: Grid
    source_grid: Grid
    valid_share: float
    class_counts: dict[str, list[int]]
    full_class_counts: dict[str, list[int]]
    stats: StatsTable
    fingerprint: str
    checksums: dict[str, str]
    metadata_checksum: str
    source_files: NotRequired[list[SourceFile]]


class Splits(TypedDict, total=False):
    """Ids of the scenes of each split."""

    train: list[SceneId]
    validation: list[SceneId]
    test: list[SceneId]


class Summary(TypedDict, total=False):
    """Root attributes that describe all scenes together."""

    splits: Splits
    splits_leak: list[tuple[SceneId, SceneId]]
    class_counts: dict[str, list[int]]
    full_class_counts: dict[str, list[int]]
    stats: StatsTable


def read_scene_attributes(table: Any, scene_id: SceneId, recipe: Recipe) -> SceneAttributes:
    """Return the attributes of a scene, checked.

    Parameters
    ----------
    table
        Attributes of its group, parsed.
    scene_id
        Name of its folder.
    recipe
        Recipe of the store.

    Raises
    ------
    DocumentError
        If something is missing, has another type, or does not fit the recipe.
    """
    attributes = typed(table, SceneAttributes)
    if attributes["id"] != scene_id:
        raise DocumentError(f"it belongs to scene {attributes['id']!r}")
    if attributes["service"] != scene_id.service:
        raise DocumentError(f"its service is {attributes['service']!r}")
    _check_counts(attributes["class_counts"], "class_counts")
    _check_counts(attributes["full_class_counts"], "full_class_counts")
    _check_stats(attributes["stats"], recipe)
    source = attributes["source_grid"]
    if min(source.shape) < 1 or source.height * source.width > MOST_PIXELS:
        raise DocumentError(f"source_grid has {source.height} x {source.width} pixels")
    try:
        shape = source.downscaled(recipe.ratio).shape
    except RecipeError as error:
        raise DocumentError(str(error)) from error
    if attributes["grid"].shape != shape:
        raise DocumentError(f"grid has the shape {attributes['grid'].shape}, not {shape}")
    return attributes


def read_summary(name: str, value: Any, recipe: Recipe) -> Any:
    """Return a root attribute that describes all scenes together, checked.

    Raises
    ------
    DocumentError
        If it has another type, or does not fit the recipe.
    """
    found: dict[str, Any] = {**typed({name: value}, Summary)}
    if name in ("class_counts", "full_class_counts"):
        _check_counts(found[name], name)
    if name == "stats":
        _check_stats(found[name], recipe)
    return found[name]


def _check_counts(counts: dict[str, list[int]], name: str) -> None:
    """Reject class counts that do not fit the charts."""
    for chart in CHARTS:
        if len(counts.get(chart.name, ())) != chart.n_classes + 1:
            raise DocumentError(
                f"{name}.{chart.name} must have {chart.n_classes + 1} counts"
            )


def _check_stats(stats: StatsTable, recipe: Recipe) -> None:
    """Reject statistics of another number of channels."""
    lengths = {len(values) for values in (stats["count"], stats["total"], stats["squares"])}
    lengths |= {len(stats["lowest"]), len(stats["highest"])}
    if lengths != {len(recipe.channels)}:
        raise DocumentError(f"stats must have {len(recipe.channels)} channels")

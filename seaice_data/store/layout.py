"""The arrays and attributes of a scene: what is written, and what may be read.

Inputs are one uncompressed chunk, unless the recipe says otherwise: any process can map the
file. The attributes of the scene contain checksums of all arrays, for `seaice verify`.

A store may come from anywhere, or be edited by hand: attributes are checked here when a
scene is opened, so that no other code meets a wrong type.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from itertools import product
from math import ceil
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import google_crc32c
import numpy as np

from seaice_data.arrays import IntArray
from seaice_data.channels import find_channels
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.egg_codes import COLUMNS, PolygonTable
from seaice_data.errors import RecipeError
from seaice_data.flags import FLAGS
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_data.scene_id import SceneId
from seaice_data.store.array_files import ArrayFiles, ArrayForm
from seaice_data.store.group import group_files
from seaice_data.store.origin import read_origin
from seaice_data.store.prepared_scene import PreparedScene
from seaice_data.store.recipe import Recipe
from seaice_data.system.documents import Content, DocumentError, typed

if TYPE_CHECKING:
    import zarr

_CHECKSUMS = ("checksums", "metadata_checksum", "complete")
_FULL_CHUNK_ROWS = 1024
_INPUT_CHUNK = 256
_MOST_TIE_POINTS = 4096  # along an axis
_MOST_POLYGONS = 2**20

POLYGON_COLUMNS = ("id", *COLUMNS, "is_water")
"""Columns of the table of polygons."""

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
    service: str
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


def scene_files(
    scene: PreparedScene, recipe: Recipe, attributes: Mapping[str, Any]
) -> Iterator[tuple[str, Content]]:
    """Yield the files of a scene: those of its arrays, then what makes them a group."""
    checksums, described = {}, {}
    for array in scene_arrays(scene, recipe):
        yield from array
        checksums[array.name] = checksum(array.values)
        described[array.name] = array.description
    made = {
        "checksums": checksums,
        "metadata_checksum": metadata_checksum(attributes, described),
    }
    group = {**attributes, **made, "complete": True}
    yield from group_files(group, recipe.zarr_format).items()


def scene_attributes(scene: PreparedScene) -> dict[str, Any]:
    """Return the attributes of a scene, apart from its checksums."""
    valid = sum(scene.class_counts["SIC"][:-1])
    return {
        "id": scene.id,
        "acquired": scene.id.acquired.isoformat(),
        "month": scene.id.acquired.month,
        "service": scene.id.service,
        "region": scene.region,
        "version": scene.version,
        "original_name": scene.original_name,
        "has_charts": scene.has_charts,
        "is_test_file": scene.is_test_file,
        "grid": asdict(scene.grid),
        "source_grid": asdict(scene.source_grid),
        "valid_share": valid / (scene.grid.height * scene.grid.width),
        "class_counts": scene.class_counts,
        "full_class_counts": scene.full_class_counts,
        "stats": scene.stats.to_mapping(),
        **scene.origin.unusual(),
    }


def scene_arrays(scene: PreparedScene, recipe: Recipe) -> Iterator[ArrayFiles]:
    """Yield the arrays of a scene."""
    make = partial(ArrayFiles, zarr_format=recipe.zarr_format)
    yield from _label_arrays(recipe)
    is_compressed = recipe.codec == "zstd"
    pixels = ("y", "x")
    yield make(
        name="inputs",
        values=scene.inputs,
        dimensions=(*pixels, "channel"),
        attributes={
            "long_name": "standardised input planes",
            "channel_units": [c.unit for c in find_channels(recipe.channels)],
            "comment": "value in its unit = inputs * channel_std + channel_mean; "
            "NaN is fill",
        },
        chunks=(_INPUT_CHUNK, _INPUT_CHUNK, -1) if is_compressed else None,
        is_compressed=is_compressed,
    )
    classes = {
        "flag_values": [[*chart.flag_values] for chart in CHARTS],
        "flag_meanings": [f"{chart.flag_meanings} fill" for chart in CHARTS],
    }
    yield make(
        name="charts",
        values=scene.charts,
        dimensions=(*pixels, "chart"),
        attributes={"long_name": "ice charts as classes", **classes},
        is_compressed=is_compressed,
        fill=CHART_FILL,
    )
    yield make(
        name="full_charts",
        values=scene.full_charts,
        dimensions=("chart", "y80", "x80"),
        attributes={"long_name": "ice charts as classes on the 80 m grid", **classes},
        chunks=(1, _FULL_CHUNK_ROWS, -1),
        fill=CHART_FILL,
        is_compressed=True,
    )
    yield make(
        name="full_flags",
        values=scene.full_flags,
        dimensions=("y80", "x80"),
        attributes={
            "long_name": "what is known of each pixel of the 80 m grid",
            "flag_masks": [*FLAGS.values()],
            "flag_meanings": " ".join(FLAGS),
        },
        chunks=(_FULL_CHUNK_ROWS, -1),
        is_compressed=True,
    )
    yield from _tie_point_arrays(scene.tie_points, recipe)
    if scene.polygons is not None and scene.polygon_ids is not None:
        yield from _polygon_arrays(scene.polygons, scene.polygon_ids, recipe)


def _label_arrays(recipe: Recipe) -> Iterator[ArrayFiles]:
    """Yield the labels of the axes, and the constants that standardised the inputs."""
    make = partial(ArrayFiles, zarr_format=recipe.zarr_format, dimensions=("channel",))
    catalogue = find_channels(recipe.channels)
    yield make(name="channel", values=np.array(recipe.channels))
    names = np.array([chart.name for chart in CHARTS])
    yield make(name="chart", values=names, dimensions=("chart",))
    for name in ("mean", "std"):
        yield make(
            name=f"channel_{name}",
            values=np.array([getattr(channel, name) for channel in catalogue]),
            attributes={"long_name": f"{name} of each channel in its unit"},
        )


def _polygon_arrays(
    polygons: PolygonTable, ids: IntArray, recipe: Recipe
) -> Iterator[ArrayFiles]:
    """Yield the egg codes of the polygons, because the charts leave out mixed ice."""
    make = partial(ArrayFiles, zarr_format=recipe.zarr_format)
    columns = np.array(POLYGON_COLUMNS)
    yield make(name="polygon_column", values=columns, dimensions=("polygon_column",))
    table = np.column_stack([polygons.ids, polygons.codes, polygons.is_water])
    yield make(
        name="polygons",
        values=table.astype(np.int32),
        dimensions=("polygon", "polygon_column"),
        attributes={
            "long_name": "egg codes of the polygons (SIGRID-3)",
            "comment": "-9 is not given; CT total, CA-CC partial concentrations, SA-SC "
            "stages, FA-FC floe sizes",
        },
    )
    yield make(
        name="polygon_id",
        values=ids,
        dimensions=("y", "x"),
        attributes={
            "long_name": "id of the polygon of each pixel",
            "comment": "-1 is none",
        },
        is_compressed=True,
    )


def _tie_point_arrays(tie: TiePoints, recipe: Recipe) -> Iterator[ArrayFiles]:
    make = partial(ArrayFiles, zarr_format=recipe.zarr_format)
    line, sample = ("tie_line",), ("tie_sample",)
    place = {"units": "1", "long_name": "position of tie points in 80 m pixels"}
    yield make(name="tie_line", values=tie.lines, dimensions=line, attributes=place)
    yield make(name="tie_sample", values=tie.samples, dimensions=sample, attributes=place)
    for name, values, unit in (
        ("latitude", tie.latitude, "degrees_north"),
        ("longitude", tie.longitude, "degrees_east"),
    ):
        yield make(
            name=f"tie_{name}",
            values=values,
            dimensions=line + sample,
            attributes={"standard_name": name, "units": unit},
        )


def array_forms(attributes: SceneAttributes, recipe: Recipe) -> dict[str, ArrayForm]:
    """Return which types and shapes the arrays of a scene may have, by name."""
    y, x = map(_exactly, attributes["grid"].shape)
    y80, x80 = map(_exactly, attributes["source_grid"].shape)
    channel, chart = _exactly(len(recipe.channels)), _exactly(len(CHARTS))
    column = _exactly(len(POLYGON_COLUMNS))
    line = sample = range(1, _MOST_TIE_POINTS + 1)
    forms = {
        "inputs": (recipe.dtype, (y, x, channel)),
        "charts": ("uint8", (y, x, chart)),
        "full_charts": ("uint8", (chart, y80, x80)),
        "full_flags": ("uint8", (y80, x80)),
        "channel": ("string", (channel,)),
        "channel_mean": ("float64", (channel,)),
        "channel_std": ("float64", (channel,)),
        "chart": ("string", (chart,)),
        "tie_line": ("float64", (line,)),
        "tie_sample": ("float64", (sample,)),
        "tie_latitude": ("float64", (line, sample)),
        "tie_longitude": ("float64", (line, sample)),
        "polygon_column": ("string", (column,)),
        "polygons": ("int32", (range(_MOST_POLYGONS + 1), column)),
        "polygon_id": ("int32", (y, x)),
    }
    return {name: ArrayForm(*form) for name, form in forms.items()}


def _exactly(length: int) -> range:
    return range(length, length + 1)


def chunk_names(array: "zarr.Array[Any]") -> list[str]:
    """Return the files of an array: one for each shard, or each chunk without shards."""
    sizes = zip(array.shape, array.shards or array.chunks, strict=True)
    numbers = product(*(range(ceil(length / size)) for length, size in sizes))
    return [array.metadata.encode_chunk_key(number) for number in numbers]


def describe(array: "zarr.Array[Any]") -> dict[str, Any]:
    """Return what describes an array, in the same form for both zarr formats."""
    attributes = array.attrs.asdict()
    dimensions = attributes.pop("_ARRAY_DIMENSIONS", None)
    if array.metadata.zarr_format == 3:
        dimensions = array.metadata.dimension_names
    text = array.dtype.kind in "UTO"
    return {
        "shape": array.shape,
        "dtype": "string" if text else array.dtype.name,
        "dimensions": dimensions,
        "attributes": attributes,
    }


def metadata_checksum(
    attributes: Mapping[str, Any], described: Mapping[str, Mapping[str, Any]]
) -> str:
    """Return the CRC-32C of what describes a scene and its arrays.

    Parameters
    ----------
    attributes
        Attributes of the scene's group.
    described
        What `describe` returns, by name of the array.
    """
    known = {k: v for k, v in attributes.items() if k not in _CHECKSUMS}
    content = json.dumps([known, described], sort_keys=True, separators=(",", ":"))
    return f"{google_crc32c.value(content.encode()):08x}"


def checksum(values: Any) -> str:
    """Return the CRC-32C of an array: eight hexadecimal digits.

    It covers the bytes in C order, little-endian; of text, one UTF-8 line for each item.

    Examples
    --------
    >>> checksum(np.array([1, 2], np.int32)), checksum(np.array(["hh", "hv"]))
    ('7a73ec2c', '1ba4b344')
    """
    values = np.asarray(values)
    if values.dtype.kind in "UTO":
        content: Any = "\n".join(map(str, values.ravel())).encode()
    else:
        content = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).view()
        content.flags.writeable = False  # otherwise it would be copied
    return f"{google_crc32c.value(content):08x}"


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
    read_origin(table)
    _check_counts(attributes["class_counts"], "class_counts")
    _check_counts(attributes["full_class_counts"], "full_class_counts")
    _check_stats(attributes["stats"], recipe)
    source = attributes["source_grid"]
    if min(source.shape) < 1 or source.height * source.width > MOST_PIXELS:
        raise DocumentError(f"source_grid has {source.height} x {source.width} pixels")
    try:
        shape = source.downscaled(recipe.ratio).shape
    except RecipeError as error:
        raise DocumentError(str(error)) from None
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

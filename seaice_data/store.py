"""The store: one zarr hierarchy with a group for each prepared scene.

``STORE.md`` beside this file describes the format for people who read it without us. What
matters here:

- A scene is complete or absent. On a local disk it is written beside the others and
  renamed into its place; elsewhere the metadata of its group, without which zarr sees no
  group, is written last. Two writers of the same scene write the same bytes: the second
  one finds it there and drops its own.
- The list of scenes is found, not kept: there is no second file that could disagree.
- Inputs are one uncompressed chunk, so any process can map the file.
"""

import json
import os
import shutil
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import numpy as np
import zarr
import zarr.codecs

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.channels import find_channel
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.encode import TiePoints
from seaice_data.errors import StoreError
from seaice_data.grid import Grid, blocks_of_pixels, picks_of_pixels
from seaice_data.icecodes import COLUMNS, PolygonTable
from seaice_data.prepared import FLAG_LAND, FLAG_NO_SAR, FLAG_REMAINDER, PreparedScene
from seaice_data.recipe import Recipe
from seaice_data.settings import differences, fingerprint, from_mapping, to_mapping

if TYPE_CHECKING:
    import xarray as xr

FORMAT_VERSION = 1
"""Version of the store format; see ``STORE.md``."""

FORMAT_NAME = "seaice store"
"""Attribute ``format`` of the root, by which a store is recognised."""

SOURCE = {
    "source": "AI4Arctic Sea Ice Challenge Dataset (Buus-Hinkler et al. 2022)",
    "source_doi": "10.11583/DTU.c.6244065.v2",
    "references": "Chen et al. (2024), The Cryosphere, doi:10.5194/tc-18-1621-2024",
}
"""Where the data come from, for the root attributes."""

_STAGING = ".staging"
_FULL_CHUNK_ROWS = 1024


class Store:
    """A zarr hierarchy of prepared scenes; made by `Store.create` or `Store.open`."""

    def __init__(self, path: str, attributes: Mapping[str, Any]) -> None:
        self.path = path
        """Path or URL, as the user gave it."""
        self.attributes = attributes
        """Attributes of the root group."""
        self.recipe = from_mapping(Recipe, attributes["recipe"])
        """What decided the bytes of the store."""
        self._files, self._root = fsspec.core.url_to_fs(path)

    @classmethod
    def create(cls, path: str, recipe: Recipe) -> "Store":
        """Make an empty store, or open one that has the same recipe.

        Raises
        ------
        StoreError
            If something else is at `path`, or a store with another recipe.
        """
        files, root = fsspec.core.url_to_fs(path)
        if files.exists(root) and (not files.isdir(root) or files.ls(root, detail=False)):
            store = cls.open(path)
            if store.fingerprint != fingerprint(recipe):
                listed = differences(to_mapping(recipe), to_mapping(store.recipe))
                raise StoreError(
                    f"the store at {path!r} has another recipe: {'; '.join(listed)}",
                    hint="choose another path, or replace it with --overwrite",
                )
            return store
        attributes = _root_attributes(recipe)
        try:
            zarr.create_group(path, attributes=attributes)
            zarr.create_group(_join(path, "scenes"))
        except OSError as error:
            raise StoreError(
                f"cannot write to {path!r}: {error.strerror or error}"
            ) from error
        return cls(path, attributes)

    @classmethod
    def open(cls, path: str) -> "Store":
        """Open an existing store.

        Raises
        ------
        StoreError
            If there is none at `path`, or one of another format version.
        """
        files, root = fsspec.core.url_to_fs(path)
        try:
            metadata = json.loads(files.cat_file(_join(root, "zarr.json")))
            attributes = metadata["attributes"]
        except (FileNotFoundError, NotADirectoryError, KeyError, ValueError) as error:
            if not files.exists(root):
                raise StoreError(
                    f"no store at {path!r}",
                    hint="make one with `seaice prepare raw/ store.zarr`",
                ) from error
            raise _not_a_store(path) from error
        if attributes.get("format") != FORMAT_NAME:
            raise _not_a_store(path)
        if attributes["format_version"] != FORMAT_VERSION:
            raise StoreError(
                f"the store at {path!r} has format version {attributes['format_version']}, "
                f"this seaice reads version {FORMAT_VERSION}",
                hint="prepare it again with --overwrite",
            )
        return cls(path, attributes)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names on the channel axis."""
        return self.recipe.channels

    @property
    def fingerprint(self) -> str:
        """Short hash of the recipe."""
        return fingerprint(self.recipe)

    @cached_property
    def scenes(self) -> tuple[str, ...]:
        """Ids of the scenes in the store, sorted."""
        try:
            names = self._files.ls(_join(self._root, "scenes"), detail=False)
        except FileNotFoundError:
            return ()
        ids = sorted(name.rstrip("/").rsplit("/", 1)[-1] for name in names)
        return tuple(i for i in ids if self._files.exists(self._metadata_path(i)))

    @property
    def splits(self) -> dict[str, tuple[str, ...]]:
        """Scene ids by split: ``train``, ``validation``, ``test``."""
        splits = self.attributes.get("splits", {})
        return {
            name: tuple(splits.get(name, ())) for name in ("train", "validation", "test")
        }

    def scene(self, scene_id: str) -> "StoredScene":
        """Return one scene.

        Raises
        ------
        StoreError
            If it is not in the store.
        """
        try:
            metadata = json.loads(self._files.cat_file(self._metadata_path(scene_id)))
        except FileNotFoundError:
            raise StoreError(f"no scene {scene_id!r} in the store {self.path!r}") from None
        return StoredScene(
            self, _join(self.path, "scenes", scene_id), metadata["attributes"]
        )

    def write(self, scene: PreparedScene, provenance: Mapping[str, Any]) -> None:
        """Add a scene, all or nothing; one that is there already is kept.

        Parameters
        ----------
        scene
            On a grid that fits the recipe.
        provenance
            Further attributes of the scene: the file it came from.
        """
        attributes = {**_scene_attributes(scene), **provenance}
        with self._staged(scene.id) as path:
            _write_arrays(path, scene, self.recipe)
            # Without this metadata there is no group: it makes the scene appear.
            zarr.create_group(path, attributes=attributes)

    def finish(self, attributes: Mapping[str, Any]) -> None:
        """Write what is known of all scenes together into the root attributes."""
        self.attributes = {**self.attributes, **attributes}
        zarr.open_group(self.path, mode="r+").update_attributes(dict(attributes))
        self._drop_staging()

    @contextmanager
    def _staged(self, scene_id: str) -> Iterator[str]:
        """Give a place to write a scene to, and put it where it belongs."""
        final = _join(self.path, "scenes", scene_id)
        if not self._is_local:
            yield final
            return
        name = f"{scene_id}.{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
        staged = Path(self._root, _STAGING, name)
        try:
            yield str(staged)
            if not Path(final).exists():
                _move(staged, Path(final))
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def _drop_staging(self) -> None:
        """Remove what killed writers left behind; leave what may still be written."""
        if not self._is_local:
            return
        staging = Path(self._root, _STAGING)
        for abandoned in staging.glob("*"):
            host, pid = abandoned.name.split(".")[-3:-1]
            if host == socket.gethostname() and not _is_running(int(pid)):
                shutil.rmtree(abandoned, ignore_errors=True)
        if staging.is_dir() and not any(staging.iterdir()):
            staging.rmdir()

    @property
    def _is_local(self) -> bool:
        return "file" in self._files.protocol

    def _metadata_path(self, scene_id: str) -> str:
        return _join(self._root, "scenes", scene_id, "zarr.json")


class StoredScene:
    """One scene of a store; its arrays are read when they are asked for."""

    def __init__(self, store: Store, path: str, attributes: Mapping[str, Any]) -> None:
        self.store = store
        self.path = path
        self.attributes = attributes
        """Attributes of the scene's group."""

    @property
    def id(self) -> str:
        """As ``20180607T184326_dmi``."""
        return str(self.attributes["id"])

    @property
    def acquired(self) -> datetime:
        """Start of the acquisition, UTC."""
        return datetime.fromisoformat(self.attributes["acquired"])

    @property
    def service(self) -> str:
        """Ice service that drew the chart: ``cis`` or ``dmi``."""
        return str(self.attributes["service"])

    @property
    def has_charts(self) -> bool:
        """Whether an ice chart belongs to the scene."""
        return bool(self.attributes["has_charts"])

    @property
    def grid(self) -> Grid:
        """Grid of the stored planes."""
        return Grid(**self.attributes["grid"])

    @property
    def source_grid(self) -> Grid:
        """80 m grid of the scene."""
        return Grid(**self.attributes["source_grid"])

    @property
    def class_counts(self) -> dict[str, list[int]]:
        """Pixels of each class on the stored grid, fill last."""
        return dict(self.attributes["class_counts"])

    @property
    def full_class_counts(self) -> dict[str, list[int]]:
        """Pixels of each class on the 80 m grid, fill last."""
        return dict(self.attributes["full_class_counts"])

    @cached_property
    def inputs(self) -> FloatArray:
        """Standardised planes, ``(y, x, channel)``; NaN is fill. Mapped if possible."""
        dtype = np.dtype(self.store.recipe.dtype).newbyteorder("<")
        shape = (*self.grid.shape, len(self.store.channels))
        return np.asanyarray(self._whole("inputs", shape, dtype))

    @cached_property
    def charts(self) -> ChartArray:
        """Classes, shape ``(y, x, chart)``; 255 is fill. Mapped if possible."""
        shape = (*self.grid.shape, len(CHARTS))
        return np.asanyarray(self._whole("charts", shape, np.dtype(np.uint8)))

    def full_charts(self) -> ChartArray:
        """Read the charts on the 80 m grid, shape ``(chart, y, x)``; 255 is fill."""
        return self._read("full_charts")

    def full_flags(self) -> ChartArray:
        """Read the flags on the 80 m grid: bit 1 no SAR, 2 land, 4 remainder."""
        return self._read("full_flags")

    @property
    def tie_points(self) -> TiePoints:
        """Geolocation grid."""
        names = ("tie_latitude", "tie_longitude", "tie_line", "tie_sample")
        return TiePoints(*(self._read(name) for name in names))

    @property
    def rows(self) -> IntArray:
        """Stored row that stands for each row of the 80 m grid."""
        return self._sources(self.source_grid.height)

    @property
    def columns(self) -> IntArray:
        """Stored column that stands for each column of the 80 m grid."""
        return self._sources(self.source_grid.width)

    def to_xarray(self) -> "xr.Dataset":
        """Return the scene in physical units, one variable a channel and a chart.

        Charts keep their classes and 255, as ``flag_values`` and ``flag_meanings`` say.
        """
        import xarray as xr  # late: the sampler does not need it

        variables: dict[str, Any] = {}
        for position, name in enumerate(self.store.channels):
            channel = find_channel(name)
            values = (
                self.inputs[..., position].astype(np.float32) * channel.std + channel.mean
            )
            attributes = {"long_name": channel.long_name, "units": channel.unit}
            if channel.standard_name:
                attributes["standard_name"] = channel.standard_name
            variables[name] = (("y", "x"), values.astype(np.float32), attributes)
        for position, chart in enumerate(CHARTS):
            variables[chart.name] = (
                ("y", "x"),
                self.charts[..., position],
                _flags_of(chart),
            )
        coordinates = {
            n: variables.pop(n) for n in ("latitude", "longitude") if n in variables
        }
        return xr.Dataset(variables, coordinates, {**self.attributes})

    def _sources(self, n_pixels: int) -> IntArray:
        recipe = self.store.recipe
        if recipe.sar == "nearest":
            return picks_of_pixels(n_pixels, recipe.ratio)
        return blocks_of_pixels(n_pixels, recipe.ratio)

    def _read(self, name: str) -> np.ndarray[Any, Any]:
        return np.asarray(zarr.open_array(_join(self.path, name), mode="r")[...])

    def _whole(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> np.ndarray[Any, Any]:
        """Map an array that is one uncompressed chunk on a local disk, or read it."""
        chunk = Path(self.path, name, "c", *["0"] * len(shape))
        if self.store._is_local and chunk.is_file():
            if chunk.stat().st_size != dtype.itemsize * int(np.prod(shape)):
                raise StoreError(f"{str(chunk)!r} has not the size of {shape} {dtype.name}")
            return np.memmap(chunk, dtype, "r", shape=shape)
        return self._read(name)


def _write_arrays(path: str, scene: PreparedScene, recipe: Recipe) -> None:
    """Write the arrays of a scene; each is its own root, so no group appears yet."""
    pixels, whole = ("y", "x"), scene.grid.shape
    channels, names = np.array(recipe.channels), np.array([chart.name for chart in CHARTS])
    _write(path, "channel", channels, ("channel",))
    _write(path, "chart", names, ("chart",))
    catalogue = [find_channel(name) for name in recipe.channels]
    for name in ("mean", "std"):
        values = np.array([getattr(channel, name) for channel in catalogue])
        attributes: dict[str, Any] = {"long_name": f"{name} of each channel in its unit"}
        _write(path, f"channel_{name}", values, ("channel",), attributes)
    attributes = {
        "long_name": "standardised input planes",
        "channel_units": [channel.unit for channel in catalogue],
        "comment": "value in its unit = inputs * channel_std + channel_mean; NaN is fill",
    }
    _write(path, "inputs", scene.inputs, (*pixels, "channel"), attributes, (*whole, -1))
    attributes = {
        "long_name": "ice charts as classes",
        "flag_values": [[*range(chart.n_classes), CHART_FILL] for chart in CHARTS],
        "flag_meanings": [f"{chart.flag_meanings} fill" for chart in CHARTS],
    }
    _write(path, "charts", scene.charts, (*pixels, "chart"), attributes, (*whole, -1))
    full = (_FULL_CHUNK_ROWS, -1)
    attributes = {**attributes, "long_name": "ice charts as classes on the 80 m grid"}
    dimensions = ("chart", "y80", "x80")
    _write(path, "full_charts", scene.full_charts, dimensions, attributes, (1, *full), True)
    attributes = {
        "long_name": "what is known of each pixel of the 80 m grid",
        "flag_masks": [FLAG_NO_SAR, FLAG_LAND, FLAG_REMAINDER],
        "flag_meanings": "no_sar land remainder",
    }
    _write(path, "full_flags", scene.full_flags, ("y80", "x80"), attributes, full, True)
    _write_tie_points(path, scene.tie_points)
    if scene.polygons is not None:
        _write_polygons(path, scene.polygons, scene.polygon_ids)


def _write_polygons(path: str, polygons: PolygonTable, ids: IntArray | None) -> None:
    """Write what the analysts said of each polygon: mixed ice is lost in the charts."""
    columns = np.array(["id", *COLUMNS, "is_water"])
    table = np.column_stack([polygons.ids, polygons.codes, polygons.is_water]).astype(
        np.int32
    )
    attributes: dict[str, Any] = {
        "long_name": "egg codes of the polygons (SIGRID-3)",
        "comment": "-9 is not given; CT total, CA-CC partial concentrations, SA-SC stages, "
        "FA-FC floe sizes",
    }
    _write(path, "polygon_column", columns, ("polygon_column",))
    _write(path, "polygons", table, ("polygon", "polygon_column"), attributes)
    attributes = {"long_name": "id of the polygon of each pixel", "comment": "-1 is none"}
    _write(path, "polygon_id", ids, ("y", "x"), attributes, compressed=True)


def _write_tie_points(path: str, tie: TiePoints) -> None:
    line, sample = ("tie_line",), ("tie_sample",)
    place = {"units": "1", "long_name": "position of tie points in 80 m pixels"}
    _write(path, "tie_line", tie.lines, line, place)
    _write(path, "tie_sample", tie.samples, sample, place)
    north = {"standard_name": "latitude", "units": "degrees_north"}
    _write(path, "tie_latitude", tie.latitude, line + sample, north)
    east = {"standard_name": "longitude", "units": "degrees_east"}
    _write(path, "tie_longitude", tie.longitude, line + sample, east)


def _write(
    path: str,
    name: str,
    values: Any,
    dimensions: tuple[str, ...],
    attributes: Mapping[str, Any] | None = None,
    chunks: tuple[int, ...] | None = None,
    compressed: bool = False,
) -> None:
    """Write one array; -1 in `chunks` is the whole axis, no `chunks` the whole array."""
    wanted = chunks or values.shape
    shape = tuple(
        size if chunk == -1 else min(chunk, size)
        for chunk, size in zip(wanted, values.shape, strict=True)
    )
    is_text = values.dtype.kind == "U"
    array = zarr.create_array(
        _join(path, name),
        shape=values.shape,
        chunks=shape,
        dtype=str if is_text else values.dtype,
        compressors=zarr.codecs.ZstdCodec(level=1) if compressed else None,
        fill_value="" if is_text else (np.nan if values.dtype.kind == "f" else 0),
        dimension_names=dimensions,
        attributes=dict(attributes or {}),
        overwrite=True,
        # A chunk that holds nothing but fill is a file like any other: it can be mapped.
        config={"write_empty_chunks": True},
    )
    array[...] = values


def _root_attributes(recipe: Recipe) -> dict[str, Any]:
    return {
        "format": FORMAT_NAME,
        "format_version": FORMAT_VERSION,
        "software": f"seaice {version('seaice')}",
        "recipe": to_mapping(recipe),
        "fingerprint": fingerprint(recipe),
        "channels": [asdict(find_channel(name)) for name in recipe.channels],
        "charts": [asdict(chart) for chart in CHARTS],
        "chart_fill": CHART_FILL,
        **SOURCE,
    }


def _scene_attributes(scene: PreparedScene) -> dict[str, Any]:
    acquired = datetime.strptime(f"{scene.id[:15]}+0000", "%Y%m%dT%H%M%S%z")
    valid = sum(scene.class_counts["SIC"][:-1])
    return {
        "id": scene.id,
        "acquired": acquired.isoformat(),
        "month": acquired.month,
        "service": scene.id[-3:],
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
        "complete": True,
    }


def _flags_of(chart: Any) -> dict[str, Any]:
    """Return the CF attributes of a chart."""
    attributes = {
        "long_name": chart.long_name,
        "flag_values": np.array([*range(chart.n_classes), CHART_FILL], np.uint8),
        "flag_meanings": f"{chart.flag_meanings} fill",
    }
    if chart.standard_name:
        attributes["standard_name"] = chart.standard_name
    return attributes


def _join(*parts: str) -> str:
    return "/".join([parts[0].rstrip("/"), *parts[1:]])


def _not_a_store(path: str) -> StoreError:
    return StoreError(
        f"{path!r} is not a seaice store",
        hint="make one with `seaice prepare raw/ store.zarr`",
    )


def _move(staged: Path, final: Path) -> None:
    """Put a scene into its place, unless another writer was quicker."""
    try:
        staged.replace(final)
    except OSError:
        if not (final / "zarr.json").exists():
            raise


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

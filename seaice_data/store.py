"""The store: one zarr hierarchy with a group for each prepared scene.

``STORE.md`` beside this file describes the format for people who read it without us. What
matters here:

- A scene is complete or absent: the metadata of its group, without which zarr sees no
  group, comes last. Two writers of the same scene write the same bytes: the second one
  finds it there and drops its own.
- The list of scenes is found, not kept: there is no second file that could disagree.
- Inputs are one uncompressed chunk, unless the recipe says otherwise: any process can map
  the file. Reading a store on a disk so needs no zarr, whose import takes longest.
- Checksums of all arrays are in the attributes of the scene, for `seaice verify`.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import google_crc32c
import numpy as np

from seaice_data.array_files import ArrayFiles, Content
from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.channels import Channel, find_channel
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.documents import DocumentError, parse_json, typed
from seaice_data.encode import TiePoints
from seaice_data.errors import SettingsError, StoreError
from seaice_data.grid import Grid
from seaice_data.icecodes import COLUMNS, PolygonTable
from seaice_data.memory import can_map
from seaice_data.prepared import FLAG_LAND, FLAG_NO_SAR, FLAG_REMAINDER, PreparedScene
from seaice_data.recipe import Recipe
from seaice_data.scene_id import SceneId
from seaice_data.settings import differences, fingerprint, from_mapping, to_mapping
from seaice_data.storage import STAGING, Storage
from seaice_data.versions import naming_version

if TYPE_CHECKING:
    import xarray as xr
    import zarr

FORMAT_VERSION = 1
"""Version of the store format; see ``STORE.md``."""

_CHECKSUMS = ("checksums", "metadata_checksum", "complete")

FORMAT_NAME = "seaice store"
"""Attribute ``format`` of the root, by which a store is recognised."""

SOURCE = {
    "source": "AI4Arctic Sea Ice Challenge Dataset (Buus-Hinkler et al. 2022)",
    "source_doi": "10.11583/DTU.c.6244065.v2",
    "references": "Chen et al. (2024), The Cryosphere, doi:10.5194/tc-18-1621-2024",
}
"""Where the data come from, for the root attributes."""

_ICE_SERVICES = {
    "cis": "Canadian Ice Service (ice chart)",
    "dmi": "Danish Meteorological Institute (ice chart)",
}
_FULL_CHUNK_ROWS = 1024
_INPUT_CHUNK = 256
UNREADABLE = (ValueError, KeyError, TypeError, IndexError, RuntimeError, FileNotFoundError)
"""What zarr and its codecs raise when they read something damaged."""

_SCENE_KEYS = {"acquired", "service", "has_charts", "grid", "source_grid", "class_counts"}
_SPLITS = ("train", "validation", "test")
_ALL = slice(None)
_DOCUMENTS = {2: (".zattrs", ".zgroup"), 3: ("zarr.json",)}
"""Files of a group by zarr format. Attributes are in the first, the last makes it one."""


class Store:
    """A zarr hierarchy of prepared scenes; made by `Store.create` or `Store.open`."""

    def __init__(self, path: str, attributes: Mapping[str, Any]) -> None:
        self.path = path
        """Path or URL, as the user gave it."""
        self.attributes = attributes
        """Attributes of the root group."""
        self.recipe = from_mapping(Recipe, attributes["recipe"])
        """What decided the bytes of the store."""
        self.storage = Storage(path)

    @classmethod
    def create(cls, path: str, recipe: Recipe) -> "Store":
        """Make an empty store, or open one that has the same recipe.

        Raises
        ------
        StoreError
            If something else is at `path`, or a store with another recipe.
        """
        storage = Storage(path)
        if _is_blank(storage):
            try:
                _put_group(storage, "", _root_attributes(recipe), recipe.zarr_format)
            except OSError as error:
                raise StoreError(
                    f"cannot write to {path!r}: {error.strerror or error}"
                ) from error
        store = cls.open(path)
        if store.fingerprint != fingerprint(recipe):
            listed = differences(recipe, store.recipe)
            raise StoreError(
                f"the store at {path!r} has another recipe: {'; '.join(listed)}",
                hint="choose another path, or replace it with --overwrite",
            )
        _put_group(storage, "scenes/", {}, recipe.zarr_format)
        return store

    @classmethod
    def refuse_to_remove(cls, path: str) -> None:
        """Refuse what must not be removed: it is no store, or holds something else.

        Raises
        ------
        StoreError
            If so. A store may be of any version or recipe.
        """
        _refuse_strangers(Storage(path))

    @classmethod
    def erase(cls, path: str) -> None:
        """Remove the store at `path`, of whatever version or recipe, if there is one.

        Raises
        ------
        StoreError
            As `refuse_to_remove`.
        """
        storage = Storage(path)
        if not _is_blank(storage):
            _clear(storage, _refuse_strangers(storage))
        storage.drop_staging()
        for name in _DOCUMENTS[2]:
            storage.remove_file(name)

    @classmethod
    def open(cls, path: str | Path) -> "Store":
        """Open an existing store.

        Raises
        ------
        StoreError
            If there is none at `path`, or one of another format version.
        """
        path = str(path)
        attributes, _ = _read_root(Storage(path))
        with naming_version(StoreError, path, attributes["software"]):
            if (found := attributes.get("format_version")) != FORMAT_VERSION:
                raise StoreError(
                    f"the store at {path!r} has format version {found}, "
                    f"this seaice reads version {FORMAT_VERSION}",
                    hint="prepare it again with --overwrite",
                )
            try:
                return cls(path, attributes)
            except SettingsError as error:
                raise StoreError(
                    f"the recipe of the store at {path!r} cannot be read: {error}",
                    hint="prepare it again with --overwrite",
                ) from error

    @classmethod
    def is_absent(cls, path: str) -> bool:
        """Whether there is nothing at `path`: `create` would make a new store."""
        return _is_blank(Storage(path))

    @property
    def channels(self) -> tuple[str, ...]:
        """Names on the channel axis."""
        return self.recipe.channels

    @property
    def fingerprint(self) -> str:
        """Short hash of the recipe."""
        return fingerprint(self.recipe)

    @cached_property
    def is_mapped(self) -> bool:
        """Whether inputs and charts are files that any process can map into its memory."""
        return (
            self.storage.is_local
            and self.recipe.codec == "none"
            and can_map(self.storage.local(self._documents[0]))
        )

    @cached_property
    def scenes(self) -> tuple[SceneId, ...]:
        """Ids of the scenes in the store, sorted."""
        return tuple(map(SceneId, self._metadata))

    @cached_property
    def _metadata(self) -> dict[str, list[bytes]]:
        """Metadata of all scenes by id, as found when first asked for."""
        return self._read_metadata(self.storage.names("scenes"))

    def _read_metadata(self, folders: Iterable[str]) -> dict[str, list[bytes]]:
        """Read the metadata of those folders that are scenes of the store."""
        names = {
            folder: [f"scenes/{folder}/{name}" for name in self._documents]
            for folder in folders
            if SceneId.is_one(folder)
        }
        found = self.storage.read_many([n for listed in names.values() for n in listed])
        return {
            scene_id: [found[name] for name in listed]
            for scene_id, listed in names.items()
            if all(name in found for name in listed)
        }

    @property
    def _documents(self) -> tuple[str, ...]:
        return _DOCUMENTS[self.recipe.zarr_format]

    @property
    def splits(self) -> dict[str, tuple[str, ...]]:
        """Scene ids by split: ``train``, ``validation``, ``test``."""
        splits = self.attributes.get("splits", {})
        try:
            return {name: tuple(splits.get(name, ())) for name in _SPLITS}
        except (AttributeError, TypeError) as error:
            raise StoreError(
                f"the splits of the store {self.path!r} are damaged",
                hint="run `seaice prepare` again, which writes them",
            ) from error

    def scene(self, scene_id: str) -> "StoredScene":
        """Return one scene.

        Raises
        ------
        StoreError
            If it is not in the store.
        """
        # Those of all scenes are read at once: elsewhere each would take a round trip.
        metadata = self._metadata.get(scene_id)
        metadata = metadata or self._read_metadata([scene_id]).get(scene_id)
        if metadata is None:
            raise StoreError(f"no scene {scene_id!r} in the store {self.path!r}")
        try:
            attributes = _attributes(metadata)
            if absent := _SCENE_KEYS - {*attributes}:
                raise KeyError(min(absent))
            return StoredScene(self, SceneId(scene_id), attributes)
        except (KeyError, ValueError) as error:
            raise StoreError(
                f"the metadata of scene {scene_id!r} in the store {self.path!r} is damaged",
                hint=f"remove it with `seaice verify {self.path} --remove`",
            ) from error

    def holds(self, scene_id: str) -> bool:
        """Whether a scene is in the store at this moment."""
        return bool(self._read_metadata([scene_id]))

    def write(self, scene: PreparedScene, provenance: Mapping[str, Any]) -> None:
        """Add a scene, all or nothing; one that is there already is kept.

        Parameters
        ----------
        scene
            On a grid that fits the recipe.
        provenance
            Further attributes of the scene: the file it came from.
        """
        if self.holds(scene.id):
            return
        attributes = {
            **_scene_attributes(scene),
            **provenance,
            "fingerprint": self.fingerprint,
        }
        self.storage.put_folder(
            f"scenes/{scene.id}",
            self._documents[-1],
            _scene_files(scene, self.recipe, attributes),
        )

    def remove(self, scene_id: str) -> None:
        """Take a scene out of the store, at once; readers that have it open may fail."""
        self.storage.remove_folder(f"scenes/{scene_id}", self._documents[::-1])

    def clear(self) -> None:
        """Remove the store: scene by scene, so that it is a store until the end."""
        _clear(self.storage, self.recipe.zarr_format)

    def expected_attributes(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the root attributes are, when `summary` is true of the scenes.

        What is none in `summary` has no attribute. A store of another version keeps what
        that wrote about channels, charts and sources, in its own words.
        """
        expected = _root_attributes(self.recipe)
        if self.attributes["software"] != expected["software"]:
            expected |= {**self.attributes, "fingerprint": self.fingerprint}
        return {n: v for n, v in {**expected, **summary}.items() if v is not None}

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write what is known of all scenes together into the root attributes."""
        self.attributes = self.expected_attributes(summary)
        documents = _group(self.attributes, self.recipe.zarr_format)
        self.storage.put(self._documents[0], documents[self._documents[0]])

    def changed_arrays(self, scene: PreparedScene) -> list[str]:
        """Return the arrays of a scene of the store that differ from a prepared one."""
        written = self.scene(scene.id).attributes["checksums"]
        found = {
            array.name: checksum(array.values) for array in _arrays(scene, self.recipe)
        }
        return sorted(name for name in written if found.get(name) != written[name])

    @property
    def source_times(self) -> dict[str, list[int]]:
        """When the files of scenes were changed last, in ns since 1970, as far as noted.

        They are a shortcut for runs that come again, and belong to the files of one disk:
        so they are attributes of the group ``scenes``, not of a scene, whose bytes depend
        on what its files contain. Notes that are lost or damaged only cost time.
        """
        name = f"scenes/{self._documents[0]}"
        content = self.storage.read_many([name]).get(name)
        try:
            group = typed(parse_json(content or b"{}"), dict[str, Any])
            attributes = group.get("attributes", {}) if len(self._documents) == 1 else group
            return typed(attributes, _ScenesAttributes).get("source_times", {})
        except DocumentError:
            return {}

    def note_source_times(self, times: Mapping[str, list[int]]) -> None:
        """Write `source_times` in place of those noted before."""
        attributes = {"source_times": dict(sorted(times.items()))}
        document = self._documents[0]
        content = _group(attributes, self.recipe.zarr_format)[document]
        self.storage.put(f"scenes/{document}", content)


class _ScenesAttributes(TypedDict, total=False):
    """Attributes of the group ``scenes``."""

    source_times: dict[str, list[int]]


class StoredScene:
    """One scene of a store; its arrays are read when they are asked for."""

    def __init__(
        self, store: Store, scene_id: SceneId, attributes: Mapping[str, Any]
    ) -> None:
        self.store = store
        self.id = scene_id
        """As ``20180607T184326_dmi``."""
        self.attributes = attributes
        """Attributes of the scene's group."""

    @property
    def acquired(self) -> datetime:
        """Start of the acquisition, UTC."""
        return self.id.acquired

    @property
    def service(self) -> str:
        """Ice service that drew the chart: ``cis`` or ``dmi``."""
        return self.id.service

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

    @property
    def is_mapped(self) -> bool:
        """Whether inputs and charts are files that any process can map into its memory."""
        return self.store.is_mapped

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
        return self.store.recipe.stand_ins(self.source_grid.height)

    @property
    def columns(self) -> IntArray:
        """Stored column that stands for each column of the 80 m grid."""
        return self.store.recipe.stand_ins(self.source_grid.width)

    def to_xarray(self) -> "xr.Dataset":
        """Return the scene in physical units, one variable a channel and a chart.

        Charts keep their classes and 255, as ``flag_values`` and ``flag_meanings`` say.
        What the store holds of the scene as texts and numbers is in the attributes; it can
        be written as netCDF that follows CF 1.11.
        """
        import xarray as xr  # late: the sampler does not need it

        pixels = ("y", "x")
        variables: dict[str, Any] = {}
        for position, name in enumerate(self.store.channels):
            channel = find_channel(name)
            values = (
                self.inputs[..., position].astype(np.float32) * channel.std + channel.mean
            )
            variables[name] = (pixels, values.astype(np.float32), _attributes_of(channel))
        for position, chart in enumerate(CHARTS):
            plane = self.charts[..., position]
            variables[chart.name] = (pixels, plane, _flags_of(chart))
        coordinates: dict[str, Any] = {
            n: variables.pop(n) for n in ("latitude", "longitude") if n in variables
        }
        acquired = np.datetime64(self.acquired.replace(tzinfo=None), "ns")
        about = {"standard_name": "time", "long_name": "start of the acquisition"}
        about["units_metadata"] = "leap_seconds: none"
        coordinates["time"] = ((), acquired, about)
        return xr.Dataset(variables, coordinates, self._global_attributes())

    def _global_attributes(self) -> dict[str, Any]:
        """Return the CF attributes of the scene, and what it has of texts and numbers."""
        plain = {
            name: int(value) if isinstance(value, bool) else value
            for name, value in self.attributes.items()
            if isinstance(value, (str, int, float))
        }
        recipe = self.store.recipe
        return {
            "Conventions": "CF-1.11",
            "title": f"Sentinel-1 scene {self.id} with ancillary data and ice charts",
            "institution": _ICE_SERVICES[self.service],
            "history": f"{self.store.attributes['software']}: downscaled by "
            f"{recipe.ratio} ({recipe.sar}), recipe {self.store.fingerprint}",
            "comment": "inputs in physical units; NaN is fill",
            **SOURCE,
            **plain,
        }

    def array(self, name: str) -> "zarr.Array[Any]":
        """Open an array of the scene with zarr, to read from."""
        import zarr  # late: mapped arrays are read without

        return zarr.open_array(self.store.storage.open_zarr(f"scenes/{self.id}/{name}"))

    def whole_array(self, name: str) -> "zarr.Array[Any]":
        """Open an array of the scene with zarr, and see that no chunk is missing.

        Raises
        ------
        StoreError
            If one is: zarr would take it for fill, and so for a class.
        """
        with self._telling_damage(name):
            array = self.array(name)
            n_chunks = _n_chunks(array)
            if absent := n_chunks - array.nchunks_initialized:
                raise self._damaged(f"{name!r} lacks {absent} of {n_chunks} chunks")
        return array

    def read_part(
        self,
        name: str,
        array: "zarr.Array[Any]",
        rows: slice = _ALL,
        columns: slice = _ALL,
    ) -> np.ndarray[Any, Any]:
        """Read a part of an array of the scene, opened by `whole_array`.

        Raises
        ------
        StoreError
            If it is damaged.
        """
        with self._telling_damage(name):
            return np.asarray(array[(rows, columns)[: array.ndim]])

    def _read(self, name: str) -> np.ndarray[Any, Any]:
        return self.read_part(name, self.whole_array(name))

    @contextmanager
    def _telling_damage(self, name: str) -> Iterator[None]:
        try:
            yield
        except UNREADABLE as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise self._damaged(f"{name!r} cannot be read: {reason}") from error

    def _damaged(self, message: str) -> StoreError:
        return StoreError(
            f"scene {self.id}: {message}",
            hint=f"find what is damaged with `seaice verify {self.store.path}`",
        )

    def _whole(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> np.ndarray[Any, Any]:
        """Map an array that is one uncompressed chunk on a local disk, or read it."""
        storage, recipe = self.store.storage, self.store.recipe
        if not self.is_mapped:
            return self._read(name)
        zeros = ["0"] * len(shape)
        names = ["c", *zeros] if recipe.zarr_format == 3 else [".".join(zeros)]
        chunk = storage.local("scenes", self.id, name, *names)
        try:
            size = chunk.stat().st_size
        except FileNotFoundError:
            size = -1
        if size != dtype.itemsize * int(np.prod(shape)):
            raise StoreError(
                f"{str(chunk)!r} has not the size of {shape} {dtype.name}",
                hint=f"find what is damaged with `seaice verify {self.store.path}`",
            )
        return np.memmap(chunk, dtype, "r", shape=shape)


def checksum(values: Any) -> str:
    """Return the CRC-32C of an array: eight hexadecimal digits.

    Of its bytes in C order, little-endian; of text in UTF-8, a line for each item.

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
        content.flags.writeable = False  # else it would be copied
    return f"{google_crc32c.value(content):08x}"


def metadata_checksum(
    attributes: Mapping[str, Any], described: Mapping[str, Mapping[str, Any]]
) -> str:
    """Return the CRC-32C of what describes a scene: attributes, and those of its arrays.

    Parameters
    ----------
    attributes
        Of the scene's group.
    described
        By name of the array, as `describe` gives it.
    """
    known = {k: v for k, v in attributes.items() if k not in _CHECKSUMS}
    content = json.dumps([known, described], sort_keys=True, separators=(",", ":"))
    return f"{google_crc32c.value(content.encode()):08x}"


def describe(array: "zarr.Array[Any]") -> dict[str, Any]:
    """Return what describes an array, whatever the format."""
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


def _scene_files(
    scene: PreparedScene, recipe: Recipe, attributes: dict[str, Any]
) -> Iterator[tuple[str, Content]]:
    """Yield the files of a scene: those of its arrays, then what makes them a group."""
    checksums, described = {}, {}
    for array in _arrays(scene, recipe):
        yield from array
        checksums[array.name] = checksum(array.values)
        described[array.name] = array.description
    made = {
        "checksums": checksums,
        "metadata_checksum": metadata_checksum(attributes, described),
    }
    group = {**attributes, **made, "complete": True}
    yield from _group(group, recipe.zarr_format).items()


def _arrays(scene: PreparedScene, recipe: Recipe) -> Iterator[ArrayFiles]:
    """Yield the arrays of a scene."""
    make = partial(ArrayFiles, zarr_format=recipe.zarr_format)
    yield from _label_arrays(recipe)
    packed, is_packed = recipe.codec == "zstd", {"is_compressed": True}
    pixels = ("y", "x")
    yield make(
        name="inputs",
        values=scene.inputs,
        dimensions=(*pixels, "channel"),
        attributes={
            "long_name": "standardised input planes",
            "channel_units": [find_channel(name).unit for name in recipe.channels],
            "comment": "value in its unit = inputs * channel_std + channel_mean; "
            "NaN is fill",
        },
        chunks=(_INPUT_CHUNK, _INPUT_CHUNK, -1) if packed else None,
        is_compressed=packed,
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
        is_compressed=packed,
        fill=CHART_FILL,
    )
    yield make(
        name="full_charts",
        values=scene.full_charts,
        dimensions=("chart", "y80", "x80"),
        attributes={"long_name": "ice charts as classes on the 80 m grid", **classes},
        chunks=(1, _FULL_CHUNK_ROWS, -1),
        fill=CHART_FILL,
        **is_packed,
    )
    yield make(
        name="full_flags",
        values=scene.full_flags,
        dimensions=("y80", "x80"),
        attributes={
            "long_name": "what is known of each pixel of the 80 m grid",
            "flag_masks": [FLAG_NO_SAR, FLAG_LAND, FLAG_REMAINDER],
            "flag_meanings": "no_sar land remainder",
        },
        chunks=(_FULL_CHUNK_ROWS, -1),
        **is_packed,
    )
    yield from _tie_point_arrays(scene.tie_points, recipe)
    if scene.polygons is not None and scene.polygon_ids is not None:
        yield from _polygon_arrays(scene.polygons, scene.polygon_ids, recipe)


def _label_arrays(recipe: Recipe) -> Iterator[ArrayFiles]:
    """Yield the names on the axes, and how the inputs were standardised."""
    make = partial(ArrayFiles, zarr_format=recipe.zarr_format, dimensions=("channel",))
    catalogue = [find_channel(name) for name in recipe.channels]
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
    """Yield what the analysts said of each polygon: mixed ice is lost in the charts."""
    make = partial(ArrayFiles, zarr_format=recipe.zarr_format)
    columns = np.array(["id", *COLUMNS, "is_water"])
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


def _n_chunks(array: "zarr.Array[Any]") -> int:
    """Count chunks as zarr counts those that are there: shards count as full."""
    if array.shards is None:
        return int(array.nchunks)
    axes = zip(array.shape, array.shards, array.chunks, strict=True)
    return math.prod(
        -(-length // shard) * (shard // chunk) for length, shard, chunk in axes
    )


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
    }


def _attributes_of(channel: Channel) -> dict[str, Any]:
    """Return the CF attributes of a channel."""
    attributes = {"long_name": channel.long_name, "units": channel.unit}
    if channel.standard_name:
        attributes["standard_name"] = channel.standard_name
    if channel.unit == "K":
        attributes["units_metadata"] = "temperature: on_scale"
    return attributes


def _flags_of(chart: Any) -> dict[str, Any]:
    """Return the CF attributes of a chart."""
    attributes = {
        "long_name": chart.long_name,
        "flag_values": np.array(chart.flag_values, np.uint8),
        "flag_meanings": f"{chart.flag_meanings} fill",
    }
    if chart.standard_name:
        attributes["standard_name"] = chart.standard_name
    return attributes


def _group(attributes: Mapping[str, Any], zarr_format: int) -> dict[str, bytes]:
    """Return the files that make a zarr group, the deciding one last."""
    if zarr_format == 3:
        contents = [{"attributes": attributes, "zarr_format": 3, "node_type": "group"}]
    else:
        contents = [dict(attributes), {"zarr_format": 2}]
    names = _DOCUMENTS[zarr_format]
    return {
        name: json.dumps(content, indent=2).encode()
        for name, content in zip(names, contents, strict=True)
    }


def _attributes(documents: list[bytes]) -> dict[str, Any]:
    """Return the attributes of a group from its files."""
    contents = [json.loads(document) for document in documents]
    if not all(isinstance(content, dict) for content in contents):
        raise ValueError("the file of a group is no table")
    attributes = contents[0]["attributes"] if len(contents) == 1 else contents[0]
    if not isinstance(attributes, dict):
        raise ValueError("attributes are no table")
    return attributes


def _read_root(storage: Storage) -> tuple[dict[str, Any], int]:
    """Return the root attributes of a store of any version, and its zarr format."""
    found = storage.read_many([name for names in _DOCUMENTS.values() for name in names])
    zarr_format = 3 if "zarr.json" in found else 2
    try:
        attributes = _attributes([found[name] for name in _DOCUMENTS[zarr_format]])
    except (KeyError, ValueError) as error:
        if not storage.exists():
            raise StoreError(
                f"no store at {storage.path!r}",
                hint="make one with `seaice prepare raw/ store.zarr`",
            ) from error
        raise _not_a_store(storage.path) from error
    is_ours = (
        attributes.get("format") == FORMAT_NAME
        and isinstance(attributes.get("recipe"), dict)
        and isinstance(attributes.get("software"), str)
    )
    if not is_ours:
        raise _not_a_store(storage.path)
    return attributes, zarr_format


def _refuse_strangers(storage: Storage) -> int:
    """Refuse to delete what is no store, or what no store holds; return the zarr format."""
    _, zarr_format = _read_root(storage)
    documents = {name for names in _DOCUMENTS.values() for name in names}
    strangers = {*storage.names()} - documents - {"scenes", STAGING}
    strangers |= {
        f"scenes/{name}"
        for name in {*storage.names("scenes")} - documents
        if not SceneId.is_one(name)
    }
    if strangers:
        raise StoreError(
            f"{storage.path!r} holds {min(strangers)!r}, which is no part of a store",
            hint="move it away, or choose another path",
        )
    return zarr_format


def _clear(storage: Storage, zarr_format: int) -> None:
    """Remove a store: scene by scene, so that it is a store until the end."""
    documents = _DOCUMENTS[zarr_format][::-1]
    for name in storage.names("scenes"):
        if name not in documents:
            storage.remove_folder(f"scenes/{name}", documents)
    storage.remove_folder("scenes", documents)
    storage.drop_staging()
    for name in documents:
        storage.remove_file(name)


def _is_blank(storage: Storage) -> bool:
    """Whether there is nothing but what a writer leaves when killed at its first step."""
    return {*storage.names()} <= {STAGING, ".zattrs"}


def _put_group(
    storage: Storage, prefix: str, attributes: Mapping[str, Any], zarr_format: int
) -> None:
    """Write a group, unless there is one."""
    for name, content in _group(attributes, zarr_format).items():
        storage.put_new(prefix + name, content)


def _not_a_store(path: str) -> StoreError:
    return StoreError(
        f"{path!r} is not a seaice store",
        hint="make one with `seaice prepare raw/ store.zarr`",
    )

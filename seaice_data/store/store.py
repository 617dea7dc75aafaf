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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from functools import cached_property, partial
from importlib.metadata import version
from itertools import product
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import google_crc32c
import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.channels import Channel, find_channel
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.egg_codes import COLUMNS, PolygonTable
from seaice_data.errors import Failure, SettingsError, StoreError
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_data.scene_id import SceneId
from seaice_data.settings import differences, fingerprint, from_mapping, to_mapping
from seaice_data.store.array_files import (
    ARRAY_DOCUMENTS,
    ArrayFiles,
    Content,
    read_array_document,
)
from seaice_data.store.prepared_scene import (
    FLAG_LAND,
    FLAG_NO_SAR,
    FLAG_REMAINDER,
    PreparedScene,
)
from seaice_data.store.recipe import Recipe
from seaice_data.store.scene_attributes import (
    SceneAttributes,
    StatsTable,
    array_forms,
    read_scene_attributes,
    read_summary,
)
from seaice_data.store.statistics import ChannelStats
from seaice_data.store.storage import STAGING, Document, Storage
from seaice_data.system.documents import DocumentError, parse_json, typed
from seaice_data.system.memory import can_map
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
_DAMAGE = (
    DocumentError,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    RuntimeError,
    FileNotFoundError,
)
"""What zarr and its codecs raise when they read something damaged."""

_SPLITS = ("train", "validation", "test")
_ALL = slice(None)
_DOCUMENTS = {2: (".zattrs", ".zgroup"), 3: ("zarr.json",)}
"""Files of a group by zarr format. Attributes are in the first, the last makes it one."""


class DamageError(StoreError):
    """Something in a store is not as it was written: no reader can read it."""


class Store:
    """A zarr hierarchy of prepared scenes; made by `Store.create` or `Store.open`."""

    def __init__(self, storage: Storage, attributes: Mapping[str, Any]) -> None:
        self.storage = storage
        """Where it is. To open the store again, use its `Storage.url`."""
        self.path = storage.path
        """Path or URL to show: without passwords and keys."""
        self.attributes = attributes
        """Attributes of the root group."""
        self.recipe = from_mapping(Recipe, attributes["recipe"])
        """What decided the bytes of the store."""

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
                    f"cannot write to {storage.path!r}: {error.strerror or error}"
                ) from error
        store = cls.open(path)
        if store.fingerprint != fingerprint(recipe):
            listed = differences(recipe, store.recipe)
            raise StoreError(
                f"the store at {store.path!r} has another recipe: {'; '.join(listed)}",
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
        storage = Storage(str(path))
        attributes, _ = _read_root(storage)
        with naming_version(StoreError, storage.path, attributes["software"]):
            if (found := attributes.get("format_version")) != FORMAT_VERSION:
                raise StoreError(
                    f"the store at {storage.path!r} has format version {found}, "
                    f"this seaice reads version {FORMAT_VERSION}",
                    hint="prepare it again with --overwrite",
                )
            try:
                return cls(storage, attributes)
            except SettingsError as error:
                raise StoreError(
                    f"the recipe of the store at {storage.path!r} cannot be read: {error}",
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
    def _metadata(self) -> dict[str, list[Document]]:
        """Metadata of all scenes by id, as found when first asked for."""
        return self._read_metadata(self.storage.names("scenes"))

    def _read_metadata(self, folders: Iterable[str]) -> dict[str, list[Document]]:
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
    def strangers(self) -> dict[str, str]:
        """What is in the store but not part of it: by name, what it is."""
        found = dict.fromkeys(_strangers(self.storage), "not part of a store")
        folders = filter(SceneId.is_one, self.storage.names("scenes"))
        halves = {*folders} - {*self.scenes}
        return found | {
            f"scenes/{name}": f"not a scene: it has no {self._documents[-1]}"
            for name in sorted(halves)
        }

    @property
    def splits(self) -> dict[str, tuple[str, ...]]:
        """Scene ids by split: ``train``, ``validation``, ``test``."""
        splits = self._summary("splits") or {}
        return {name: tuple(splits.get(name, ())) for name in _SPLITS}

    @property
    def splits_leak(self) -> list[tuple[SceneId, SceneId]]:
        """Pairs of scenes of one orbit pass that are on two sides of the split."""
        return self._summary("splits_leak") or []

    @property
    def class_counts(self) -> dict[str, list[int]] | None:
        """Pixels of each class of the training scenes, fill last; None before `finish`."""
        counts: dict[str, list[int]] | None = self._summary("class_counts")
        return counts

    @property
    def full_class_counts(self) -> dict[str, list[int]] | None:
        """The same on the 80 m grid."""
        counts: dict[str, list[int]] | None = self._summary("full_class_counts")
        return counts

    @property
    def stats(self) -> StatsTable | None:
        """Sums of the valid values of the training scenes; None before `finish`."""
        stats: StatsTable | None = self._summary("stats")
        return stats

    def _summary(self, name: str) -> Any:
        """Return a root attribute that describes all scenes together; None without it."""
        if self.attributes.get(name) is None:
            return None
        try:
            return read_summary(name, self.attributes[name], self.recipe)
        except DocumentError as error:
            raise StoreError(
                f"the {name} of the store {self.path!r} are damaged: {error}",
                hint="run `seaice prepare` again, which writes them",
            ) from error

    def scene(self, scene_id: str) -> "StoredScene":
        """Return one scene.

        Raises
        ------
        DamageError
            If its metadata is damaged.
        StoreError
            If it is not in the store, or cannot be read.
        """
        # Those of all scenes are read at once: elsewhere each would take a round trip.
        documents = self._metadata.get(scene_id)
        documents = documents or self._read_metadata([scene_id]).get(scene_id)
        if documents is None:
            raise StoreError(f"no scene {scene_id!r} in the store {self.path!r}")
        place = f"scene {scene_id!r} in the store {self.path!r}"
        try:
            self._raise_unread(scene_id, documents)
            table = _attributes(_whole_documents(documents))
            known = read_scene_attributes(table, SceneId(scene_id), self.recipe)
        except DocumentError as error:
            raise DamageError(
                f"the metadata of {place} is damaged: {error}",
                hint=f"remove it with `seaice verify {self.path} --remove`",
            ) from error
        if known["fingerprint"] != self.fingerprint:
            self._check_recipe()
            raise DamageError(
                f"{place} has another recipe than the store",
                hint=f"remove it with `seaice verify {self.path} --remove`",
            )
        return StoredScene(self, known, table, documents)

    def open_scenes(
        self, leave_out: type[StoreError] = StoreError
    ) -> tuple[list["StoredScene"], list[Failure]]:
        """Return all scenes that can be opened, and why others cannot.

        Parameters
        ----------
        leave_out
            Errors that one scene may have; others are raised.
        """
        scenes, failures = [], []
        for scene_id in self.scenes:
            try:
                scenes.append(self.scene(scene_id))
            except leave_out as error:
                failures.append(Failure.of(scene_id, error))
        return scenes, failures

    def check_unchanged(self, scene_id: SceneId, documents: Sequence[Document]) -> None:
        """Make sure, after a read, that a scene is still the one that was opened.

        A store may be replaced while it is read, and a scene removed and prepared again.
        The metadata of a scene has the checksums of its arrays and names its files, so
        equal metadata means equal arrays.

        Raises
        ------
        StoreError
            If it is another scene or gone, or its metadata cannot be read.
        """
        found = self._read_metadata([scene_id]).get(scene_id)
        if found is None:
            raise StoreError(
                f"scene {scene_id!r} of the store {self.path!r} is no longer there",
                hint="run the command again",
            )
        if found != [*documents]:
            self._raise_unread(scene_id, found)
            raise self._replaced(f"scene {scene_id} is another one now")

    def _raise_unread(self, scene_id: str, documents: Sequence[Document]) -> None:
        """Raise an error if the system did not let one of the documents be read."""
        for error in documents:
            if isinstance(error, OSError):
                raise StoreError(
                    f"the metadata of scene {scene_id!r} in the store {self.path!r} "
                    f"cannot be read: {error.strerror or error}"
                ) from error

    def _check_recipe(self) -> None:
        """Make sure that the store still has the recipe that it was opened with."""
        attributes, _ = _read_root(self.storage)
        if attributes["recipe"] != self.attributes["recipe"]:
            raise self._replaced("it has another recipe")

    def _replaced(self, found: str) -> StoreError:
        return StoreError(
            f"the store at {self.path!r} was replaced while it was read: {found}",
            hint="run the command again",
        )

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
        """Return what the root attributes must be if `summary` describes the scenes.

        What is None in `summary` has no attribute. A store of another version keeps what
        that version wrote about channels, charts and sources.
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
        written = self.scene(scene.id).known["checksums"]
        found = {
            array.name: checksum(array.values) for array in _arrays(scene, self.recipe)
        }
        return sorted(name for name in written if found.get(name) != written[name])

    @property
    def source_times(self) -> dict[str, list[int]]:
        """When the files of scenes were changed last, in ns since 1970, as far as noted.

        They are a shortcut for later runs, and describe the files on one disk. So they are
        attributes of the group ``scenes`` and not of a scene, whose bytes depend only on
        what its files contain. If they are lost or damaged, that only costs time.
        """
        names = [f"scenes/{name}" for name in self._documents]
        found = [*self.storage.read_many(names).values()]
        if len(found) < len(names):
            return {}
        try:
            attributes = _attributes(_whole_documents(found))
            return typed(attributes, _ScenesAttributes).get("source_times", {})
        except (DocumentError, OSError):
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
        self,
        store: Store,
        known: SceneAttributes,
        attributes: Mapping[str, Any],
        documents: Sequence[Document],
    ) -> None:
        self.store = store
        self.id = known["id"]
        """As ``20180607T184326_dmi``."""
        self.known = known
        """Attributes of the scene's group that seaice knows, checked."""
        self.attributes = attributes
        """All attributes of the scene's group, as they were found."""
        self._documents = tuple(documents)

    def closed(self) -> "StoredScene":
        """Return the scene with nothing open."""
        return StoredScene(self.store, self.known, self.attributes, self._documents)

    @property
    def acquired(self) -> datetime:
        """Start of the acquisition, UTC."""
        return self.id.acquired

    @property
    def service(self) -> str:
        """Ice service that drew the chart: ``cis`` or ``dmi``."""
        return self.id.service

    @property
    def region(self) -> str:
        """Chart region of the ice service; empty if unknown."""
        return self.known["region"]

    @property
    def has_charts(self) -> bool:
        """Whether an ice chart belongs to the scene."""
        return self.known["has_charts"]

    @property
    def grid(self) -> Grid:
        """Grid of the stored planes."""
        return self.known["grid"]

    @property
    def source_grid(self) -> Grid:
        """80 m grid of the scene."""
        return self.known["source_grid"]

    @property
    def valid_share(self) -> float:
        """Share of the pixels that have a SIC class."""
        return self.known["valid_share"]

    @property
    def class_counts(self) -> dict[str, list[int]]:
        """Pixels of each class on the stored grid, fill last."""
        return self.known["class_counts"]

    @property
    def full_class_counts(self) -> dict[str, list[int]]:
        """Pixels of each class on the 80 m grid, fill last."""
        return self.known["full_class_counts"]

    @property
    def stats(self) -> ChannelStats:
        """Sums of the valid values of each channel."""
        return ChannelStats.from_mapping(self.known["stats"])

    @property
    def is_mapped(self) -> bool:
        """Whether inputs and charts are files that any process can map into its memory."""
        return self.store.is_mapped

    @cached_property
    def inputs(self) -> FloatArray:
        """Standardised planes, ``(y, x, channel)``; NaN is fill. Mapped if possible."""
        dtype = np.dtype(self.store.recipe.dtype).newbyteorder("<")
        shape = (*self.grid.shape, len(self.store.channels))
        with self._reading("inputs"):
            return np.asanyarray(self._whole("inputs", shape, dtype))

    @cached_property
    def charts(self) -> ChartArray:
        """Classes, shape ``(y, x, chart)``; 255 is fill. Mapped if possible."""
        shape = (*self.grid.shape, len(CHARTS))
        with self._reading("charts"):
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

    def whole_array(self, name: str) -> "zarr.Array[Any]":
        """Open an array of the scene with zarr, and see that no chunk is missing.

        Raises
        ------
        DamageError
            If what describes it is not what seaice writes, or a chunk is missing: zarr
            would take it for fill, and so for a class.
        StoreError
            If it cannot be read, or the store was replaced.
        """
        with self._reading(name):
            return self._open(name)

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
        DamageError
            If it is damaged.
        StoreError
            If it cannot be read, or the store was replaced.
        """
        # Elsewhere reading the metadata takes as long as a chunk; it was checked when the
        # array was opened.
        with self._reading(name, is_checked=self.store.storage.is_local):
            return np.asarray(array[(rows, columns)[: array.ndim]])

    def _read(self, name: str) -> np.ndarray[Any, Any]:
        with self._reading(name):
            return self._values(name)

    def _values(self, name: str) -> np.ndarray[Any, Any]:
        return np.asarray(self._open(name)[...])

    def _folder(self, name: str) -> str:
        return f"scenes/{self.id}/{name}"

    def _open(self, name: str) -> "zarr.Array[Any]":
        """Open an array with zarr, which sees no document that was not checked."""
        import zarr  # late: mapped arrays are read without
        from zarr.storage import StorePath

        storage, recipe, folder = self.store.storage, self.store.recipe, self._folder(name)
        if (form := array_forms(self.known, recipe).get(name)) is None:
            raise self._damaged(f"{name!r:.40} is not an array of a scene")
        names = [f"{folder}/{file}" for file in ARRAY_DOCUMENTS[recipe.zarr_format]]
        found = storage.read_many(names)
        if absent := {*names} - {*found}:
            raise self._damaged(f"there is no {min(absent).rpartition('/')[2]} of {name!r}")
        documents = _whole_documents([found[name] for name in names])
        metadata = read_array_document(documents, form)
        array = zarr.Array.from_dict(StorePath(storage.open_zarr(folder)), metadata)
        chunks = _chunk_names(array)
        if missing := storage.missing(folder, chunks):
            raise self._damaged(f"{name!r} lacks {len(missing)} of {len(chunks)} chunks")
        return array

    @contextmanager
    def _reading(self, name: str, *, is_checked: bool = True) -> Iterator[None]:
        """Distinguish damage from what merely cannot be read, and from another store.

        What was read is of this scene if its metadata is the same afterwards.
        """
        try:
            with self.store.storage.errors():
                try:
                    yield
                except _DAMAGE as error:
                    raise self._unreadable(name, error) from error
        except OSError as error:
            self._check_unchanged()
            raise StoreError(
                f"scene {self.id}: {name!r} cannot be read: {error.strerror or error}"
            ) from error
        except StoreError:
            self._check_unchanged()
            raise
        if is_checked:
            self._check_unchanged()

    def _unreadable(self, name: str, error: Exception) -> StoreError:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        message = f"{name!r} cannot be read: {reason}"
        if isinstance(error, RuntimeError) and "thread" in reason:
            return StoreError(f"scene {self.id}: {message}")  # the system has no more
        return self._damaged(message)

    def _check_unchanged(self) -> None:
        self.store.check_unchanged(self.id, self._documents)

    def _damaged(self, message: str) -> DamageError:
        return DamageError(
            f"scene {self.id}: {message}",
            hint=f"find what is damaged with `seaice verify {self.store.path}`",
        )

    def _whole(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> np.ndarray[Any, Any]:
        """Map an array that is one uncompressed chunk on a local disk, or read it."""
        storage, recipe = self.store.storage, self.store.recipe
        if not self.is_mapped:
            return self._values(name)
        zeros = ["0"] * len(shape)
        names = ["c", *zeros] if recipe.zarr_format == 3 else [".".join(zeros)]
        chunk = storage.local("scenes", self.id, name, *names)
        try:
            size = chunk.stat().st_size
        except FileNotFoundError:
            size = -1
        n_bytes = dtype.itemsize * int(np.prod(shape))
        if size != n_bytes:
            raise DamageError(
                f"{str(chunk)!r} is missing, or not {n_bytes} bytes long as "
                f"{shape} {dtype.name} needs",
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


def _chunk_names(array: "zarr.Array[Any]") -> list[str]:
    """Return the files of an array: one for each shard, or each chunk without shards."""
    sizes = zip(array.shape, array.shards or array.chunks, strict=True)
    numbers = product(*(range(ceil(length / size)) for length, size in sizes))
    return [array.metadata.encode_chunk_key(number) for number in numbers]


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


def _whole_documents(documents: Sequence[Document]) -> list[bytes]:
    """Return documents that could be read; raise the error of one that could not."""
    for document in documents:
        if not isinstance(document, bytes):
            raise document
    return [document for document in documents if isinstance(document, bytes)]


def _attributes(documents: Sequence[bytes]) -> dict[str, Any]:
    """Return the attributes of a group from its files."""
    contents = [
        typed(parse_json(document), dict[str, Any], "the document of a group")
        for document in documents
    ]
    attributes = contents[0].get("attributes") if len(contents) == 1 else contents[0]
    return typed(attributes, dict[str, Any], "attributes")


class _Root(TypedDict):
    """Root attributes without which a store is not ours."""

    format: Literal["seaice store"]
    recipe: dict[str, Any]
    software: str


def _read_root(storage: Storage) -> tuple[dict[str, Any], int]:
    """Return the root attributes of a store of any version, and its zarr format."""
    found = storage.read_many([name for names in _DOCUMENTS.values() for name in names])
    zarr_format = 3 if "zarr.json" in found else 2
    names = _DOCUMENTS[zarr_format]
    if not {*names} <= {*found}:
        if storage.exists():
            raise _not_a_store(storage.path)
        raise StoreError(
            f"no store at {storage.path!r}",
            hint="make one with `seaice prepare raw/ store.zarr`",
        )
    try:
        attributes = _attributes(_whole_documents([found[name] for name in names]))
        typed(attributes, _Root)
    except DocumentError as error:
        raise _not_a_store(storage.path, f": {error}") from error
    return attributes, zarr_format


def _strangers(storage: Storage) -> list[str]:
    """Return what is in a store, or among its scenes, under a name that no store uses."""
    documents = {name for names in _DOCUMENTS.values() for name in names}
    strangers = {*storage.names()} - documents - {"scenes", STAGING}
    strangers |= {
        f"scenes/{name}"
        for name in {*storage.names("scenes")} - documents
        if not SceneId.is_one(name)
    }
    return sorted(strangers)


def _refuse_strangers(storage: Storage) -> int:
    """Refuse to delete what is not a store, or not part of one; return the zarr format."""
    _, zarr_format = _read_root(storage)
    if strangers := _strangers(storage):
        raise StoreError(
            f"{storage.path!r} contains {strangers[0]!r}, which is not part of a store",
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


def _not_a_store(path: str, reason: str = "") -> StoreError:
    return StoreError(
        f"{path!r} is not a seaice store{reason}",
        hint="make one with `seaice prepare raw/ store.zarr`",
    )

"""The store: one zarr hierarchy with a group for each prepared scene.

``seaice_data/STORE.md`` describes the format for readers who do not use seaice. What
matters here:

- A scene is complete or absent: the metadata of its group is written last, and without it
  zarr sees no group. Two writers of the same scene write the same bytes; the second one
  finds the scene in its place and discards its own copy.
- The list of scenes is not stored, so no other file can contradict what is there.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any, Self, TypedDict

from seaice_data.deprecation import new_name
from seaice_data.errors import DamageError, Failure, SettingsError, StoreError
from seaice_data.scene_id import SceneId
from seaice_data.storage.storage import open_storage
from seaice_data.store.group import (
    FORMAT_VERSION,
    StoreRoot,
    foreign_names,
    group_attributes,
    read_root,
    root_attributes,
    whole_documents,
)
from seaice_data.store.layout import (
    StatsTable,
    checksum,
    read_scene_attributes,
    read_summary,
    scene_arrays,
)
from seaice_data.store.prepared_scene import PreparedScene
from seaice_data.store.stored_scene import StoredScene
from seaice_data.system.documents import Document, DocumentError, naming_version, typed
from seaice_data.texts import counted

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_SPLITS = ("train", "validation", "test")
_FORMER_CLASS_METHODS = ("create", "erase", "refuse_to_remove", "is_absent")
_FORMER_METHODS = ("write", "remove", "clear", "write_summary", "note_source_times")


class _FormerMethods(type):
    """Finds methods that changed a store where they were before: in `Store`."""

    if not TYPE_CHECKING:

        def __getattr__(cls, name: str) -> Any:
            if name in _FORMER_CLASS_METHODS:
                return getattr(_writer(name), name)
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")


class Store(StoreRoot, metaclass=_FormerMethods):
    """A zarr hierarchy of prepared scenes, opened to read.

    It is a collection of scenes by id: ``len(store)``, ``store[scene_id]``, ``scene_id in
    store``, and iteration over the ids. `StoreWriter` changes a store.

    Parameters
    ----------
    path
        Path or URL of an existing store.

    Raises
    ------
    StoreError
        If there is none at `path`, or one of another format version.

    Examples
    --------
    >>> store = Store("store.zarr")  # doctest: +SKIP
    >>> store["20180607T184326_dmi"].plot("hh")  # doctest: +SKIP
    >>> store.index().groupby("month").size()  # doctest: +SKIP
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        storage = open_storage(path)
        attributes, _ = read_root(storage)
        with naming_version(StoreError, storage.path, attributes["software"]):
            if (found := attributes.get("format_version")) != FORMAT_VERSION:
                raise StoreError(
                    f"the store at {storage.path!r} has format version {found}, "
                    f"this seaice reads version {FORMAT_VERSION}",
                    hint="prepare it again with --overwrite",
                )
            try:
                super().__init__(storage, attributes)
            except SettingsError as error:
                raise StoreError(
                    f"the recipe of the store at {storage.path!r} cannot be read: {error}",
                    hint="prepare it again with --overwrite",
                ) from None

    @classmethod
    def open(cls, path: str | PathLike[str]) -> Self:
        """Open an existing store; the same as ``Store(path)``."""
        return cls(path)

    if not TYPE_CHECKING:
        # It is also asked after a property that raises an AttributeError, which is lost.
        def __getattr__(self, name: str) -> Any:
            if name in _FORMER_METHODS:
                return getattr(_writer(name)(self.storage.url), name)
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    def __repr__(self) -> str:
        """Say where it is and what is in a scene; nothing is read."""
        about = f"ratio {self.recipe.ratio}, {counted(len(self.channels), 'channel')}"
        return f"<{type(self).__name__} {self.path!r}: {about}>"

    def _repr_html_(self) -> str:
        from seaice_data.store.views.html import store_html  # late: few ask for it

        return store_html(self)

    def __len__(self) -> int:
        """Return the number of scenes."""
        return len(self.scenes)

    def __bool__(self) -> bool:
        """Return True: a store without scenes is a store, too."""
        return True

    def __iter__(self) -> Iterator[SceneId]:
        """Iterate over the ids of the scenes."""
        return iter(self.scenes)

    def __contains__(self, scene_id: object) -> bool:
        """Return whether a scene with this id is in the store."""
        if not isinstance(scene_id, str):
            return False
        return scene_id in self._metadata or self.has_scene(scene_id)

    def __getitem__(self, scene_id: str) -> StoredScene:
        """Return one scene; see `scene`."""
        if isinstance(scene_id, str):
            return self.scene(scene_id)
        raise StoreError(
            f"scenes are found by their ids, not by {scene_id!r:.40}",
            hint="store[store.scenes[0]] is the first one",
        )

    @cached_property
    def scenes(self) -> tuple[SceneId, ...]:
        """Ids of the scenes in the store, sorted."""
        return tuple(map(SceneId, self._metadata))

    @cached_property
    def _metadata(self) -> dict[str, list[Document]]:
        """Metadata of all scenes by id, as found when first asked for."""
        return self.read_metadata(self.storage.names("scenes"))

    @property
    def foreign_entries(self) -> dict[str, str]:
        """What is in the store but not part of it: a description by name."""
        names = foreign_names(self.storage, self.recipe.zarr_format)
        found = dict.fromkeys(names, "not part of a store")
        folders = filter(SceneId.is_one, self.storage.names("scenes"))
        halves = {*folders} - {*self.scenes}
        return found | {
            f"scenes/{name}": f"not a scene: it has no {self.documents[-1]}"
            for name in sorted(halves)
        }

    @property
    def splits(self) -> dict[str, tuple[SceneId, ...]]:
        """Scene ids by split: ``train``, ``validation``, ``test``."""
        splits = self._summary("splits") or {}
        return {name: tuple(splits.get(name, ())) for name in _SPLITS}

    @property
    def splits_leak(self) -> list[tuple[SceneId, SceneId]]:
        """Pairs of scenes of one orbit pass that are in different splits."""
        return self._summary("splits_leak") or []

    @property
    def class_counts(self) -> dict[str, list[int]] | None:
        """Pixels of each class of the training scenes, fill last; None if not yet known."""
        counts: dict[str, list[int]] | None = self._summary("class_counts")
        return counts

    @property
    def full_class_counts(self) -> dict[str, list[int]] | None:
        """The same on the 80 m grid."""
        counts: dict[str, list[int]] | None = self._summary("full_class_counts")
        return counts

    @property
    def stats(self) -> StatsTable | None:
        """Sums of the valid values of the training scenes; None if not yet known."""
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
            ) from None

    def scene(self, scene_id: str) -> StoredScene:
        """Return one scene.

        Raises
        ------
        DamageError
            If its metadata is damaged.
        StoreError
            If it is not in the store, or cannot be read.
        """
        # The metadata of all scenes is read at once: on a server each takes a round trip.
        documents = self._metadata.get(scene_id)
        documents = documents or self.read_metadata([scene_id]).get(scene_id)
        if documents is None:
            raise StoreError(f"no scene {scene_id!r} in the store {self.path!r}")
        place = f"scene {scene_id!r} in the store {self.path!r}"
        try:
            self.raise_unread(scene_id, documents)
            table = group_attributes(whole_documents(documents))
            known = read_scene_attributes(table, SceneId(scene_id), self.recipe)
        except DocumentError as error:
            raise DamageError(
                f"the metadata of {place} is damaged: {error}",
                hint=f"remove it with `seaice verify {self.path} --remove`",
            ) from None
        if known["fingerprint"] != self.fingerprint:
            self.check_recipe()
            raise DamageError(
                f"{place} has another recipe than the store",
                hint=f"remove it with `seaice verify {self.path} --remove`",
            )
        return StoredScene(self, known, table, documents)

    def open_scenes(
        self, leave_out: type[StoreError] = StoreError
    ) -> tuple[list[StoredScene], list[Failure]]:
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

    def has_scene(self, scene_id: str) -> bool:
        """Return whether a scene is in the store at this moment."""
        return bool(self.read_metadata([scene_id]))

    def has_same_scenes(self, other: "Store") -> bool:
        """Return whether two stores had the same scenes, with equal metadata, when read.

        The metadata of a scene contains the checksums of its arrays.
        """
        ours, theirs = (
            {scene_id: [d for d in documents if isinstance(d, bytes)]
             for scene_id, documents in store._metadata.items()}
            for store in (self, other)
        )  # fmt: skip
        return ours == theirs

    def index(self) -> "pd.DataFrame":
        """Return a table with a row for each scene; no pixel is read.

        Its index is the id of the scene; its columns are

        - ``time``: start of the acquisition, UTC;
        - ``service``, ``region``, ``month``, ``split`` (``none`` if it is in none);
        - ``has_charts``, ``height`` and ``width`` in stored pixels;
        - ``labelled``: share of the stored pixels that have a SIC class;
        - ``SIC_0_percent`` ... ``FLOE_bergs``: share of each class among the pixels of a
          chart that have one, at 80 m; NaN if there is none;
        - ``footprint``: outline in degrees, east before north. One that crosses the date
          line has two parts.

        Damaged scenes are left out and logged.

        Returns
        -------
        pandas.DataFrame
            With the extra ``geo``, a ``geopandas.GeoDataFrame`` in EPSG:4326, whose
            geometry is ``footprint``; without it ``footprint`` is text (WKT).

        Raises
        ------
        StoreError
            If a scene cannot be read.

        Examples
        --------
        >>> table = store.index()  # doctest: +SKIP
        >>> table[table.split == "train"].SOD_old_ice.mean()  # doctest: +SKIP
        >>> table.to_file("scenes.gpkg")  # doctest: +SKIP
        """
        from seaice_data.store.views.index import index_of  # late: imports pandas

        return index_of(self)

    def to_datatree(self) -> "xr.DataTree":
        """Return the whole store as plain xarray shows it, a node for each scene.

        A scene is at ``tree["scenes/20180607T184326_dmi"]``, with arrays as they are stored
        (`StoredScene.to_xarray` has them in physical units). Arrays are read when they are
        used. Every read is checked as elsewhere: a missing chunk is an error, not fill.

        The metadata of all scenes is read from one document if it fits the store, else
        from one document for each array. Damaged scenes are left out and logged.

        Raises
        ------
        StoreError
            If a scene cannot be read.

        Examples
        --------
        >>> tree = Store("store.zarr").to_datatree()  # doctest: +SKIP
        >>> scene = tree["scenes/20180607T184326_dmi"]  # doctest: +SKIP
        >>> scene.inputs.sel(channel="hh").mean()  # doctest: +SKIP
        """
        from seaice_data.store.views.datatree import datatree_of  # late: imports xarray

        return datatree_of(self)

    def expected_attributes(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the root attributes must be if `summary` describes the scenes.

        Values of `summary` that are None are left out. A store of another version keeps
        what that version wrote about channels, charts and sources.
        """
        expected = root_attributes(self.recipe)
        if self.attributes["software"] != expected["software"]:
            expected |= {**self.attributes, "fingerprint": self.fingerprint}
        return {n: v for n, v in {**expected, **summary}.items() if v is not None}

    def changed_arrays(self, scene: PreparedScene) -> list[str]:
        """Return the names of stored arrays that differ from those of a prepared scene."""
        written = self.scene(scene.id).known["checksums"]
        found = {
            array.name: checksum(array.values) for array in scene_arrays(scene, self.recipe)
        }
        return sorted(name for name in written if found.get(name) != written[name])

    @property
    def source_times(self) -> dict[str, list[int]]:
        """When the files of scenes last changed, in ns since 1970, where this was noted.

        These times are a shortcut for later runs, and describe the files on one disk. They
        are attributes of the group ``scenes``, because the bytes of a scene depend only on
        what its files contain. Losing them only costs time.
        """
        names = [f"scenes/{name}" for name in self.documents]
        found = [*self.storage.read_many(names).values()]
        if len(found) < len(names):
            return {}
        try:
            attributes = group_attributes(whole_documents(found))
            return typed(attributes, _ScenesAttributes).get("source_times", {})
        except (DocumentError, OSError):
            return {}


class _ScenesAttributes(TypedDict, total=False):
    """Attributes of the group ``scenes``."""

    source_times: dict[str, list[int]]


def _writer(name: str) -> Any:
    """Return `StoreWriter`, which has a method that `Store` had before."""
    from seaice_data.store.writer import StoreWriter  # late: it imports this module

    new_name("method", f"Store.{name}", f"StoreWriter.{name}")
    return StoreWriter

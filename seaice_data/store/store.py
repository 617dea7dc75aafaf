"""The store: one zarr hierarchy with a group for each prepared scene.

``seaice_data/STORE.md`` describes the format for readers who do not use seaice. What
matters here:

- A scene is complete or absent: the metadata of its group is written last, and without it
  zarr sees no group. Two writers of the same scene write the same bytes; the second one
  finds the scene in its place and discards its own copy.
- The list of scenes is not stored, so no other file can contradict what is there.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict

from seaice_data.errors import DamageError, Failure, SettingsError, StoreError
from seaice_data.scene_id import SceneId
from seaice_data.settings import differences, fingerprint
from seaice_data.storage.storage import Storage, open_storage
from seaice_data.store.group import (
    DOCUMENTS,
    FORMAT_VERSION,
    StoreRoot,
    foreign_names,
    group_attributes,
    group_files,
    is_blank,
    put_group,
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
    scene_attributes,
    scene_files,
)
from seaice_data.store.prepared_scene import PreparedScene
from seaice_data.store.recipe import Recipe
from seaice_data.store.stored_scene import StoredScene
from seaice_data.system.documents import Document, DocumentError, naming_version, typed
from seaice_data.texts import counted

_SPLITS = ("train", "validation", "test")


class Store(StoreRoot):
    """A zarr hierarchy of prepared scenes; made by `Store.create` or `Store.open`."""

    @classmethod
    def create(cls, path: str, recipe: Recipe) -> "Store":
        """Make an empty store, or open one that has the same recipe.

        Raises
        ------
        StoreError
            If something else is at `path`, or a store with another recipe.
        """
        storage = open_storage(path)
        if is_blank(storage):
            try:
                put_group(storage, "", root_attributes(recipe), recipe.zarr_format)
            except OSError as error:
                raise StoreError(
                    f"cannot write to {storage.path!r}: {error.strerror or error}"
                ) from None
        store = cls.open(path)
        if store.fingerprint != fingerprint(recipe):
            listed = differences(recipe, store.recipe)
            raise StoreError(
                f"the store at {store.path!r} has another recipe: {'; '.join(listed)}",
                hint="choose another path, or replace it with --overwrite",
            )
        put_group(storage, "scenes/", {}, recipe.zarr_format)
        return store

    @classmethod
    def refuse_to_remove(cls, path: str) -> None:
        """Refuse to remove what is not a store, or contains something else.

        Raises
        ------
        StoreError
            If it is not a store, of whatever version or recipe, or contains something
            else.
        """
        _refuse_foreign(open_storage(path))

    @classmethod
    def erase(cls, path: str) -> None:
        """Remove the store at `path`, whatever its version or recipe, if there is one.

        Raises
        ------
        StoreError
            As `refuse_to_remove`.
        """
        storage = open_storage(path)
        if not is_blank(storage):
            _clear(storage, _refuse_foreign(storage))
        storage.drop_staging()
        for name in DOCUMENTS[2]:
            storage.remove_file(name)

    @classmethod
    def open(cls, path: str | Path) -> "Store":
        """Open an existing store.

        Raises
        ------
        StoreError
            If there is none at `path`, or one of another format version.
        """
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
                return cls(storage, attributes)
            except SettingsError as error:
                raise StoreError(
                    f"the recipe of the store at {storage.path!r} cannot be read: {error}",
                    hint="prepare it again with --overwrite",
                ) from None

    @classmethod
    def is_absent(cls, path: str) -> bool:
        """Return whether nothing is at `path`, so that `create` would make a new store."""
        return is_blank(open_storage(path))

    def __repr__(self) -> str:
        """Say where it is and what is in a scene; nothing is read."""
        about = f"ratio {self.recipe.ratio}, {counted(len(self.channels), 'channel')}"
        return f"<Store {self.path!r}: {about}>"

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
        found = dict.fromkeys(foreign_names(self.storage), "not part of a store")
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

    def write(self, scene: PreparedScene, provenance: Mapping[str, Any]) -> None:
        """Add a scene, all or nothing; a scene that is already there is kept.

        Parameters
        ----------
        scene
            On a grid that fits the recipe.
        provenance
            Further attributes of the scene: the file it came from.
        """
        if self.has_scene(scene.id):
            return
        attributes = {
            **scene_attributes(scene),
            **provenance,
            "fingerprint": self.fingerprint,
        }
        self.storage.put_folder(
            f"scenes/{scene.id}",
            self.documents[-1],
            scene_files(scene, self.recipe, attributes),
        )

    def remove(self, scene_id: str) -> None:
        """Remove a scene at once; readers that have it open may fail."""
        self.storage.remove_folder(f"scenes/{scene_id}", self.documents[::-1])

    def clear(self) -> None:
        """Remove the store scene by scene, so that it is a store until the end."""
        _clear(self.storage, self.recipe.zarr_format)

    def expected_attributes(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the root attributes must be if `summary` describes the scenes.

        Values of `summary` that are None are left out. A store of another version keeps
        what that version wrote about channels, charts and sources.
        """
        expected = root_attributes(self.recipe)
        if self.attributes["software"] != expected["software"]:
            expected |= {**self.attributes, "fingerprint": self.fingerprint}
        return {n: v for n, v in {**expected, **summary}.items() if v is not None}

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write what describes all scenes together into the root attributes."""
        self.attributes = self.expected_attributes(summary)
        documents = group_files(self.attributes, self.recipe.zarr_format)
        self.storage.put(self.documents[0], documents[self.documents[0]])

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

    def note_source_times(self, times: Mapping[str, list[int]]) -> None:
        """Replace the `source_times`."""
        attributes = {"source_times": dict(sorted(times.items()))}
        document = self.documents[0]
        content = group_files(attributes, self.recipe.zarr_format)[document]
        self.storage.put(f"scenes/{document}", content)


class _ScenesAttributes(TypedDict, total=False):
    """Attributes of the group ``scenes``."""

    source_times: dict[str, list[int]]


def _refuse_foreign(storage: Storage) -> int:
    """Refuse to remove what is not part of a store; return the zarr format of the store."""
    _, zarr_format = read_root(storage)
    if foreign := foreign_names(storage):
        raise StoreError(
            f"{storage.path!r} contains {foreign[0]!r}, which is not part of a store",
            hint="move it away, or choose another path",
        )
    return zarr_format


def _clear(storage: Storage, zarr_format: int) -> None:
    """Remove a store scene by scene, so that it is a store until the end."""
    documents = DOCUMENTS[zarr_format][::-1]
    for name in storage.names("scenes"):
        if name not in documents:
            storage.remove_folder(f"scenes/{name}", documents)
    storage.remove_folder("scenes", documents)
    storage.drop_staging()
    for name in documents:
        storage.remove_file(name)

"""Writing to a store: making one, adding and removing scenes, what describes all of them.

A `Store` only reads. Every method here that changes scenes first drops their consolidated
metadata (`seaice_data.store.consolidated`), which would no longer describe them.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from seaice_data.errors import StoreError
from seaice_data.settings import differences, fingerprint
from seaice_data.storage.storage import Storage, open_storage
from seaice_data.store.consolidated import drop_consolidated
from seaice_data.store.group import (
    DOCUMENTS,
    foreign_names,
    group_files,
    is_blank,
    put_group,
    read_root,
    root_attributes,
)
from seaice_data.store.layout import scene_attributes, scene_files
from seaice_data.store.prepared_scene import PreparedScene
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store


class StoreWriter(Store):
    """A store to write to; made by `StoreWriter.create` or `StoreWriter(path)`."""

    @classmethod
    def create(cls, path: str, recipe: Recipe) -> "StoreWriter":
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
        store = cls(path)
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
    def is_absent(cls, path: str) -> bool:
        """Return whether nothing is at `path`, so that `create` would make a new store."""
        return is_blank(open_storage(path))

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
        with self._changing():
            self.storage.put_folder(
                f"scenes/{scene.id}",
                self.documents[-1],
                scene_files(scene, self.recipe, attributes),
            )

    def remove(self, scene_id: str) -> None:
        """Remove a scene at once; readers that have it open may fail."""
        with self._changing():
            self.storage.remove_folder(f"scenes/{scene_id}", self.documents[::-1])

    def clear(self) -> None:
        """Remove the store scene by scene, so that it is a store until the end."""
        _clear(self.storage, self.recipe.zarr_format)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write what describes all scenes together into the root attributes."""
        self.attributes = self.expected_attributes(summary)
        documents = group_files(self.attributes, self.recipe.zarr_format)
        self.storage.put(self.documents[0], documents[self.documents[0]])

    def note_source_times(self, times: Mapping[str, list[int]]) -> None:
        """Replace the `source_times`."""
        drop_consolidated(self.storage, self.recipe.zarr_format)
        attributes = {"source_times": dict(sorted(times.items()))}
        document = self.documents[0]
        content = group_files(attributes, self.recipe.zarr_format)[document]
        self.storage.put(f"scenes/{document}", content)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Drop the consolidated metadata before scenes change.

        And again afterwards: another process may have finished its work in the meantime.
        """
        drop_consolidated(self.storage, self.recipe.zarr_format)
        try:
            yield
        finally:
            drop_consolidated(self.storage, self.recipe.zarr_format)


def _refuse_foreign(storage: Storage) -> int:
    """Refuse to remove what is not part of a store; return the zarr format of the store."""
    _, zarr_format = read_root(storage)
    if foreign := foreign_names(storage, zarr_format):
        raise StoreError(
            f"{storage.path!r} contains {foreign[0]!r}, which is not part of a store",
            hint="move it away, or choose another path",
        )
    return zarr_format


def _clear(storage: Storage, zarr_format: int) -> None:
    """Remove a store scene by scene, so that it is a store until the end."""
    documents = DOCUMENTS[zarr_format][::-1]
    drop_consolidated(storage, zarr_format)
    for name in storage.names("scenes"):
        if name not in documents:
            storage.remove_folder(f"scenes/{name}", documents)
    storage.remove_folder("scenes", documents)
    storage.drop_staging()
    for name in documents:
        storage.remove_file(name)

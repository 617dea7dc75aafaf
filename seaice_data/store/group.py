"""The groups of the zarr hierarchy: their documents, and the root of a store.

Reading a store on a disk does not need zarr, which is slow to import.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypedDict

from seaice_data.channels import find_channels
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.errors import StoreError
from seaice_data.scene_id import SceneId
from seaice_data.settings import fingerprint, from_mapping, to_mapping
from seaice_data.storage.local_folder import STAGING, LocalFolder
from seaice_data.storage.storage import Storage
from seaice_data.store.recipe import Recipe
from seaice_data.system.documents import Document, DocumentError, parse_json, typed
from seaice_data.system.memory import can_map

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

OWN_SOURCE = "Sentinel-1 EW products with ancillary data, not of AI4Arctic"
"""Attribute ``source`` for own scenes."""

DOCUMENTS = {2: (".zattrs", ".zgroup"), 3: ("zarr.json",)}
"""Files of a group by zarr format: the first has attributes, the last makes it a group."""


CONSOLIDATED = {2: ".zmetadata", 3: "zarr.json"}
"""File of the group ``scenes`` with the metadata of all scenes, by zarr format; see
`seaice_data.store.consolidated`."""


class StoreRoot:
    """The root of a store: where it is, and what its scenes have in common."""

    def __init__(self, storage: Storage, attributes: Mapping[str, Any]) -> None:
        self.storage = storage
        """Where it is. Use its `Storage.url` to open the store again."""
        self.path = storage.path
        """Path or URL to show: without passwords and keys."""
        self.attributes = attributes
        """Attributes of the root group."""
        self.recipe = from_mapping(Recipe, attributes["recipe"])
        """Everything that decided the bytes of the store."""
        self.channels = self.recipe.channels
        """Names on the channel axis."""

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of the recipe."""
        return fingerprint(self.recipe)

    @cached_property
    def is_mapped(self) -> bool:
        """Whether inputs and charts are files that any process can map into its memory."""
        return (
            isinstance(self.storage, LocalFolder)
            and self.recipe.codec == "none"
            and can_map(self.storage.local(self.documents[0]))
        )

    @property
    def documents(self) -> tuple[str, ...]:
        """Files of a group: the first has the attributes, the last makes it a group."""
        return DOCUMENTS[self.recipe.zarr_format]

    def read_metadata(self, folders: Iterable[str]) -> dict[str, list[Document]]:
        """Read the metadata of those folders that are scenes of the store."""
        names = {
            folder: [f"scenes/{folder}/{name}" for name in self.documents]
            for folder in folders
            if SceneId.is_one(folder)
        }
        found = self.storage.read_many([n for listed in names.values() for n in listed])
        return {
            scene_id: [found[name] for name in listed]
            for scene_id, listed in names.items()
            if all(name in found for name in listed)
        }

    def check_unchanged(self, scene_id: SceneId, documents: Sequence[Document]) -> None:
        """Make sure, after a read, that a scene is still the one that was opened.

        A store may be replaced while it is read, and a scene removed and prepared again.
        The metadata of a scene contains the checksums of its arrays, so equal metadata
        means equal arrays.

        Raises
        ------
        StoreError
            If it was removed or replaced, or its metadata cannot be read.
        """
        found = self.read_metadata([scene_id]).get(scene_id)
        if found is None:
            raise StoreError(
                f"scene {scene_id!r} of the store {self.path!r} is no longer there",
                hint="run the command again",
            )
        if found != [*documents]:
            self.raise_unread(scene_id, found)
            raise self._replaced(f"scene {scene_id} has changed")

    def raise_unread(self, scene_id: str, documents: Sequence[Document]) -> None:
        """Raise an error if the system could not read one of the documents."""
        for error in documents:
            if isinstance(error, OSError):
                raise StoreError(
                    f"the metadata of scene {scene_id!r} in the store {self.path!r} "
                    f"cannot be read: {error.strerror or error}"
                ) from None

    def check_recipe(self) -> None:
        """Make sure that the store still has the recipe it was opened with."""
        attributes, _ = read_root(self.storage)
        if attributes["recipe"] != self.attributes["recipe"]:
            raise self._replaced("it has another recipe")

    def _replaced(self, found: str) -> StoreError:
        return StoreError(
            f"the store at {self.path!r} was replaced while it was read: {found}",
            hint="run the command again",
        )


def root_attributes(recipe: Recipe) -> dict[str, Any]:
    """Return the root attributes of a store without scenes."""
    return {
        "format": FORMAT_NAME,
        "format_version": FORMAT_VERSION,
        "software": f"seaice {version('seaice')}",
        "recipe": to_mapping(recipe),
        "fingerprint": fingerprint(recipe),
        "channels": [asdict(channel) for channel in find_channels(recipe.channels)],
        "charts": [asdict(chart) for chart in CHARTS],
        "chart_fill": CHART_FILL,
        **SOURCE,
    }


def group_files(attributes: Mapping[str, Any], zarr_format: int) -> dict[str, bytes]:
    """Return the files of a zarr group; the last one makes it a group.

    In format 3 there is one file, so writing it drops the consolidated metadata.
    """
    if zarr_format == 3:
        contents = [{"attributes": attributes, "zarr_format": 3, "node_type": "group"}]
    else:
        contents = [dict(attributes), {"zarr_format": 2}]
    names = DOCUMENTS[zarr_format]
    return {
        name: json.dumps(content, indent=2).encode()
        for name, content in zip(names, contents, strict=True)
    }


def put_group(
    storage: Storage, prefix: str, attributes: Mapping[str, Any], zarr_format: int
) -> None:
    """Write a group, unless it exists."""
    for name, content in group_files(attributes, zarr_format).items():
        storage.put_new(prefix + name, content)


def whole_documents(documents: Sequence[Document]) -> list[bytes]:
    """Return the contents of documents; if some are errors, raise the first."""
    for document in documents:
        if not isinstance(document, bytes):
            raise document
    return [document for document in documents if isinstance(document, bytes)]


def group_attributes(documents: Sequence[bytes]) -> dict[str, Any]:
    """Return the attributes of a group from its files."""
    contents = [
        typed(parse_json(document), dict[str, Any], "the document of a group")
        for document in documents
    ]
    attributes = contents[0].get("attributes") if len(contents) == 1 else contents[0]
    return typed(attributes, dict[str, Any], "attributes")


class _Root(TypedDict):
    """Root attributes that every store of seaice has."""

    format: Literal["seaice store"]
    recipe: dict[str, Any]
    software: str


def read_root(storage: Storage) -> tuple[dict[str, Any], int]:
    """Return the root attributes of a store of any version, and its zarr format."""
    found = storage.read_many([name for names in DOCUMENTS.values() for name in names])
    zarr_format = 3 if "zarr.json" in found else 2
    names = DOCUMENTS[zarr_format]
    if not {*names} <= {*found}:
        if storage.exists():
            raise _not_a_store(storage.path)
        raise StoreError(
            f"no store at {storage.path!r}",
            hint="make one with `seaice prepare raw/ store.zarr`",
        )
    try:
        attributes = group_attributes(whole_documents([found[name] for name in names]))
        typed(attributes, _Root)
    except DocumentError as error:
        raise _not_a_store(storage.path, f": {error}") from None
    return attributes, zarr_format


def foreign_names(storage: Storage, zarr_format: int) -> list[str]:
    """Return what is in a store, or among its scenes, under a name seaice does not use."""
    documents = {name for names in DOCUMENTS.values() for name in names}
    found = {*storage.names()} - documents - {"scenes", STAGING}
    documents = {*DOCUMENTS[zarr_format], CONSOLIDATED[zarr_format]}
    found |= {
        f"scenes/{name}"
        for name in {*storage.names("scenes")} - documents
        if not SceneId.is_one(name)
    }
    return sorted(found)


def is_store(path: str) -> bool:
    """Return whether `path` names a store rather than a netCDF file or a folder of them."""
    place = Path(path)
    if place.is_file():
        return False
    if not place.is_dir():
        return True  # a URL, or a store that is not there
    documents = {name for names in DOCUMENTS.values() for name in names}
    return any((place / name).is_file() for name in documents)


def is_blank(storage: Storage) -> bool:
    """Return whether there is nothing, or only what a writer killed at its start leaves."""
    return {*storage.names()} <= {STAGING, ".zattrs"}


def _not_a_store(path: str, reason: str = "") -> StoreError:
    return StoreError(
        f"{path!r} is not a seaice store{reason}",
        hint="make one with `seaice prepare raw/ store.zarr`",
    )

"""The metadata of all scenes in one document: zarr's consolidated metadata.

Each array of a scene has a document of its own, so a reader of all scenes opens thousands
of files. The group ``scenes`` has a copy of them all in the form that zarr and xarray know:
in ``scenes/zarr.json``, in format 2 in ``scenes/.zmetadata``.

A copy can be wrong. Whatever changes scenes drops it first (`drop_consolidated`), and
`write_consolidated` writes it again when the work is done. Other programs, and seaice 0.1,
may change scenes without doing so: `array_documents` uses the copy only if it has exactly
the scenes and arrays that are there, and each scene as its own group describes it.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypedDict

from seaice_data.errors import DamageError, Failure, StoreError
from seaice_data.storage.object_store import UnreachableError
from seaice_data.storage.storage import Storage
from seaice_data.store.array_files import ARRAY_DOCUMENTS, check_array_document
from seaice_data.store.group import (
    CONSOLIDATED,
    DOCUMENTS,
    StoreRoot,
    group_attributes,
    group_files,
    whole_documents,
)
from seaice_data.store.layout import array_forms
from seaice_data.store.store import Store
from seaice_data.store.stored_scene import StoredScene
from seaice_data.system.documents import (
    MOST_BYTES,
    Document,
    DocumentError,
    parse_json,
    typed,
)

log = logging.getLogger(__name__)

Documents = Mapping[str, Any]
"""Parsed documents by their names below the group ``scenes``."""

_MARK = b'"consolidated_metadata"'
_AT_ONCE = 50  # scenes


def array_documents(
    store: StoreRoot, scenes: Sequence[StoredScene]
) -> tuple[dict[str, dict[str, dict[str, Any]]], list[Failure]]:
    """Return what describes the arrays of scenes: one read if the consolidated copy fits.

    Parameters
    ----------
    store
        The store.
    scenes
        Its scenes.

    Returns
    -------
    dict
        Documents as zarr expects them, checked, by scene and array.
    list
        Scenes that are damaged, which are left out.

    Raises
    ------
    StoreError
        If one cannot be read.
    """
    found = _consolidated(store)
    if found is None or not _fits(found, store, scenes):
        found = _collected(store, scenes)
    described: dict[str, dict[str, dict[str, Any]]] = {}
    failures: list[Failure] = []
    for scene in scenes:
        try:
            described[scene.id] = _checked(found, store, scene)
        except DamageError as error:
            failures.append(Failure.of(scene.id, error))
    return described, failures


def drop_consolidated(storage: Storage, zarr_format: int) -> None:
    """Remove the consolidated metadata, if there is any."""
    name = f"scenes/{CONSOLIDATED[zarr_format]}"
    content = storage.read_many([name]).get(name)
    if zarr_format == 2:
        if content is not None:
            storage.remove_file(name)
        return
    if isinstance(content, bytes) and _MARK in content:
        attributes: dict[str, Any] = {}
        with suppress(DocumentError):
            attributes = group_attributes([content])
        storage.put(name, group_files(attributes, zarr_format)["zarr.json"])


def write_consolidated(store: Store) -> None:
    """Write the consolidated metadata, unless it is there; drop it if scenes are damaged.

    It only saves time: a disk or an object store that refuses it is logged, not an error.
    """
    zarr_format = store.recipe.zarr_format
    name = f"scenes/{CONSOLIDATED[zarr_format]}"
    try:
        content = _content(store)
        if content is None or len(content) > MOST_BYTES:
            drop_consolidated(store.storage, zarr_format)
        elif store.storage.read_many([name]).get(name) != content:
            store.storage.put(name, content)
    except (OSError, UnreachableError) as error:
        log.warning("%s: no consolidated metadata: %s", store.path, error)


def is_stale(store: Store) -> bool:
    """Return whether there is consolidated metadata that does not fit the scenes.

    Everything is compared, which takes one read for each array.
    """
    name = f"scenes/{CONSOLIDATED[store.recipe.zarr_format]}"
    found = store.storage.read_many([name]).get(name)
    if store.recipe.zarr_format == 2:  # a damaged copy misleads other programs, too
        is_copy = found is not None
    else:
        is_copy = isinstance(found, bytes) and _MARK in found
    return is_copy and found != _content(store)


def _content(store: Store) -> bytes | None:
    """Return what the file of the consolidated metadata must be; None if it cannot be."""
    scenes, failures = store.open_scenes(leave_out=DamageError)
    if failures or not scenes:
        return None
    try:
        own = _group(store)
        # Parsed documents of all scenes at once would need ten times the memory.
        parts = [
            _members(_described(store, scenes[k : k + _AT_ONCE]))
            for k in range(0, len(scenes), _AT_ONCE)
        ]
    except (StoreError, DocumentError):
        return None
    if store.recipe.zarr_format == 2:
        parts = [_members(own), *parts]
        start, end = b'{"zarr_consolidated_format":1,"metadata":{', b"}}"
    else:
        inline = b'"consolidated_metadata":{"kind":"inline","must_understand":false'
        start = b"{%b,%b,%b" % (_members(own["zarr.json"]), inline, b'"metadata":{')
        end = b"}}}"
    return b"".join([start, b",".join(parts), end])


def _described(store: StoreRoot, scenes: Sequence[StoredScene]) -> Documents:
    """Return the documents of scenes by their names in the consolidated metadata.

    Raises
    ------
    DocumentError, StoreError
        If one is damaged or cannot be read, or a scene has changed since it was opened.
    """
    documents = _collected(store, scenes)
    for scene in scenes:
        _checked(documents, store, scene)
    if not _fits(documents, store, scenes):
        raise DocumentError("a scene has changed")
    if store.recipe.zarr_format == 2:
        return documents
    return {
        name.removesuffix("zarr.json").rstrip("/"): document
        for name, document in documents.items()
    }


def _members(table: Mapping[str, Any]) -> bytes:
    """Return a table as JSON without its braces."""
    return json.dumps(table, separators=(",", ":")).encode()[1:-1]


def _group(store: StoreRoot) -> dict[str, Any]:
    """Return the documents of the group ``scenes``, parsed, without consolidated ones."""
    names = [f"scenes/{name}" for name in store.documents]
    found = store.storage.read_many(names)
    if len(found) < len(names):
        raise DocumentError("the group of the scenes has no metadata")
    contents = whole_documents([found[name] for name in names])
    files = group_files(group_attributes(contents), store.recipe.zarr_format)
    return {name: parse_json(content) for name, content in files.items()}


class _Inline(TypedDict):
    """What consolidates documents, in both formats."""

    metadata: dict[str, dict[str, Any]]


class _Group3(TypedDict):
    consolidated_metadata: _Inline


def _consolidated(store: StoreRoot) -> Documents | None:
    """Return the consolidated documents; None if there are none, or they are damaged."""
    name = f"scenes/{CONSOLIDATED[store.recipe.zarr_format]}"
    content = store.storage.read_many([name]).get(name)
    if not isinstance(content, bytes):
        return None
    try:
        if store.recipe.zarr_format == 2:
            return typed(parse_json(content), _Inline)["metadata"]
        if _MARK not in content:
            return None
        inline = typed(parse_json(content), _Group3)["consolidated_metadata"]
    except DocumentError:
        return None
    return {f"{name}/zarr.json": document for name, document in inline["metadata"].items()}


def _fits(found: Documents, store: StoreRoot, scenes: Sequence[StoredScene]) -> bool:
    """Return whether documents are of these scenes as they are now, and of nothing else."""
    names = {name for scene in scenes for name in _names(store, scene)}
    if {*found} - {*DOCUMENTS[2]} != names:
        return False
    document = store.documents[0]
    attributes = [found[f"{scene.id}/{document}"] for scene in scenes]
    if not all(isinstance(found[name], dict) for name in names):
        return False  # some cannot be read
    if store.recipe.zarr_format == 3:
        attributes = [group.get("attributes") for group in attributes]
    return all(a == scene.attributes for a, scene in zip(attributes, scenes, strict=True))


def _names(store: StoreRoot, scene: StoredScene) -> list[str]:
    """Return the names of the documents of a scene: of its group, then of its arrays."""
    files = ARRAY_DOCUMENTS[store.recipe.zarr_format]
    known = array_forms(scene.known, store.recipe)  # other names may lead out of the store
    arrays = [name for name in scene.arrays if name in known]
    return [
        *(f"{scene.id}/{file}" for file in store.documents),
        *(f"{scene.id}/{name}/{file}" for name in arrays for file in files),
    ]


def _collected(store: StoreRoot, scenes: Sequence[StoredScene]) -> Documents:
    """Read the documents of scenes one by one; in place of some, say why they cannot be."""
    names = [name for scene in scenes for name in _names(store, scene)]
    found = store.storage.read_many([f"scenes/{name}" for name in names])
    return {name: _parsed(found.get(f"scenes/{name}")) for name in names}


def _parsed(content: Document | None) -> Any:
    try:
        if content is None:
            raise DocumentError("it is missing")
        return parse_json(content) if isinstance(content, bytes) else content
    except DocumentError as error:
        return error


def _checked(
    documents: Documents, store: StoreRoot, scene: StoredScene
) -> dict[str, dict[str, Any]]:
    """Return what describes the arrays of a scene, by array.

    Raises
    ------
    DamageError
        If it is not what seaice writes.
    StoreError
        If it cannot be read.
    """
    forms = array_forms(scene.known, store.recipe)
    files = ARRAY_DOCUMENTS[store.recipe.zarr_format]
    checked = {}
    for name in scene.arrays:
        what = f"scene {scene.id}: {name!r:.60} cannot be read"
        try:
            if (form := forms.get(name)) is None:
                raise DocumentError("it is not an array of a scene")
            parts = [documents[f"{scene.id}/{name}/{file}"] for file in files]
            for error in parts:
                if isinstance(error, Exception):
                    raise error
            checked[name] = check_array_document(parts, form)
        except OSError as error:
            raise StoreError(f"{what}: {error.strerror or error}") from None
        except DocumentError as error:
            raise DamageError(
                f"{what}: {error}",
                hint=f"remove it with `seaice verify {store.path} --remove`",
            ) from None
    return checked

"""Where a store is: a folder on a disk, or an object store at an fsspec URL."""

import os
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

import fsspec

from seaice_data.storage.local_folder import LocalFolder
from seaice_data.storage.object_store import (
    ObjectStore,
    UnreachableError,
    patience,
    protocols,
    url_errors,
)
from seaice_data.system.documents import Content, Document

if TYPE_CHECKING:
    from zarr.abc.store import Store as ZarrStore


def open_storage(url: str | os.PathLike[str]) -> "Storage":
    """Return the storage at a path or URL, whether or not anything exists there.

    Raises
    ------
    StoreError
        If fsspec does not know the protocol, or lacks the library for it.
    """
    url = os.fspath(url)
    if "::" not in url and fsspec.core.split_protocol(url)[0] is None:
        try:
            return LocalFolder(url, fsspec.core.url_to_fs(url)[1])
        except (OSError, ValueError) as error:  # no working directory, or a NUL in the path
            raise UnreachableError(f"cannot reach {url!r}: {error}") from None
    with url_errors(url):
        options = patience(url)
        files, root = fsspec.core.url_to_fs(url, **options)
        if "file" in protocols(files):
            return LocalFolder(url, root)
        return ObjectStore(url, files, root, options)


class Storage(Protocol):
    """Files below a path or URL, by names relative to it.

    Methods raise `StoreError` if an object store cannot be reached or refuses a request;
    errors of a disk pass unchanged.
    """

    url: str
    """Path or URL as the user gave it, to open it again. May contain secrets."""

    path: str
    """Path or URL to show, without passwords and keys."""

    location: str
    """Absolute path or URL: valid for processes with another working directory."""

    is_shared: bool
    """Whether other processes see what this one writes."""

    def read_many(self, names: Sequence[str]) -> dict[str, Document]:
        """Read documents; concurrently, where each takes a round trip.

        Returns
        -------
        dict
            Contents by name; missing documents are left out.
        """

    def names(self, folder: str = "") -> list[str]:
        """List the names in a folder, sorted; a missing folder has none, a file its own."""

    def exists(self) -> bool:
        """Return whether there is anything at the path, even a file."""

    def put(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all, and replace an existing one."""

    def put_new(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all, unless it exists."""

    def put_folder(
        self, name: str, witness: str, contents: Iterable[tuple[str, Content]]
    ) -> None:
        """Write a folder that appears whole, or not at all.

        Parameters
        ----------
        name
            Name of the folder. An existing folder with its `witness` is kept.
        witness
            The file that makes the folder appear.
        contents
            Names and contents of files in the folder and its subfolders, `witness` last.
        """

    def remove_folder(self, name: str, first: Sequence[str]) -> None:
        """Remove a folder so that it disappears at once.

        Parameters
        ----------
        name
            Name of the folder.
        first
            Files in it that make it appear, to be removed first, in this order.
        """

    def remove_file(self, name: str) -> None:
        """Remove a file, if it exists."""

    def missing(self, folder: str, names: Sequence[str]) -> list[str]:
        """Return those files of a folder that do not exist, or are not regular files."""

    def open_zarr(self, folder: str) -> "ZarrStore":
        """Return a folder as a zarr store to read from."""

    def lock(self, *, alone: bool) -> AbstractContextManager[None]:
        """Keep other processes from replacing the store or, if `alone`, from changing it.

        File systems without locks, and object stores, lock nothing.

        Raises
        ------
        StoreError
            If another process is using the store in a way that excludes this one.
        """

    def drop_staging(self) -> None:
        """Remove what killed writers left, but nothing that may still be written."""

    def drop_folder(self) -> None:
        """Remove the folder itself, if nothing is left in it."""

    def errors(self) -> AbstractContextManager[None]:
        """Turn errors of an object store into store errors; those of a disk pass unchanged.

        Raises
        ------
        StoreError
            If the object store cannot be reached, or refuses a request.
        """

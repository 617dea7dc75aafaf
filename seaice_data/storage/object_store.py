"""A store in an object store, or at any other URL that fsspec can open.

Every object appears whole, so a scene appears with the last object written. There are no
locks and no renames.
"""

import copy
import functools
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import fsspec
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper

from seaice_data.errors import StoreError
from seaice_data.system.documents import Content, Document
from seaice_data.texts import redacted, without_secrets

if TYPE_CHECKING:
    from zarr.abc.store import Store as ZarrStore

_URL_ERRORS = (
    ImportError,  # the library for a protocol is not installed
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RuntimeError,
    OSError,
    EOFError,
)
"""What fsspec and its libraries raise for a URL that they cannot reach."""

_LIBRARY_ERRORS = (
    ("aiohttp", "ClientError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("ftplib", "Error"),
    ("httpx2", "HTTPError"),
    ("lzma", "LZMAError"),
    ("paramiko", "SSHException"),
    ("struct", "error"),
    ("tarfile", "TarError"),
    ("zipfile", "BadZipFile"),
    ("zlib", "error"),
)
"""Errors of libraries that have their own: module and class."""

_ARCHIVES = {"zip", "tar", "libarchive"}
_TURNS = "cat_file", "cat_ranges", "exists", "find", "info", "ls"
"""Methods by which an archive is read, here and by zarr."""

_CONNECT_S = 3
_ATTEMPTS = 3
# Before fsspec 2026.9 an archive raises what its library does.
_ABSENT = (FileNotFoundError, NotADirectoryError, KeyError)

_EXTRAS = {"s3:": "cloud", "http": "cloud", "hf:": "hub"}
"""Extras of the installation by the beginning of the URLs that need them."""

_AWS_HINT = (
    "credentials and endpoint are those of the AWS tools: AWS_ACCESS_KEY_ID, "
    "AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, or ~/.aws"
)


class UnreachableError(StoreError):
    """An object store cannot be reached or refuses a request; its content is unknown."""


class ObjectStore:
    """Objects below a URL, by names relative to it; the methods are those of `Storage`.

    Parameters
    ----------
    url
        As the user gave it.
    files
        The file system of fsspec that the URL leads to.
    root
        Path of the store in it.
    options
        Options with which `files` was opened, by protocol.
    """

    def __init__(self, url: str, files: Any, root: str, options: dict[str, Any]) -> None:
        self.url = url
        self.path = without_secrets(url)
        self.location = url
        self.is_shared = "memory" not in protocols(files)
        self._is_archive = not _ARCHIVES.isdisjoint(protocols(files))
        self._root, self._options = root.rstrip("/"), options

    @property
    def _files(self) -> Any:
        # fsspec keeps what it has opened, but not across a fork, after which the processes
        # would share a position in the file of an archive. It adds to options it is given.
        files = fsspec.core.url_to_fs(self.url, **copy.deepcopy(self._options))[0]
        return _in_turn(files) if self._is_archive else files

    def read_many(self, names: Sequence[str]) -> dict[str, Document]:
        """Read documents concurrently."""
        with self.errors():
            # From 0: without a start s3fs would ask for the size of each file first.
            answers = self._files.cat_ranges(
                [self._full(name) for name in names], 0, None, on_error="return"
            )
            contents: dict[str, Document] = {}
            for name, content in zip(names, answers, strict=True):
                if isinstance(content, bytes):
                    contents[name] = content
                elif not isinstance(content, _ABSENT):
                    raise content
            return contents

    def names(self, folder: str = "") -> list[str]:
        """List what is in a folder."""
        full = self._full(folder)
        with self.errors():
            # fsspec caches listings, which lack what other processes have written since.
            self._files.invalidate_cache(full)
            try:
                listed = self._files.ls(full, detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        return sorted(name.rstrip("/").rsplit("/", 1)[-1] for name in listed)

    def exists(self) -> bool:
        """Return whether there is anything at the URL."""
        with self.errors():
            self._files.invalidate_cache(self._root)
            return bool(self._files.exists(self._root))

    def put(self, name: str, content: bytes) -> None:
        """Write an object."""
        with self.errors():
            self._files.pipe_file(self._full(name), content)

    def put_new(self, name: str, content: bytes) -> None:
        """Write an object, unless it is found first."""
        if not self.read_many([name]):
            self.put(name, content)

    def put_folder(
        self,
        name: str,
        witness: str,  # noqa: ARG002
        contents: Iterable[tuple[str, Content]],
    ) -> None:
        """Write objects: those in inner folders first, then the others in their order."""
        objects = {file: bytes(content) for file, content in contents}
        inner = {file for file in objects if "/" in file}
        with self.errors():
            self._remove_objects(name)  # what a killed writer left
            # All at once: each takes a round trip.
            self._files.pipe(
                {self._full(f"{name}/{file}"): objects[file] for file in inner}
            )
            for file in objects:
                if file not in inner:
                    self._files.pipe_file(self._full(f"{name}/{file}"), objects[file])

    def remove_folder(self, name: str, first: Sequence[str]) -> None:
        """Remove the objects of a folder, starting with those in `first`."""
        with self.errors():
            for file in first:
                self._remove_object(f"{name}/{file}")
            self._remove_objects(name)

    def remove_file(self, name: str) -> None:
        """Remove an object, if it exists."""
        with self.errors():
            self._remove_object(name)

    def missing(self, folder: str, names: Sequence[str]) -> list[str]:
        """Return those objects of a folder that do not exist."""
        with self.errors():
            full = self._full(folder)
            self._files.invalidate_cache(full)
            found = {name.removeprefix(f"{full}/") for name in self._files.find(full)}
            return [name for name in names if name not in found]

    def open_zarr(self, folder: str) -> "ZarrStore":
        """Return a folder as a zarr store to read from."""
        from zarr.storage import FsspecStore  # late: maps need no zarr

        if self._is_archive:
            files = AsyncFileSystemWrapper(self._files, asynchronous=True)
            return FsspecStore(files, read_only=True, path=self._full(folder))
        # In a chain of URLs, such as zip://::store.zip, the folder belongs to the first.
        first, chain, rest = self.url.partition("::")
        slash = "" if first.endswith("/") else "/"
        url = f"{first}{slash}{folder}{chain}{rest}"
        return FsspecStore.from_url(
            url, storage_options=copy.deepcopy(self._options), read_only=True
        )

    def lock(self, *, alone: bool) -> AbstractContextManager[None]:  # noqa: ARG002
        """Lock nothing: object stores have no locks."""
        return nullcontext()

    def drop_staging(self) -> None:
        """Do nothing: objects are written where they stay."""

    def drop_folder(self) -> None:
        """Do nothing: a folder without objects does not exist."""

    def errors(self) -> AbstractContextManager[None]:
        """Turn errors of the libraries into store errors."""
        return url_errors(self.url)

    def _remove_object(self, name: str) -> None:
        try:
            self._files.rm_file(self._full(name))
        except FileNotFoundError:
            return

    def _remove_objects(self, folder: str) -> None:
        if self.names(folder):
            self._files.rm(self._full(folder), recursive=True)

    def _full(self, name: str) -> str:
        # An archive has no root, and names in it do not begin with a slash.
        return "/".join(part for part in (self._root, name) if part)


_lock = threading.Lock()


def _in_turn(files: Any) -> Any:
    """Let threads read from an archive one after another.

    fsspec lists an archive at the first question, and a thread that asks meanwhile would
    miss files, which zarr takes for empty chunks. The files of a tar share one position.
    """
    with _lock:
        if not hasattr(files, "turn"):
            turn = threading.RLock()
            for name in _TURNS:
                setattr(files, name, _locked(getattr(files, name), turn))
            files.turn = turn
    return files


def _locked(
    method: Callable[..., Any], lock: AbstractContextManager[Any]
) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return method(*args, **kwargs)

    return call


@contextmanager
def url_errors(url: str) -> Iterator[None]:
    """Turn errors of libraries into store errors that do not show secrets of the URL.

    Raises
    ------
    UnreachableError
        In place of each of them.
    """
    try:
        yield
    except _errors_of_libraries() as error:
        raise _unreachable(url, error) from None


def _unreachable(url: str, error: Exception) -> UnreachableError:
    hint = None
    if isinstance(error, ImportError):
        extras = {name for start, name in _EXTRAS.items() if f"::{start}" in f"::{url}"}
        hint = (
            " and ".join(f"pip install 'seaice[{name}]'" for name in sorted(extras)) or None
        )
    elif url.startswith("s3:"):
        hint = _AWS_HINT
    reason = " ".join(redacted(str(error), url).split()) or type(error).__name__
    return UnreachableError(f"cannot reach {without_secrets(url)!r}: {reason}", hint=hint)


def _errors_of_libraries() -> tuple[type[Exception], ...]:
    """Return the errors to translate; a library that is not loaded cannot raise any."""
    loaded = [(sys.modules.get(module), name) for module, name in _LIBRARY_ERRORS]
    return (*_URL_ERRORS, *(getattr(module, name) for module, name in loaded if module))


def patience(url: str) -> dict[str, dict[str, Any]]:
    """Return options that limit the waiting for the servers of a URL, by protocol.

    Settings that the user made for fsspec or the AWS tools take precedence.
    """
    links = {link.partition("://")[0] for link in url.split("::")}
    asked = {protocol for protocol in links if protocol not in fsspec.config.conf}
    options: dict[str, dict[str, Any]] = {
        protocol: {"timeout": _CONNECT_S} for protocol in asked & {"ftp", "sftp", "ssh"}
    }
    for protocol in asked & {"http", "https"}:
        from aiohttp import ClientTimeout  # late: comes with s3fs

        patience = ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=60)
        options[protocol] = {"client_kwargs": {"timeout": patience}}
    for protocol in asked & {"s3", "s3a"}:
        from botocore.session import Session  # late, as above

        config: dict[str, Any] = {"connect_timeout": _CONNECT_S}
        if not Session().get_config_variable("max_attempts"):
            config["retries"] = {"total_max_attempts": _ATTEMPTS, "mode": "standard"}
        options[protocol] = {"config_kwargs": config}
    return options


def protocols(files: Any) -> set[str]:
    """Return the names of the protocols of a file system of fsspec."""
    names = files.protocol
    return {names} if isinstance(names, str) else {*names}

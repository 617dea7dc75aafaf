"""Where a store lies: a folder on a disk, or an object store behind an fsspec URL.

On a disk a file or folder appears by a rename, from ``.staging`` inside the store. On an
object store every object appears whole, so a scene appears with the last one written. Both
have the same methods here, and `Storage` is the only one who knows the difference.

A run that adds scenes and one that replaces the store exclude each other by a lock on the
folder; several that add do not, for they write the same bytes. Object stores have no locks.
"""

import ctypes
import errno
import glob
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec

from seaice_data.errors import StoreError
from seaice_data.store.array_files import Content
from seaice_data.system.documents import DocumentError, read_text
from seaice_data.system.locks import lock
from seaice_data.system.staging import drop_abandoned, is_abandoned, reserved, staged
from seaice_data.texts import redacted, without_secrets

if TYPE_CHECKING:
    from zarr.abc.store import Store as ZarrStore

STAGING = ".staging"
"""Folder in the store of what is being written or removed; readers ignore it."""

_REPLACEMENT = "replacement"
_ASIDE = ".replaced"
_MARK = "made-by-seaice"
_MARK_CONTENT = (
    b"seaice prepare --overwrite builds here, and removes this folder afterwards\n"
)
_HERE = -100  # AT_FDCWD of Linux
_RENAME_NOREPLACE, _RENAME_EXCHANGE = 1, 2  # flags of its renameat2


Document = bytes | OSError | DocumentError
"""Content of a file, or why it cannot be read."""

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
"""What fsspec and the libraries below it raise for an address that they cannot reach."""

_LIBRARY_ERRORS = (
    ("aiohttp", "ClientError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("ftplib", "Error"),
    ("paramiko", "SSHException"),
    ("tarfile", "TarError"),
    ("zipfile", "BadZipFile"),
)
"""The same, of libraries with errors of their own: module and class."""

_CONNECT_S = 3
_ATTEMPTS = 3
_AWS_HINT = (
    "credentials and endpoint are those of the AWS tools: AWS_ACCESS_KEY_ID, "
    "AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, or ~/.aws"
)


class UnreachableError(StoreError):
    """An object store cannot be reached, or refuses: nothing is known of what is there."""


class Storage:
    """Files below a path or URL, by names relative to it.

    Raises
    ------
    StoreError
        If fsspec does not know the protocol, or lacks the library for it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        """Path or URL as the user gave it, to open it again; it may contain secrets."""
        self.path = without_secrets(url)
        """The same to show: without passwords and keys."""
        with url_errors(url):
            self._options = _patience(url)
            self._files, root = fsspec.core.url_to_fs(url, **self._options)
            protocols = self._files.protocol
            self._protocols = {protocols} if isinstance(protocols, str) else {*protocols}
            self._root = self._given_root = root.rstrip("/")
            if self.is_local:  # a link may lead to where there is nothing yet
                self._root = os.path.realpath(self._root)

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine, whose files can be mapped."""
        return "file" in self._protocols

    @property
    def is_shared(self) -> bool:
        """Whether other processes see what this one writes."""
        return "memory" not in self._protocols

    @property
    def location(self) -> str:
        """Absolute path or URL: the same place for a process with another folder."""
        return str(self._given_root) if self.is_local else self.url

    def local(self, *names: str) -> Path:
        """Return the path of a file on a local disk."""
        return Path(self._root, *names)

    def read_many(self, names: Sequence[str]) -> dict[str, Document]:
        """Read documents, at the same time where each takes a round trip.

        Returns
        -------
        dict
            By name; those that are not there are left out.
        """
        if self.is_local:
            found = {name: _document(self.local(name)) for name in names}
            return {name: content for name, content in found.items() if content is not None}
        with self.errors():
            # From 0: without a start s3fs would ask for the size of each file first.
            answers = self._files.cat_ranges(
                [self._full(name) for name in names], 0, None, on_error="return"
            )
            contents: dict[str, Document] = {}
            for name, content in zip(names, answers, strict=True):
                if isinstance(content, bytes):
                    contents[name] = content
                elif not isinstance(content, (FileNotFoundError, NotADirectoryError)):
                    raise content
            return contents

    def names(self, folder: str = "") -> list[str]:
        """List what is in a folder, sorted; nothing if it is not there, a file itself."""
        full = self._full(folder)
        with self.errors():
            # What other processes wrote meanwhile is not in fsspec's memory of listings.
            self._files.invalidate_cache(full)
            try:
                listed = self._files.ls(full, detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        return sorted(name.rstrip("/").rsplit("/", 1)[-1] for name in listed)

    def exists(self) -> bool:
        """Whether there is anything at the path, be it a file."""
        with self.errors():
            self._files.invalidate_cache(self._root)
            return bool(self._files.exists(self._root))

    def put(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all, in place of the one that is there."""
        with self.errors():
            if not self.is_local:
                self._files.pipe_file(self._full(name), content)
                return
            with self._staged(Path(name).name) as place:
                (place / "content").write_bytes(content)
                (place / "content").replace(self.local(name))

    def put_new(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all, unless there is one."""
        with self.errors():
            if not self.is_local:
                if not self.read_many([name]):
                    self._files.pipe_file(self._full(name), content)
                return
            if self.local(name).exists():
                return
            with self._staged(Path(name).name) as place:
                (place / "content").write_bytes(content)
                self.local(name).parent.mkdir(exist_ok=True)
                _move_new(place / "content", self.local(name))

    def put_folder(
        self, name: str, witness: str, contents: Iterable[tuple[str, Content]]
    ) -> None:
        """Write a folder that appears whole, or not at all.

        Parameters
        ----------
        name
            Of the folder. One that is there, with its `witness`, is kept.
        witness
            The file that makes the folder appear.
        contents
            Names of files in the folder, or in folders in it, and their contents; `witness`
            is the last.
        """
        if not self.is_local:
            self._put_objects(name, {file: bytes(content) for file, content in contents})
            return
        with self._staged(Path(name).name) as place:
            for file, content in contents:
                (place / file).parent.mkdir(parents=True, exist_ok=True)
                (place / file).write_bytes(content)
            final = self.local(name)
            if final.exists() and not (final / witness).exists():
                self.remove_folder(name, [witness])  # the rest of something
            _move(place, final, witness)

    def _put_objects(self, name: str, objects: dict[str, bytes]) -> None:
        """Write the files of a folder to an object store, in the order that is given."""
        inner = {file for file in objects if "/" in file}
        with self.errors():
            self._remove_objects(name)  # the rest of something
            # All at once: each takes a round trip.
            self._files.pipe(
                {self._full(f"{name}/{file}"): objects[file] for file in inner}
            )
            for file in objects:
                if file not in inner:
                    self._files.pipe_file(self._full(f"{name}/{file}"), objects[file])

    @contextmanager
    def replacement(self) -> Iterator["Storage"]:
        """Yield a place on the same disk for what will replace this folder.

        It is in a hidden folder beside this one. The name of that folder is used once, and
        a file in it says what it is, so that nobody mistakes it for their own, nor do we.

        Raises
        ------
        StoreError
            If the folder cannot be made.
        """
        root = self.local()
        with ExitStack() as opened:
            try:
                folder = opened.enter_context(reserved(root.parent, _prefix(root)))
                (folder / _MARK).write_bytes(_MARK_CONTENT)
            except OSError as error:
                raise StoreError(
                    f"cannot write beside {self.path!r}: {error.strerror or error}"
                ) from error
            opened.callback(_drop_replacement, folder)
            yield Storage(str(folder / root.name))

    @contextmanager
    def abandoned_replacements(self) -> Iterator[list["Storage"]]:
        """Yield what killed processes left of replacements; remove their empty folders."""
        root, folders = self.local(), self._abandoned()
        yield [Storage(str(folder / root.name)) for folder in folders]
        for folder in folders:
            _drop_replacement(folder)

    def put_back(self) -> None:
        """Bring back a store that a killed `exchange` had moved away."""
        root = self.local()
        for folder in () if root.exists() else self._abandoned():
            with suppress(FileNotFoundError):
                (folder / f"{root.name}{_ASIDE}").replace(root)
                return

    def _abandoned(self) -> list[Path]:
        """Return the folders of replacements that killed processes left."""
        root = self.local()
        return [
            folder
            for folder in root.parent.glob(f"{glob.escape(_prefix(root))}.*")
            if _is_replacement(folder) and is_abandoned(folder)
        ]

    def exchange(self, other: "Storage") -> None:
        """Let two folders of one disk change places: at once, if the system can do that."""
        one, two = self.local(), other.local()
        if _exchange(one, two):
            return
        aside = two.with_name(f"{one.name}{_ASIDE}")
        one.replace(aside)
        two.replace(one)
        aside.replace(two)

    def remove_folder(self, name: str, first: Sequence[str]) -> None:
        """Remove a folder so that it disappears at once.

        Parameters
        ----------
        name
            Of the folder.
        first
            Files in it that made it appear, the deciding one first.
        """
        with self.errors():
            if self.is_local:
                with self._staged(Path(name).name) as place, suppress(FileNotFoundError):
                    self.local(name).replace(place)
                return
            for file in first:
                self._remove_object(f"{name}/{file}")
            self._remove_objects(name)

    def remove_file(self, name: str) -> None:
        """Remove a file, if it is there."""
        with self.errors():
            if self.is_local:
                self.local(name).unlink(missing_ok=True)
            else:
                self._remove_object(name)

    def open_zarr(self, folder: str) -> "ZarrStore":
        """Return a folder as a zarr store to read from."""
        from zarr.storage import FsspecStore, LocalStore  # late: maps need no zarr

        if self.is_local:
            return LocalStore(self.local(folder), read_only=True)
        # In a chain of URLs, as zip://::store.zip, the folder belongs to the first one.
        first, chain, rest = self.url.partition("::")
        slash = "" if first.endswith("/") else "/"
        url = f"{first}{slash}{folder}{chain}{rest}"
        return FsspecStore.from_url(url, storage_options=self._options, read_only=True)

    def drop_folder(self) -> None:
        """Remove the folder itself, if nothing is left in it."""
        if self.is_local:
            with suppress(OSError):
                self.local().rmdir()

    @contextmanager
    def lock(self, *, alone: bool) -> Iterator[None]:
        """Keep the store from being replaced by another process, or (`alone`) changed.

        File systems without locks, and object stores, lock nothing.

        Raises
        ------
        StoreError
            If another process is at work that this one would disturb.
        """
        if not self.is_local or (self.local().exists() and not self.local().is_dir()):
            yield
            return
        folder = None
        while folder is None:
            folder = self._locked_folder(alone=alone)
        try:
            yield
        finally:
            os.close(folder)

    def _locked_folder(self, *, alone: bool) -> int | None:
        """Open and lock the folder; None if another one took its place meanwhile."""
        try:
            self.local().mkdir(parents=True, exist_ok=True)
            folder = os.open(self.local(), os.O_RDONLY)
        except OSError as error:
            raise StoreError(f"cannot write to {self.path!r}: {error.strerror}") from error
        try:
            lock(folder, alone=alone)
            if os.path.samestat(os.fstat(folder), self.local().stat()):
                return folder
        except BlockingIOError as error:
            os.close(folder)
            doing = "writing to" if alone else "replacing"
            raise StoreError(
                f"another process is {doing} the store {self.path!r}",
                hint="wait until it has ended, or choose another path",
            ) from error
        except FileNotFoundError:
            pass
        os.close(folder)
        return None

    def drop_staging(self) -> None:
        """Remove what killed writers left; leave what may still be written."""
        if not self.is_local:
            return
        drop_abandoned(self.local(STAGING).glob("*"))
        try:
            self.local(STAGING).rmdir()
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.ENOENT, errno.EEXIST):
                raise

    @contextmanager
    def _staged(self, name: str) -> Iterator[Path]:
        """Yield an empty folder to write to; what is left there is removed."""
        parent = self.local(STAGING)
        with ExitStack() as stack:
            place = None
            while place is None:  # again, if another process tidied up in between
                parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileNotFoundError):
                    place = stack.enter_context(staged(parent, name))
            yield place

    def missing(self, folder: str, names: Sequence[str]) -> list[str]:
        """Return those files of a folder that are not there, or are not regular files."""
        if self.is_local:
            return [name for name in names if not _is_file(self.local(folder, name))]
        with self.errors():
            full = self._full(folder)
            self._files.invalidate_cache(full)
            found = {name.removeprefix(f"{full}/") for name in self._files.find(full)}
            return [name for name in names if name not in found]

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn errors of an object store into store errors; those of a disk pass.

        Raises
        ------
        StoreError
            If the object store cannot be reached, or refuses.
        """
        if self.is_local:
            yield
            return
        with url_errors(self.url):
            yield

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


@contextmanager
def url_errors(url: str) -> Iterator[None]:
    """Turn errors of libraries about a URL into store errors, without its secrets.

    Raises
    ------
    UnreachableError
        For each of them.
    """
    try:
        yield
    except _errors_of_libraries() as error:
        raise _unreachable(url, error) from error


def _unreachable(url: str, error: Exception) -> UnreachableError:
    hint = None
    if isinstance(error, ImportError):
        hint = "pip install 'seaice[cloud]'" if url.startswith(("s3:", "http")) else None
    elif url.startswith("s3:"):
        hint = _AWS_HINT
    reason = " ".join(redacted(str(error), url).split()) or type(error).__name__
    return UnreachableError(f"cannot reach {without_secrets(url)!r}: {reason}", hint=hint)


def _errors_of_libraries() -> tuple[type[Exception], ...]:
    """Return what may be raised about a URL; libraries that are not loaded cannot raise."""
    loaded = [(sys.modules.get(module), name) for module, name in _LIBRARY_ERRORS]
    return (*_URL_ERRORS, *(getattr(module, name) for module, name in loaded if module))


def _patience(url: str) -> dict[str, dict[str, Any]]:
    """Return how long to wait for the servers of a URL: options by protocol.

    What the user has configured, for fsspec or the AWS tools, is left as it is.
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


def _document(path: Path) -> Document | None:
    """Read a document from a disk; None if it is not there."""
    try:
        return read_text(path).encode()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, DocumentError) as error:
        # Its traceback would keep whole scenes of the callers in memory.
        return error.with_traceback(None)


def _is_file(path: Path) -> bool:
    """Return whether there is a regular file; raise if the system cannot say."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():  # what it leads to may be on a disk that is not mounted
            raise StoreError(f"{str(path)!r} is a link to a file that is gone") from None
        return False


def _move(staged: Path, final: Path, witness: str) -> None:
    """Put a folder into its place, unless another writer was quicker."""
    if (final / witness).exists():
        return
    try:
        staged.replace(final)
    except OSError:
        if not (final / witness).exists():
            raise


def _move_new(staged: Path, final: Path) -> None:
    """Put a file into its place, unless there is one."""
    if _rename(staged, final, _RENAME_NOREPLACE) in (0, errno.EEXIST):
        return
    with suppress(FileExistsError):
        try:
            os.link(staged, final)
        except FileExistsError:
            raise
        except OSError:  # disks without links say so in many ways
            final.touch(exist_ok=False)
            staged.replace(final)


def _exchange(one: Path, two: Path) -> bool:
    """Exchange two names in one step; false where that cannot be done."""
    return _rename(one, two, _RENAME_EXCHANGE) == 0


def _rename(old: Path, new: Path, flag: int) -> int:
    """Rename as only Linux can; return 0 if done, else the errno (elsewhere ENOSYS)."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return errno.ENOSYS
    done = rename(_HERE, os.fsencode(old), _HERE, os.fsencode(new), flag)
    return ctypes.get_errno() if done else 0


def _prefix(root: Path) -> str:
    """Return how the names of folders begin in which a replacement of `root` is built."""
    return f".{root.name}.{_REPLACEMENT}"


def _is_replacement(folder: Path) -> bool:
    """Return whether this program made a folder for a replacement."""
    mark = folder / _MARK
    if folder.is_symlink() or mark.is_symlink() or not mark.is_file():
        return False
    return mark.read_bytes() == _MARK_CONTENT


def _drop_replacement(folder: Path) -> None:
    """Remove the folder of a replacement, if nothing is left in it but our mark."""
    with suppress(OSError):
        if [path.name for path in folder.iterdir()] == [_MARK]:
            (folder / _MARK).unlink()
            folder.rmdir()

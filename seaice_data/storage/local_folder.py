"""A store in a folder on a disk of this machine.

Files and folders are written to ``.staging`` inside the store, then renamed to their
places. A run that adds scenes and one that replaces the store exclude each other by a lock
on the folder. Several runs may add scenes at the same time, because they write the same
bytes.
"""

import ctypes
import errno
import glob
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import (
    AbstractContextManager,
    ExitStack,
    contextmanager,
    nullcontext,
    suppress,
)
from pathlib import Path
from typing import TYPE_CHECKING

from seaice_data.errors import StoreError
from seaice_data.system.documents import Content, Document, DocumentError, read_text
from seaice_data.system.files import drop_abandoned, is_abandoned, lock, reserved, staged
from seaice_data.texts import without_secrets

if TYPE_CHECKING:
    from zarr.abc.store import Store as ZarrStore

STAGING = ".staging"
"""Folder in the store for what is being written or removed; readers ignore it."""

_REPLACEMENT = "replacement"
_ASIDE = ".replaced"
_MARK = "made-by-seaice"
_MARK_CONTENT = (
    b"seaice prepare --overwrite builds here, and removes this folder afterwards\n"
)
_HERE = -100  # AT_FDCWD of Linux
_RENAME_NOREPLACE, _RENAME_EXCHANGE = 1, 2  # flags of its renameat2


class LocalFolder:
    """Files below a folder, by names relative to it; the methods are those of `Storage`.

    Parameters
    ----------
    url
        Path, or URL of the protocol ``file``, as the user gave it.
    root
        Path of the folder; `url` if not given.
    """

    def __init__(self, url: str, root: str | None = None) -> None:
        self.url = url
        self.path = without_secrets(url)
        self.location = str(Path(root or url).absolute())
        self.is_shared = True
        # A link may point to a folder that does not exist yet.
        self._root = os.path.realpath(self.location)

    def local(self, *names: str) -> Path:
        """Return the path of a file in the folder."""
        return Path(self._root, *names)

    def read_many(self, names: Sequence[str]) -> dict[str, Document]:
        """Read documents, one after the other."""
        found = {name: _document(self.local(name)) for name in names}
        return {name: content for name, content in found.items() if content is not None}

    def names(self, folder: str = "") -> list[str]:
        """List what is in a folder."""
        path = self.local(folder)
        try:
            return sorted(entry.name for entry in path.iterdir())
        except FileNotFoundError:
            return []
        except NotADirectoryError:
            return [path.name] if path.exists() else []

    def exists(self) -> bool:
        """Return whether there is anything at the path, even a file."""
        return os.path.exists(self._root)  # noqa: PTH110 - false if it may not be seen

    def put(self, name: str, content: bytes) -> None:
        """Write a file by a rename."""
        with self._staged(Path(name).name) as place:
            (place / "content").write_bytes(content)
            (place / "content").replace(self.local(name))

    def put_new(self, name: str, content: bytes) -> None:
        """Write a file by a rename that does not replace another."""
        if self.local(name).exists():
            return
        with self._staged(Path(name).name) as place:
            (place / "content").write_bytes(content)
            self.local(name).parent.mkdir(exist_ok=True)
            _move_new(place / "content", self.local(name))

    def put_folder(
        self, name: str, witness: str, contents: Iterable[tuple[str, Content]]
    ) -> None:
        """Write a folder by a rename."""
        with self._staged(Path(name).name) as place:
            for file, content in contents:
                (place / file).parent.mkdir(parents=True, exist_ok=True)
                (place / file).write_bytes(content)
            final = self.local(name)
            if final.exists() and not (final / witness).exists():
                self.remove_folder(name, [witness])  # what a killed writer left
            _move(place, final, witness)

    def remove_folder(self, name: str, first: Sequence[str]) -> None:  # noqa: ARG002
        """Remove a folder by a rename."""
        with self._staged(Path(name).name) as place, suppress(FileNotFoundError):
            self.local(name).replace(place)

    def remove_file(self, name: str) -> None:
        """Remove a file, if it exists."""
        self.local(name).unlink(missing_ok=True)

    def missing(self, folder: str, names: Sequence[str]) -> list[str]:
        """Return those files of a folder that do not exist, or are not regular files."""
        return [name for name in names if not _is_file(self.local(folder, name))]

    def open_zarr(self, folder: str) -> "ZarrStore":
        """Return a folder as a zarr store to read from."""
        from zarr.storage import LocalStore  # late: maps need no zarr

        return LocalStore(self.local(folder), read_only=True)

    def errors(self) -> AbstractContextManager[None]:
        """Let errors of the disk pass unchanged."""
        return nullcontext()

    def drop_folder(self) -> None:
        """Remove the folder itself, if nothing is left in it."""
        with suppress(OSError):
            self.local().rmdir()

    def drop_staging(self) -> None:
        """Remove what killed writers left; leave what may still be written."""
        drop_abandoned(self.local(STAGING).glob("*"))
        try:
            self.local(STAGING).rmdir()
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.ENOENT, errno.EEXIST):
                raise

    @contextmanager
    def lock(self, *, alone: bool) -> Iterator[None]:
        """Lock the folder, where its file system has locks."""
        if self.local().exists() and not self.local().is_dir():
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
        """Open and lock the folder; None if another one replaced it in the meantime."""
        try:
            self.local().mkdir(parents=True, exist_ok=True)
            folder = os.open(self.local(), os.O_RDONLY)
        except OSError as error:
            raise StoreError(f"cannot write to {self.path!r}: {error.strerror}") from None
        try:
            lock(folder, alone=alone)
            if os.path.samestat(os.fstat(folder), self.local().stat()):
                return folder
        except BlockingIOError:
            os.close(folder)
            doing = "writing to" if alone else "replacing"
            raise StoreError(
                f"another process is {doing} the store {self.path!r}",
                hint="wait until it has finished, or choose another path",
            ) from None
        except FileNotFoundError:
            pass
        os.close(folder)
        return None

    @contextmanager
    def _staged(self, name: str) -> Iterator[Path]:
        """Yield an empty folder to write to; what remains in it is removed."""
        parent = self.local(STAGING)
        with ExitStack() as stack:
            place = None
            while place is None:  # again, if another process removed the folder in between
                parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileNotFoundError):
                    place = stack.enter_context(staged(parent, name))
            yield place

    @contextmanager
    def replacement(self) -> Iterator["LocalFolder"]:
        """Yield a place on the same disk for what will replace this folder.

        It is in a hidden folder beside this one. The name of that folder is used only once,
        and a file in it says who made it, so that no other folder is mistaken for it.

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
                ) from None
            opened.callback(_drop_replacement, folder)
            yield LocalFolder(str(folder / root.name))

    @contextmanager
    def abandoned_replacements(self) -> Iterator[list["LocalFolder"]]:
        """Yield what killed processes left of replacements; remove their empty folders."""
        root, folders = self.local(), self._abandoned()
        yield [LocalFolder(str(folder / root.name)) for folder in folders]
        for folder in folders:
            _drop_replacement(folder)

    def put_back(self) -> None:
        """Restore a store that a killed `exchange` had moved away."""
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

    def exchange(self, other: "LocalFolder") -> None:
        """Exchange two folders of one disk, in one step if the system can do that."""
        one, two = self.local(), other.local()
        if _exchange(one, two):
            return
        aside = two.with_name(f"{one.name}{_ASIDE}")
        one.replace(aside)
        two.replace(one)
        aside.replace(two)


def _document(path: Path) -> Document | None:
    """Read a document; None if it is missing."""
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
    """Move a folder to its place, unless another writer has already put it there."""
    if (final / witness).exists():
        return
    try:
        staged.replace(final)
    except OSError:
        if not (final / witness).exists():
            raise


def _move_new(staged: Path, final: Path) -> None:
    """Move a file to its place, unless there is one."""
    if _rename(staged, final, _RENAME_NOREPLACE) in (0, errno.EEXIST):
        return
    with suppress(FileExistsError):
        try:
            os.link(staged, final)
        except FileExistsError:
            raise
        except OSError:  # disks without hard links report that in many ways
            final.touch(exist_ok=False)
            staged.replace(final)


def _exchange(one: Path, two: Path) -> bool:
    """Exchange two names in one step; return whether the system can do that."""
    return _rename(one, two, _RENAME_EXCHANGE) == 0


def _rename(old: Path, new: Path, flag: int) -> int:
    """Rename with flags of Linux; return 0, or the errno (ENOSYS on other systems)."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return errno.ENOSYS
    done = rename(_HERE, os.fsencode(old), _HERE, os.fsencode(new), flag)
    return ctypes.get_errno() if done else 0


def _prefix(root: Path) -> str:
    """Return the prefix of the folders in which replacements of `root` are built."""
    return f".{root.name}.{_REPLACEMENT}"


def _is_replacement(folder: Path) -> bool:
    """Return whether this program made a folder for a replacement."""
    mark = folder / _MARK
    if folder.is_symlink() or mark.is_symlink() or not mark.is_file():
        return False
    return mark.read_bytes() == _MARK_CONTENT


def _drop_replacement(folder: Path) -> None:
    """Remove the folder of a replacement, if it contains nothing but our mark."""
    with suppress(OSError):
        if [path.name for path in folder.iterdir()] == [_MARK]:
            (folder / _MARK).unlink()
            folder.rmdir()

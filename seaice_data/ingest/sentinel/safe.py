"""Files of a Sentinel-1 product, in a folder or in a zip, whatever their names are.

Mirrors shorten names, and people zip, unzip and rename. So files are recognised by what is
in them: the manifest says which XML files belong to the product; without it, or if its
files have other names now, all XML files are looked at. `find_products` finds folders and
zips the same way.
"""

import os
import stat
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from seaice_data.errors import SceneError
from seaice_data.ingest.sentinel.annotation import MakeError
from seaice_data.scenes.listing import visible_files
from seaice_data.system.documents import DocumentError, open_file
from seaice_data.system.files import file_errors
from seaice_data.texts import printable, shortened

MANIFEST = "manifest.safe"

MOST_XML_BYTES = 64 * 2**20
"""Size of the longest XML file that is read; ESA's annotation has 3 megabytes."""

_ZIP_START = b"PK\x03\x04"
_CHUNK = 2**20
_ZIP_ERRORS = (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError)


class ProductFiles(ABC):
    """The files of one product.

    Parameters
    ----------
    path
        The folder or the zip, as the user gave it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = PurePosixPath()
        """Folder of the product inside of `path`."""
        self.names: tuple[str, ...] = ()
        """Names of the files below `root`, sorted, with ``/``; hidden ones left out."""

    @abstractmethod
    def size(self, name: str) -> int:
        """Return the size of a file in bytes."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """Open a file to read its bytes."""

    @abstractmethod
    def location(self, name: str) -> Path | None:
        """Return the path of a file on disk; None in a zip."""

    @contextmanager
    def errors(self, name: str) -> Iterator[None]:
        """Turn all errors of reading a file into a `SceneError`."""
        try:
            yield
        except DocumentError as error:
            raise self.error(f"{name!r}: {error}") from None
        except OSError as error:
            raise self.error(f"{name!r}: {error.strerror or error}") from None
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise self.error(
                f"{name!r} is damaged in the zip: {_in_words(error)}",
                hint="copy or download the zip again",
            ) from None
        except (RuntimeError, NotImplementedError) as error:
            raise self.error(f"{name!r} cannot be unzipped: {_in_words(error)}") from None

    def read(self, name: str, most: int = MOST_XML_BYTES) -> bytes:
        """Return the content of a file that has at most `most` bytes.

        Raises
        ------
        SceneError
            If it is longer, cannot be read, or is damaged in the zip.
        """
        with self.errors(name), self.open(name) as stream:
            content = stream.read(most + 1)
        if len(content) > most:
            raise self.error(f"{name!r} is longer than {most // 2**20} MiB")
        return content

    def unpack(self, name: str, to: Path) -> None:
        """Copy a long file; in a zip, its checksum is verified.

        Raises
        ------
        SceneError
            If it cannot be read, is damaged in the zip, or `to` cannot be written.
        """
        with to.open("wb") as copy, self.errors(name), self.open(name) as stream:
            while chunk := stream.read(_CHUNK):
                try:
                    copy.write(chunk)
                except OSError as error:
                    raise self.error(
                        f"{name!r} cannot be unpacked to {str(to.parent)!r}: "
                        f"{error.strerror or error}",
                        hint="free space there, or name another folder with TMPDIR",
                    ) from None

    def errors_of(self, name: str) -> MakeError:
        """Return what makes errors that name the product and one of its files."""

        def error(message: str, /, *, hint: str | None = None) -> SceneError:
            return self.error(f"{name!r} {message}", hint=hint)

        return error

    def error(self, message: str, *, hint: str | None = None) -> SceneError:
        """Return an error that names the product."""
        return SceneError(f"{str(self.path)!r}: {message}", hint=hint)

    def with_suffix(self, *suffixes: str) -> tuple[str, ...]:
        """Return the files with one of these endings, in small letters or capitals."""
        return tuple(name for name in self.names if name.lower().endswith(suffixes))

    @property
    def manifest(self) -> str | None:
        """Name of the manifest, if there is one."""
        return next((name for name in self.names if name.lower() == MANIFEST), None)

    def _take(self, names: list[str]) -> None:
        """Set names and root from all names inside of the folder or zip."""
        visible = [name for name in names if not _is_hidden(name)]
        roots = {
            PurePosixPath(name).parent
            for name in visible
            if PurePosixPath(name).name.lower() == MANIFEST
        }
        if len(roots) > 1:
            raise self.error(
                f"contains {len(roots)} products",
                hint="give each its own folder or zip, or name the folder of one",
            )
        self.root = roots.pop() if roots else _common_folder(visible)
        self.names = tuple(
            sorted(
                str(PurePosixPath(name).relative_to(self.root))
                for name in visible
                if PurePosixPath(name).is_relative_to(self.root)
            )
        )


class FolderFiles(ProductFiles):
    """The files of a product in a folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with file_errors(path):
            self._take([p.relative_to(path).as_posix() for p in visible_files(path)])

    def size(self, name: str) -> int:
        """Return the size of a file in bytes."""
        with self.errors(name):
            return self.location(name).stat().st_size

    def open(self, name: str) -> BinaryIO:
        """Open a regular file to read its bytes."""
        return open_file(self.location(name))

    def location(self, name: str) -> Path:
        """Return the path of a file on disk."""
        return self.path / self.root / name


class ZipFiles(ProductFiles):
    """The files of a product in a zip."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with self._damage():
            self._archive = zipfile.ZipFile(path)
        members = [info for info in self._archive.infolist() if not info.is_dir()]
        names = [info.filename.replace("\\", "/") for info in members]
        self._take(names)
        self._members = {
            str(PurePosixPath(name).relative_to(self.root)): info
            for name, info in zip(names, members, strict=True)
            if PurePosixPath(name).is_relative_to(self.root)
        }
        for name in self.names:
            if self._members[name].flag_bits & 1:
                raise self.error(
                    f"{name!r} is encrypted", hint="unzip it, and name the folder"
                )

    def size(self, name: str) -> int:
        """Return the size of a file, as the zip says it, in bytes."""
        return self._members[name].file_size

    def open(self, name: str) -> BinaryIO:
        """Open a file to read its bytes once, from the beginning to the end."""
        return cast("BinaryIO", self._archive.open(self._members[name]))

    def location(self, name: str) -> None:
        """Return None: it is not on disk."""

    @contextmanager
    def _damage(self) -> Iterator[None]:
        try:
            with file_errors(self.path):
                yield
        except _ZIP_ERRORS:
            raise self.error(
                "the zip is cut off or damaged: its list of files cannot be read",
                hint="copy or download it again",
            ) from None


def open_files(path: Path) -> ProductFiles:
    """List the files of a product in a folder, or in a zip with any name.

    Raises
    ------
    SceneError
        If there is nothing at `path`, if it is neither a folder nor a zip, or a zip that is
        cut off or encrypted, or if it contains several products.
    """
    with file_errors(path):
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            raise SceneError(f"no product at {str(path)!r}") from None
    if stat.S_ISDIR(mode):
        return FolderFiles(path)
    if path.name.lower() == MANIFEST:
        return FolderFiles(path.parent)
    if not stat.S_ISREG(mode) or _start_of(path)[:4] != _ZIP_START:
        raise SceneError(
            f"{str(path)!r} is not a Sentinel-1 product",
            hint="name a SAFE folder, or a zip of one",
        )
    return ZipFiles(path)


def find_products(path: str | Path) -> tuple[Path, ...]:
    """Return the Sentinel-1 products in a folder and below it, without opening them.

    A folder is a product if it has a manifest or a folder ``annotation``; a zip, whatever
    its name is, if its list of files has one. A zip that is cut off counts if its first
    file belongs to a product. Links are followed, hidden files and folders left out.

    Parameters
    ----------
    path
        A folder of products, or a single product: folder, zip or manifest.

    Raises
    ------
    SceneError
        If there is nothing at `path`, a folder cannot be read, or no product is found.
    """
    path = Path(path)
    with file_errors(path):
        if not path.exists():
            raise SceneError(f"no folder and no product at {str(path)!r}")
        if path.is_file():
            return (path,)
        found = tuple(_products_below(path))
    if not found:
        raise SceneError(
            f"no Sentinel-1 product in {str(path)!r}",
            hint="products are SAFE folders, or zips of them",
        )
    return found


def _products_below(folder: Path) -> Iterator[Path]:
    """Yield products in the order of their paths; do not look into them."""
    seen: set[str] = set()
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        real = os.path.realpath(here)
        if real in seen:
            continue
        seen.add(real)
        if here.is_dir():
            inside = sorted(p for p in here.iterdir() if not p.name.startswith("."))
            if any(_marks_product(p.name, is_folder=p.is_dir()) for p in inside):
                yield here
            else:
                waiting += reversed(inside)
        elif here.is_file() and _is_product_zip(here):
            yield here


def _marks_product(name: str, *, is_folder: bool) -> bool:
    return name.lower() == ("annotation" if is_folder else MANIFEST)


def _is_product_zip(path: Path) -> bool:
    start = _start_of(path)
    if start[:4] != _ZIP_START:
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except _ZIP_ERRORS:
        n_name = int.from_bytes(start[26:28], "little")
        names = [start[30 : 30 + n_name].decode("utf-8", "replace")]
    return any(_is_of_product(name.replace("\\", "/")) for name in names)


def _is_of_product(name: str) -> bool:
    if _is_hidden(name):
        return False
    parts = name.lower().split("/")
    return (
        parts[-1] == MANIFEST
        or "annotation" in parts[:-1]
        or any(part.endswith(".safe") for part in parts)
    )


def _start_of(path: Path) -> bytes:
    """Return the first bytes of a file, enough for the name of the first file of a zip."""
    with file_errors(path):
        try:
            with open_file(path) as stream:
                return stream.read(1024)
        except DocumentError as error:
            raise SceneError(f"{str(path)!r}: {error}") from None


def _is_hidden(name: str) -> bool:
    """Return whether a file is hidden, or what macOS adds to zips."""
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _common_folder(names: list[str]) -> PurePosixPath:
    """Return the only folder at the top, if there is one and no file beside it.

    Examples
    --------
    >>> _common_folder(["a.SAFE/annotation/hh.xml", "a.SAFE/measurement/hh.tiff"])
    PurePosixPath('a.SAFE')
    >>> _common_folder(["annotation/hh.xml", "measurement/hh.tiff"])
    PurePosixPath('.')
    """
    tops = {PurePosixPath(name).parts[0] for name in names}
    if len(tops) != 1 or any(len(PurePosixPath(name).parts) == 1 for name in names):
        return PurePosixPath()
    return PurePosixPath(tops.pop())


def _in_words(error: BaseException) -> str:
    return shortened(printable(" ".join(str(error).split()))) or type(error).__name__

"""Archives with files of polygons: zip and tar, recognised by their content."""

import shutil
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

from seaice_data.errors import SceneError
from seaice_data.texts import printable

ENDINGS = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
"""Names of archives in archives."""

_ZIP = b"PK\x03\x04"
_SHAPEFILE = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_MOST_BYTES = 4 * 10**9  # of a file in an archive: the coast of the Earth has 1.3 GB


def is_archive(path: Path) -> bool:
    """Return whether a file is a zip or tar file, whatever its name is."""
    with path.open("rb") as stream:
        is_zip = stream.read(len(_ZIP)) == _ZIP
    return is_zip or tarfile.is_tarfile(path)


class Archive:
    """An open zip or tar file.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zip = None if tarfile.is_tarfile(path) else zipfile.ZipFile(path)
        self._tar = tarfile.open(path) if self._zip is None else None  # noqa: SIM115
        if self._zip:
            sizes = {item.filename: item.file_size for item in self._zip.infolist()}
        else:
            assert self._tar is not None  # noqa: S101 - one of the two
            sizes = {item.name: item.size for item in self._tar if item.isfile()}
        self._sizes = sizes
        self.names = [name for name in sizes if not _is_hidden(name)]
        """Names of its files; hidden ones, and those that macOS adds, are left out."""

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        for archive in (self._zip, self._tar):
            if archive is not None:
                archive.close()

    def extract(self, member: str, scratch: Path) -> Path:
        """Return a copy of a member; the parts of a shapefile stay together."""
        place = scratch / f"{len(list(scratch.iterdir()))}"
        place.mkdir()
        suffix = PurePosixPath(member).suffix
        copies = {member.lower(): f"map{suffix.lower()}"}
        if suffix.lower() == ".shp":
            stem = member.removesuffix(suffix).lower()
            copies = {f"{stem}{part}": f"map{part}" for part in _SHAPEFILE}
        wanted = {
            name: copies[name.lower()] for name in self.names if name.lower() in copies
        }
        for name, copy in wanted.items():
            if self._sizes[name] > _MOST_BYTES:
                raise SceneError(
                    f"{str(self._path)!r}: {printable(name)!r} has {self._sizes[name]} "
                    "bytes, which is too large"
                )
            with self._open(name) as source, (place / copy).open("wb") as target:
                shutil.copyfileobj(source, target, 2**20)
        return place / wanted[member]

    def _open(self, name: str) -> Any:
        if self._zip:
            return self._zip.open(name)
        assert self._tar is not None  # noqa: S101 - one of the two
        return self._tar.extractfile(name)


def _is_hidden(member: str) -> bool:
    parts = PurePosixPath(member).parts
    return any(
        part.startswith((".", "__MACOSX")) for part in parts if part not in (".", "/")
    )

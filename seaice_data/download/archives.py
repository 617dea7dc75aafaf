"""Unpack tar archives, also those that are cut into several files.

Parts of an archive end in two letters, in order: ``train.tar.gzaa``, ``train.tar.gzab``.
"""

import io
import os
import re
import tarfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import IO, BinaryIO

from seaice_data.download.remote_file import RemoteFile, check_name
from seaice_data.errors import DownloadError, ForeignFileError
from seaice_data.system.files import replacing

_NAME = re.compile(r"(.+\.(?:tar|tar\.gz|tgz))([a-z]{2})?")
_PIECE = 2**20


def archives_among(files: Iterable[RemoteFile]) -> dict[str, tuple[RemoteFile, ...]]:
    """Return the parts of each archive, in order, by the name of the archive.

    Examples
    --------
    >>> files = [RemoteFile(f"a.tar.gz{end}", "", 1) for end in ("ab", "aa")]
    >>> [part.name for part in archives_among(files)["a.tar.gz"]]
    ['a.tar.gzaa', 'a.tar.gzab']
    """
    found: dict[str, list[RemoteFile]] = defaultdict(list)
    for file in sorted(files, key=lambda file: file.name):
        if named := _NAME.fullmatch(file.name):
            found[named[1]].append(file)
    return {name: tuple(parts) for name, parts in found.items()}


def unpack(
    parts: Sequence[Path], folder: Path, *, overwrite: bool = False
) -> Iterator[tuple[str, int]]:
    """Write the files of an archive, each whole or not at all; yield their names and sizes.

    Files that exist with the same size are kept. Links and devices are left out.

    Parameters
    ----------
    parts
        The archive, or its parts in order.
    folder
        Where its files go.
    overwrite
        Whether to replace files of another size.

    Raises
    ------
    ForeignFileError
        If a file of another size is in the way, unless `overwrite`.
    DownloadError
        If the archive is damaged, or a name in it leads out of `folder`.
    OSError
        If a file cannot be written.
    """
    with (
        _archive_errors(parts[0]),
        io.BufferedReader(_Joined(parts), _PIECE) as stream,
        tarfile.open(fileobj=stream, mode="r|*") as archive,
    ):
        for member in archive:
            if not member.isfile():
                continue
            name = member.name.removeprefix("./")
            check_name(name)
            path = folder / name
            if not _is_there(path, member.size, overwrite=overwrite):
                content = archive.extractfile(member)
                assert content is not None  # noqa: S101 - it is a regular file
                _write(content, path, member.size)
            yield name, member.size


def _is_there(path: Path, n_bytes: int, *, overwrite: bool) -> bool:
    """Return whether a file is unpacked already."""
    if not os.path.lexists(path):
        return False
    if path.is_file() and path.stat().st_size == n_bytes:
        return True
    if not overwrite:
        raise ForeignFileError(
            f"{str(path)!r} is not the file of this name in the archive: its size differs",
            hint="move it away, or replace it with --overwrite",
        )
    return False


def _write(content: IO[bytes], path: Path, n_bytes: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as new:
        with new.open("wb") as stream:
            copyfileobj(content, stream, _PIECE)
        if new.stat().st_size != n_bytes:
            raise tarfile.ReadError(f"{path.name!r} ends early")


@contextmanager
def _archive_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, zlib.error, EOFError) as error:
        raise DownloadError(
            f"the archive {str(path)!r} cannot be unpacked: {error}",
            hint="remove it, and run the same command again",
        ) from error


class _Joined(io.RawIOBase):
    """Files one after another, to read from."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._waiting = list(paths)
        self._open: BinaryIO | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while True:
            if self._open is None:
                if not self._waiting:
                    return 0
                self._open = self._waiting.pop(0).open("rb")
            if n_bytes := self._open.readinto(buffer):  # type: ignore[attr-defined]
                return int(n_bytes)
            self._open.close()
            self._open = None

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
        super().close()

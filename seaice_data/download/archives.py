"""Unpack tar archives, also those that are cut into several files.

Parts of an archive end in two letters, in order: ``train.tar.gzaa``, ``train.tar.gzab``.
"""

import gzip
import io
import os
import re
import tarfile
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import IO, BinaryIO, cast

from seaice_data.download.remote_file import RemoteFile, check_name
from seaice_data.errors import DownloadError, ForeignFileError
from seaice_data.system.files import replacing

_NAME = re.compile(r"(.+\.(?:tar|tar\.gz|tgz))([a-z]{2})?")
_PIECE = 2**20
_GZIP = b"\x1f\x8b"


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
    parts: Sequence[Path],
    folder: Path,
    *,
    overwrite: bool = False,
    reserved: Collection[str] = (),
) -> Iterator[tuple[str, int]]:
    """Write the files of an archive, each whole or not at all; yield their names and sizes.

    Files that exist with the same size are kept. A hard link becomes a copy.

    Parameters
    ----------
    parts
        The archive, or its parts in order.
    folder
        Where its files go.
    overwrite
        Whether to replace files of another size.
    reserved
        Names that no file of the archive may have.

    Raises
    ------
    ForeignFileError
        If a file of another size is in the way, unless `overwrite`.
    DownloadError
        If the archive is damaged or ends early, or a name in it leads out of `folder` or is
        reserved. After all files, if there was something that is neither a file nor a
        folder, such as a symbolic link.
    OSError
        If a file cannot be written.
    """
    with (
        _archive_errors(parts),
        io.BufferedReader(_Joined(parts), _PIECE) as packed,
        _decompressed(packed) as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
    ):
        others = []
        for member in archive:
            if member.isdir():
                continue
            name = _name(member.name, reserved)
            path = folder / name
            if member.islnk():
                yield (
                    name,
                    _copy(folder / _name(member.linkname), path, overwrite=overwrite),
                )
                continue
            content = archive.extractfile(member) if member.isfile() else None
            if content is None:
                others.append(name)
                continue
            if not _is_there(path, member.size, overwrite=overwrite):
                _write(content, path, member.size)
            yield name, member.size
        _check_end(archive)
        if others:
            also = f", nor are {len(others) - 1} more" if len(others) > 1 else ""
            raise tarfile.ReadError(f"{others[0]!r} is neither a file nor a folder{also}")


@contextmanager
def _decompressed(packed: "io.BufferedReader[_Joined]") -> Iterator[IO[bytes]]:
    """Yield an archive without its compression; gzip compares checksums as it is read."""
    if packed.peek(2)[:2] == _GZIP:
        with gzip.GzipFile(fileobj=packed) as stream:
            yield cast("IO[bytes]", stream)
    else:
        yield packed


def _check_end(archive: tarfile.TarFile) -> None:
    """Refuse an archive that does not end as all of them do, with two blocks of zeros.

    tarfile has read the first one, or what it took for the end, and is silent about it.
    """
    stream = archive.fileobj
    assert stream is not None  # noqa: S101 - it is open
    piece = stream.read(tarfile.BLOCKSIZE)
    if len(piece) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError("it ends early")
    while piece:
        if piece.strip(b"\0"):
            raise tarfile.ReadError("it goes on after its end, so a part may be missing")
        piece = stream.read(_PIECE)


def _name(name: str, reserved: Collection[str] = ()) -> str:
    """Return the name of a file in an archive, if it can be written."""
    name = name.removeprefix("./")
    check_name(name)
    if name in reserved:
        raise DownloadError(f"a file in the archive is called {name!r}, as one beside it")
    return name


def _copy(source: Path, path: Path, *, overwrite: bool) -> int:
    """Copy an unpacked file, in place of a hard link to it; return its size."""
    if not source.is_file():
        raise tarfile.ReadError(f"{path.name!r} is a link to a file that is not there")
    n_bytes = source.stat().st_size
    if not _is_there(path, n_bytes, overwrite=overwrite):
        with source.open("rb") as content:
            _write(content, path, n_bytes)
    return n_bytes


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
def _archive_errors(parts: Sequence[Path]) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        others = f" to {parts[-1].name!r}" if len(parts) > 1 else ""
        raise DownloadError(
            f"the archive {str(parts[0])!r}{others} cannot be unpacked: {error}",
            hint=f"remove {'them' if others else 'it'}, and run the same command again",
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

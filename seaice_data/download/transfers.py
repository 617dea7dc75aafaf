"""Download one file: resumed where an earlier process stopped, checked, whole or absent.

Bytes go to a file beside it, whose name ends in ``.part``. It gets its name once it has the
size and the checksum that the server lists. Without a checksum nothing is resumed: the file
may have changed on the server.
"""

import http.client
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import BinaryIO

from seaice_data.download.connections import PassingError, opened
from seaice_data.download.remote_file import UNFINISHED, Hash, RemoteFile
from seaice_data.errors import DownloadError, ForeignFileError
from seaice_data.system.files import naming
from seaice_data.texts import printable

WAITS_S = (1.0, 4.0, 15.0, 60.0)
"""Seconds to wait after errors in a row, of which none brought a byte."""

_LONGEST_WAIT_S = 300.0
_PIECE = 2**20
_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(?:\d{1,18}|\*)")

OnBytes = Callable[[int], None]
"""Called with the number of bytes that came; negative if some have to come again."""


class StoppedError(Exception):
    """Another thread has asked to stop; what has come is kept."""


def is_complete(file: RemoteFile, path: Path, *, overwrite: bool = False) -> bool:
    """Return whether a file was downloaded; its size is compared.

    Raises
    ------
    ForeignFileError
        If there is another file at `path`, unless `overwrite`.
    """
    if path.is_file() and path.stat().st_size == file.n_bytes:
        return True
    if os.path.lexists(path) and not (overwrite and path.is_file()):
        found = f"of {path.stat().st_size} bytes" if path.is_file() else "of another kind"
        raise ForeignFileError(
            f"there is a file {found} at {str(path)!r}, where one of {file.n_bytes} bytes "
            "would be downloaded",
            hint="move it away, or replace it with --overwrite",
        )
    return False


def n_bytes_left(file: RemoteFile, path: Path) -> int:
    """Return how many bytes of a file that is not complete are still to come."""
    part = part_of(path)
    return max(file.n_bytes - (part.stat().st_size if part.is_file() else 0), 0)


def part_of(path: Path) -> Path:
    """Return where a file is while it is not complete."""
    return path.with_name(path.name + UNFINISHED)


def transfer(
    file: RemoteFile,
    path: Path,
    *,
    on_bytes: OnBytes | None = None,
    stop: Event | None = None,
    waits_s: Sequence[float] = WAITS_S,
) -> None:
    """Download a file, and put it in its place if it is what the server lists.

    Parameters
    ----------
    file
        What to download.
    path
        Where to; a file there is replaced.
    on_bytes
        Called as bytes come.
    stop
        Set by another thread to stop early.
    waits_s
        See `WAITS_S`; there are as many attempts more.

    Raises
    ------
    DownloadError
        If the server cannot be reached or refuses: what has come is kept. If the file does
        not have the checksum that the server lists: nothing is kept.
    StoppedError
        If `stop` was set.
    OSError
        If the disk is full, say.
    """
    part = part_of(path)
    with naming(part), part.open("ab") as stream:
        _Download(file, stream, on_bytes or (lambda _: None), stop or Event()).run(waits_s)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)


class _Download:
    """A file that is being downloaded."""

    def __init__(
        self, file: RemoteFile, stream: BinaryIO, on_bytes: OnBytes, stop: Event
    ) -> None:
        self._file, self._stream = file, stream
        self._on_bytes, self._stop = on_bytes, stop
        self._n_bytes = stream.tell()
        self._hash: Hash | None = None

    def run(self, waits_s: Sequence[float]) -> None:
        """Add what is missing, and check the whole."""
        if self._n_bytes > self._file.n_bytes:
            self._restart()
        self._hash = self._hash_so_far()
        n_in_vain = 0
        while self._n_bytes < self._file.n_bytes:
            if self._hash is None:  # nothing would show that the file has changed meanwhile
                self._restart()
            before = self._n_bytes
            try:
                self._ask_for_rest()
            except PassingError as error:
                if self._hash is not None and self._n_bytes > before:
                    n_in_vain = 0
                if n_in_vain == len(waits_s):
                    again = "to continue" if self._hash is not None else "to try again"
                    raise DownloadError(
                        str(error), hint=f"run the same command again {again}"
                    ) from error
                asked_s = min(error.wait_s or 0.0, _LONGEST_WAIT_S)
                if self._stop.wait(max(asked_s, waits_s[n_in_vain])):
                    raise StoppedError from error
                n_in_vain += 1
        self._check()

    def _ask_for_rest(self) -> None:
        """Ask the server for all bytes that are missing."""
        start = self._n_bytes
        headers = {"Range": f"bytes={start}-"} if start else {}
        with opened(self._file.url, headers) as response:
            if start and response.status != http.client.PARTIAL_CONTENT:
                self._restart()  # this server sends the whole
            elif start and _start_of(response) != start:
                raise PassingError(f"the server sends another part of {self._file.name!r}")
            while piece := response.read1(_PIECE):
                self._add(piece)
                if self._stop.is_set():
                    raise StoppedError
        if self._n_bytes < self._file.n_bytes:
            raise PassingError(
                f"the connection for {self._file.name!r} ended after "
                f"{self._n_bytes} of {self._file.n_bytes} bytes"
            )

    def _add(self, piece: bytes) -> None:
        if self._n_bytes + len(piece) > self._file.n_bytes:
            self._refuse(f"is longer than the {self._file.n_bytes} bytes that are listed")
        self._stream.write(piece)
        if self._hash is not None:
            self._hash.update(piece)
        self._n_bytes += len(piece)
        self._on_bytes(len(piece))

    def _restart(self) -> None:
        self._on_bytes(-min(self._n_bytes, self._file.n_bytes))
        self._stream.truncate(0)
        self._n_bytes = 0
        self._hash = self._file.new_hash()

    def _hash_so_far(self) -> Hash | None:
        """Return the hash of what an earlier process downloaded."""
        found = self._file.new_hash()
        if found is not None and self._n_bytes:
            with Path(self._stream.name).open("rb") as stream:
                while piece := stream.read(_PIECE):
                    found.update(piece)
                    if self._stop.is_set():
                        raise StoppedError
        return found

    def _check(self) -> None:
        if self._hash is None:
            return
        found = f"{self._file.kind}:{self._hash.hexdigest()}"
        if found != self._file.checksum:
            self._refuse(f"has the checksum {found}, listed is {self._file.checksum}")

    def _refuse(self, reason: str) -> None:
        self._stream.close()  # Windows removes no open file
        Path(self._stream.name).unlink()
        raise DownloadError(
            f"what was downloaded as {printable(self._file.name)!r} {reason}",
            hint="run the same command again to download it again; if that fails, "
            "something between here and the server changes files",
        )


def _start_of(response: http.client.HTTPResponse) -> int | None:
    """Return the position of the first byte that the server sends, if it says so."""
    named = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    return int(named[1]) if named else None

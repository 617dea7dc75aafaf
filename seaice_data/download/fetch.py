"""Fetch the AI4Arctic Sea Ice Challenge Dataset (doi:10.11583/DTU.c.6244065.v2).

DTU publishes each scene as a file of its own. A mirror at Hugging Face has the
ready-to-train files in two archives; it is said to be much faster.

Whatever stops a download, the same call continues it. What is complete is not asked for
again: of archives that were unpacked and removed, ``fetched.json`` says what was in them.
"""

import fnmatch
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from typing import Literal

from seaice_data.display import Displayed
from seaice_data.download.archives import archives_among, unpack
from seaice_data.download.listings import files_at_figshare, files_at_hugging_face
from seaice_data.download.record import RECORD, Unpacked, read_record, write_record
from seaice_data.download.remote_file import RemoteFile
from seaice_data.download.transfers import (
    WAITS_S,
    StoppedError,
    is_complete,
    n_bytes_left,
    transfer,
)
from seaice_data.errors import (
    DownloadError,
    Failure,
    ForeignFileError,
    SeaIceError,
    is_of_disk,
)
from seaice_data.system.files import alone_in

DOI = "10.11583/DTU.c.6244065.v2"
"""The collection at DTU."""

MIRROR = "torchgeo/ai4artic-sea-ice-challenge"
"""The mirror at Hugging Face; it is spelled like this."""

ARTICLES: Mapping[tuple[str, str], int] = {
    ("ready", "train"): 21316608,
    ("ready", "test"): 21762830,
    ("raw", "train"): 21284967,
    ("raw", "test"): 21762848,
}
"""Numbers of the articles of the collection, by version of the files and split; that of
10.11583/DTU.21316608 is 21316608."""

Source = Literal["hugging-face", "dtu"]
Version = Literal["ready", "raw"]
Split = Literal["all", "train", "test"]
Progress = Callable[[int, int, str], None]
"""Called with megabytes done, megabytes in all, and what is done."""

_MEGA = 1_000_000


@dataclass(frozen=True, slots=True, repr=False)
class FetchReport(Displayed):
    """What `fetch_ai4arctic` did."""

    folder: Path
    """Where the files are."""

    n_fetched: int
    """Files downloaded now."""

    n_kept: int
    """Files that were complete already."""

    n_bytes: int
    """Bytes downloaded now."""

    n_unpacked: int
    """Files in the archives that were unpacked now."""

    failed: tuple[Failure, ...]
    """Files that could not be downloaded or unpacked."""

    elapsed_s: float
    """Seconds in all."""


def list_ai4arctic(
    source: Source | None = None,
    *,
    version: Version = "ready",
    split: Split = "all",
    only: str = "",
    endpoint: str = "",
) -> tuple[RemoteFile, ...]:
    """List the files that `fetch_ai4arctic` would download.

    Parameters
    ----------
    source, version, split, only, endpoint
        See `fetch_ai4arctic`.

    Raises
    ------
    DownloadError
        If the server cannot be reached, has no such files, or lists something else.
    """
    source = source or ("hugging-face" if version == "ready" else "dtu")
    splits = ("train", "test") if split == "all" else (split,)
    if source == "dtu":
        files = tuple(
            file
            for name in splits
            for file in files_at_figshare(ARTICLES[version, name], name, endpoint=endpoint)
        )
    elif version == "raw":
        raise DownloadError(
            "the mirror at Hugging Face has no raw files",
            hint="fetch them with --source dtu",
        )
    else:
        others = {"train", "test"}.difference(splits)
        files = tuple(
            file
            for file in files_at_hugging_face(MIRROR, endpoint=endpoint)
            if file.name.partition(".")[0] not in others and _has_scenes(file)
        )
    chosen = [file for file in files if not only or _matches(file.name, only)]
    if chosen:
        _check_whole(chosen, files)
        return _without_twins(chosen)
    if only and source == "hugging-face":
        hint = "it packs scenes into archives: fetch single ones with --source dtu"
    else:
        hint = f"look at https://doi.org/{DOI} in a browser"
    what = f"no file that matches {only!r}" if only else "no files"
    raise DownloadError(f"{source} lists {what}", hint=hint)


def _matches(name: str, pattern: str) -> bool:
    """Return whether a name matches from its beginning, or from that of a word in it.

    Examples
    --------
    >>> _matches("train/20180325T194759_dmi_prep.nc", "201803*")
    True
    >>> _matches("train/20190101T201803_dmi_prep.nc", "201803*")
    False
    >>> _matches("train/S1A_EW_GRDM_1SDH_20180325T194759_dmi.nc", "20180325*")
    True
    """
    starts = (0, *(match.end() for match in re.finditer("[/_]", name)))
    return any(fnmatch.fnmatchcase(name[start:], pattern) for start in starts)


def _has_scenes(file: RemoteFile) -> bool:
    """Return whether a file is a scene or an archive; the mirror also has a README."""
    return file.name.endswith(".nc") or bool(archives_among([file]))


def _check_whole(chosen: Iterable[RemoteFile], files: Iterable[RemoteFile]) -> None:
    """Refuse some parts of an archive without the others, and a name that is ours.

    Raises
    ------
    DownloadError
        If there is one.
    """
    all_parts = archives_among(files)
    for name, parts in archives_among(chosen).items():
        if len(parts) < (n_parts := len(all_parts[name])):
            raise DownloadError(
                f"{len(parts)} of the {n_parts} parts of {name!r} cannot be unpacked alone",
                hint=f"choose them all with --only '{name}*'",
            )
    if any(file.name == RECORD for file in chosen):
        raise DownloadError(f"a file is listed as {RECORD!r}, which seaice writes")


def _without_twins(files: Iterable[RemoteFile]) -> tuple[RemoteFile, ...]:
    """Return files without those that are listed again.

    Raises
    ------
    DownloadError
        If two different files have one name.
    """
    found: dict[str, RemoteFile] = {}
    for file in files:
        twin = found.setdefault(file.name, file)
        if (twin.n_bytes, twin.checksum) != (file.n_bytes, file.checksum):
            raise DownloadError(f"two different files are listed as {file.name!r}")
    return tuple(found.values())


def fetch_ai4arctic(
    folder: str | Path,
    source: Source | None = None,
    *,
    version: Version = "ready",
    split: Split = "all",
    only: str = "",
    keep_archives: bool = False,
    connections: int = 4,
    overwrite: bool = False,
    endpoint: str = "",
    progress: Progress | None = None,
    waits_s: Sequence[float] = WAITS_S,
) -> FetchReport:
    """Download the AI4Arctic dataset; continue an earlier download.

    Each file is compared with the size and the checksum that the server lists, and gets its
    name after that. Archives are unpacked and then removed. Scenes of training and test go
    to folders of these names. A file that fails is listed in the report, and does not stop
    the others.

    Parameters
    ----------
    folder
        Where to, made if needed.
    source
        ``hugging-face``: the mirror, archives of 60 GB. ``dtu``: the original, a file for
        each scene. By default the mirror for ready-to-train files.
    version
        ``ready``: ready-to-train files at 80 m. ``raw``: files at 40 m, only at DTU.
    split
        ``train``, ``test``, or both: ``all``.
    only
        Pattern of the names of files, from the beginning of a word in them on, such as
        ``20180325*``; all if empty.
    keep_archives
        Whether to keep archives after they were unpacked.
    connections
        Files to download at the same time.
    overwrite
        Whether to replace files of other sizes.
    endpoint
        Address of another server with the same interface.
    progress
        Called as bytes come, and after each file that is unpacked.
    waits_s
        Seconds to wait after errors in a row; see `seaice_data.download.transfers`.

    Raises
    ------
    DownloadError
        If the files cannot be listed, another process downloads to `folder`, or the disk is
        too small.
    """
    start = time.perf_counter()
    if connections < 1:
        raise DownloadError(f"connections must be at least 1, got {connections}")
    files = list_ai4arctic(
        source, version=version, split=split, only=only, endpoint=endpoint
    )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder) as is_alone:
        if not is_alone:
            raise DownloadError(f"another process is working in {str(folder)!r}")
        work = _Fetch(folder, files, overwrite=overwrite, progress=progress)
        work.check_disk()
        work.download(connections, waits_s)
        work.unpack(keep_archives=keep_archives)
    return FetchReport(
        folder=folder,
        n_fetched=work.n_fetched,
        n_kept=len(files) - work.n_fetched - len(work.failed_files),
        n_bytes=work.n_bytes,
        n_unpacked=work.n_unpacked,
        failed=tuple(work.failed),
        elapsed_s=time.perf_counter() - start,
    )


class _Fetch:
    """Files on their way to a folder."""

    def __init__(
        self,
        folder: Path,
        files: Sequence[RemoteFile],
        *,
        overwrite: bool,
        progress: Progress | None,
    ) -> None:
        self._folder, self._overwrite, self._progress = folder, overwrite, progress
        self._reserved = {RECORD, *(file.name for file in files)}
        self._record = read_record(folder / RECORD, overwrite=overwrite)
        self._archives = {
            name: parts
            for name, parts in archives_among(files).items()
            if not self._is_unpacked(name, parts)
        }
        in_archives = {part for parts in archives_among(files).values() for part in parts}
        waiting = {part for parts in self._archives.values() for part in parts}
        self._left: dict[RemoteFile, int] = {}
        self.failed: list[Failure] = []
        self.failed_files: set[RemoteFile] = set()
        self.n_fetched = self.n_bytes = self.n_unpacked = 0
        self._lock = Lock()
        for file in files:
            if file not in in_archives or file in waiting:
                self._look_at(file)
        self._n_done, self._n_total, self._shown = 0, sum(self._left.values()), 0

    def check_disk(self) -> None:
        """Refuse a disk without room for what is to come, archives twice.

        Files that an interrupted command has unpacked are there already.
        """
        packed = sum(part.n_bytes for parts in self._archives.values() for part in parts)
        if packed:
            scenes = (path for path in self._folder.rglob("*.nc") if path.is_file())
            packed = max(packed - sum(path.stat().st_size for path in scenes), 0)
        needed, free = self._n_total + packed, shutil.disk_usage(self._folder).free
        if needed > free:
            raise DownloadError(
                f"{needed / 1e9:.1f} GB are needed at {str(self._folder)!r}, and "
                f"{free / 1e9:.1f} GB are free",
                hint="name a folder on a larger disk, or fetch less with --split or --only",
            )

    def download(self, connections: int, waits_s: Sequence[float]) -> None:
        """Download what is missing, several files at a time."""
        stop = Event()
        with ThreadPoolExecutor(connections) as pool:
            try:
                for done in [
                    pool.submit(self._download, file, stop, waits_s) for file in self._left
                ]:
                    done.result()
            except BaseException:
                stop.set()  # the others stop at their next piece
                pool.shutdown(cancel_futures=True)
                raise

    def unpack(self, *, keep_archives: bool) -> None:
        """Unpack archives that are complete, and remove them."""
        for name, parts in self._archives.items():
            if self.failed_files.intersection(parts):
                continue
            paths = [self._folder / part.name for part in parts]
            found = Unpacked(tuple(part.checksum for part in parts))
            try:
                for member, n_bytes in unpack(
                    paths,
                    self._folder,
                    overwrite=self._overwrite,
                    reserved=self._reserved,
                ):
                    found.files[member] = n_bytes
                    self.n_unpacked += 1
                    self._report(f"unpacked {member}")
            except (DownloadError, ForeignFileError) as error:
                self.failed.append(Failure.of(name, error))
                continue
            self._record[name] = found
            write_record(self._record, self._folder / RECORD, DOI)
            if not keep_archives:
                for path in paths:
                    path.unlink()

    def _is_unpacked(self, name: str, parts: Sequence[RemoteFile]) -> bool:
        """Return whether an archive was unpacked, and all its files are still there."""
        found = self._record.get(name)
        if found is None or found.checksums != tuple(part.checksum for part in parts):
            return False
        paths = {self._folder / name: n_bytes for name, n_bytes in found.files.items()}
        return all(p.is_file() and p.stat().st_size == n for p, n in paths.items())

    def _look_at(self, file: RemoteFile) -> None:
        path = self._folder / file.name
        try:
            if not is_complete(file, path, overwrite=self._overwrite):
                self._left[file] = n_bytes_left(file, path)
        except SeaIceError as error:
            self._fail(file, Failure.of(file.name, error))

    def _download(self, file: RemoteFile, stop: Event, waits_s: Sequence[float]) -> None:
        path = self._folder / file.name
        if stop.is_set():
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            transfer(
                file,
                path,
                on_bytes=lambda n: self._count(n, file.name),
                stop=stop,
                waits_s=waits_s,
            )
        except StoppedError:
            return
        except DownloadError as error:
            self._fail(file, Failure.of(file.name, error))
            return
        except OSError as error:
            if is_of_disk(error):
                stop.set()
                raise
            self._fail(file, Failure(file.name, error.strerror or str(error)))
            return
        except BaseException:
            stop.set()
            raise
        with self._lock:
            self.n_fetched += 1

    def _fail(self, file: RemoteFile, failure: Failure) -> None:
        with self._lock:
            self.failed_files.add(file)
            self.failed.append(failure)

    def _count(self, n_bytes: int, name: str) -> None:
        with self._lock:
            self._n_done += n_bytes
            self.n_bytes += max(n_bytes, 0)
            if self._n_megabytes() != self._shown:
                self._shown = self._n_megabytes()
                self._report(name)

    def _n_megabytes(self) -> int:
        """Return the megabytes done: whole ones, and at the end a last one that is not."""
        if self._n_done >= self._n_total:
            return -(-self._n_total // _MEGA)
        return max(self._n_done // _MEGA, 0)

    def _report(self, text: str) -> None:
        if self._progress is not None:
            self._progress(self._n_megabytes(), -(-self._n_total // _MEGA), text)

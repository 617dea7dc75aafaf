"""List the files below a folder, and report what could not be read."""

import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from seaice_data.errors import Failure, SceneError


@dataclass(frozen=True, slots=True)
class Listing:
    """Files below a folder."""

    paths: tuple[Path, ...]
    """Sorted, each file once."""

    failed: tuple[Failure, ...]
    """Folders and files that cannot be read, broken links, and what is not a file."""


def list_files(folder: Path, suffix: str) -> Listing:
    """List the files with a suffix in a folder and all folders below it.

    Links are followed. A folder or file that is reached several times is listed once, under
    its own name rather than that of a link. Hidden files and folders are left out.

    Parameters
    ----------
    folder
        Where to look.
    suffix
        End of the names, in lower case; capitals match too.

    Returns
    -------
    Listing
        The files, and what could not be read: a folder or file without permission, a
        broken link, and a pipe, socket or device with the suffix.
    """
    walk = _Walk(suffix)
    walk.enter(folder)
    walk.follow_links()
    failed = sorted(walk.failed, key=lambda failure: failure.name)
    return Listing(tuple(sorted(walk.paths)), tuple(failed))


def as_paths(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """Return one path, or several, as a list.

    Examples
    --------
    >>> [path.name for path in as_paths("raw")], as_paths([])
    (['raw'], [])
    """
    return [Path(paths)] if isinstance(paths, str | Path) else [*map(Path, paths)]


def visible_files(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and below it; hidden files and folders are left out.

    Links are followed, and a folder that is reached several times is listed once. In the
    order of their names, those of a folder before those below it.

    Raises
    ------
    OSError
        If a folder cannot be read.
    """
    seen: set[str] = set()
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        if (real := os.path.realpath(here)) in seen:
            continue
        seen.add(real)
        below = []
        for path in sorted(here.iterdir()):
            if path.name.startswith("."):
                continue
            if path.is_dir():
                below.append(path)
            else:
                yield path
        waiting += reversed(below)


def reference_file_of(path: Path) -> Path | None:
    """Return the ``_reference`` file with the charts of a test scene, if it exists."""
    reference = path.with_name(f"{path.stem}_reference{path.suffix}")
    return reference if reference.is_file() else None


def without_references(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Leave out files that only contain the charts of the scene beside them.

    If a scene's file has several names, the one with its charts beside it is taken.
    """
    scenes = {path for path in paths if _scene_beside(path) is None}
    for beside in filter(None, map(_scene_beside, paths)):
        if beside not in scenes:
            scenes -= {
                path
                for path in scenes
                if path.samefile(beside) and reference_file_of(path) is None
            }
            scenes.add(beside)
    return tuple(sorted(scenes))


def _scene_beside(path: Path) -> Path | None:
    """Return the scene whose charts a file contains, if it contains nothing else."""
    stem = path.stem.removesuffix("_reference")
    scene = path.with_name(stem + path.suffix)
    return scene if stem != path.stem and scene.is_file() else None


class _Walk:
    """Walks through folders; links come last, so that files go by their own names."""

    def __init__(self, suffix: str) -> None:
        self.paths: list[Path] = []
        self.failed: list[Failure] = []
        self._suffix = suffix
        self._links: deque[Path] = deque()
        self._seen: set[tuple[int, int] | str] = set()

    def enter(self, folder: Path) -> None:
        """List a folder and all below it; leave links for later."""
        waiting = [folder]
        while waiting:
            folder = waiting.pop()
            try:
                if not self._is_new(folder, folder.stat()):
                    continue
                with os.scandir(folder) as found:
                    entries = sorted(found, key=lambda entry: entry.name)
            except OSError as error:
                self._fail(folder, error)
                continue
            for entry in entries:
                path = Path(entry.path)
                if entry.name.startswith("."):
                    continue
                if entry.is_symlink():
                    self._links.append(path)
                elif self._is_folder(entry):
                    waiting.append(path)
                elif self._has_suffix(path):
                    self._add(path)

    def follow_links(self) -> None:
        """Follow the links that were left, and those below them."""
        while self._links:
            link = self._links.popleft()
            try:
                leads_to_folder = stat.S_ISDIR(link.stat().st_mode)
            except OSError as error:
                self._fail(link, error)
                continue
            if leads_to_folder:
                self.enter(link)
            elif self._has_suffix(link):
                self._add(link)

    def _add(self, path: Path) -> None:
        try:
            status = path.stat()
        except OSError as error:
            self._fail(path, error)
            return
        if not stat.S_ISREG(status.st_mode):
            reason = SceneError(f"{str(path)!r} is not a regular file")
            self.failed.append(Failure.of(path, reason))
        elif self._is_new(path, status):
            self.paths.append(path)

    def _is_folder(self, entry: os.DirEntry[str]) -> bool:
        try:
            return entry.is_dir(follow_symlinks=False)
        except OSError as error:
            self._fail(Path(entry.path), error)
            return False

    def _has_suffix(self, path: Path) -> bool:
        return path.suffix.lower() == self._suffix

    def _is_new(self, path: Path, status: os.stat_result) -> bool:
        """Return whether a file or folder is seen for the first time."""
        # Some network disks have no inode numbers.
        key = (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)
        is_new = key not in self._seen
        self._seen.add(key)
        return is_new

    def _fail(self, path: Path, error: OSError) -> None:
        reason = error.strerror or str(error)
        if isinstance(error, FileNotFoundError) and path.is_symlink():
            reason = "a link to a file or folder that is gone"
        self.failed.append(Failure.of(path, SceneError(f"{str(path)!r}: {reason}")))

"""Scenes as inputs of networks, from a store or straight from netCDF files.

Both return the same planes: files are prepared in memory by the recipe of the run, by the
same code as in `seaice prepare`.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import google_crc32c
import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.channels import DISPENSABLE, Group, find_channel, find_channels
from seaice_data.errors import Failure, SceneError, StoreError
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_data.preparation.assemble import assemble
from seaice_data.scene_id import SceneId
from seaice_data.scenes.files import find_scene_files, open_scene
from seaice_data.scenes.fingerprints import (
    UNKNOWN_FILE,
    file_checksum,
    file_fingerprint,
    unchanged,
)
from seaice_data.scenes.scene import Scene
from seaice_data.settings import fingerprint
from seaice_data.store.origin import Origin
from seaice_data.store.recipe import Recipe
from seaice_data.store.store import Store
from seaice_data.store.stored_scene import StoredScene
from seaice_data.system.files import file_errors
from seaice_data.texts import counted

SHOWN = ("hh", "hv")
"""Channels that plots show next to a map."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneInputs:
    """A scene as networks and plots need it."""

    id: SceneId
    """As ``20180607T184326_dmi``."""

    acquired: datetime
    """Start of the acquisition, UTC."""

    planes: FloatArray
    """Shape ``(y, x, channel)`` on the grid of the store; standardised, NaN is fill."""

    channels: tuple[str, ...]
    """Names on the channel axis."""

    grid: Grid
    """80 m grid of the scene."""

    original_grid: Grid
    """Grid of the file: 40 m for raw files, if they are known to be raw."""

    flags: ChartArray
    """Flags on the 80 m grid."""

    rows: IntArray
    """Row of the planes that represents each row of the 80 m grid."""

    columns: IntArray
    """Column of the planes that represents each column of the 80 m grid."""

    tie_points: TiePoints
    """Geolocation grid, positions in 80 m pixels."""

    file_hash: str = UNKNOWN_FILE
    """Hash of the netCDF file that it comes from."""

    charts: ChartArray | None
    """Ice charts on the 80 m grid, shape ``(chart, y, x)``, if there are any."""

    origin: Origin
    """What it says of its file."""

    def decibels(self) -> dict[str, FloatArray]:
        """Return backscatter in dB by channel name, for the SAR channels of the scene."""
        return {name: self._in_unit(name) for name in SHOWN if name in self.channels}

    def without(self, groups: Collection[Group]) -> "SceneInputs":
        """Return the scene as if its file lacked all channels of these groups."""
        origin = self.origin.without(groups)
        if origin == self.origin:
            return self
        planes = self.planes.copy()
        lost = [k for k, c in enumerate(find_channels(self.channels)) if c.group in groups]
        planes[..., lost] = np.nan
        return replace(self, planes=planes, origin=origin)

    def _in_unit(self, name: str) -> FloatArray:
        channel = find_channel(name)
        plane = self.planes[..., self.channels.index(name)].astype(np.float32)
        return np.asarray(plane * channel.std + channel.mean, np.float32)


class Source(Protocol):
    """Where scenes come from."""

    name: str
    """Store, folder or file, as the user gave it."""

    fingerprint: str
    """Fingerprint of the recipe with which scenes are prepared."""

    scenes: tuple[str, ...]
    """Ids of the scenes to predict."""

    failed: tuple[Failure, ...]
    """Files that are not scenes."""

    def file_hash(self, scene_id: str) -> str:
        """Return the hash of the netCDF file that a scene comes from."""

    def origin(self, scene_id: str) -> Origin:
        """Return what a scene says of its file, without reading its planes."""

    def read(self, scene_id: str, *, charts: bool) -> SceneInputs:
        """Read a scene, with its ice charts if asked for and there are any."""


class StoreSource:
    """Scenes of a store.

    Raises
    ------
    StoreError
        If a scene is not in the store.
    """

    def __init__(self, store: Store, scenes: Sequence[str]) -> None:
        self.name = store.path
        self.fingerprint = store.fingerprint
        self._store = store
        self.scenes = tuple(dict.fromkeys(scenes))
        self.failed: tuple[Failure, ...] = ()
        for scene_id in self.scenes:
            if scene_id not in store.scenes:  # raises the error that says so
                store.scene(scene_id)

    def file_hash(self, scene_id: str) -> str:
        """Return the hash of the netCDF file that a scene comes from."""
        known = self._store.scene(scene_id).known
        if not (files := known.get("source_files")):
            return UNKNOWN_FILE
        checksums = json.dumps(known["checksums"], sort_keys=True).encode()
        # Maps are made from the first file; a second one contains charts.
        return f"{_samples_in(files[0])} store-{google_crc32c.value(checksums):08x}"

    def origin(self, scene_id: str) -> Origin:
        """Return what a scene says of its file, without reading its planes."""
        return self._store.scene(scene_id).origin

    def read(self, scene_id: str, *, charts: bool) -> SceneInputs:
        """Read a scene of the store.

        Raises
        ------
        StoreError
            If it is damaged, or cannot be read.
        """
        try:
            return self._read(self._store.scene(scene_id), charts=charts)
        except OSError as error:
            raise StoreError(f"scene {scene_id}: {error.strerror or error}") from None

    def _read(self, scene: StoredScene, *, charts: bool) -> SceneInputs:
        return SceneInputs(
            id=scene.id,
            acquired=scene.acquired,
            planes=np.asarray(scene.inputs),
            channels=self._store.channels,
            grid=scene.source_grid,
            original_grid=scene.source_grid,
            flags=scene.full_flags(),
            rows=scene.rows,
            columns=scene.columns,
            tie_points=scene.tie_points,
            file_hash=self.file_hash(scene.id),
            charts=scene.full_charts() if charts and scene.has_charts else None,
            origin=scene.origin,
        )


class ReducedSource:
    """The scenes of another source, as if files lacked whole groups of channels.

    Networks learn to do without groups, not without some of their channels, so that a
    scene that lacks one channel of a group is reduced, too.

    Parameters
    ----------
    source
        Where the scenes come from.
    without
        Groups that all scenes lack.
    whole
        Channels that a scene has with their whole group or not at all.
    """

    def __init__(
        self, source: Source, *, without: Collection[Group], whole: Collection[str]
    ) -> None:
        self.name, self.fingerprint = source.name, source.fingerprint
        self.scenes, self.failed = source.scenes, source.failed
        self._source, self._without, self._whole = source, without, whole

    def file_hash(self, scene_id: str) -> str:
        """Return the hash of the netCDF file that a scene comes from."""
        return self._source.file_hash(scene_id)

    def origin(self, scene_id: str) -> Origin:
        """Return what a scene says of its file, and lacks in addition."""
        origin = self._source.origin(scene_id)
        return origin.without(self._lost(origin))

    def read(self, scene_id: str, *, charts: bool) -> SceneInputs:
        """Read a scene; channels that it lacks are NaN."""
        scene = self._source.read(scene_id, charts=charts)
        return scene.without(self._lost(scene.origin))

    def _lost(self, origin: Origin) -> tuple[Group, ...]:
        incomplete = origin.groups_absent_among(self._whole)
        return tuple(g for g in DISPENSABLE if g in self._without or g in incomplete)


class FileSource:
    """Scenes of netCDF files, prepared in memory.

    Parameters
    ----------
    path
        A file, or a folder that is searched with all folders below it.
    recipe
        The recipe of the run.
    scenes
        Ids of the scenes to read; all if not given.
    accept_masks
        Whether to accept scenes with classes where SAR is missing; see `assemble`.

    Raises
    ------
    SceneError
        If the folder does not exist, contains no netCDF file, or lacks one of
        `scenes`.
    """

    def __init__(
        self,
        path: Path,
        recipe: Recipe,
        scenes: Sequence[str] | None = None,
        *,
        accept_masks: bool = False,
    ) -> None:
        self.name = str(path)
        self._accept_masks = accept_masks
        self.fingerprint = fingerprint(recipe)
        shown = tuple(name for name in SHOWN if name not in recipe.channels)
        self._recipe = replace(recipe, channels=(*recipe.channels, *shown))
        found = find_scene_files(path)
        self._files, self.failed = found.files, found.failed
        self.scenes = tuple(self._files if scenes is None else dict.fromkeys(scenes))
        for scene_id in self.scenes:
            if scene_id not in self._files:
                raise _not_found(scene_id, path, self.failed)

    def file_hash(self, scene_id: str) -> str:
        """Return the hash of the netCDF file that a scene comes from."""
        path = self._files[SceneId(scene_id)]
        with file_errors(path):
            return f"{_samples_in(file_fingerprint(path))} file-{file_checksum(path)}"

    def origin(self, scene_id: str) -> Origin:
        """Return what a scene says of its file, without reading its planes."""
        with self._opened(scene_id) as scene:
            return Origin(
                version=scene.version,
                original_name=scene.original_name,
                absent_channels=scene.absent_channels,
                denoising=scene.denoising,
            )

    def read(self, scene_id: str, *, charts: bool) -> SceneInputs:
        """Prepare a scene.

        Raises
        ------
        SceneError
            If the file is damaged, or smaller than one pixel of the store.
        """
        with self._opened(scene_id) as scene:
            original_grid = scene.original_grid
            prepared = assemble(scene, self._recipe, accept_masks=self._accept_masks)
            file_hash = self.file_hash(scene_id)
        grid = prepared.source_grid
        return SceneInputs(
            id=prepared.id,
            acquired=prepared.id.acquired,
            planes=prepared.inputs,
            channels=self._recipe.channels,
            grid=grid,
            original_grid=original_grid,
            flags=prepared.full_flags,
            rows=self._recipe.stand_ins(grid.height),
            columns=self._recipe.stand_ins(grid.width),
            tie_points=prepared.tie_points,
            file_hash=file_hash,
            charts=prepared.full_charts if charts and prepared.has_charts else None,
            origin=prepared.origin,
        )

    @contextmanager
    def _opened(self, scene_id: str) -> Iterator[Scene]:
        """Open the file of a scene; reject one that changes while it is read."""
        path, recipe = self._files[SceneId(scene_id)], self._recipe
        with (
            file_errors(path),
            unchanged(path),
            open_scene(path, recipe.dominance_threshold, recipe.interval_codes) as scene,
        ):
            yield scene


def _samples_in(fingerprint_of_file: Mapping[str, Any]) -> str:
    return str(fingerprint_of_file["blake2b_of_samples"])


def _not_found(scene_id: str, path: Path, failed: Sequence[Failure]) -> SceneError:
    message = f"no scene {scene_id!r} in {str(path)!r}"
    if failed:
        message += (
            f"; {counted(len(failed), 'file')} there cannot be read: {failed[0].reason}"
        )
    return SceneError(message, hint=failed[0].hint if failed else None)

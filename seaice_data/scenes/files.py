"""Find and open netCDF files of scenes: AI4Arctic's of either version, and own ones.

``open_scene`` looks into the file to see which it is:

- *ready* ("ready to train"): 80 m, standardised, fill 0, charts painted as classes; test
  files have no charts, which then come from the ``_reference`` file beside them;
- *raw*: 40 m, physical units, NaN as fill, a polygon map with a table of egg codes. It is
  converted to the form of a ready file by the steps that the dataset's authors describe;
- *ingested* (own scenes): 80 m, backscatter as linear power, a polygon map with a table of
  egg codes or no chart; channels may be absent (docs/scene-file.md).

All return standardised planes on the 80 m grid, and charts with 255 as fill, in bands of
rows, so that memory does not grow with the scene.
"""

import logging
import stat
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from seaice_data.errors import Failure, SceneError, SeaIceError
from seaice_data.scene_id import SceneId
from seaice_data.scenes import ingested, raw, ready
from seaice_data.scenes.fingerprints import is_copy
from seaice_data.scenes.ingested import IngestedScene
from seaice_data.scenes.listing import (
    Listing,
    list_files,
    reference_file_of,
    without_references,
)
from seaice_data.scenes.netcdf import NetcdfFile
from seaice_data.scenes.raw import RawScene
from seaice_data.scenes.ready import ReadyScene, contains_classes
from seaice_data.scenes.scene import Scene
from seaice_data.system.files import file_errors

__all__ = [
    "FoundScenes",
    "Scene",
    "find_scene_files",
    "find_scene_id",
    "find_scenes",
    "identify",
    "leave_out_copy",
    "list_scene_files",
    "open_scene",
]

log = logging.getLogger(__name__)


def open_scene(
    path: str | Path,
    dominance_threshold: float = 0.65,
    interval_codes: Literal["own", "all", "none"] = "own",
) -> Scene:
    """Open a file of any version.

    Parameters
    ----------
    path
        A netCDF file of any format.
    dominance_threshold
        Share of the ice in a polygon at which a type becomes its class; files with polygons
        only.
    interval_codes
        In which scenes codes for intervals of concentration stand for their mid-points, as
        in `seaice_data.store.recipe.Recipe`.

    Raises
    ------
    SceneError
        If the file cannot be read, is not a scene, or lacks something.
    """
    path = Path(path)
    with ExitStack() as opened:
        file = NetcdfFile(path)
        opened.callback(file.close)
        scene: Scene
        version = _version_of(file)
        if version == IngestedScene.version:
            midpoints = interval_codes != "none"
            scene = IngestedScene(file, dominance_threshold, midpoints=midpoints)
        elif version == ReadyScene.version:
            reference = None
            beside = reference_file_of(path)
            if beside is not None and not contains_classes(file):
                reference = NetcdfFile(beside)
                opened.callback(reference.close)
            scene = ReadyScene(file, reference)
        else:
            midpoints = interval_codes == "all"
            scene = RawScene(file, dominance_threshold, midpoints=midpoints)
        opened.pop_all()
        return scene


def find_scene_id(path: Path) -> SceneId:
    """Return the id of the scene in a file, and read nothing else: about 1 ms per file.

    Raises
    ------
    SceneError
        If the file cannot be read, is not a scene, or does not say its id.
    """
    with closing(NetcdfFile(path)) as file:
        return _FIND_ID[_version_of(file)](file)


_FIND_ID: Mapping[str, Callable[[NetcdfFile], SceneId]] = {
    ReadyScene.version: ready.find_id,
    RawScene.version: raw.find_id,
    IngestedScene.version: ingested.find_id,
}


def _version_of(file: NetcdfFile) -> str:
    """Return which version of a scene a file is; reject any other file."""
    if ingested.HH in file:
        return IngestedScene.version
    if "sar_grid2d_latitude" in file:
        return ReadyScene.version
    if "sar_grid_latitude" in file:
        return RawScene.version
    raise file.error(
        "not a scene",
        hint="it has neither 'sar_grid2d_latitude' (AI4Arctic, ready to train) nor "
        f"'sar_grid_latitude' (AI4Arctic, raw) nor {ingested.HH!r} (seaice ingest)",
    )


def find_scenes(folder: str | Path) -> tuple[Path, ...]:
    """Return the netCDF files in a folder and below it, reference files left out.

    Each file is returned once, however many links lead to it. Hidden files and folders are
    left out. `find_scene_files` continues where this function raises.

    Parameters
    ----------
    folder
        Folder, or a single file.

    Raises
    ------
    SceneError
        If the folder does not exist or contains no netCDF file, or if something in it that
        may be a scene cannot be read: a folder, a broken link, a pipe.
    """
    listing = list_scene_files(folder)
    if listing.failed:
        more = f" (and {len(listing.failed) - 1} more)" if len(listing.failed) > 1 else ""
        raise SceneError(
            f"{listing.failed[0].reason}{more}",
            hint="fix it, or move it away; `find_scene_files` lists all such files and "
            "finds the others",
        )
    return listing.paths


@dataclass(frozen=True, slots=True)
class FoundScenes:
    """The scenes in a folder."""

    files: Mapping[SceneId, Path]
    """Files by the ids of their scenes, in the order of the paths."""

    failed: tuple[Failure, ...]
    """Files that are not scenes, or contain the scene of another file, and what could not
    be read."""


def find_scene_files(folder: str | Path) -> FoundScenes:
    """Find the scenes in a folder and below it; open each file once.

    Parameters
    ----------
    folder
        Folder, or a single file.

    Raises
    ------
    SceneError
        If there is no such folder or no netCDF file in it.
    """
    return identify(list_scene_files(folder))


def list_scene_files(folder: str | Path) -> Listing:
    """List the files that may be scenes, as `find_scenes` does, and what cannot be read.

    Raises
    ------
    SceneError
        If there is no such folder or no netCDF file in it.
    """
    folder = Path(folder)
    with file_errors(folder):
        try:
            mode = folder.stat().st_mode
        except FileNotFoundError:
            raise SceneError(f"no folder at {str(folder)!r}") from None
    if stat.S_ISREG(mode):
        return Listing((folder,), ())
    if not stat.S_ISDIR(mode):
        raise SceneError(f"{str(folder)!r} is neither a folder nor a file")
    listing = list_files(folder, ".nc")
    if not listing.paths and not listing.failed:
        raise _no_scenes(folder)
    return replace(listing, paths=without_references(listing.paths))


def identify(listing: Listing) -> FoundScenes:
    """Find out which scene each file contains; the first of two files of one scene wins.

    Copies of a file are left out and logged; other files of the same scene fail.
    """
    found: dict[SceneId, Path] = {}
    failed = [*listing.failed]
    for path in listing.paths:
        try:
            scene_id = find_scene_id(path)
            if other := found.get(scene_id):
                leave_out_copy(path, other)
            else:
                found[scene_id] = path
        except SeaIceError as error:
            failed.append(Failure.of(path, error))
    return FoundScenes(found, tuple(failed))


def leave_out_copy(path: Path, other: Path) -> None:
    """Log that a file is a copy of another one, which is harmless.

    Raises
    ------
    SceneError
        If it is another file of the same scene.
    """
    if not is_copy(path, other):
        raise SceneError(
            f"{str(path)!r}: same scene as {str(other)!r}",
            hint="the files differ: move away the one that you do not want",
        )
    log.warning("%r left out: it is a copy of %r", str(path), str(other))


def _no_scenes(folder: Path) -> SceneError:
    hint = "AI4Arctic scenes end in .nc; `seaice synth` writes some to try"
    if (folder / "zarr.json").exists() or (folder / ".zgroup").exists():
        hint = "it is a zarr store; name the folder of the netCDF files"
    return SceneError(f"no netCDF file in {str(folder)!r}", hint=hint)

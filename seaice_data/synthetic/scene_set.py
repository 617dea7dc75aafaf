"""Write a set of synthetic scenes, several at a time."""

import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from seaice_data.display import Displayed
from seaice_data.errors import SceneError, SettingsError
from seaice_data.scenes.files import open_scene
from seaice_data.synthetic.plan import ScenePlan, plan_scenes
from seaice_data.synthetic.products.products import require_ours, shape_of
from seaice_data.synthetic.scene import (
    Version,
    n_bytes,
    scene_paths,
    truth_path,
    write_scene,
)
from seaice_data.system.files import HIDDEN, drop_abandoned, staged
from seaice_data.system.workers import Progress, run_tasks


@dataclass(frozen=True, slots=True, repr=False)
class SetReport(Displayed):
    """What `write_scenes` did."""

    written: tuple[Path, ...]
    """Files written: two for a test scene that is ready to train. Products are folders."""

    kept: tuple[Path, ...]
    """Files, or folders, of this set that already existed."""

    elapsed_s: float
    """Seconds in all."""

    @property
    def n_bytes(self) -> int:
        """Size of what was written."""
        return sum(map(_n_bytes_on_disk, self.written))


def write_scenes(
    folder: str | Path,
    n_scenes: int,
    size: int | tuple[int, int],
    version: Version = "ready",
    *,
    seed: int = 0,
    first: int = 0,
    truth: str | Path | None = None,
    jobs: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> SetReport:
    """Write `n_scenes` synthetic scenes in the format of AI4Arctic, or as a user's inputs.

    Parameters
    ----------
    folder
        Where to write; created if needed.
    n_scenes
        Number of scenes; the first 3 of 30 are the same as all of 3.
    size
        Nominal number of 80 m pixels along a side, or height and width. A small scene is
        a small area: 1000 pixels are 80 km.
    version
        ``"ready"`` to train, ``"raw"``, or ``"products"``: a folder a scene with what a
        user has of it, `seaice_data.synthetic.products`.
    seed
        Random seed of the scenes.
    first
        Number of the first scene, to write a set in batches.
    truth
        Where to write the hidden truth of each scene as well, ``<id>_truth.nc``: what each
        pixel contains, before analysts generalise it to polygons. Created if needed.
    jobs
        Number of processes.
    overwrite
        Replace the files of this set that already exist.
    progress
        Called after each scene.

    Returns
    -------
    SetReport
        What was written, and what already existed from an earlier call.

    Raises
    ------
    SceneError
        If the folder contains other netCDF files, or those of a set of another size:
        scenes should not be mixed, and files of others are never deleted. This holds for
        folders of products, too. Also if the scenes do not fit on the disk.
    SettingsError
        If `n_scenes`, `size`, `seed` or `first` is too small or too large, or `truth` is in
        `folder`, where its files would be taken for scenes.
    """
    folder = Path(folder)
    start = time.monotonic()
    plans = plan_scenes(n_scenes, size, seed, first)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {plan.id: scene_paths(folder, plan, version) for plan in plans}
    _refuse_others(folder, {path for scene in paths.values() for path in scene})
    if truth is not None:
        truth = Path(truth)
        if truth.resolve().is_relative_to(folder.resolve()):
            raise SettingsError(
                f"{str(truth)!r} is in the folder of the scenes",
                hint="choose a folder beside it: truth files would be taken for scenes",
            )
        truth.mkdir(parents=True, exist_ok=True)
        for plan in plans:
            paths[plan.id] += (truth_path(truth, plan),)
    there = {path for scene in paths.values() for path in scene if path.exists()}
    for path in there:
        if overwrite and path.is_dir():
            require_ours(path)
    for plan in plans:
        if not overwrite and paths[plan.id][0] in there:
            _refuse_other_size(plan, paths[plan.id][0])
    kept = {i for i, files in paths.items() if not overwrite and there.issuperset(files)}
    arguments = {
        plan.id: (folder, plan, version, truth) for plan in plans if plan.id not in kept
    }
    replaced = there if overwrite else ()
    for place in filter(None, (folder, truth)):
        drop_abandoned(place.glob(f"{HIDDEN}.*"))
    _refuse_full_disk(
        folder,
        sum(n_bytes(plan, version) for plan in plans if plan.id not in kept),
        sum(map(_n_bytes_on_disk, replaced)),
    )
    for path in replaced:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    written = run_tasks(_write, arguments, jobs, progress)
    return SetReport(
        written=tuple(path for files in written for path in files),
        kept=() if overwrite else tuple(sorted(there)),
        elapsed_s=time.monotonic() - start,
    )


def _write(
    folder: Path, plan: ScenePlan, version: Version, truth: Path | None
) -> tuple[Path, ...]:
    """Write the files of a scene that do not exist."""
    places = dict.fromkeys(scene_paths(folder, plan, version), folder)
    if truth is not None:
        places[truth_path(truth, plan)] = truth
    absent = [path for path in places if not path.exists()]
    if len(absent) == len(places):
        write_scene(folder, plan, version, truth)
    elif absent:
        with ExitStack() as stack:
            beside = {p: stack.enter_context(staged(p)) for p in {*places.values()}}
            write_scene(beside[folder], plan, version, truth and beside[truth])
            for path in absent:
                (beside[places[path]] / path.name).replace(path)
    return tuple(absent)


def _refuse_other_size(plan: ScenePlan, path: Path) -> None:
    """Reject a file of another size: sets that differ only in size have the same names."""
    if path.is_dir():
        height, width = shape_of(path)
    else:
        with open_scene(path) as scene:
            height, width = scene.grid.shape
    if (height, width) != (plan.height, plan.width):
        raise SceneError(
            f"{str(path)!r} has {height} x {width} pixels, "
            f"but scenes of this set have {plan.height} x {plan.width}",
            hint="choose another folder, or replace the files with --overwrite",
        )


def _refuse_full_disk(folder: Path, n_needed: int, n_replaced: int) -> None:
    """Reject a set that does not fit on the disk, before most of it is written in vain."""
    n_free = shutil.disk_usage(folder).free + n_replaced
    if n_needed > n_free:
        raise SceneError(
            f"the scenes need {n_needed / 1e9:.2f} GB, but {str(folder)!r} has "
            f"{n_free / 1e9:.2f} GB free",
            hint="take fewer or smaller scenes (--scenes, --size), or another disk",
        )


def _refuse_others(folder: Path, ours: set[Path]) -> None:
    """Reject a folder that contains other netCDF files."""
    others = sorted(set(folder.glob("*.nc")) - ours)
    if others:
        raise SceneError(
            f"{str(folder)!r} contains {len(others)} other netCDF files: "
            f"{others[0].name!r}",
            hint="choose an empty folder, so that synthetic and other scenes do not mix",
        )


def _n_bytes_on_disk(path: Path) -> int:
    """Return the size of a file, or of all files in a folder."""
    if not path.is_dir():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())

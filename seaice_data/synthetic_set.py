"""Write a set of synthetic scenes, several at a time."""

from pathlib import Path
from typing import Literal

from seaice_data.errors import SceneError
from seaice_data.parallel import Progress, run_tasks
from seaice_data.synthetic import write_scene
from seaice_data.synthetic_plan import plan_scenes


def write_scenes(
    folder: Path,
    n_scenes: int,
    size: int,
    version: Literal["ready", "raw"] = "ready",
    *,
    seed: int = 0,
    jobs: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Write `n_scenes` synthetic scenes in the format of AI4Arctic.

    Parameters
    ----------
    folder
        Where to write; made if needed.
    n_scenes
        How many; the first of 30 are the same as all of 3.
    size
        Nominal number of 80 m pixels along a side.
    version
        ``"ready"`` to train, or ``"raw"``.
    seed
        Another seed, other scenes.
    jobs
        Processes that work at the same time.
    overwrite
        Replace files that exist.
    progress
        Told after each scene.

    Returns
    -------
    tuple of Path
        The files written: two for a test scene that is ready to train.

    Raises
    ------
    SceneError
        If there are scenes in the folder already and `overwrite` is not given.
    SettingsError
        If `n_scenes` or `size` is too small.
    """
    plans = plan_scenes(n_scenes, size, seed)
    folder.mkdir(parents=True, exist_ok=True)
    existing = sorted(folder.glob("*.nc"))
    if existing and not overwrite:
        raise SceneError(
            f"{str(folder)!r} holds {len(existing)} netCDF files already",
            hint="choose another folder, or replace them with --overwrite",
        )
    for path in existing:
        path.unlink()
    arguments = {plan.id: (folder, plan, version) for plan in plans}
    written = run_tasks(write_scene, arguments, jobs, progress)
    return tuple(path for paths in written for path in paths)

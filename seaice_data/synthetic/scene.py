"""Write synthetic scenes in the file format of the AI4Arctic dataset, both versions.

A scene is made once, in rows of 40 m pixels. The raw file contains them; the ready-to-train
file is made from them by the steps of the dataset's authors, so the two versions of a plan
are twins. Files are complete or absent.
"""

import contextlib
from pathlib import Path
from typing import Literal

from seaice_data.errors import SceneError
from seaice_data.grid import CELL_PIXELS
from seaice_data.synthetic.netcdf import whole_file
from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.plan import ScenePlan
from seaice_data.synthetic.raw import write_raw
from seaice_data.synthetic.ready import write_ready


def write_scene(
    folder: Path, plan: ScenePlan, version: Literal["ready", "raw"] = "ready"
) -> tuple[Path, ...]:
    """Write one scene; equal plans give equal files.

    Parameters
    ----------
    folder
        Where to write; it must exist.
    plan
        The scene.
    version
        ``"ready"`` for ``<id>_prep.nc``, where a test scene has its charts in a separate
        file, ``<id>_prep_reference.nc``; ``"raw"`` for 40 m pixels with polygons and egg
        codes.

    Returns
    -------
    tuple of Path
        The complete files.

    Raises
    ------
    SceneError
        If one of them already exists, or cannot be written to the disk.

    Notes
    -----
    A scene of 5000 x 5200 pixels takes 490 MB in the ready version, 1.7 GB in the raw one.
    """
    paths = scene_paths(folder, plan, version)
    for path in paths:
        if path.exists():
            raise SceneError(
                f"scene {plan.id} already exists: {str(path)!r}",
                hint="move it away, or choose another folder",
            )
    scene = Observation(plan)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(whole_file(path)) for path in paths]
        if version == "raw":
            write_raw(files[0], scene)
        else:
            write_ready(files, scene)
    return paths


def scene_paths(folder: Path, plan: ScenePlan, version: str) -> tuple[Path, ...]:
    """Return the files of a scene: one, or two for a test scene that is ready to train."""
    if version == "raw":
        return (folder / plan.raw_name,)
    path = folder / f"{plan.id}_prep.nc"
    return (path, folder / f"{plan.id}_prep_reference.nc") if plan.is_test else (path,)


def n_bytes(plan: ScenePlan, version: str) -> int:
    """Return how many bytes the files of a scene need on disk, or a little more."""
    # SAR, angle or polygons, and zones are float32; charts are bytes, cells 25 x 25 pixels.
    bytes_a_pixel = 4 * 4 * 4 if version == "raw" else 4 * 4 + 3
    cells = 20 * 8 / CELL_PIXELS**2
    return int(plan.height * plan.width * (bytes_a_pixel + cells) * 1.01) + 200_000

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
from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.plan import ScenePlan
from seaice_data.synthetic.raw import write_raw
from seaice_data.synthetic.ready import write_ready, write_truth
from seaice_data.system.netcdf_files import whole_file


def write_scene(
    folder: Path,
    plan: ScenePlan,
    version: Literal["ready", "raw"] = "ready",
    truth: Path | None = None,
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
    truth
        Where to write the hidden truth as well, ``<id>_truth.nc`` with the planes SIC, SOD,
        FLOE, ``ice_share`` in percent and ``polygon_id``: what each 80 m pixel of the sea
        contains, charted or not, before analysts generalise it to polygons. It must exist.
        The bytes of the scene are the same with and without it.

    Returns
    -------
    tuple of Path
        The complete files of the scene.

    Raises
    ------
    SceneError
        If one of them already exists, or cannot be written to the disk.

    Notes
    -----
    A scene of 5000 x 5200 pixels takes 490 MB in the ready version, 1.7 GB in the raw one.
    """
    paths = scene_paths(folder, plan, version)
    hidden = () if truth is None else (truth_path(truth, plan),)
    for path in (*paths, *hidden):
        if path.exists():
            raise SceneError(
                f"scene {plan.id} already exists: {str(path)!r}",
                hint="move it away, or choose another folder",
            )
    scene = Observation(plan)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(whole_file(path)) for path in paths]
        bands = scene.bands()
        for path in hidden:
            bands = write_truth(stack.enter_context(whole_file(path)), scene, bands)
        if version == "raw":
            write_raw(files[0], scene, bands)
        else:
            write_ready(files, scene, bands)
    return paths


def truth_path(folder: Path, plan: ScenePlan) -> Path:
    """Return the file of the hidden truth of a scene."""
    return folder / f"{plan.id}_truth.nc"


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

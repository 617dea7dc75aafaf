"""Write synthetic scenes in the formats of the AI4Arctic dataset, or as a user's inputs.

A scene is made once, in rows of 40 m pixels. The raw file contains them; the ready-to-train
file is made from them by the steps of the dataset's authors; products are what instruments
would have delivered. So all versions of a plan are twins. Files, and folders of products,
are complete or absent.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from seaice_data.errors import SceneError
from seaice_data.grid import CELL_PIXELS
from seaice_data.synthetic.ai4arctic.raw import write_raw
from seaice_data.synthetic.ai4arctic.ready import write_ready, write_truth
from seaice_data.synthetic.observation import Observation
from seaice_data.synthetic.plan import ScenePlan
from seaice_data.synthetic.products.products import is_zipped, write_products
from seaice_data.system.files import staged
from seaice_data.system.netcdf_files import whole_file

Version = Literal["ready", "raw", "products"]
"""Form of a scene: ready to train, raw, or the products that users have."""

_OTHER_PRODUCTS_BYTES = 25_000_000  # all but the images


def write_scene(
    folder: Path,
    plan: ScenePlan,
    version: Version = "ready",
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
        codes; ``"products"`` for a folder ``<id>/`` with what a user has of the scene: the
        Sentinel-1 product, and all that belongs to it.
    truth
        Where to write the hidden truth as well, ``<id>_truth.nc`` with the planes SIC, SOD,
        FLOE, ``ice_share`` in percent and ``polygon_id``: what each 80 m pixel of the sea
        contains, charted or not, before analysts generalise it to polygons. It must exist.
        The bytes of the scene are the same with and without it.

    Returns
    -------
    tuple of Path
        The complete files of the scene, or its folder of products.

    Raises
    ------
    SceneError
        If one of them already exists, or cannot be written to the disk.

    Notes
    -----
    A scene of 5000 x 5200 pixels takes 490 MB in the ready version, 1.7 GB in the raw one,
    and 250 to 450 MB as products.
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
        bands = scene.bands()
        if version == "products":
            place = stack.enter_context(_whole_folder(paths[0]))
        else:
            files = [stack.enter_context(whole_file(path)) for path in paths]
        for path in hidden:
            bands = write_truth(stack.enter_context(whole_file(path)), scene, bands)
        if version == "products":
            write_products(place, scene, bands)
        elif version == "raw":
            write_raw(files[0], scene, bands)
        else:
            write_ready(files, scene, bands)
    return paths


def truth_path(folder: Path, plan: ScenePlan) -> Path:
    """Return the file of the hidden truth of a scene."""
    return folder / f"{plan.id}_truth.nc"


def scene_paths(folder: Path, plan: ScenePlan, version: str) -> tuple[Path, ...]:
    """Return the files of a scene: one, or two for a test scene that is ready to train.

    Products are a folder.
    """
    if version == "products":
        return (folder / plan.id,)
    if version == "raw":
        return (folder / plan.raw_name,)
    path = folder / f"{plan.id}_prep.nc"
    return (path, folder / f"{plan.id}_prep_reference.nc") if plan.is_test else (path,)


def n_bytes(plan: ScenePlan, version: str) -> int:
    """Return how many bytes the files of a scene need on disk, or a little more."""
    if version == "products":
        # Two images of 2 bytes and four pixels in each of 80 m; they are zipped after all
        # of them have been written.
        images = 4 * 2 * 2 * plan.height * plan.width
        return int(images * (1.7 if is_zipped(plan) else 1)) + _OTHER_PRODUCTS_BYTES
    # SAR, angle or polygons, and zones are float32; charts are bytes, cells 25 x 25 pixels.
    bytes_a_pixel = 4 * 4 * 4 if version == "raw" else 4 * 4 + 3
    cells = 20 * 8 / CELL_PIXELS**2
    return int(plan.height * plan.width * (bytes_a_pixel + cells) * 1.01) + 200_000


@contextlib.contextmanager
def _whole_folder(path: Path) -> Iterator[Path]:
    """Yield a folder to write to, which gets its name when it is complete.

    Raises
    ------
    SceneError
        If it cannot be written to the disk.
    """
    with staged(path.parent) as place:
        part = place / path.name
        part.mkdir()
        try:
            yield part
            _rename(part, path)
        except SceneError as error:
            named = str(error).replace(str(part), str(path))
            raise SceneError(named, hint=error.hint) from None
        except OSError as error:
            raise SceneError(
                f"cannot write {str(path.parent)!r}: {error.strerror or error}",
                hint="fix this, then run the same command again to continue",
            ) from None


def _rename(part: Path, path: Path) -> None:
    """Give a folder its name, unless another process was quicker to write an equal one."""
    try:
        part.rename(path)
    except OSError:
        if not path.is_dir():
            raise

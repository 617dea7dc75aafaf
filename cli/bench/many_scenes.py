"""A store of many scenes, which are links to the scenes of a small store."""

import json
from datetime import datetime, timedelta
from pathlib import Path

from seaice_data.scene_id import SceneId

_DOCUMENTS = ("zarr.json", ".zattrs", ".zgroup")

_N_VALIDATION = 20  # Chen et al. (2024, section 3.5)


def link_scenes(path: Path, n_scenes: int, folder: Path) -> Path:
    """Make a store of `n_scenes` scenes in `folder`; the last 20 are for validation.

    Its arrays are links to those of the store at `path`; ids and splits are new.
    """
    many = folder / "many.zarr"
    (many / "scenes").mkdir(parents=True)
    originals = sorted(p for p in (path / "scenes").iterdir() if p.is_dir())
    names = []
    for k in range(n_scenes):
        original = originals[k % len(originals)].resolve()
        names.append(f"{time_of(k)}_{SceneId(original.name).service}")
        _link_scene(original, many / "scenes" / names[-1])
    splits = {
        "train": names[:-_N_VALIDATION],
        "validation": names[-_N_VALIDATION:],
        "test": [],
    }
    _copy_documents(path, many, "splits", splits)
    return many


def time_of(number: int) -> str:
    """Return the time in the id of a copied scene, another one for each number.

    Examples
    --------
    >>> time_of(0), time_of(25)
    ('20180101T000000', '20180102T010000')
    """
    return f"{datetime(2018, 1, 1) + number * timedelta(hours=1):%Y%m%dT%H%M%S}"


def _link_scene(original: Path, scene: Path) -> None:
    """Make a scene whose arrays are links to the arrays of another scene."""
    scene.mkdir()
    for array in original.iterdir():
        if array.is_dir():
            (scene / array.name).symlink_to(array)
    _copy_documents(original, scene, "id", scene.name)


def _copy_documents(original: Path, group: Path, name: str, value: object) -> None:
    """Copy the metadata of a group, with another value of an attribute."""
    for document in _DOCUMENTS:
        if not (original / document).is_file():
            continue
        read = json.loads((original / document).read_text())
        attributes = read.get("attributes", {}) if document == "zarr.json" else read
        if name in attributes:
            attributes[name] = value
        (group / document).write_text(json.dumps(read))

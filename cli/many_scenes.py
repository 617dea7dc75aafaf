"""A store of many scenes, made of links to those of a small one, to measure what grows."""

import json
from datetime import datetime, timedelta
from pathlib import Path

N_VALIDATION = 20
"""Scenes of the validation split, as Chen et al. (2024, section 3.5) take."""


def link_scenes(path: Path, n_scenes: int, folder: Path) -> Path:
    """Make a store of `n_scenes` scenes in `folder`; all train but the last few.

    The bytes are those of the store at `path`; names and splits are new.
    """
    many = folder / "many.zarr"
    (many / "scenes").mkdir(parents=True)
    originals = sorted(p for p in (path / "scenes").iterdir() if p.is_dir())
    names = []
    for k in range(n_scenes):
        original = originals[k % len(originals)].resolve()
        acquired = datetime(2018, 1, 1) + k * timedelta(hours=1)
        names.append(f"{acquired:%Y%m%dT%H%M%S}_{original.name[-3:]}")
        (many / "scenes" / names[-1]).symlink_to(original)
    splits = {
        "train": names[:-N_VALIDATION],
        "validation": names[-N_VALIDATION:],
        "test": [],
    }
    for name in ("zarr.json", ".zattrs", ".zgroup"):
        if not (path / name).is_file():
            continue
        read = json.loads((path / name).read_text())
        attributes = read.get("attributes", {}) if name == "zarr.json" else read
        if "splits" in attributes:
            attributes["splits"] = splits
        (many / name).write_text(json.dumps(read))
    return many

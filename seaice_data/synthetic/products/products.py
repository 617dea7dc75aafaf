"""A synthetic scene as what users have: products of satellites, weather, charts and coasts.

Each scene is a folder. ``synthetic.json`` in it says what was written, so that a set can be
continued or replaced without touching files of others.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from seaice_data.errors import SceneError
from seaice_data.synthetic.observation import Band, Observation
from seaice_data.synthetic.plan import ScenePlan
from seaice_data.synthetic.products.chart import write_chart
from seaice_data.synthetic.products.coast import write_coast
from seaice_data.synthetic.products.gdal_dates import dated
from seaice_data.synthetic.products.safe import write_safe
from seaice_data.synthetic.products.swaths import write_swaths
from seaice_data.synthetic.products.weather import write_weather
from seaice_data.system.documents import DocumentError, parse_json, read_text

DESCRIPTION = "synthetic.json"
"""Name of the file that says what a folder contains."""


class _Description(NamedTuple):
    """What a folder of products says about itself."""

    shape: tuple[int, int]
    files: frozenset[str]


def write_products(
    folder: Path, scene: Observation, bands: Iterator[Band] | None = None
) -> None:
    """Write a scene as a user's inputs to an empty folder.

    Parameters
    ----------
    folder
        An existing folder.
    scene
        The scene; its bands are used up.
    bands
        The bands of the scene, if something else looks at them on the way.

    Raises
    ------
    SceneError
        If a library that writes one of the files is not installed.
    OSError
        If a file cannot be written.
    """
    # First those that need libraries of extras, which may be missing. The radiometer needs
    # to know what all bands contain.
    write_weather(folder, scene)
    write_chart(folder, scene)
    with dated(scene.plan):
        write_coast(folder, scene)
    write_safe(folder, scene, zipped=is_zipped(scene.plan), bands=bands)
    write_swaths(folder, scene)
    _describe(folder, scene.plan)


def is_zipped(plan: ScenePlan) -> bool:
    """Return whether the Sentinel-1 product of a scene is a zip.

    The seconds of successive scenes are odd and even in turn: half of a set are zips.
    """
    return plan.product.start.second % 2 == 1


def shape_of(folder: Path) -> tuple[int, int]:
    """Return height and width of the scene whose products a folder contains, in pixels.

    Raises
    ------
    SceneError
        If `write_products` did not write it.
    """
    return _read_description(folder).shape


def require_ours(folder: Path) -> None:
    """Check that a folder contains only what `write_products` wrote to it.

    Raises
    ------
    SceneError
        If it contains other files, or is not such a folder.
    """
    others = sorted(_files(folder).keys() - _read_description(folder).files)
    if others:
        raise SceneError(
            f"{str(folder)!r} contains other files: {others[0]!r}",
            hint="move them away, or choose another folder",
        )


def _read_description(folder: Path) -> _Description:
    try:
        known = parse_json(read_text(folder / DESCRIPTION))
        return _Description((known["height"], known["width"]), frozenset(known["files"]))
    except (OSError, DocumentError, LookupError, TypeError) as error:
        raise SceneError(
            f"{str(folder)!r} was not written by seaice synth: {DESCRIPTION!r} in it "
            "is missing or damaged",
            hint="move it away, or choose another folder",
        ) from error


def _describe(folder: Path, plan: ScenePlan) -> None:
    """Write what a folder contains, and of which scene."""
    known: dict[str, Any] = {
        "description": "Synthetic products of seaice synth: they show no real ice",
        "id": plan.id,
        **asdict(plan),
        "acquired": plan.acquired.isoformat(),
        "files": _files(folder),
    }
    (folder / DESCRIPTION).write_text(json.dumps(known, indent=1) + "\n")


def _files(folder: Path) -> dict[str, int]:
    """Return the sizes of the files in a folder, but for its description."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != DESCRIPTION
    }

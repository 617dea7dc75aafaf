"""The maps that a folder contains."""

from pathlib import Path

from seaice_data.errors import Failure
from seaice_model.errors import MapError
from seaice_model.maps.netcdf import MapDescription, describe

PIXELS, GRID = "_pixels.nc", "_grid.nc"
"""Ends of the names of maps that `seaice convert` has written in another form."""

SUBMISSION = "submission.nc"
"""Name of the submission file in the folder of the converted maps."""


def describe_maps(folder: Path) -> tuple[dict[Path, MapDescription], tuple[Failure, ...]]:
    """Describe all maps in a folder; a bad one does not hide the others.

    Returns
    -------
    tuple
        Descriptions by path, sorted by name, and the files that cannot be read.

    Raises
    ------
    MapError
        If there are none.
    """
    described: dict[Path, MapDescription] = {}
    failed: list[Failure] = []
    for path in find_maps(folder):
        try:
            described[path] = describe(path)
        except MapError as error:
            failed.append(Failure.of(path, error))
    return described, tuple(failed)


def find_maps(folder: Path) -> list[Path]:
    """Return the files that may be maps in `folder`, sorted by name.

    What `seaice convert` writes is left out: maps are often converted in their own folder.

    Raises
    ------
    MapError
        If there are none, `folder` is a file, or cannot be read.
    """
    try:
        paths = sorted(
            path
            for path in folder.iterdir()
            if path.name.endswith(".nc")
            and not path.name.startswith(".")
            and not path.name.endswith((PIXELS, GRID))
            and path.name != SUBMISSION
        )
    except NotADirectoryError:
        raise MapError(
            f"{str(folder)!r} is a file, not a folder of maps",
            hint=f"name the folder of the map: {str(folder.parent)!r}",
        ) from None
    except FileNotFoundError:
        paths = []
    except OSError as error:
        raise MapError(f"cannot read folder {str(folder)!r}: {error.strerror}") from None
    if not paths:
        raise MapError(
            f"no maps in {str(folder)!r}",
            hint="predict some with `seaice predict store.zarr --out maps/`",
        )
    return paths

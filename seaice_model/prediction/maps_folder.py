"""The folder of predicted maps: which are kept, and what is in the way of new ones."""

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from seaice_data.channels import DISPENSABLE
from seaice_data.errors import Failure, SceneError, StoreError
from seaice_data.scenes.fingerprints import is_same_file
from seaice_data.sources.inputs import Source
from seaice_data.system.ownership import FIGURE, MATPLOTLIB, PAGE, refuse_foreign
from seaice_model.errors import MapError
from seaice_model.maps.chart_map import MapGrid, Provenance
from seaice_model.maps.netcdf import MapDescription, describe
from seaice_model.maps.netcdf_writer import write_errors
from seaice_model.pages.index import check_entries
from seaice_model.plots.framing import Geometry
from seaice_model.plots.maps import figure_path

log = logging.getLogger(__name__)


def look_at_maps(
    paths: Mapping[str, Path],
    source: Source,
    provenance: Provenance,
    *,
    grid: MapGrid,
    probabilities: bool,
) -> tuple[set[str], list[Failure]]:
    """Return the scenes whose maps are kept, and those with something else in the way.

    Parameters
    ----------
    paths
        Where the maps belong, by scene; they need not exist.
    source
        Where the scenes come from.
    provenance
        What new maps are made from.
    grid
        Grid of new maps.
    probabilities
        Whether new maps contain class probabilities; if so, maps without are made again.

    Raises
    ------
    MapError
        If a map is of other weights, of another recipe, on another grid, predicted without
        other groups of channels, or differs in flips: the folder is refused as a whole.
    """
    kept: set[str] = set()
    in_the_way: list[Failure] = []
    unproven = 0
    for scene, path in paths.items():
        if not path.exists():
            continue
        try:
            found = describe(path)
        except MapError as error:
            in_the_way.append(Failure.of(scene, error))
            continue
        _refuse_other_maps(path, found, provenance, grid)
        try:
            unproven += _refuse_other_scene(path, found, scene, source)
            absent = source.origin(scene).absent
        except (MapError, SceneError, StoreError) as error:
            in_the_way.append(Failure.of(scene, error))
            continue
        _refuse_other_groups(path, found, absent)
        if found.has_probabilities or not probabilities:
            kept.add(scene)
    if unproven:
        log.warning(
            "%d maps lack a comparable checksum: compared to their files by samples alone",
            unproven,
        )
    return kept, in_the_way


def _refuse_other_maps(
    path: Path, found: MapDescription, provenance: Provenance, grid: MapGrid
) -> None:
    """Refuse a folder of maps that were made in another way."""
    made_of = (found.provenance.weights, found.provenance.store_fingerprint)
    if made_of != (provenance.weights, provenance.store_fingerprint):
        raise MapError(
            f"map {str(path)!r} was made from other weights or another store "
            f"({found.provenance.run_in_words}; {found.provenance.store})",
            hint="choose another folder, or replace it with --overwrite",
        )
    if found.grid_name != grid:
        raise MapError(
            f"map {str(path)!r} was predicted on another grid, --grid {found.grid_name}",
            hint="choose another folder, or replace it with --overwrite",
        )
    if found.provenance.flips != provenance.flips:
        how = "with" if found.provenance.flips else "without"
        raise MapError(
            f"map {str(path)!r} was predicted {how} flips",
            hint="choose another folder, or replace it with --overwrite",
        )


def _refuse_other_groups(
    path: Path, found: MapDescription, absent: Collection[str]
) -> None:
    """Refuse a folder of maps that were predicted with a group that is left out now.

    Or without one that is there now.
    """
    lacked = found.provenance.drawn_without.split(", ")
    for group in DISPENSABLE:
        if (group in lacked) != (group in absent):
            how = "without" if group in lacked else "with"
            raise MapError(
                f"map {str(path)!r} was predicted {how} {group}",
                hint="choose another folder, or replace it with --overwrite",
            )


def _refuse_other_scene(
    path: Path, found: MapDescription, scene: str, source: Source
) -> bool:
    """Refuse a map of another scene or file; return whether only samples were compared."""
    if found.scene != scene:
        raise MapError(
            f"map {str(path)!r} shows another scene, {found.scene!r}",
            hint="move it away, or replace it with --overwrite",
        )
    file_hash = source.file_hash(scene)
    if not is_same_file(found.provenance.file_hash, file_hash):
        raise MapError(
            f"map {str(path)!r} was made from another file of its scene",
            hint="choose another folder, or replace it with --overwrite",
        )
    return found.provenance.file_hash != file_hash


def refuse_foreign_files(
    maps_path: Path, new: Sequence[Path], geometries: Sequence[Geometry], *, overwrite: bool
) -> None:
    """Refuse to replace figures and a page that seaice did not write.

    Parameters
    ----------
    maps_path
        The folder.
    new
        Maps that will be written; their figures are next to them.
    geometries
        Geometries of the figures.
    overwrite
        Whether to replace all files, no matter who wrote them.

    Raises
    ------
    ForeignFileError
        If there is such a file.
    """
    for path in new:
        # Figures of version 0.1 are recognised by the map next to them.
        marks = FIGURE + MATPLOTLIB if path.exists() else FIGURE
        for geometry in geometries:
            refuse_foreign(figure_path(path, geometry), marks, overwrite=overwrite)
    refuse_foreign(maps_path / "index.html", PAGE, overwrite=overwrite)
    check_entries(maps_path)


def make_folder(path: Path) -> None:
    """Make the folder if needed.

    Raises
    ------
    MapError
        If it cannot be made.
    """
    with write_errors(f"maps to {str(path)!r}"):
        path.mkdir(parents=True, exist_ok=True)

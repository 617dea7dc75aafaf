"""Check on files what seaice infers about them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seaice_data.checks import distance, registration, tie_points, values, versions, wind
from seaice_data.checks.finding import Finding
from seaice_data.checks.survey import survey
from seaice_data.display import Displayed
from seaice_data.errors import Failure, SceneError, SeaIceError
from seaice_data.scene_id import SceneId
from seaice_data.scenes.files import list_scene_files, open_scene
from seaice_data.system.workers import Progress, run_tasks
from seaice_data.texts import counted

_OWN_ONLY = "there are only own scenes, which are made by this rule"


@dataclass(frozen=True, slots=True, repr=False)
class CheckReport(Displayed):
    """What `check_scenes` found."""

    findings: tuple[Finding, ...]
    """One for each inference."""

    n_ready: int
    """Ready-to-train files that were read."""

    n_raw: int
    """Raw files that were read."""

    n_ingested: int
    """Own scenes that were read."""

    failed: tuple[Failure, ...]
    """Files that could not be read, or not compared with their raw version."""

    elapsed_s: float
    """Total time in seconds."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """What was measured in a file."""

    id: SceneId
    path: Path
    values: values.Values
    placement: tie_points.Placement
    cells: registration.Cells
    distances: distance.Distances
    wind: wind.Wind


def check_scenes(
    folder: str | Path, *, jobs: int = 1, progress: Progress | None = None
) -> CheckReport:
    """Test what is inferred about AI4Arctic files on real ones (docs/unchecked.md).

    Each file is read once, band by band. If a scene exists in both versions, bands of them
    are also compared. Own scenes count only where an inference is about every scene: the
    others are the rules by which they are made.

    Parameters
    ----------
    folder
        Folder of AI4Arctic files of either version or both, and of own scenes, or a single
        file.
    jobs
        Number of processes.
    progress
        Called after each file.

    Returns
    -------
    CheckReport
        For each inference, with numbers: it holds, does not hold, or cannot be decided
        from these files.

    Raises
    ------
    SceneError
        If there is no such folder, or no file that can be read.
    """
    start = time.monotonic()
    listing = list_scene_files(folder)
    tasks = {str(path): (path,) for path in listing.paths}
    measured = run_tasks(_measure, tasks, jobs, progress)
    scenes = [item for item in measured if isinstance(item, _Scene)]
    failed = [*listing.failed, *(item for item in measured if isinstance(item, Failure))]
    if not scenes:
        reason = f": {failed[0].reason}" if failed else ""
        raise SceneError(f"none of {counted(len(failed), 'file')} can be read{reason}")
    ready, raw, own = (
        [scene for scene in scenes if scene.values.version == version]
        for version in ("ready", "raw", "ingested")
    )
    originals = {scene.id: scene.path for scene in raw}
    twins: dict[str, tuple[Path, Path]] = {
        scene.id: (scene.path, originals[scene.id])
        for scene in ready
        if scene.id in originals
    }
    compared = run_tasks(_compare, twins, jobs)
    pairs = [item for item in compared if isinstance(item, versions.Twins)]
    failed += [item for item in compared if isinstance(item, Failure)]
    findings = _findings(scenes, ready, raw, pairs)
    elapsed_s = time.monotonic() - start
    return CheckReport(findings, len(ready), len(raw), len(own), tuple(failed), elapsed_s)


def _findings(
    scenes: Sequence[_Scene],
    ready: Sequence[_Scene],
    raw: Sequence[_Scene],
    pairs: Sequence[versions.Twins],
) -> tuple[Finding, ...]:
    # A scene that exists in both versions has one wind.
    single = {scene.id: scene for scene in (*ready, *raw)}.values()
    winds = [scene.wind for scene in single]
    return (
        registration.check_cell_shape([scene.cells for scene in scenes]),
        *(
            finding if single else replace(finding, evidence=_OWN_ONLY)
            for finding in (
                registration.check_registration([scene.cells for scene in single]),
                wind.check_axes(winds),
                wind.check_sign(winds),
                wind.check_rotation(winds),
            )
        ),
        tie_points.check_positions([scene.placement for scene in raw]),
        tie_points.check_spacing([scene.placement for scene in scenes]),
        tie_points.check_last_interval([scene.placement for scene in ready]),
        tie_points.check_orientation([scene.placement for scene in scenes]),
        values.check_masks([scene.values for scene in ready]),
        values.check_fills([scene.values for scene in ready]),
        values.check_scales([scene.values for scene in scenes]),
        values.check_constants([scene.values for scene in ready]),
        values.check_classes([scene.values for scene in scenes]),
        values.check_ids([scene.values for scene in scenes]),
        distance.check_zones([scene.distances for scene in scenes]),
        distance.check_fractions([scene.distances for scene in ready]),
        versions.check_chart_rule(pairs),
        versions.check_threshold(pairs),
        versions.check_sar_rule(pairs),
    )


def _measure(path: Path) -> _Scene | Failure:
    """Measure everything that the checks need in one file."""
    try:
        with open_scene(path) as scene:
            planes = survey(scene)
            placement = tie_points.measure_placement(scene)
            n_pixels = scene.grid.height * scene.grid.width
            return _Scene(
                scene.id,
                path,
                values.measure_values(path, scene, planes),
                placement,
                registration.measure_cells(scene, scene.grid, planes),
                distance.measure_distances(planes, n_pixels),
                wind.measure_wind(scene, placement),
            )
    except SeaIceError as error:
        return Failure.of(path, error)


def _compare(ready: Path, raw: Path) -> versions.Twins | Failure:
    try:
        return versions.compare_versions(ready, raw)
    except SeaIceError as error:
        return Failure.of(ready, error)

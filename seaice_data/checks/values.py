"""Values: masks, fill, scales, classes, and what files say about themselves."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.checks.finding import Finding, outcome_of
from seaice_data.checks.survey import Survey
from seaice_data.scene_id import SceneId
from seaice_data.scenes.netcdf import NetcdfFile
from seaice_data.scenes.scene import CELL_GRID, Scene

_MOST_UNALIKE = 1e-4  # share of pixels: a few valid ones are fill by rounding
_FURTHEST_MEAN = 6.0  # deviations; a plane in another unit is 10 or more away
_LEAST_STD = 0.02
_SAME_STDS = 0.02  # deviations; the two releases of the dataset differ by 0.002


@dataclass(frozen=True, slots=True)
class Values:
    """Values of a scene."""

    version: str
    """``ready``, ``raw`` or ``ingested``."""

    has_charts: bool
    """Whether there is a chart."""

    n_pixels: int
    """Pixels of 80 m."""

    n_unseen: int
    """Pixels with a class, but no SAR; the next is the reverse."""

    n_unlabelled: int

    fills: tuple[float, ...]
    """Fill values of HH, HV and incidence angle."""

    n_wrong: int
    """Pixels of charts whose value is not a class."""

    n_water_differs: int
    """Pixels that are water in one chart only."""

    moments: dict[str, tuple[float, float]]
    """Mean and standard deviation of each variable, standardised."""

    range_errors: tuple[float, ...]
    """How far extremes of radiometer channels are from the attributes ``min`` and ``max``,
    in deviations; empty if there are no attributes."""

    is_named_alike: bool | None
    """Whether all names in the file have the time of its id; None if there is one name."""


def measure_values(path: Path, scene: Scene, planes: Survey) -> Values:
    """Measure what `Values` contains."""
    moments = {"hh": _moments(planes.hh), "hv": _moments(planes.hv)}
    ranges: list[float] = []
    with closing(NetcdfFile(path)) as file:
        for channel in CELL_GRID:
            if channel.name in scene.absent_channels:
                continue
            stored = scene.read_cells(channel)
            moments[channel.name] = _moments(stored)
            variable = file.variable(str(channel.variable))
            given = [variable.number(name) for name in ("min", "max")]
            extremes = np.fmin.reduce(stored, axis=None), np.fmax.reduce(stored, axis=None)
            ranges += [
                abs(float(value) - (number - channel.mean) / channel.std)
                for value, number in zip(extremes, given, strict=True)
                if number is not None
            ]
        names = [file.text("scene_id"), file.text("original_id"), path.name]
    known = [found for name in names if (found := _id_in(name))]
    wrong = [
        int(pixels[chart.n_classes : CHART_FILL].sum())
        for chart, pixels in zip(CHARTS, planes.counts, strict=True)
    ]
    return Values(
        scene.version,
        scene.has_charts,
        scene.grid.height * scene.grid.width,
        planes.n_unseen,
        planes.n_unlabelled,
        scene.fills,
        sum(wrong),
        planes.n_water_differs,
        moments,
        tuple(ranges),
        len(set(known)) == 1 if len(known) > 1 else None,
    )


def check_masks(ready: Sequence[Values]) -> Finding:
    """Check that charts and SAR of ready-to-train files have the same mask."""
    name, inferred = (
        "masks",
        "SIC is 255 exactly where HH, HV and incidence angle are all fill",
    )
    charted = [scene for scene in ready if scene.has_charts]
    if not charted:
        return Finding(name, inferred, "cannot tell", "no ready-to-train file has charts")
    n_pixels = sum(scene.n_pixels for scene in charted)
    unseen = sum(scene.n_unseen for scene in charted)
    unlabelled = sum(scene.n_unlabelled for scene in charted)
    evidence = (
        f"of {n_pixels} pixels in {len(charted)} scenes, {unseen} have a class but no SAR, "
        f"{unlabelled} SAR but no class"
    )
    holds = max(unseen, unlabelled) <= _MOST_UNALIKE * n_pixels
    return Finding(name, inferred, outcome_of(holds), evidence)


def check_fills(ready: Sequence[Values]) -> Finding:
    """Check the fill value of SAR in ready-to-train files."""
    name, inferred = "fill of SAR", "it is 0 in ready-to-train files; the paper says 2"
    if not ready:
        return Finding(name, inferred, "cannot tell", "there is no ready-to-train file")
    found = sorted({fill for scene in ready for fill in scene.fills})
    evidence = f"variable_fill_value is {', '.join(f'{fill:g}' for fill in found)}"
    return Finding(name, inferred, outcome_of(found == [0.0]), evidence)


def check_scales(scenes: Sequence[Values]) -> Finding:
    """Check units: standardised in ready files; dB, K, m/s and kg/m2 in raw ones."""
    strange = sorted(
        {
            f"{name} of a {scene.version} file {mean:.1f} +- {std:.2f}"
            for scene in scenes
            for name, (mean, std) in scene.moments.items()
            if abs(mean) > _FURTHEST_MEAN or (name in ("hh", "hv") and std < _LEAST_STD)
        }
    )
    evidence = (
        f"mean and std are {'; '.join(strange[:5])} (in published standard deviations)"
        if strange
        else f"in {len(scenes)} scenes, all means are within {_FURTHEST_MEAN:.0f} "
        "published standard deviations of the published means"
    )
    return Finding(
        "units",
        "ready-to-train files are (value - mean) / std, raw ones dB, K, m/s and kg/m2 (own "
        "scenes: linear power)",
        outcome_of(not strange),
        evidence,
    )


def check_constants(scenes: Sequence[Values]) -> Finding:
    """Check means and deviations by the ranges that files give in kelvin."""
    name = "means and deviations"
    inferred = "files are standardised with the published constants of December 2022"
    errors = [error for scene in scenes for error in scene.range_errors]
    if not errors:
        return Finding(
            name, inferred, "cannot tell", "no variable has attributes min and max"
        )
    evidence = (
        f"{len(errors)} minima and maxima are at most {max(errors):.4f} standard "
        "deviations from the attributes of their variables"
    )
    return Finding(name, inferred, outcome_of(max(errors) < _SAME_STDS), evidence)


def check_classes(scenes: Sequence[Values]) -> Finding:
    """Check that charts contain the documented classes, and agree on water."""
    name = "classes"
    inferred = "SIC 0-10, SOD 0-5, FLOE 0-6 or 255, and water is the same in all three"
    charted = [scene for scene in scenes if scene.has_charts]
    if not charted:
        return Finding(name, inferred, "cannot tell", "no file has charts")
    wrong = sum(scene.n_wrong for scene in charted)
    differs = sum(scene.n_water_differs for scene in charted)
    evidence = (
        f"in {len(charted)} scenes, {wrong} pixels are not classes, and {differs} are "
        "water in one chart and ice in another"
    )
    return Finding(name, inferred, outcome_of(wrong == differs == 0), evidence)


def check_ids(scenes: Sequence[Values]) -> Finding:
    """Check that all names of a scene have the same time and service."""
    name = "ids"
    inferred = "file name, scene_id and original_id have one acquisition time and service"
    alike = [scene.is_named_alike for scene in scenes if scene.is_named_alike is not None]
    if not alike:
        return Finding(name, inferred, "cannot tell", "no file has more than one name")
    evidence = f"they agree in {sum(alike)} of {len(alike)} files"
    return Finding(name, inferred, outcome_of(all(alike)), evidence)


def _id_in(name: str) -> str | None:
    """Return the id in a name; the name itself if its digits are not a time."""
    try:
        return SceneId.find_in(name)
    except ValueError:
        return name


def _moments(plane: np.ndarray) -> tuple[float, float]:
    valid = plane[~np.isnan(plane)].astype(np.float64)
    return (float(valid.mean()), float(valid.std())) if valid.size else (0.0, 1.0)

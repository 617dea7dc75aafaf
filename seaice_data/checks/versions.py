"""Both versions of a scene: the rules by which 40 m pixels became 80 m ones."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.channels import find_channel
from seaice_data.charts import CHARTS
from seaice_data.checks.finding import Finding, outcome_of
from seaice_data.egg_codes import PolygonTable, paint_charts
from seaice_data.errors import SceneError
from seaice_data.scenes.files import open_scene
from seaice_data.scenes.netcdf import NetcdfFile

_BAND_ROWS = 20
_MOST_BANDS = 50  # spread over a scene: a fifth of a large one
_FEWEST_PIXELS = 20
_SAME_DB = 0.05

CHART_RULES = ("highest", "lowest", "first")
SAR_RULES = ("mean of decibels", "mean of power", "first pixel")
THRESHOLDS = ((0.65, 0.65), (0.70, 0.50))
"""Thresholds for SOD and FLOE: of the final files, and of their first edition."""


@dataclass(frozen=True, slots=True)
class Twins:
    """A ready-to-train scene, compared with its raw version."""

    n_mixed: int
    """Pixels of charts whose four 40 m pixels differ in class."""

    n_by_rule: tuple[int, ...]
    """Those that have the class of each of `CHART_RULES`."""

    n_decisive: int
    """Pixels whose class depends on the threshold."""

    n_by_threshold: tuple[int, ...]
    """Those that have the class of each of `THRESHOLDS`."""

    n_sar: int
    """Pixels of HH compared."""

    squares_db: tuple[float, ...]
    """Sums of squared differences of HH by `SAR_RULES`, dB squared."""


def compare_versions(ready: Path, raw: Path) -> Twins:
    """Compare bands of a ready-to-train scene with its raw version.

    Raises
    ------
    SceneError
        If a file cannot be read, or they are not of the same size.
    """
    hh = find_channel("hh")
    charts_by_rule, by_threshold = np.zeros(3, np.int64), np.zeros(2, np.int64)
    squares = np.zeros(3)
    n_mixed = n_decisive = n_sar = 0
    with (
        open_scene(ready) as scene,
        open_scene(raw) as other,
        closing(NetcdfFile(raw)) as file,
    ):
        height, width = scene.grid.shape
        if other.grid.shape != (height, width):
            halves = " x ".join(map(str, other.grid.shape))
            raise SceneError(
                f"{str(ready)!r} has {height} x {width} pixels of 80 m, but those of its "
                f"raw version {str(raw)!r} make {halves}, so they are not compared"
            )
        table = other.polygons
        fills = scene.fills
        for rows in _bands(height):
            charts = np.empty((len(CHARTS), rows.stop - rows.start, width), np.uint8)
            planes = scene.read_band(rows, charts).planes
            scene.read_charts(rows, charts)
            original = slice(2 * rows.start, 2 * rows.stop)
            four = _fours(file.variable("nersc_sar_primary").rows(original), width)
            known = (planes[0] != fills[0]) & np.isfinite(four).all(axis=-1)
            values = planes[0][known].astype(np.float64) * hh.std + hh.mean
            n_sar += values.size
            squares += [((values - way) ** 2).sum() for way in _means(four[known])]
            if table is None or not scene.has_charts:
                continue
            ids = _fours(file.variable("polygon_icechart").rows(original), width)
            seen = known & ~np.isnan(ids).any(axis=-1)
            n, agree = _by_rule(charts[:, seen], ids[seen], table)
            n_mixed, charts_by_rule = n_mixed + n, charts_by_rule + agree
            n, agree = _by_threshold(charts[:, seen], ids[seen], table)
            n_decisive, by_threshold = n_decisive + n, by_threshold + agree
    return Twins(
        n_mixed,
        tuple(charts_by_rule.tolist()),
        n_decisive,
        tuple(by_threshold.tolist()),
        n_sar,
        tuple(squares.tolist()),
    )


def check_chart_rule(pairs: Sequence[Twins]) -> Finding:
    """Check that a chart pixel has the highest class of its four."""
    name, inferred = (
        "2 x 2 of charts",
        "an 80 m pixel has the highest of its four classes, 255 included",
    )
    counts = np.array([twins.n_by_rule for twins in pairs]).reshape(-1, 3).sum(axis=0)
    n_mixed = sum(twins.n_mixed for twins in pairs)
    return _of_counts(name, inferred, CHART_RULES, counts, n_mixed, pairs)


def check_threshold(pairs: Sequence[Twins]) -> Finding:
    """Check the share of the ice that a type needs to give a polygon its class."""
    name = "threshold of dominance"
    inferred = "SOD and FLOE are those of an ice type that is at least 65 % of the ice"
    counts = np.array([twins.n_by_threshold for twins in pairs]).reshape(-1, 2).sum(axis=0)
    names = [f"{sod:.2f} for SOD and {floe:.2f} for FLOE" for sod, floe in THRESHOLDS]
    n_decisive = sum(twins.n_decisive for twins in pairs)
    return _of_counts(name, inferred, names, counts, n_decisive, pairs)


def check_sar_rule(pairs: Sequence[Twins]) -> Finding:
    """Check that HH is the mean of four decibels."""
    name, inferred = "2 x 2 of SAR", "an 80 m pixel is the mean of four values in dB"
    n_sar = sum(twins.n_sar for twins in pairs)
    if n_sar < _FEWEST_PIXELS:
        return Finding(name, inferred, "cannot tell", _no_pairs(pairs))
    squares = np.array([twins.squares_db for twins in pairs]).sum(axis=0)
    errors = np.sqrt(squares / n_sar)
    evidence = f"HH of {n_sar} pixels differs by " + ", ".join(
        f"{error:.3f} dB from the {way}"
        for error, way in zip(errors, SAR_RULES, strict=True)
    )
    holds = errors.argmin() == 0 and errors[0] < _SAME_DB
    return Finding(name, inferred, outcome_of(bool(holds)), evidence)


def _of_counts(
    name: str,
    inferred: str,
    rules: Sequence[str],
    counts: IntArray,
    n_pixels: int,
    pairs: Sequence[Twins],
) -> Finding:
    """Decide by the pixels that agree with each rule; the first is inferred."""
    if n_pixels < _FEWEST_PIXELS:
        evidence = f"{n_pixels} pixels tell the rules apart" if pairs else _no_pairs(pairs)
        return Finding(name, inferred, "cannot tell", evidence)
    evidence = f"of {n_pixels} pixels that tell the rules apart, " + ", ".join(
        f"{count / n_pixels:.1%} follow {rule!r}"
        for count, rule in zip(counts, rules, strict=True)
    )
    holds = counts.argmax() == 0 and counts[0] > 0.9 * n_pixels
    return Finding(name, inferred, outcome_of(bool(holds)), evidence)


def _no_pairs(pairs: Sequence[Twins]) -> str:
    return f"{len(pairs)} scenes exist in both versions, ready-to-train and raw"


def _bands(height: int) -> list[slice]:
    """Return bands of rows, spread over the scene."""
    n_bands = min(_MOST_BANDS, height // _BAND_ROWS)
    starts = np.linspace(0, height - _BAND_ROWS, n_bands).astype(int).tolist()
    return [slice(start, start + _BAND_ROWS) for start in starts]


def _fours(plane: FloatArray, width: int) -> FloatArray:
    """Return the four 40 m pixels of each 80 m pixel along a last axis."""
    plane = plane[:, : 2 * width]
    return np.stack([plane[y::2, x::2] for y in (0, 1) for x in (0, 1)], axis=-1)


def _means(four_db: FloatArray) -> tuple[FloatArray, ...]:
    """Return HH by each of `SAR_RULES`."""
    four = four_db.astype(np.float64)
    return four.mean(axis=-1), 10 * np.log10((10 ** (four / 10)).mean(axis=-1)), four[:, 0]


def _by_rule(
    charts: ChartArray, ids: FloatArray, table: PolygonTable
) -> tuple[int, IntArray]:
    """Count pixels that tell `CHART_RULES` apart, and those that follow each."""
    is_mixed = (ids != ids[:, :1]).any(axis=1)
    four = np.moveaxis(paint_charts(ids[is_mixed], table), -1, 0)  # (chart, pixel, four)
    ways = np.stack([four.max(axis=-1), four.min(axis=-1), four[..., 0]])
    differs = (ways[0] != ways[1]) & (ways[0] != ways[2])
    follow = (ways == charts[:, is_mixed]) & differs
    return int(differs.sum()), follow.sum(axis=(1, 2))


def _by_threshold(
    charts: ChartArray, ids: FloatArray, table: PolygonTable
) -> tuple[int, IntArray]:
    """Count pixels that tell `THRESHOLDS` apart, and those that follow each."""
    single = (ids == ids[:, :1]).all(axis=1)
    classes = np.stack(
        [
            [table.classes(threshold)[:, k] for k, threshold in enumerate(pair, start=1)]
            for pair in THRESHOLDS
        ]
    )  # (pair, chart, polygon)
    order = np.argsort(table.ids)
    polygon = order[np.searchsorted(table.ids[order], ids[single, 0])]
    ways = classes[:, :, polygon]
    differs = ways[0] != ways[1]
    follow = (ways == charts[1:, single]) & differs
    return int(differs.sum()), follow.sum(axis=(1, 2))

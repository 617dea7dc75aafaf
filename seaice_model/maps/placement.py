"""How the pixels of a store are placed on the grid of a map.

Maps are on the 80 m grid of a scene, on the 40 m grid of a raw file, or on that of the
store.
"""

from dataclasses import dataclass
from typing import get_args

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray, Mask
from seaice_data.charts import CHART_FILL
from seaice_data.errors import SceneError
from seaice_data.flags import FLAG_BELOW_NOISE, FLAG_LAND, FLAG_NO_SAR, FLAG_REMAINDER
from seaice_data.geolocation import TiePoints
from seaice_data.grid import Grid
from seaice_data.settings import nearest
from seaice_data.sources.inputs import SceneInputs
from seaice_data.system.compiled import compiled
from seaice_model.errors import MapError
from seaice_model.maps.chart_map import MapGrid


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """The grid of a map, and what each of its pixels shows."""

    grid: Grid
    """Shape and spacing."""

    flags: ChartArray
    """Flags of each pixel."""

    rows: IntArray
    """Row of the store that each row shows."""

    columns: IntArray
    """Column of the store that each column shows."""

    tie_points: TiePoints
    """Geolocation grid, positions in pixels of the map."""

    def show(self, classes: ChartArray, is_masked: Mask) -> ChartArray:
        """Return the class that each pixel of the map shows; 255 where masked.

        Parameters
        ----------
        classes
            On the grid of the store, shape ``(chart, y, x)``.
        is_masked
            On the grid of the map.
        """
        charts = np.empty((len(classes), *self.grid.shape), np.uint8)
        for plane, source in zip(charts, classes, strict=True):
            _show(source, self.rows, self.columns, is_masked, plane)
        return charts

    def blocks_with(self, wanted: Mask, shape: tuple[int, int]) -> Mask:
        """Return which pixels of the store are shown by a `wanted` pixel of the map.

        `shape` is that of the store's grid.
        """
        found = np.zeros(shape, np.bool_)
        _find(wanted, self.rows, self.columns, found)
        return found


def place(scene: SceneInputs, grid: MapGrid) -> Placement:
    """Place the pixels of the store on the grid of a map.

    Raises
    ------
    SceneError
        If the map would be a single row or column of pixels, which tie points cannot place.
    """
    if grid not in get_args(MapGrid):
        raise MapError(f"unknown grid {grid!r}", hint=nearest(grid, get_args(MapGrid)))
    placement = _placed(scene, grid)
    height, width = placement.grid.shape
    if min(height, width) < 2:
        raise SceneError(
            f"scene {scene.id}: a map of {height} x {width} pixels cannot be placed",
            hint="predict it on a finer grid, --grid 80m" if grid == "store" else None,
        )
    return placement


def _placed(scene: SceneInputs, grid: MapGrid) -> Placement:
    if grid == "store":
        return _on_store(scene)
    if grid == "original" and scene.original_grid != scene.grid:
        return _on_halves(scene)
    return Placement(
        grid=scene.grid,
        flags=scene.flags,
        rows=scene.rows,
        columns=scene.columns,
        tie_points=scene.tie_points,
    )


def _on_halves(scene: SceneInputs) -> Placement:
    """Split pixels of 80 m into four; an odd last row or column repeats the one before."""
    original = scene.original_grid
    rows = np.minimum(np.arange(original.height) // 2, scene.grid.height - 1)
    columns = np.minimum(np.arange(original.width) // 2, scene.grid.width - 1)
    flags = np.take(scene.flags[rows], columns, axis=1)
    flags[2 * scene.grid.height :] |= FLAG_REMAINDER
    flags[:, 2 * scene.grid.width :] |= FLAG_REMAINDER
    return Placement(
        grid=original,
        flags=flags,
        rows=scene.rows[rows],
        columns=scene.columns[columns],
        tie_points=_moved(scene.tie_points, 0.5, 0.5),
    )


def _on_store(scene: SceneInputs) -> Placement:
    """Use the store's pixels, with the flags of at least half of their 80 m pixels."""
    height, width = scene.planes.shape[:2]
    wanted = np.ones(scene.grid.shape, bool)
    n_pixels = count_pixels(wanted, scene.rows, scene.columns, (height, width))
    flags = np.zeros((height, width), np.uint8)
    for bit in (FLAG_NO_SAR, FLAG_LAND, FLAG_BELOW_NOISE):
        np.not_equal(scene.flags & bit, 0, out=wanted)
        n_flagged = count_pixels(wanted, scene.rows, scene.columns, (height, width))
        flags[2 * n_flagged >= n_pixels] |= bit
    steps = [_step(scene.rows), _step(scene.columns)]
    known = [step for step in steps if step] or [float(max(scene.grid.shape))]
    step_y, step_x = (step or known[0] for step in steps)
    return Placement(
        grid=Grid(height, width, scene.grid.pixel_spacing_m * step_y),
        flags=flags,
        rows=np.arange(height),
        columns=np.arange(width),
        tie_points=_moved(scene.tie_points, step_y, step_x),
    )


def _step(stand_ins: IntArray) -> float:
    """Return the length of a pixel of the store along an axis; 0 if there is only one.

    The last pixel represents the remainder too, and does not count.
    """
    starts = np.flatnonzero(np.diff(stand_ins)) + 1
    return float(starts[-1] / len(starts)) if len(starts) else 0.0


def _moved(tie_points: TiePoints, step_y: float, step_x: float) -> TiePoints:
    """Return positions in pixels that are `step_y` by `step_x` pixels large."""

    def moved(positions: FloatArray, step: float) -> FloatArray:
        # Pixel r reaches from r - 0.5 to r + 0.5 on either grid.
        return (positions + 0.5) / step - 0.5

    return TiePoints(
        latitude=tie_points.latitude,
        longitude=tie_points.longitude,
        lines=moved(tie_points.lines, step_y),
        samples=moved(tie_points.samples, step_x),
    )


def count_pixels(
    wanted: Mask, rows: IntArray, columns: IntArray, shape: tuple[int, int]
) -> IntArray:
    """Return how many of the `wanted` pixels show each pixel of the store.

    Parameters
    ----------
    wanted
        On the grid of the map, shape ``(len(rows), len(columns))``.
    rows, columns
        Row and column of the store that each row and column of the map shows.
    shape
        Height and width of the store's grid.
    """
    counts = np.zeros(shape, np.int64)
    _count(wanted, rows, columns, counts)
    return counts


@compiled
def _show(
    source: ChartArray,
    rows: IntArray,
    columns: IntArray,
    is_masked: Mask,
    plane: ChartArray,
) -> None:
    row_shown = -1
    shown = np.empty(len(columns), np.uint8)
    for y in range(plane.shape[0]):
        if rows[y] != row_shown:  # rows of the map repeat those of the store
            row_shown = rows[y]
            for x in range(len(columns)):
                shown[x] = source[row_shown, columns[x]]
        for x in range(len(columns)):
            plane[y, x] = CHART_FILL if is_masked[y, x] else shown[x]


@compiled
def _find(wanted: Mask, rows: IntArray, columns: IntArray, found: Mask) -> None:
    """Set `found` wherever a pixel of the store is shown by a `wanted` one."""
    in_column = np.zeros(len(columns), np.bool_)
    for y in range(len(rows)):
        for x in range(len(columns)):
            in_column[x] |= wanted[y, x]
        if y + 1 == len(rows) or rows[y + 1] != rows[y]:
            for x in range(len(columns)):
                found[rows[y], columns[x]] |= in_column[x]
                in_column[x] = False


@compiled
def _count(wanted: Mask, rows: IntArray, columns: IntArray, counts: IntArray) -> None:
    for y in range(wanted.shape[0]):
        for x in range(wanted.shape[1]):
            if wanted[y, x]:
                counts[rows[y], columns[x]] += 1

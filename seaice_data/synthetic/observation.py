"""A synthetic scene as the instruments and the analyst see it, in rows of 40 m pixels."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import NamedTuple

import numpy as np

from seaice_data.arrays import FloatArray
from seaice_data.grid import CELL_PIXELS, row_bands
from seaice_data.synthetic.coastline import LAND_SPACING, land_distances
from seaice_data.synthetic.fields import Float32, interpolate, label_rows
from seaice_data.synthetic.nodes import SPACING
from seaice_data.synthetic.plan import ScenePlan, tie_points
from seaice_data.synthetic.radar import Hidden, Radar
from seaice_data.synthetic.radiometer import brightness
from seaice_data.synthetic.surface import Cover, make_surface
from seaice_data.synthetic.weather import make_weather
from seaice_data.zones import distance_zones

# Lines of 80 m made at a time: whole 2 km cells, and whole distances between nodes.
_BAND = 8 * CELL_PIXELS


class Band(NamedTuple):
    """Rows of 40 m pixels."""

    rows: slice
    hh: Float32
    hv: Float32
    polygon_id: Float32
    zone: Float32
    hidden: Hidden
    """In 80 m pixels."""


class Observation:
    """Everything that both versions of a file are made from."""

    def __init__(self, plan: ScenePlan) -> None:
        self.plan = plan
        self.surface = make_surface(plan)
        self.ties = tie_points(plan, self.surface.nodes.start)
        self.weather = make_weather(plan, self.surface)
        self.n_cells = tuple(n // (2 * CELL_PIXELS) for n in plan.raw_shape)
        self.sar_range = np.array([[np.inf, -np.inf], [np.inf, -np.inf]])
        self._land_km = land_distances(self.surface)
        self._cover: list[Cover] = []

    def bands(self) -> Iterator[Band]:
        """Yield the scene from top to bottom, once."""
        radar = Radar(self.plan, self.surface, self.weather, self.ties)
        n_lines = self.plan.raw_shape[0]
        for half in row_bands(-(-n_lines // 2), _BAND):
            seen = radar.look(half)
            self._note(seen.hh, seen.hv, seen.cover)
            rows = slice(2 * half.start, 2 * half.start + len(seen.hh))
            yield Band(rows, seen.hh, seen.hv, *self._map_rows(rows), seen.hidden)

    def cells(self) -> dict[str, FloatArray]:
        """Return the 2 km fields, float64; to be called after all `bands`."""
        cover = Cover(*map(np.concatenate, zip(*self._cover, strict=True)))
        return brightness(self.plan, cover, self.weather) | asdict(self.weather)

    def _map_rows(self, rows: slice) -> tuple[Float32, Float32]:
        """Return polygon ids, NaN where there is none, and distance zones."""
        surface, width = self.surface, self.plan.raw_shape[1]
        y, x = np.arange(rows.start, rows.stop), np.arange(width)
        chart = surface.chart
        labels = label_rows(chart.scores, chart.labels, rows, width, SPACING)
        polygon_id = surface.ids.astype(np.float32)[labels]
        polygon_id[interpolate(surface.extent, y / SPACING, x / SPACING) <= 0] = np.nan
        km = interpolate(self._land_km, y / LAND_SPACING, x / LAND_SPACING)
        return polygon_id, distance_zones(km)

    def _note(self, hh: Float32, hv: Float32, cover: Cover) -> None:
        """Note the range of the backscatter and the mean cover of cells."""
        for known, plane in zip(self.sar_range, (hh, hv), strict=True):
            known[0] = np.fmin(known[0], np.fmin.reduce(plane, axis=None))
            known[1] = np.fmax(known[1], np.fmax.reduce(plane, axis=None))
        done = sum(len(part.ice) for part in self._cover)
        n_rows = min(len(cover.ice) // CELL_PIXELS, self.n_cells[0] - done)
        self._cover.append(
            Cover(*(_cell_means(p, (n_rows, self.n_cells[1])) for p in cover))
        )


def _cell_means(plane: FloatArray, n_cells: tuple[int, int]) -> FloatArray:
    """Return the means of whole cells."""
    n_y, n_x = n_cells
    whole = plane[: n_y * CELL_PIXELS, : n_x * CELL_PIXELS]
    # The last band may be too short for a cell; then there are no rows to reshape.
    columns = whole.reshape(n_y, CELL_PIXELS, whole.shape[1]).sum(axis=1, dtype=np.float64)
    means: FloatArray = columns.reshape(n_y, n_x, CELL_PIXELS).mean(axis=2) / CELL_PIXELS
    return means

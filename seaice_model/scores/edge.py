"""How far the ice edge of a map is from that of the chart.

The ice edge is where the concentration reaches 15 %: pixels with at least that much ice, of
which one of the four neighbours has less. SIC has steps of 10 %, so the edge is between
classes 1 and 2. A pixel without a class in the chart or in the map is neither ice nor
water: coasts and the borders of the scene are not edges.

- *Displacement*: the distance of each edge pixel of the map to the nearest one of the
  chart, and vice versa (Dukhovskoy et al. 2015, doi:10.1002/2015JC010989). The mean
  averages both directions (Melsom et al. 2019, doi:10.5194/os-15-615-2019).
- *Area*: what only the map or only the chart shows as ice; the sum of both areas is the
  integrated ice-edge error (Goessling et al. 2016, doi:10.1002/2015GL067232).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.charts import CHART_FILL
from seaice_data.system.compiled import compiled
from seaice_data.system.memory import large_array

EDGE_PERCENT = 15
"""Concentration at the ice edge, by the convention of the ice services."""

_FIRST_ICE_CLASS = 2  # of SIC: 20 %, the first one above the edge
_OF_MAP, _OF_CHART = 1, 2
_BIN_KM = 0.08
_N_BINS = 10_000
_MOST_PIXELS = 50_000


@dataclass(frozen=True, slots=True)
class EdgeScore:
    """Distance between two ice edges; None where one of the edges is missing."""

    mean_km: float | None
    """Mean displacement, averaged over both directions."""

    median_km: float | None
    """Displacement that half of the edge pixels do not exceed; directions weigh equally."""

    p95_km: float | None
    """Displacement that 95 % of the edge pixels do not exceed, likewise."""

    overestimate_km2: float
    """Area that the map shows as ice and the chart as water."""

    underestimate_km2: float
    """Area that the map shows as water and the chart as ice."""

    n_chart_pixels: int
    """Edge pixels of the charts."""

    n_map_pixels: int
    """Edge pixels of the maps."""

    n_scenes: int
    """Scenes that count for the displacement: chart and map have an edge."""

    n_without_chart_edge: int
    """Scenes whose chart has no edge: all water, or all ice."""

    n_without_map_edge: int
    """Scenes whose chart has an edge but whose map has none: the edge is missed."""

    @property
    def error_km2(self) -> float:
        """Integrated ice-edge error: area on which map and chart disagree."""
        return self.overestimate_km2 + self.underestimate_km2


class EdgeScorer:
    """Add scenes one by one; ask for the displacement at any time.

    Distances are kept as a histogram with steps of 80 m, so memory does not grow.

    Examples
    --------
    A map whose ice begins one pixel further right:

    >>> scorer = EdgeScorer()
    >>> chart = np.array([[0, 0, 9, 9, 9]] * 3, dtype=np.uint8)
    >>> shown = np.array([[0, 0, 0, 9, 9]] * 3, dtype=np.uint8)
    >>> scorer.add(chart, shown, pixel_spacing_m=80.0)
    >>> score = scorer.score()
    >>> score.mean_km, round(score.underestimate_km2, 4)
    (0.08, 0.0192)
    """

    def __init__(self) -> None:
        self._histogram = np.zeros((2, _N_BINS), np.int64)  # map to chart, chart to map
        self._sums_km = np.zeros(2)
        self._n_pixels = np.zeros(2, np.int64)  # of edges in scenes that have both
        self._areas_km2 = np.zeros(2)  # ice in the map only, in the chart only
        self._n_edge_pixels = np.zeros(2, np.int64)
        self._n_scenes = np.zeros(3, np.int64)  # both, no edge in chart, none in map

    def add(
        self, chart: ChartArray, predicted: ChartArray, *, pixel_spacing_m: float
    ) -> None:
        """Count a scene.

        Parameters
        ----------
        chart
            SIC as the ice service charted it, shape ``(y, x)``, 255 is fill.
        predicted
            SIC of the map, of the same shape.
        pixel_spacing_m
            Pixel spacing of both.

        Raises
        ------
        ValueError
            If the shapes differ.
        """
        if chart.shape != predicted.shape:
            raise ValueError(f"shapes differ: {chart.shape} and {predicted.shape}")
        spacing_km = pixel_spacing_m / 1000
        edges = large_array(chart.shape, np.uint8)
        counts = np.zeros(4, np.int64)
        _find_edges(
            np.ascontiguousarray(chart), np.ascontiguousarray(predicted), edges, counts
        )
        self._areas_km2 += counts[:2] * spacing_km**2
        of_map, of_chart = np.empty((counts[2], 2)), np.empty((counts[3], 2))
        _collect(edges, of_map, of_chart)
        self._n_edge_pixels += len(of_map), len(of_chart)
        if len(of_chart) == 0 or len(of_map) == 0:
            self._n_scenes[1 if len(of_chart) == 0 else 2] += 1
            return
        self._n_scenes[0] += 1
        from scipy.spatial import KDTree  # late: 24 MB, and maps are made without it

        for way, (of, to) in enumerate(((of_map, of_chart), (of_chart, of_map))):
            # For an edge that is mostly noise, evenly spaced pixels represent all.
            every = -(-len(of) // _MOST_PIXELS)
            distances_km = (
                spacing_km * KDTree(to, balanced_tree=False).query(of[::every])[0]
            )
            self._add_distances(way, distances_km, every)

    def merge(self, other: Self) -> None:
        """Add what `other` has counted."""
        self._histogram += other._histogram
        self._sums_km += other._sums_km
        self._n_pixels += other._n_pixels
        self._areas_km2 += other._areas_km2
        self._n_edge_pixels += other._n_edge_pixels
        self._n_scenes += other._n_scenes

    def score(self) -> EdgeScore:
        """Return the displacement of everything counted so far."""
        mean = median = p95 = None
        if self._n_scenes[0]:
            mean = float((self._sums_km / self._n_pixels).mean())
            median, p95 = (self._quantile_km(share) for share in (0.5, 0.95))
        n_scenes, n_without_chart, n_without_map = self._n_scenes.tolist()
        return EdgeScore(
            mean_km=mean,
            median_km=median,
            p95_km=p95,
            overestimate_km2=float(self._areas_km2[0]),
            underestimate_km2=float(self._areas_km2[1]),
            n_chart_pixels=int(self._n_edge_pixels[1]),
            n_map_pixels=int(self._n_edge_pixels[0]),
            n_scenes=n_scenes,
            n_without_chart_edge=n_without_chart,
            n_without_map_edge=n_without_map,
        )

    def _add_distances(self, way: int, distances_km: FloatArray, weight: int) -> None:
        bins = np.minimum(np.rint(distances_km / _BIN_KM).astype(np.int64), _N_BINS - 1)
        self._histogram[way] += weight * np.bincount(bins, minlength=_N_BINS)
        self._sums_km[way] += weight * distances_km.sum()
        self._n_pixels[way] += weight * len(distances_km)

    def _quantile_km(self, share: float) -> float:
        """Return the distance that a share of the edge pixels do not exceed."""
        shares = (self._histogram / self._n_pixels[:, np.newaxis]).mean(axis=0).cumsum()
        # Rounding may leave the last value just below 1.
        return round(float(np.searchsorted(shares, share - 1e-12) * _BIN_KM), 2)


@compiled
def _find_edges(
    chart: ChartArray, predicted: ChartArray, edges: ChartArray, counts: IntArray
) -> None:
    """Mark the edge pixels of map (bit 1) and chart (bit 2).

    Counted are pixels with ice in the map only, in the chart only, and those of the edges
    of map and chart.
    """
    height, width = chart.shape
    # Bits as in `edges`: what is known to be water in the row above, here and below, with
    # a column on either side; and what is known to be ice.
    water = np.zeros((3, width + 2), np.uint8)
    ice = np.zeros((2, width), np.uint8)
    if height:
        _look_at(chart[0], predicted[0], water[1, 1:-1], ice[0])
    for y in range(height):
        above, here, below = water[y % 3], water[(y + 1) % 3], water[(y + 2) % 3]
        if y + 1 < height:
            _look_at(chart[y + 1], predicted[y + 1], below[1:-1], ice[(y + 1) % 2])
        else:
            below[:] = 0
        _mark_row(above[1:-1], here, below[1:-1], ice[y % 2], edges[y], counts)


@compiled
def _look_at(
    chart: ChartArray, predicted: ChartArray, water: ChartArray, ice: ChartArray
) -> None:
    """Set what is water and what is ice in a row; neither where one of both is fill."""
    for x in range(len(chart)):
        is_known = (chart[x] != CHART_FILL) & (predicted[x] != CHART_FILL)
        in_chart = chart[x] >= _FIRST_ICE_CLASS
        in_map = predicted[x] >= _FIRST_ICE_CLASS
        ice[x] = is_known * (in_map * _OF_MAP + in_chart * _OF_CHART)
        water[x] = is_known * (_OF_MAP + _OF_CHART) - ice[x]


@compiled
def _mark_row(
    above: ChartArray,
    here: ChartArray,
    below: ChartArray,
    ice: ChartArray,
    edges: ChartArray,
    counts: IntArray,
) -> None:
    """Mark and count the pixels of a row; `here` has a column more on either side."""
    left, right = here[:-2], here[2:]
    n_over = n_under = n_map = n_chart = np.uint32(0)
    for x in range(len(ice)):
        edge = ice[x] & (above[x] | below[x] | left[x] | right[x])
        edges[x] = edge
        n_over += ice[x] == _OF_MAP
        n_under += ice[x] == _OF_CHART
        n_map += edge & _OF_MAP
        n_chart += edge >> 1
    counts[0] += n_over
    counts[1] += n_under
    counts[2] += n_map
    counts[3] += n_chart


@compiled
def _collect(edges: ChartArray, of_map: FloatArray, of_chart: FloatArray) -> None:
    """Write row and column of the edge pixels, shape ``(pixel, 2)``."""
    n_map = n_chart = 0
    for y in range(edges.shape[0]):
        for x in range(edges.shape[1]):
            if edges[y, x] & _OF_MAP:
                of_map[n_map, 0], of_map[n_map, 1] = y, x
                n_map += 1
            if edges[y, x] & _OF_CHART:
                of_chart[n_chart, 0], of_chart[n_chart, 1] = y, x
                n_chart += 1

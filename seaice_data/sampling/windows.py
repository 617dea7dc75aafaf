"""Sampling of windows: settings, and the arithmetic of valid windows.

A window may be sampled if it has enough valid pixels. The number of such windows in each
row, and the pixels of each class in them, are counted exactly (``count_rows``, sums that
move with the window). So a window can be found without trial and error: its row from the
sums of all rows, its column from the sums of that row. For each scene only one sum per row
is kept.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.charts import CHART_FILL, CHARTS
from seaice_data.errors import SettingsError
from seaice_data.grid import n_corners
from seaice_data.sampling.random_numbers import Stream, uniform

Over = Literal["scenes", "area", "classes"]
ChartName = Literal["SIC", "SOD", "FLOE"]

LEAST_SIC = 2
"""Valid SIC pixels that a patch needs, as in the official code."""

_N_TRIES = 8
_N_VALUES = 4 + 2 * _N_TRIES
_STEP = 31  # odd, to meet every row of a periodic pattern
_EVERY = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """Which windows of which scenes become patches, and how often."""

    over: Over = "scenes"
    """What patches are spread over evenly: scenes, whatever their size (Chen et al. 2024,
    section 3.2); area, so that a scene counts by its pixels with a SIC class; or the
    classes of `chart`, so that rare ones occur often enough."""

    chart: ChartName = "SOD"
    """The chart whose classes are spread over, with ``over = "classes"``."""

    class_share: float = 0.5
    """Share of the patches that are sampled by class, with ``over = "classes"``; the others
    are sampled over scenes. Each of the `n` classes that occur is then in at least
    ``class_share / n`` of the patches, and no window is sampled less than
    ``1 - class_share`` times as often as over scenes."""

    min_valid_share: tuple[float, ...] = ()
    """Least share of valid pixels in a patch, one number per chart (SIC, SOD, FLOE). Empty:
    at least two valid SIC pixels, the rule of the official code. What counts is the window
    in the scene, before it is turned."""

    def __post_init__(self) -> None:
        """Reject settings that cannot work."""
        if not 0 <= self.class_share <= 1:
            raise SettingsError(f"class_share must be in 0..1, got {self.class_share}")
        shares = self.min_valid_share
        if shares and (
            len(shares) != len(CHARTS) or not all(0 <= share <= 1 for share in shares)
        ):
            names = ", ".join(chart.name for chart in CHARTS)
            raise SettingsError(
                f"min_valid_share must be empty or one number in 0..1 per chart ({names}), "
                f"got {list(shares)}"
            )

    @property
    def chart_position(self) -> int:
        """Position of `chart` on the chart axis."""
        return [chart.name for chart in CHARTS].index(self.chart)

    def least_valid(self, size: int) -> IntArray:
        """Return how many valid pixels of each chart a patch needs."""
        if not self.min_valid_share:
            return np.array([LEAST_SIC, 0, 0], np.int64)
        # Rounded first: 0.07 * 100 is a little above 7.
        return np.ceil(np.round(np.array(self.min_valid_share) * size**2, 6)).astype(
            np.int64
        )


@dataclass(frozen=True, slots=True)
class Places:
    """Windows of patches, in the order of their numbers."""

    scene: IntArray
    """Position of the scene."""

    corner: IntArray
    """Row and column of the top left pixel in the scene. Shape ``(patch, 2)``."""

    probability: FloatArray
    """How often this window is sampled, relative to sampling over scenes."""


class WindowSampler:
    """Samples a window for each number; a window depends on its number alone.

    Parameters
    ----------
    sampling
        What to spread over.
    size
        Pixels along one side of a window; a shorter scene has one window along that axis.
    seed
        Random seed of the windows.
    shapes
        Height and width of each scene.
    class_counts
        Pixels of each class by chart and scene, fill last: ``class_counts["SOD"][scene]``.
    charts
        Returns the charts of a scene, ``(y, x, chart)``.
    """

    def __init__(
        self,
        sampling: Sampling,
        size: int,
        seed: int,
        *,
        shapes: Sequence[tuple[int, int]],
        class_counts: Mapping[str, Sequence[Sequence[int]]],
        charts: Callable[[int], ChartArray],
    ) -> None:
        self._sampling, self._size, self._seed = sampling, size, seed
        self._corners = [n_corners(shape, size) for shape in shapes]
        self._charts = charts
        self._least = sampling.least_valid(size)
        self._windows: dict[int, _Windows] = {}
        counts = np.array(class_counts[sampling.chart], np.int64)[:, :-1]
        sic = np.array(class_counts[CHARTS[0].name], np.int64)[:, :-1]
        self._area = sic.sum(axis=1)
        self._classes = np.flatnonzero(counts.sum(axis=0))
        self._counts = counts
        if sampling.over == "classes" and not self._classes.size:
            raise SettingsError(f"no scene has a class of {sampling.chart} to sample by")
        if sampling.over == "area" and not self._area.any():
            raise SettingsError(
                "no scene has SIC classes, so none has an area to sample by"
            )

    def sample(self, numbers: Sequence[int] | IntArray) -> Places:
        """Sample scene and corner for each number."""
        values = uniform(self._seed, Stream.PLACE, numbers, _N_VALUES)
        n = len(values)
        places = Places(np.empty(n, np.int64), np.empty((n, 2), np.int64), np.ones(n))
        for k, row in enumerate(values.tolist()):
            position, corner = self._sample(row)
            places.scene[k], places.corner[k] = position, corner
            if self._sampling.over != "scenes":
                places.probability[k] = self._probability(position, *corner)
        return places

    def mean_valid(self) -> FloatArray:
        """Return the mean number of valid pixels of each chart in windows over scenes."""
        counted = map(self._counted, range(len(self._corners)))
        means = [windows.valid / windows.n for windows in counted]
        return np.asarray(np.mean(means, axis=0))

    def _sample(self, values: list[float]) -> tuple[int, tuple[int, int]]:
        """Return one scene and corner from random values in [0, 1)."""
        kind, first, second, exact, *tries = values
        sampling = self._sampling
        if sampling.over == "classes" and kind < sampling.class_share:
            index = self._classes[_below(first, len(self._classes))]
            position = _pick(self._counts[:, index], second)
            return position, self._corner_by_class(position, int(index), exact, tries)
        if sampling.over == "area":
            position = _pick(self._area, first)
        else:
            position = _below(first, len(self._corners))
        return position, self._corner(position, exact, tries)

    def _corner(self, position: int, exact: float, tries: list[float]) -> tuple[int, int]:
        """Return a corner, uniformly among the windows that may be sampled.

        A few windows are tried first, and usually one will do. The exact search after that
        has the same probabilities.
        """
        (n_y, n_x), charts, size = (
            self._corners[position],
            self._charts(position),
            self._size,
        )
        for first, second in zip(tries[::2], tries[1::2], strict=True):
            top, left = _below(first, n_y), _below(second, n_x)
            if is_allowed(charts[top : top + size, left : left + size], self._least):
                return top, left
        windows = self._counted(position)
        return self._exact_corner(position, windows.allowed, _EVERY, exact)

    def _corner_by_class(
        self, position: int, index: int, exact: float, tries: list[float]
    ) -> tuple[int, int]:
        """Return a corner, each window as often as it has pixels of the class."""
        pixels = self._counted(position).pixels[:, index]
        if not pixels.any():  # no window that may be sampled has the class
            return self._corner(position, exact, tries)
        return self._exact_corner(position, pixels, index, exact)

    def _exact_corner(
        self, position: int, rows: IntArray, index: int, value: float
    ) -> tuple[int, int]:
        """Pick a row of windows by its sum, then a window of the row by its weight."""
        from seaice_data.sampling.window_counts import (
            weigh_row,  # late: most patches need no such loop
        )

        sums = rows.cumsum()
        rank = _below(value, int(sums[-1]))
        top = int(np.searchsorted(sums, rank, "right"))
        weights = np.zeros(self._corners[position][1], np.int64)
        charts, chart = self._charts(position), self._sampling.chart_position
        weigh_row(charts, self._size, self._least, chart, index, top, weights)
        rank -= int(sums[top] - rows[top])
        return top, int(np.searchsorted(weights.cumsum(), rank, "right"))

    def _probability(self, position: int, top: int, left: int) -> float:
        """Return how often a window is sampled, relative to sampling over scenes."""
        n_scenes, sampling = len(self._corners), self._sampling
        if sampling.over == "area":
            return float(n_scenes * self._area[position] / self._area.sum())
        windows, size = self._counted(position), self._size
        plane = self._charts(position)[..., sampling.chart_position]
        within = np.bincount(
            plane[top : top + size, left : left + size].ravel(), minlength=CHART_FILL + 1
        )[self._classes]
        in_all = windows.pixels[:, self._classes].sum(axis=0)
        # Among the windows of this scene; evenly, if none of them has the class.
        by_class = np.where(in_all > 0, within / np.maximum(in_all, 1), 1 / windows.n)
        scene = self._counts[position, self._classes] / self._counts[:, self._classes].sum(
            0
        )
        mean = float((scene * by_class).mean())
        share = sampling.class_share
        return 1 - share + share * mean * n_scenes * windows.n

    def _counted(self, position: int) -> "_Windows":
        """Count the windows of a scene, once."""
        if position not in self._windows:
            self._windows[position] = _count_windows(
                self._charts(position),
                self._size,
                self._least,
                self._sampling.chart_position,
            )
        return self._windows[position]


@dataclass(frozen=True, slots=True)
class _Windows:
    """Counts of the windows of a scene that may be sampled."""

    allowed: IntArray
    """Windows of each row that may be sampled."""

    pixels: IntArray
    """Pixels of each class in all of these, by row of windows, ``(row, class)``. A pixel
    counts once for each window that contains it."""

    valid: IntArray
    """Valid pixels of each chart in all of these."""

    n: int
    """All windows of the scene that may be sampled."""


def has_windows(
    sampling: Sampling,
    size: int,
    shape: tuple[int, int],
    n_valid: Sequence[int],
    charts: Callable[[], ChartArray],
) -> bool:
    """Return whether any window of a scene may be sampled.

    For most scenes the number of valid pixels decides; `charts` is called only for the
    others.

    Parameters
    ----------
    n_valid
        Valid pixels of each chart.
    """
    least, counted = sampling.least_valid(size), np.asarray(n_valid)
    if (counted < least).any():
        return False
    asked = np.flatnonzero(least)
    n_cover = -(-shape[0] // size) * -(-shape[1] // size)
    # `n_cover` windows cover the scene: without an allowed one, fewer pixels were valid.
    if asked.size < 2 and (counted[asked] > n_cover * (least[asked] - 1)).all():
        return True
    return _count_windows(charts(), size, least, 0).n > 0


def is_allowed(window: ChartArray, least: IntArray) -> bool:
    """Return whether a window has enough valid pixels of each chart."""
    for position, needed in enumerate(least.tolist()):
        if not needed:
            continue
        plane = window[..., position]
        # If few are needed, every 31st pixel is enough to find them in most windows.
        sample = plane[::_STEP, ::_STEP]
        if np.count_nonzero(sample != CHART_FILL) >= needed:
            continue
        if np.count_nonzero(plane != CHART_FILL) < needed:
            return False
    return True


def _count_windows(charts: ChartArray, size: int, least: IntArray, chart: int) -> _Windows:
    from seaice_data.sampling.window_counts import (
        count_rows,  # late: most stores need no such loop
    )

    n_rows, _ = n_corners(charts.shape[:2], size)
    allowed = np.zeros(n_rows, np.int64)
    pixels = np.zeros((n_rows, CHARTS[chart].n_classes), np.int64)
    valid = np.zeros(len(CHARTS), np.int64)
    count_rows(charts, size, least, chart, allowed, pixels, valid)
    return _Windows(allowed, pixels, valid, int(allowed.sum()))


def _below(value: float, n: int) -> int:
    """Turn a value in [0, 1) into a whole number in ``0..n - 1``."""
    return min(int(value * n), n - 1)


def _pick(weights: IntArray, value: float) -> int:
    """Pick a position by its weight."""
    sums = weights.cumsum()
    return int(np.searchsorted(sums, _below(value, int(sums[-1])), "right"))

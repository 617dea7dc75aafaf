"""Calibration: how well the uncertainty of maps agrees with their errors.

- *Reliability*: of the pixels with a probability of 0.8, four in five should be right. The
  expected calibration error is the mean gap between probability and share, weighted by
  pixels, over ten bins (Guo et al. 2017, arXiv:1706.04599).
- *Coverage*: the share of the pixels for which the concentration of the chart is within k
  spreads of that of the map. The expected share depends on where the spread comes from. If
  the chart and n networks deviate from the same mean with the same normal distribution, and
  the spread divides by n, it is the share of Student's t with n - 1 degrees of freedom
  within k sqrt((n - 1) / (n + 1)): for k = 1, 33 % for 2 networks, 54 % for 5, 65 % for 20,
  and 68 % only for very many. A spread of class probabilities is judged by these
  probabilities. Charts give SIC in steps of 10 %, which alone amounts to a spread of 2.9 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Self

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.charts import CHART_FILL, CHARTS, SIC_STEP_PERCENT, Chart
from seaice_data.system.compiled import compiled

N_BINS = 10
"""Bins of probability, equally wide."""

WITHIN = (0.5, 1.0, 1.5, 2.0, 3.0)
"""Numbers of spreads for which the coverage is reported."""

FAIR = 0.05
"""A spread is as expected if the share within one spread differs by no more than this."""

_Z_STEP = 0.05
_N_Z = 100
_ROUNDING = 1e-5  # percent


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Pixels whose probability is in a bin."""

    lowest: float
    """Lower end of the bin, included."""

    highest: float
    """Upper end of the bin; included in the last one only."""

    n_pixels: int
    """Pixels in the bin."""

    probability: float | None
    """Mean probability; None without a pixel."""

    share: float | None
    """Share of the pixels that are right; None without a pixel."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """How well the probabilities of a chart agree with how often they are right."""

    bins: tuple[ReliabilityBin, ...]
    """Bins of the probability of the most probable class."""

    expected_error: float
    """Expected calibration error of the most probable class, 0 to 1."""

    class_errors: tuple[float, ...]
    """The same for each class and its probability; 0 for a class that is never probable."""

    mean_probability: float
    """Mean probability of the most probable class."""

    accuracy: float
    """Share of the pixels whose most probable class is that of the chart."""

    n_pixels: int
    """Pixels with a class in the chart and probabilities in the map."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How well the spread of SIC agrees with the errors."""

    within: tuple[float, ...]
    """Numbers of spreads."""

    expected: tuple[float, ...] | None
    """Share of the pixels within so many spreads, if the spread is right. None if it is not
    known: for class probabilities that are not in the maps, and for several networks in
    maps of version 0.1."""

    observed: tuple[float, ...]
    """Share of the pixels that are within them."""

    mean_spread_percent: float
    """Root mean square of the spread, in percent of SIC."""

    expected_error_percent: float | None
    """Root mean square of the error, in percent of SIC, if the spread is right: for n
    networks sqrt((n + 1) / (n - 1)) times the spread. None if `expected` is."""

    mean_error_percent: float
    """Root mean square of the error, in percent of SIC."""

    n_pixels: int
    """Pixels with a class in the chart and a spread in the map."""

    @property
    def verdict(self) -> str:
        """Whether the spread agrees with the errors, in words; empty if not known."""
        if self.expected is None:
            return ""
        place = self.within.index(1.0)
        surplus = self.observed[place] - self.expected[place]
        if abs(surplus) <= FAIR:
            return "as expected"
        return "too large" if surplus > 0 else "too small"


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well the uncertainty of maps agrees with their errors."""

    reliability: Mapping[str, Reliability]
    """By chart; charts without probabilities are absent."""

    coverage: Coverage | None
    """Of SIC; None without a spread."""


class CalibrationScorer:
    """Add scenes one by one; ask for the calibration at any time.

    Examples
    --------
    Four pixels with a probability of 0.75 for old ice, of which three are old ice:

    >>> scorer = CalibrationScorer()
    >>> probabilities = np.zeros((6, 1, 4), np.float32)
    >>> probabilities[5], probabilities[0] = 0.75, 0.25
    >>> truth = np.array([[5, 5, 5, 0]], np.uint8)
    >>> scorer.add_probabilities(CHARTS[1], truth, probabilities)
    >>> scorer.calibration().reliability["SOD"].expected_error
    0.0
    """

    def __init__(self) -> None:
        # Pixels, hits, and sum of the probabilities, by bin; the last row of each chart is
        # for the most probable class.
        self._counts = {
            chart.name: np.zeros((3, chart.n_classes + 1, N_BINS)) for chart in CHARTS
        }
        self._within = np.zeros(_N_Z + 1, np.int64)
        self._squares = np.zeros(2)  # of spread and error
        # Of pixels whose expectation is known: their number, and sums over them of the
        # share that is expected within each number of spreads and of the squared error.
        self._n_judged = 0
        self._expected = np.zeros(len(WITHIN) + 1)

    def add_probabilities(
        self,
        chart: Chart,
        truth: ChartArray,
        probabilities: FloatArray,
        rows: IntArray | None = None,
        columns: IntArray | None = None,
    ) -> None:
        """Count the pixels of a chart.

        Parameters
        ----------
        chart
            The chart.
        truth
            Classes as the ice service charted them, shape ``(y, x)``, 255 is fill.
        probabilities
            Class probabilities, shape ``(class, y, x)``, on any grid; NaN where unknown.
        rows, columns
            Row and column of the probabilities for each row and column of `truth`; if not
            given, both have the same grid.

        Raises
        ------
        ValueError
            If the shapes do not fit together.
        """
        if probabilities.ndim != 3 or len(probabilities) != chart.n_classes:
            raise ValueError(
                f"{chart.name} has {chart.n_classes} classes, "
                f"probabilities have shape {probabilities.shape}"
            )
        rows, columns = _places(truth, probabilities.shape[1:], rows, columns)
        hits = np.zeros(probabilities.shape, np.int32)
        _count_truth(np.ascontiguousarray(truth), rows, columns, hits)
        _count_bins(
            np.ascontiguousarray(probabilities, np.float32), hits, self._counts[chart.name]
        )

    def add_spread(
        self,
        truth: ChartArray,
        mean_percent: FloatArray,
        spread_percent: FloatArray,
        rows: IntArray | None = None,
        columns: IntArray | None = None,
        *,
        n_votes: int | None = None,
        probabilities: FloatArray | None = None,
    ) -> None:
        """Count the errors of SIC, in units of the spread.

        The source of the spread decides how it is judged: `n_votes` or `probabilities`;
        with neither, errors are counted but not judged.

        Parameters
        ----------
        truth
            Classes of SIC as the ice service charted them, shape ``(y, x)``, 255 is fill.
        mean_percent, spread_percent
            SIC of the map and its standard deviation, shape ``(y, x)``, on any grid; NaN
            where there is none.
        rows, columns
            As in `add_probabilities`.
        n_votes
            Networks, at least two, whose numbers have this mean and deviation (divided by
            their number).
        probabilities
            Class probabilities that have this mean and deviation, ``(class, y, x)``.

        Raises
        ------
        ValueError
            If the shapes do not fit together.
        """
        if mean_percent.shape != spread_percent.shape:
            raise ValueError(
                f"shapes differ: {mean_percent.shape} and {spread_percent.shape}"
            )
        rows, columns = _places(truth, mean_percent.shape, rows, columns)
        truth = np.ascontiguousarray(truth)
        mean = np.ascontiguousarray(mean_percent, np.float32)
        spread = np.ascontiguousarray(spread_percent, np.float32)
        before, squares = self._within.sum(), self._squares[0]
        _count_spreads(truth, mean, spread, rows, columns, self._within, self._squares)
        n_pixels, squares = self._within.sum() - before, self._squares[0] - squares
        if n_votes is not None:
            inflation = (n_votes + 1) / (n_votes - 1)
            shares = _shares_of_votes(n_votes)
            self._expected += [*(n_pixels * shares), inflation * squares]
        elif probabilities is not None:
            hits = np.zeros(probabilities.shape, np.int32)
            _count_truth(truth, rows, columns, hits)
            shares = _shares_of_classes(probabilities, mean, spread)
            self._expected += [*np.nansum(shares * hits.sum(axis=0), axis=(1, 2)), squares]
        else:
            return
        self._n_judged += n_pixels

    def merge(self, other: Self) -> None:
        """Add what `other` has counted."""
        for name in self._counts:
            self._counts[name] += other._counts[name]
        self._within += other._within
        self._squares += other._squares
        self._n_judged += other._n_judged
        self._expected += other._expected

    def calibration(self) -> Calibration | None:
        """Return the calibration of everything counted so far; None if nothing was."""
        reliability = {
            name: _reliability(counts)
            for name, counts in self._counts.items()
            if counts.any()
        }
        coverage = self._coverage()
        if not reliability and coverage is None:
            return None
        return Calibration(reliability, coverage)

    def _coverage(self) -> Coverage | None:
        n_pixels = int(self._within.sum())
        if n_pixels == 0:
            return None
        seen = self._within.cumsum() / n_pixels
        spread, error = np.sqrt(self._squares / n_pixels).tolist()
        *shares, square = (self._expected / n_pixels).tolist()
        is_judged = self._n_judged == n_pixels
        return Coverage(
            within=WITHIN,
            expected=tuple(shares) if is_judged else None,
            observed=tuple(float(seen[round(k / _Z_STEP) - 1]) for k in WITHIN),
            mean_spread_percent=spread,
            expected_error_percent=sqrt(square) if is_judged else None,
            mean_error_percent=error,
            n_pixels=n_pixels,
        )


def _reliability(counts: FloatArray) -> Reliability:
    n_pixels, hits, sums = (part[-1] for part in counts)
    total = n_pixels.sum()
    edges = np.linspace(0, 1, N_BINS + 1).tolist()
    bins = [
        ReliabilityBin(
            lowest=edges[k],
            highest=edges[k + 1],
            n_pixels=int(n),
            probability=float(sums[k] / n) if n else None,
            share=float(hits[k] / n) if n else None,
        )
        for k, n in enumerate(n_pixels)
    ]
    gaps = np.abs(counts[1] - counts[2]).sum(axis=1) / total
    return Reliability(
        bins=tuple(bins),
        expected_error=float(gaps[-1]),
        class_errors=tuple(gaps[:-1].tolist()),
        mean_probability=float(sums.sum() / total),
        accuracy=float(hits.sum() / total),
        n_pixels=int(total),
    )


def _shares_of_votes(n_votes: int) -> FloatArray:
    """Return the shares expected within numbers of spreads of networks."""
    from scipy.special import stdtr  # late: few need it

    reach = np.array(WITHIN) * sqrt((n_votes - 1) / (n_votes + 1))
    shares: FloatArray = 1 - 2 * stdtr(n_votes - 1, -reach)
    return shares


def _shares_of_classes(
    probabilities: FloatArray, mean_percent: FloatArray, spread_percent: FloatArray
) -> FloatArray:
    """Return the shares expected within numbers of spreads of classes, ``(number, y, x)``.

    NaN where there are no probabilities.
    """
    total = probabilities.sum(axis=0)  # rounding makes it differ from 1
    shares = np.zeros((len(WITHIN), *mean_percent.shape), np.float32)
    for number, probability in enumerate(probabilities):
        error = np.abs(number * SIC_STEP_PERCENT - mean_percent)
        for share, k in zip(shares, WITHIN, strict=True):
            share += np.where(error <= k * spread_percent + _ROUNDING, probability, 0)
    shares /= total
    return shares


def _places(
    truth: ChartArray,
    shape: tuple[int, ...],
    rows: IntArray | None,
    columns: IntArray | None,
) -> tuple[IntArray, IntArray]:
    """Return rows and columns, in planes of a shape, of the pixels of `truth`."""
    found = []
    for size, places, length in zip(truth.shape, (rows, columns), shape, strict=True):
        places = np.arange(length) if places is None else places
        if len(places) != size or places.min() < 0 or places.max() >= length:
            raise ValueError(f"planes of {shape} do not fit a chart of {truth.shape}")
        found.append(places.astype(np.int64))
    return found[0], found[1]


@compiled
def _count_truth(
    truth: ChartArray, rows: IntArray, columns: IntArray, hits: IntArray
) -> None:
    """Count how many pixels of each class fall into each pixel of the probabilities."""
    for y in range(truth.shape[0]):
        for x in range(truth.shape[1]):
            if truth[y, x] != CHART_FILL:
                hits[truth[y, x], rows[y], columns[x]] += 1


@compiled
def _count_bins(probabilities: FloatArray, hits: IntArray, counts: FloatArray) -> None:
    """Sort pixels by probability: of each class, and of the most probable one."""
    n_classes, height, width = probabilities.shape
    for y in range(height):
        for x in range(width):
            n_pixels = 0
            best = 0
            for k in range(n_classes):
                n_pixels += hits[k, y, x]
                if probabilities[k, y, x] > probabilities[best, y, x]:
                    best = k
            if n_pixels == 0 or np.isnan(probabilities[0, y, x]):
                continue
            for row in range(n_classes + 1):
                k = best if row == n_classes else row
                p = probabilities[k, y, x]
                place = min(int(p * N_BINS), N_BINS - 1)
                counts[0, row, place] += n_pixels
                counts[1, row, place] += hits[k, y, x]
                counts[2, row, place] += n_pixels * p


@compiled
def _count_spreads(
    truth: ChartArray,
    mean_percent: FloatArray,
    spread_percent: FloatArray,
    rows: IntArray,
    columns: IntArray,
    within: IntArray,
    squares: FloatArray,
) -> None:
    """Sort pixels by their error in spreads; the last bin is for all larger errors."""
    for y in range(truth.shape[0]):
        for x in range(truth.shape[1]):
            mean = mean_percent[rows[y], columns[x]]
            spread = spread_percent[rows[y], columns[x]]
            if truth[y, x] == CHART_FILL or np.isnan(mean) or np.isnan(spread):
                continue
            error = abs(truth[y, x] * SIC_STEP_PERCENT - mean)
            squares[0] += spread * spread
            squares[1] += error * error
            # Bin k counts errors above k and up to k + 1 steps; the first includes 0.
            if error <= 0:
                within[0] += 1
            elif error >= spread * _Z_STEP * _N_Z:
                within[_N_Z] += 1
            else:
                within[int(np.ceil(error / (spread * _Z_STEP) - 1e-6)) - 1] += 1

"""Statistics that can be merged: means and deviations of channels, counts of classes.

A scene is counted once, when it is prepared; statistics of a store are sums over scenes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seaice_data.arrays import ChartArray, FloatArray, IntArray
from seaice_data.charts import CHART_FILL, CHARTS

_COUNTED_BYTES = 256 * 1024  # at a time, so that all arrays stay in the processor's cache


@dataclass(frozen=True, slots=True)
class ChannelStats:
    """Count, sum, sum of squares, lowest and highest valid value of each channel.

    Examples
    --------
    >>> stats = ChannelStats.from_sums(np.array([[2.0], [4.0], [10.0], [1.0], [3.0]]))
    >>> stats.mean, stats.std
    (array([2.]), array([1.]))
    """

    count: IntArray
    total: FloatArray
    squares: FloatArray
    lowest: FloatArray
    highest: FloatArray

    @classmethod
    def from_sums(cls, sums: FloatArray) -> "ChannelStats":
        """Take sums, shape ``(5, channel)``, rows in the order of the fields."""
        return cls(sums[0].astype(np.int64), *sums[1:])

    @staticmethod
    def empty_sums(n_channels: int) -> FloatArray:
        """Return the sums of no pixels, to add to; shape ``(5, channel)``."""
        sums = np.zeros((5, n_channels))
        sums[3], sums[4] = np.inf, -np.inf
        return sums

    @classmethod
    def merge(cls, parts: Iterable["ChannelStats"]) -> "ChannelStats":
        """Add up the statistics of several scenes, at least one."""
        all_parts = list(parts)
        return cls(
            count=np.sum([part.count for part in all_parts], axis=0),
            total=np.sum([part.total for part in all_parts], axis=0),
            squares=np.sum([part.squares for part in all_parts], axis=0),
            lowest=np.min([part.lowest for part in all_parts], axis=0),
            highest=np.max([part.highest for part in all_parts], axis=0),
        )

    @property
    def mean(self) -> FloatArray:
        """Mean of each channel; NaN without a valid value."""
        return self.total / np.where(self.count > 0, self.count, np.nan)

    @property
    def std(self) -> FloatArray:
        """Standard deviation of each channel (division by the count)."""
        count = np.where(self.count > 0, self.count, np.nan)
        variance = self.squares / count - self.mean**2
        return np.asarray(np.sqrt(np.maximum(variance, 0)))

    def to_mapping(self) -> dict[str, list[float]]:
        """Return JSON-ready sums; a channel without a valid value has no extremes."""
        return {
            "count": self.count.tolist(),
            "total": self.total.tolist(),
            "squares": self.squares.tolist(),
            "lowest": [v if np.isfinite(v) else None for v in self.lowest.tolist()],
            "highest": [v if np.isfinite(v) else None for v in self.highest.tolist()],
        }

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "ChannelStats":
        """Read what `to_mapping` wrote."""
        return cls(
            count=np.asarray(mapping["count"], np.int64),
            total=np.asarray(mapping["total"], np.float64),
            squares=np.asarray(mapping["squares"], np.float64),
            lowest=np.array([np.inf if v is None else v for v in mapping["lowest"]]),
            highest=np.array([-np.inf if v is None else v for v in mapping["highest"]]),
        )


def count_classes(charts: ChartArray) -> dict[str, list[int]]:
    """Count the pixels of each class of each chart; fill comes last.

    Parameters
    ----------
    charts
        Shape ``(chart, y, x)`` in the order of `CHARTS`.

    Examples
    --------
    >>> planes = np.array([[[0, 10, 255]], [[0, 0, 5]], [[6, 255, 255]]], np.uint8)
    >>> count_classes(planes)["SOD"]
    [2, 0, 0, 0, 0, 1, 0]
    """
    counts = {}
    for chart, plane in zip(CHARTS, charts, strict=True):
        pixels = _count_bytes(plane)
        counts[chart.name] = [*pixels[: chart.n_classes].tolist(), int(pixels[CHART_FILL])]
    return counts


def _count_bytes(plane: ChartArray) -> IntArray:
    """Count each value of a plane; fast where neighbours are equal, as in charts.

    Eight pixels at a time are compared with eight equal ones; only what is left, along
    the borders of polygons, is counted one by one.
    """
    flat = np.ascontiguousarray(plane).ravel()
    counts = np.zeros(CHART_FILL + 1, np.int64)
    for start in range(0, flat.size, _COUNTED_BYTES):
        part = flat[start : start + _COUNTED_BYTES]
        n_whole = part.size // 8 * 8
        words = part[:n_whole].view(np.uint64)
        uniform = words == (words & np.uint64(0xFF)) * np.uint64(0x0101010101010101)
        counts += 8 * np.bincount(words[uniform].view(np.uint8)[::8], minlength=256)
        counts += np.bincount(words[~uniform].view(np.uint8), minlength=256)
        counts += np.bincount(part[n_whole:], minlength=256)
    return counts


def add_counts(parts: Iterable[Mapping[str, list[int]]]) -> dict[str, list[int]]:
    """Add up the class counts of several scenes."""
    total = {chart.name: np.zeros(chart.n_classes + 1, np.int64) for chart in CHARTS}
    for part in parts:
        for name in total:
            total[name] += part[name]
    return {name: counts.tolist() for name, counts in total.items()}

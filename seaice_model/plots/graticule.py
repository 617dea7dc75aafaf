"""Meridians and parallels across a panel, and where their labels belong."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seaice_data.store.views.polar import degrees_in_words, round_step
from seaice_model.plots.framing import Framing, Nodes

Float64 = NDArray[np.float64]

_LATITUDE_STEPS = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
_LONGITUDE_STEPS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0)
_MOST_LINES = 6
_N_POINTS = 181  # of a line
_ALONG_POLE = 88.0
"""Degrees north up to which meridians lead, so that they do not meet in a blot."""


@dataclass(frozen=True, slots=True)
class Line:
    """A meridian or a parallel in a panel."""

    label: str
    """As ``75°N``."""

    is_parallel: bool
    """Whether it is of one latitude."""

    points: Float64
    """Its course in the panel, shape ``(point, 2)``: to the right and down, from 0 to 1.
    Parts of it may be outside."""


def graticule(framing: Framing) -> list[Line]:
    """Return the lines of round latitude and longitude that cross a panel.

    There are none without a geolocation.
    """
    if (nodes := framing.nodes) is None:
        return []
    named = [*_parallels(nodes), *_meridians(nodes)]
    # All at once, because each place is found by iterations.
    x, y = nodes.plane.project(
        *(np.concatenate([each[k] for each in named]) for k in (1, 2))
    )
    right, down = framing.locate(x, y)
    points = np.stack([right, down], axis=1)
    ends = np.cumsum([len(each[1]) for each in named])[:-1]
    lines = (
        Line(name, name[-1] in "NS", part)
        for (name, *_), part in zip(named, np.split(points, ends), strict=True)
    )
    return [line for line in lines if _is_inside(line.points).any()]


def crossing(line: Line, axis: int, edge: float) -> float | None:
    """Return where a line first crosses an edge of the panel, from 0 to 1 along it.

    Parameters
    ----------
    line
        The line.
    axis
        Axis that the edge is perpendicular to: 0 for the left and the right edge.
    edge
        Its position on this axis, 0 or 1.

    Examples
    --------
    >>> slanting = Line("75°N", True, np.array([[-0.5, 0.0], [0.5, 0.5], [1.5, 1.0]]))
    >>> crossing(slanting, 0, 0.0), crossing(slanting, 1, 0.0)
    (0.25, None)
    """
    across, along = line.points[:, axis] - edge, line.points[:, 1 - axis]
    # NaN is on neither side.
    (at,) = np.nonzero(across[:-1] * across[1:] <= 0)
    for k in at:
        span = across[k] - across[k + 1]
        share = across[k] / span if span else 0.0
        place = along[k] + share * (along[k + 1] - along[k])
        if 0 <= place <= 1:
            return float(place)
    return None


def _parallels(nodes: Nodes) -> Iterator[tuple[str, Float64, Float64]]:
    """Yield name, latitudes and longitudes of parallels."""
    first, last = _longitudes(nodes)
    room = min((last - first) / 4 + 0.5, (360 - (last - first)) / 2)
    around = np.linspace(first - room, last + room, _N_POINTS)
    lowest, highest = nodes.latitude.min(), nodes.latitude.max()
    for degrees in _round(lowest, highest, _LATITUDE_STEPS):
        if abs(degrees) < 90:
            yield degrees_in_words(degrees, "NS"), np.full_like(around, degrees), around


def _meridians(nodes: Nodes) -> Iterator[tuple[str, Float64, Float64]]:
    """Yield name, latitudes and longitudes of meridians."""
    lowest, highest = nodes.latitude.min(), nodes.latitude.max()
    room = (highest - lowest) / 2 + 0.5
    most = max(_ALONG_POLE, np.abs(nodes.latitude).max() - 0.5)
    along = np.clip(np.linspace(lowest - room, highest + room, _N_POINTS), -most, most)
    first, last = _longitudes(nodes)
    for degrees in _round(first, last, _LONGITUDE_STEPS):
        if degrees - first >= 360:
            continue  # around the pole the first is the last
        name = degrees_in_words((degrees + 180) % 360 - 180 or 0.0, "EW")
        yield name, along, np.full_like(along, degrees)


def _longitudes(nodes: Nodes) -> tuple[float, float]:
    """Return the first and the last longitude of a scene, all if a pole is in it."""
    x, y = nodes.find(np.zeros(1), np.zeros(1))
    if 0 <= x[0] <= 1 and 0 <= y[0] <= 1:
        return -180.0, 180.0
    side = np.sign(nodes.plane.true_latitude)
    x, y = nodes.outline
    angles = np.degrees(np.unwrap(np.arctan2(x, -side * y)))
    angles += nodes.plane.central_meridian
    return float(angles.min()), float(angles.max())


def _round(first: float, last: float, steps: tuple[float, ...]) -> Float64:
    """Return the multiples of the smallest step that gives few of them."""
    step = round_step(last - first, steps, _MOST_LINES)
    return np.arange(np.ceil(first / step), np.floor(last / step) + 1) * step


def _is_inside(points: Float64) -> NDArray[np.bool_]:
    return np.asarray(((points >= 0) & (points <= 1)).all(axis=1))

"""The wind: which axes and signs u and v have in the scene.

The authors say only that it is "rotated to account for flight direction". Three properties
of wind distinguish the possibilities:

- wind near the surface turns (vorticity) more than it spreads (divergence), so the axes
  for which it spreads least are the right ones, up to the sign of both;
- the mean wind over these seas is from the north, which gives that sign;
- ascending and descending scenes have the same wind, above all if they are close in time
  and place. This shows whether the wind was rotated, mirrored or left as it was.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from seaice_data.arrays import FloatArray, IntArray
from seaice_data.channels import find_channel
from seaice_data.checks.finding import CLEAR, Finding, mean_and_error, outcome_of
from seaice_data.checks.tie_points import Placement
from seaice_data.geolocation import wrapped
from seaice_data.sampling.augmentation import Augmentation, Direction
from seaice_data.sampling.plan import WIND
from seaice_data.scenes.scene import Scene

Axes = tuple[Direction, Direction]

# Up to the sign of both: the wind spreads as much if it blows the other way.
_AXES: tuple[Axes, ...] = (
    ("samples", "lines"),
    ("samples", "-lines"),
    ("lines", "samples"),
    ("lines", "-samples"),
)
_ASSUMED = _AXES[0]
_FEWEST_SCENES = 8
_FEWEST_OF_EACH = 3
_FEWEST_PAIRS = 5
# At 70 degrees north, ascending and descending passes are nine hours apart.
_CLOSE_KM, _CLOSE_HOURS, _CROSSING_DEG = 300.0, 12.0, 45.0
_ERA5_CELLS = 16  # 32 km: ERA5 has no more detail
_LEAST_M_S = 1.0


@dataclass(frozen=True, slots=True)
class Wind:
    """The wind of a scene, as the file has it."""

    u: float
    """Mean in m/s; v likewise."""

    v: float

    spreading: tuple[float, ...]
    """Mean square of the divergence for each of four axes, relative to all; empty if the
    scene is too small."""

    acquired: datetime
    """Start of the acquisition."""

    place: Placement
    """Where the scene is, and how it lies."""

    def to_earth(self, axes: Sequence[Direction]) -> FloatArray:
        """Return the mean wind towards east and north for these axes."""
        lines, samples = (
            np.deg2rad(angle) for angle in (self.place.heading_deg, self.place.samples_deg)
        )
        along_lines, along_samples = Augmentation(wind_axes=tuple(axes)).wind_directions @ [
            self.u,
            self.v,
        ]
        return np.array(
            [
                along_lines * np.sin(lines) + along_samples * np.sin(samples),
                along_lines * np.cos(lines) + along_samples * np.cos(samples),
            ]
        )


def measure_wind(scene: Scene, place: Placement) -> Wind:
    """Measure mean and gradients of the wind of a scene."""
    components = []
    for channel in map(find_channel, WIND):
        stored = scene.read_cells(channel).astype(np.float64)
        components.append(stored * channel.std + channel.mean)
    u, v = components
    spreading = _spreading(u, v)
    return Wind(_mean(u), _mean(v), spreading, scene.acquired, place)


def check_axes(scenes: Sequence[Wind]) -> Finding:
    """Check which axes u and v are along, by the divergence of the wind."""
    name = "axes of the wind"
    inferred = (
        "u10m_rotated is along the samples and v10m_rotated along the lines, up to the "
        "sign of both"
    )
    found = [wind.spreading for wind in scenes if wind.spreading]
    if len(found) < _FEWEST_SCENES:
        evidence = (
            f"{len(found)} scenes have a wind that varies; at least {_FEWEST_SCENES} are "
            "needed"
        )
        return Finding(name, inferred, "cannot tell", evidence)
    least = _least_spreading(found)
    evidence = (
        f"in {len(found)} scenes, the divergence is smallest for axes "
        f"{_words(least.axes)}: {least.ratio:.2f} times that for "
        f"{_words(least.next_axes)} (mean squares; {least.n_errors:.1f} standard errors)"
    )
    if least.n_errors < CLEAR:
        return Finding(name, inferred, "cannot tell", evidence)
    return Finding(name, inferred, outcome_of(least.axes == _ASSUMED), evidence)


def check_sign(scenes: Sequence[Wind]) -> Finding:
    """Check which way u and v are positive, by the prevailing wind from the north."""
    name = "sign of the wind"
    inferred = "positive u and v blow towards later samples and lines"
    found = [wind.spreading for wind in scenes if wind.spreading]
    least = _least_spreading(found) if len(found) >= _FEWEST_SCENES else None
    if least is None or least.n_errors < CLEAR:
        return Finding(name, inferred, "cannot tell", "the axes are not decided")
    north = np.array([wind.to_earth(least.axes)[1] for wind in scenes])
    kinds = _by_direction(scenes)
    if min(map(len, kinds)) < _FEWEST_OF_EACH:
        return Finding(name, inferred, "cannot tell", _too_few_of_each(kinds))
    (up, up_error), (down, down_error) = (mean_and_error(north[kind]) for kind in kinds)
    evidence = (
        f"for axes {_words(least.axes)} the mean wind to the north is {up:+.1f} m/s "
        f"(standard error {up_error:.1f}) in ascending scenes and {down:+.1f} m/s "
        f"({down_error:.1f}) in descending ones; in the climate of the seas around "
        "Greenland and northern Canada it is from the north"
    )
    if up * down < 0 or abs(up + down) < CLEAR * np.hypot(up_error, down_error):
        return Finding(name, inferred, "cannot tell", evidence)
    setting = least.axes if up < 0 else _opposite(least.axes)
    evidence += f"; so wind_axes = {_words(setting)}"
    return Finding(name, inferred, outcome_of(setting == _ASSUMED), evidence)


def check_rotation(scenes: Sequence[Wind]) -> Finding:
    """Check that scenes of all flight directions have the same wind once it is turned back.

    Pairs of scenes that are close in time and place decide; without them, the mean winds
    of ascending and descending scenes.
    """
    name = "rotation of the wind"
    inferred = (
        "u and v are rotated, not mirrored, from east and north by the flight direction"
    )
    pairs = [pair for pair in combinations(scenes, 2) if _are_close(*pair)]
    kinds = _by_direction(scenes)
    if len(pairs) >= _FEWEST_PAIRS:
        apart = np.array(
            [[_apart(way(a), way(b)) for a, b in pairs] for way in _WAYS.values()]
        )
        means = apart.mean(axis=1)
        order = np.argsort(means)
        lead, error = mean_and_error(apart[order[1]] - apart[order[0]])
        is_clear = lead > CLEAR * error
        evidence = f"in {len(pairs)} pairs of scenes that cross, the winds differ by "
        evidence += _ranked(order, [f"{mean:.0%}" for mean in means])
    elif min(map(len, kinds)) >= _FEWEST_OF_EACH:
        apart = np.array([_mean_difference(way, scenes, kinds) for way in _WAYS.values()])
        order = np.argsort(apart)
        is_clear = apart[order[0]] < CLEAR < apart[order[1]] - apart[order[0]]
        evidence = (
            f"the mean winds of {len(kinds[0])} ascending and {len(kinds[1])} descending "
            "scenes differ by "
        ) + _ranked(order, [f"{n_errors:.1f} standard errors" for n_errors in apart])
    else:
        evidence = (
            f"{len(pairs)} pairs of scenes within {_CLOSE_HOURS:.0f} hours and "
            f"{_CLOSE_KM:.0f} km cross each other, at least {_FEWEST_PAIRS} are needed; "
        ) + _too_few_of_each(kinds)
        return Finding(name, inferred, "cannot tell", evidence)
    if not is_clear:
        return Finding(name, inferred, "cannot tell", evidence)
    return Finding(name, inferred, outcome_of([*_WAYS][order[0]] == "rotated"), evidence)


_WAYS: Mapping[str, Callable[[Wind], FloatArray]] = MappingProxyType(
    {
        "rotated": lambda wind: wind.to_earth(_ASSUMED),
        "mirrored": lambda wind: wind.to_earth(("samples", "-lines")),
        "not rotated": lambda wind: np.array([wind.u, wind.v]),
    }
)
"""Winds towards east and north, up to a rotation that is the same in all scenes."""


def _ranked(order: IntArray, differences: Sequence[str]) -> str:
    names = [*_WAYS]
    return ", ".join(f"{differences[k]} if {names[k]}" for k in order)


def _by_direction(scenes: Sequence[Wind]) -> tuple[IntArray, IntArray]:
    """Return the positions of ascending and of descending scenes."""
    is_ascending = np.array([wind.place.is_ascending for wind in scenes], bool)
    return np.flatnonzero(is_ascending), np.flatnonzero(~is_ascending)


def _too_few_of_each(kinds: tuple[IntArray, IntArray]) -> str:
    up, down = map(len, kinds)
    return (
        f"{up} scenes are ascending, {down} descending; at least {_FEWEST_OF_EACH} of each "
        "are needed"
    )


def _mean_difference(
    way: Callable[[Wind], FloatArray], scenes: Sequence[Wind], kinds: Sequence[IntArray]
) -> float:
    """Return how far the mean winds of two kinds of scenes differ, in standard errors."""
    winds = np.array([way(wind) for wind in scenes])
    total = 0.0
    for component in winds.T:
        (one, one_error), (other, other_error) = (
            mean_and_error(component[kind]) for kind in kinds
        )
        total += (one - other) ** 2 / max(one_error**2 + other_error**2, 1e-9)
    return float((total / 2) ** 0.5)


class _Least(NamedTuple):
    """The axes along which the wind spreads least, and the next ones."""

    axes: Axes
    next_axes: Axes
    ratio: float
    n_errors: float


def _least_spreading(found: Sequence[tuple[float, ...]]) -> _Least:
    logs = np.log(np.array(found))
    first, second = np.argsort(logs.mean(axis=0))[:2]
    lead, error = mean_and_error(logs[:, second] - logs[:, first])
    ratio = float(np.exp(-lead))
    return _Least(_AXES[first], _AXES[second], ratio, lead / max(error, 1e-9))


def _opposite(axes: Axes) -> Axes:
    other: Mapping[Direction, Direction] = {
        "samples": "-samples", "-samples": "samples", "lines": "-lines", "-lines": "lines"
    }  # fmt: skip
    return other[axes[0]], other[axes[1]]


def _spreading(u: FloatArray, v: FloatArray) -> tuple[float, ...]:
    """Return the mean squares of the divergence for `_AXES`, relative to their sum."""
    block = max(1, min(_ERA5_CELLS, min(u.shape) // 6))
    u, v = (_block_means(plane, block) for plane in (u, v))
    if min(u.shape) < 3:
        return ()
    u_y, u_x = np.gradient(u)
    v_y, v_x = np.gradient(v)
    squares = np.array(
        [_mean(np.square(d)) for d in (u_x + v_y, u_x - v_y, u_y + v_x, u_y - v_x)]
    )
    total = float(squares.sum())
    return tuple((squares / total).tolist()) if total > 0 and squares.min() > 0 else ()


def _mean(values: FloatArray) -> float:
    """Return the mean of values that are known; 0 if there are none."""
    valid = values[~np.isnan(values)]
    return float(valid.mean()) if valid.size else 0.0


def _block_means(plane: FloatArray, block: int) -> FloatArray:
    n_y, n_x = (n // block for n in plane.shape)
    whole = plane[: n_y * block, : n_x * block]
    means: FloatArray = whole.reshape(n_y, block, n_x, block).mean(axis=(1, 3))
    return means


def _are_close(one: Wind, other: Wind) -> bool:
    """Return whether two scenes have the same weather, seen in different directions."""
    a, b = one.place, other.place
    turn = abs(wrapped(a.heading_deg - b.heading_deg))
    hours = abs((one.acquired - other.acquired).total_seconds()) / 3600
    north = 111.2 * (a.latitude - b.latitude)
    across = wrapped(a.longitude - b.longitude)
    east = 111.2 * np.cos(np.deg2rad(a.latitude)) * across
    return bool(
        turn >= _CROSSING_DEG
        and hours <= _CLOSE_HOURS
        and np.hypot(north, east) <= _CLOSE_KM
        and max(np.hypot(one.u, one.v), np.hypot(other.u, other.v)) >= _LEAST_M_S
    )


def _apart(one: FloatArray, other: FloatArray) -> float:
    """Return how far two winds are apart: 0 equal, 1 independent, 2 opposite."""
    return float(((one - other) ** 2).sum() / ((one**2).sum() + (other**2).sum()))


def _words(axes: Axes) -> str:
    return f"[{', '.join(axes)}]"
